import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { StorageModel } from './model';
import type { ISnapshotStatus } from './records';

/** Milliseconds that changes may wait before a person is told. */
export const PATIENCE = 60_000;
const STEP = 5000;

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

/** Warns while nothing can be saved, until something is. */
export class DurabilityWatch {
  constructor(
    private readonly _model: StorageModel,
    private readonly _trans: TranslationBundle,
    private readonly _show: () => void
  ) {
    _model.changed.connect(() => this._look());
    window.setInterval(() => this._look(), STEP);
  }

  private _look(): void {
    const status = this._model.snapshots;
    const late = this._waiting.tooLong(status, Date.now());
    if (late && this._warning === null) {
      const trans = this._trans;
      const why = [status?.error, status?.hint].filter(Boolean).join(' ');
      this._warning = Notification.warning(
        `${trans.__('For a minute nothing could be saved to a snapshot.')} ${why}`.trim(),
        {
          autoClose: false,
          actions: [{ label: trans.__('Show Storage'), callback: this._show }]
        }
      );
    } else if (!late && this._warning !== null) {
      Notification.dismiss(this._warning);
      this._warning = null;
    }
  }

  private readonly _waiting = new Waiting();
  private _warning: string | null = null;
}
