import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { StorageModel } from './model';
import { Waiting } from './waiting';

const STEP = 5000;

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
      // JupyterLab shows 140 characters: the panel has the hint.
      this._warning = Notification.warning(
        status?.error
          ? trans.__('Nothing could be saved for a minute: %1', status.error)
          : trans.__('Nothing could be saved for a minute.'),
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
