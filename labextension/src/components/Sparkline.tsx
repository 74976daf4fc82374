import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { numberText } from '../experiments';
import type { ICurve } from '../records';

const WIDTH = 48;
const HEIGHT = 14;

/** Of a plot; it is drawn as wide as there is room. */
const PLOT_WIDTH = 200;
const PLOT_HEIGHT = 64;

interface IDrawn {
  path: string;
  low: number;
  high: number;
}

/** A curve as the path of an SVG, with gaps where there was no number; null for less than two. */
function drawn({ steps, values }: ICurve, width: number, height: number): IDrawn | null {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) {
    return null;
  }
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const [first, last] = [steps[0], steps[steps.length - 1]];
  const x = (step: number) => 1 + ((step - first) / (last - first || 1)) * (width - 2);
  const y = (value: number) => height - 1 - ((value - low) / (high - low || 1)) * (height - 2);
  let pen = 'M';
  let path = '';
  values.forEach((value, i) => {
    if (value === null) {
      pen = 'M';
    } else {
      path += `${pen}${x(steps[i]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = 'L';
    }
  });
  return { path, low, high };
}

/** A learning curve as small as a word. */
export function Sparkline({ curve }: { curve: ICurve }): React.JSX.Element | null {
  const line = drawn(curve, WIDTH, HEIGHT);
  return (
    line && (
      <svg className="jp-Storage-sparkline" width={WIDTH} height={HEIGHT} aria-hidden>
        <path d={line.path} />
      </svg>
    )
  );
}

/** A learning curve with what its edges mean. */
export function Plot(props: { curve: ICurve; trans: TranslationBundle }): React.JSX.Element | null {
  const { curve, trans } = props;
  const line = drawn(curve, PLOT_WIDTH, PLOT_HEIGHT);
  if (!line) {
    return null;
  }
  const [low, high] = [numberText(line.low), numberText(line.high)];
  const [first, last] = [curve.steps[0], curve.steps[curve.steps.length - 1]].map(numberText);
  return (
    <div
      className="jp-Storage-plot"
      role="img"
      aria-label={trans.__(
        '%1 from report %2 to %3, between %4 and %5',
        curve.metric,
        first,
        last,
        low,
        high
      )}
    >
      <span className="jp-Storage-plotTitle" aria-hidden>
        {curve.metric}
      </span>
      <span className="jp-Storage-plotValues" aria-hidden>
        <span>{high}</span>
        <span>{low}</span>
      </span>
      <svg viewBox={`0 0 ${PLOT_WIDTH} ${PLOT_HEIGHT}`} preserveAspectRatio="none" aria-hidden>
        <path d={line.path} />
      </svg>
      <span className="jp-Storage-plotSteps" aria-hidden>
        <span>{first}</span>
        <span>{last}</span>
      </span>
    </div>
  );
}
