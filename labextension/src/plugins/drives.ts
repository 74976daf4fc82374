import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { URLExt } from '@jupyterlab/coreutils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { TierDrive } from '../drive';
import type { StorageModel } from '../model';
import { isOnTier, parsePath } from '../paths';
import { IStorage } from '../tokens';
import { UploadJob } from '../uploads/job';

const DEFAULT_TIERS = ['local', 'cluster', 'user', 'shared', 'artifacts'];

/** Every tier as a drive, so that what is on it opens in editors. */
export const drivesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-storage:drives',
  description: 'Storage tiers as drives, so that notebooks and files on them open and save.',
  autoStart: true,
  requires: [IStorage],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, model: StorageModel, translator: ITranslator | null): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_storage');
    const { contents, serverSettings } = app.serviceManager;
    const storageKey = `jupyter-storage:tiers:${URLExt.parse(serverSettings.baseUrl).pathname}`;
    const drives = new Map<string, TierDrive>();
    const register = (name: string) => {
      if (!drives.has(name)) {
        const drive = new TierDrive(name, model.requests, trans);
        drives.set(name, drive);
        contents.addDrive(drive);
      }
    };
    // JupyterLab opens last session's documents before the server has told us the tiers: their
    // drives must be there. The five, and what there was last time.
    [...DEFAULT_TIERS, ...remembered(storageKey)].forEach(register);
    model.tiersLoaded.connect((_, tiers) => {
      const names = tiers.map(tier => tier.name);
      names.forEach(register);
      window.localStorage.setItem(storageKey, JSON.stringify(names));
    });
    model.finished.connect((_, item) => {
      if (!(item instanceof UploadJob) && item.operation === 'delete' && item.state === 'done') {
        // A storage is deleted by its name.
        for (const source of item.sources.filter(isOnTier)) {
          const { tier, key } = parsePath(source);
          drives.get(tier)?.emitDeleted(key);
        }
      }
    });
  }
};

function remembered(key: string): string[] {
  try {
    const names: unknown = JSON.parse(window.localStorage.getItem(key) ?? '[]');
    return Array.isArray(names) ? names.filter(name => typeof name === 'string') : [];
  } catch {
    return [];
  }
}
