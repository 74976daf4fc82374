import * as React from 'react';

import type { Column } from '../columns';
import type { IPanelContext } from './context';

/** Pixels that one key press moves it. */
const STEP = 8;

/** The line before a column, which makes it wider or narrower. */
export function Separator({
  context,
  column,
  label
}: {
  context: IPanelContext;
  column: Column;
  label: string;
}): React.JSX.Element {
  const { columns, trans } = context;
  const width = columns.widths[column];
  const start = React.useRef<{ x: number; width: number } | null>(null);
  return (
    <div
      className="jp-Storage-separator"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={trans.__('Width of %1', label)}
      aria-valuenow={width}
      aria-valuemin={columns.narrowest}
      aria-valuemax={columns.widest}
      onKeyDown={event => {
        const steps: Record<string, number> = { ArrowLeft: STEP, ArrowRight: -STEP };
        if (event.key in steps) {
          columns.set(column, width + steps[event.key]);
          event.preventDefault();
          event.stopPropagation();
        }
      }}
      onPointerDown={event => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { x: event.clientX, width };
        event.preventDefault();
      }}
      onPointerMove={event => {
        if (start.current) {
          columns.set(column, start.current.width - (event.clientX - start.current.x));
        }
      }}
      onPointerUp={() => {
        start.current = null;
      }}
    />
  );
}
