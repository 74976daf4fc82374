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

/**
 * The time in steps, so that '12 s ago' goes on; it stands still while nobody looks.
 *
 * Steps begin at the same moments everywhere: two places never say different things.
 */
export function useNow(step: number): number {
  const [, render] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let timer = 0;
    const wait = () => {
      timer = window.setTimeout(
        () => {
          if (document.visibilityState === 'visible') {
            render();
          }
          wait();
        },
        step - (Date.now() % step)
      );
    };
    wait();
    return () => window.clearTimeout(timer);
  }, [step]);
  return Date.now() - (Date.now() % step);
}
