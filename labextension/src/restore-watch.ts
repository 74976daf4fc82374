import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { StorageModel } from './model';

/** Says that the project directory is being restored at the start, until it is there. */
export class RestoreWatch {
  constructor(
    private readonly _model: StorageModel,
    private readonly _trans: TranslationBundle,
    private readonly _show: () => void
  ) {
    _model.changed.connect(() => this._look());
  }

  private _look(): void {
    const status = this._model.snapshots;
    const trans = this._trans;
    if (status?.state === 'restoring') {
      this._notice ??= Notification.emit(
        trans.__(
          'The project directory is being restored: open files and notebooks first. What is not there yet is on its way.'
        ),
        'in-progress',
        {
          autoClose: false,
          actions: [{ label: trans.__('Show Storage'), callback: this._show }]
        }
      );
    } else if (this._notice !== null && status) {
      const id = this._notice;
      this._notice = null;
      if (status.error) {
        // The panel says what went wrong, and what to do.
        Notification.dismiss(id);
      } else {
        Notification.update({
          id,
          message: trans.__('The project directory is restored.'),
          type: 'success',
          autoClose: 10_000,
          actions: []
        });
      }
    }
  }

  private _notice: string | null = null;
}
