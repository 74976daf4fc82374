import type { ISnapshotStatus } from './records';

/** Milliseconds that changes may wait before a person is told. */
export const PATIENCE = 60_000;

/** Since when changes wait that are in no snapshot. */
export class Waiting {
  /** Whether they have waited too long, at this moment and in this state. */
  tooLong(status: ISnapshotStatus | null, now: number): boolean {
    const waits =
      status !== null &&
      (status.state === 'error' ||
        ((status.state === 'waiting' || status.state === 'capturing') && status.pending > 0));
    if (!waits) {
      this._since = null;
      return false;
    }
    this._since ??= now;
    // What was saved meanwhile is safe, although more has come.
    const durable = status.durable ? Date.parse(status.durable) : 0;
    return now - Math.max(this._since, durable) > PATIENCE;
  }

  private _since: number | null = null;
}
