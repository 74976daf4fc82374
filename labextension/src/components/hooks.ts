import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

/** Render again whenever the signal is emitted, at most once a frame. */
export function useSignal<T>(signal: ISignal<T, unknown>): void {
  const [, render] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let frame = 0;
    const slot = () => {
      if (!frame) {
        // A timer, not an animation frame: those stand still in a background tab.
        frame = window.setTimeout(() => {
          frame = 0;
          render();
        }, 16);
      }
    };
    signal.connect(slot);
    // What changed between the first rendering and this effect.
    render();
    return () => {
      signal.disconnect(slot);
      window.clearTimeout(frame);
    };
  }, [signal]);
}

/** The time, so that '12 s ago' goes on; it stands still while nobody looks. */
export function useNow(interval: number): number {
  const [now, setNow] = React.useState(Date.now());
  React.useEffect(() => {
    const timer = window.setInterval(() => {
      if (document.visibilityState === 'visible') {
        setNow(Date.now());
      }
    }, interval);
    return () => window.clearInterval(timer);
  }, [interval]);
  return Math.max(now, Date.now());
}
