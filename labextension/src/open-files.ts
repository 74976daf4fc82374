import type { ILabShell } from '@jupyterlab/application';
import { Debouncer } from '@lumino/polling';

import type { StorageModel } from './model';
import type { IDocuments } from './versions-model';

const PAUSE = 2000;
/** The server takes no more. */
const MOST = 1000;

/** Tells the server which files are open, so that they come first on a new machine. */
export class OpenFiles {
  constructor(
    shell: ILabShell,
    private readonly _model: StorageModel,
    private readonly _documents: IDocuments
  ) {
    const teller = new Debouncer(() => this._tell(), PAUSE);
    shell.layoutModified.connect(() => void teller.invoke());
  }

  private async _tell(): Promise<void> {
    const state = this._model.snapshots?.state;
    // While files come back, those that were open before are what counts.
    if (!state || state === 'off' || state === 'restoring') {
      return;
    }
    const paths = this._documents.paths().sort().slice(0, MOST);
    const told = JSON.stringify(paths);
    if (told === this._told) {
      return;
    }
    try {
      await this._model.requests.noteOpen(paths);
      this._told = told;
    } catch (error) {
      // All files come back without it, too; the next change of the layout tries again.
      console.debug('The open files could not be noted', error);
    }
  }

  private _told = '[]';
}
