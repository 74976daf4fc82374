import { PromiseDelegate } from '@lumino/coreutils';

import { StorageError } from '../errors';

/** How requests of a job are repeated. */
export interface IGateOptions {
  /** Milliseconds before the n-th try after a passing error. */
  delay: (attempt: number) => number;
  /** Tries without any progress before a file is given up. */
  attempts: number;
  /** Told when the connection is lost or found, and at a pause. */
  changed: () => void;
}

/** Lets the requests of a job pass: again after a cut, not during a pause, never once cancelled. */
export class Gate {
  constructor(private readonly _options: IGateOptions) {}

  /** Since the connection was lost; null while it works. */
  waitingSince: Date | null = null;

  get paused(): boolean {
    return this._paused !== null;
  }

  get cancelled(): boolean {
    return this._cancelled;
  }

  /** Stop within a request, until it goes on. */
  pause(): void {
    if (!this._paused && !this._cancelled) {
      this._paused = new PromiseDelegate();
      this._controller.abort();
      this.waitingSince = null;
      this._options.changed();
    }
  }

  resume(): void {
    if (this._paused) {
      this._controller = new AbortController();
      this._paused.resolve();
      this._paused = null;
      this._options.changed();
    }
  }

  /** Stop within a request, for good. */
  cancel(): void {
    this._cancelled = true;
    this._controller.abort();
    this._paused?.resolve();
    this._paused = null;
    this._options.changed();
  }

  /**
   * Try until it works, fails for good, is cancelled, or nothing has moved for long.
   *
   * An action that learns that an earlier try was not in vain calls `moved`.
   */
  async persist<T>(
    action: (signal: AbortSignal, moved: () => void) => Promise<T>,
    onCut: () => void = () => undefined,
    isPassing: (error: unknown) => boolean = () => false
  ): Promise<T> {
    let attempt = 0;
    const moved = () => {
      attempt = 1;
    };
    for (;;) {
      attempt += 1;
      await this._paused?.promise;
      if (this._cancelled) {
        throw new Error('cancelled');
      }
      const { signal } = this._controller;
      try {
        const result = await action(signal, moved);
        this.wait(null);
        return result;
      } catch (error) {
        if (this._cancelled) {
          throw error;
        }
        if (signal.aborted) {
          // A pause is no failure.
          onCut();
          attempt = 0;
          continue;
        }
        if (!(isPassing(error) || isCut(error)) || attempt >= this._options.attempts) {
          this.wait(null);
          throw error;
        }
        onCut();
        this.wait(this.waitingSince ?? new Date());
        await pause(this._options.delay(attempt), signal);
      }
    }
  }

  private wait(since: Date | null): void {
    if (this.waitingSince !== since) {
      this.waitingSince = since;
      this._options.changed();
    }
  }

  private _controller = new AbortController();
  private _paused: PromiseDelegate<void> | null = null;
  private _cancelled = false;
}

/** Whether the same request may succeed a moment later. */
export function isCut(error: unknown): boolean {
  return error instanceof StorageError ? error.passing : error instanceof TypeError;
}

/** Wait, but not beyond an abort. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
    if (signal.aborted) {
      end();
    }
  });
}
