import * as React from 'react';

import type { ICurve } from '../records';

const WIDTH = 48;
const HEIGHT = 14;

/** A learning curve as small as a word; gaps where there was no number. */
export function Sparkline({ curve }: { curve: ICurve }): React.JSX.Element | null {
  const { steps, values } = curve;
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) {
    return null;
  }
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const [first, last] = [steps[0], steps[steps.length - 1]];
  const x = (step: number) => 1 + ((step - first) / (last - first || 1)) * (WIDTH - 2);
  const y = (value: number) => HEIGHT - 1 - ((value - low) / (high - low || 1)) * (HEIGHT - 2);
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
  return (
    <svg className="jp-Storage-sparkline" width={WIDTH} height={HEIGHT} aria-hidden>
      <path d={path} />
    </svg>
  );
}
