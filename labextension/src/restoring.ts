import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { askName } from './dialogs';
import { formatMoment } from './format';
import type { StorageModel } from './model';
import { restoreInPlace, type IDocuments } from './versions-model';

/** Ask where a snapshot is to come back, and bring it there. */
export async function restoreSnapshot(
  storage: StorageModel,
  documents: IDocuments,
  trans: TranslationBundle,
  id: string,
  time: string
): Promise<void> {
  const when = formatMoment(time);
  const plan = await storage.requests.planRestore(id);
  const result = await showDialog({
    title: trans.__('Restore the project directory?'),
    body: trans.__(
      'Back to %1: %2 replaced. Files that are newer stay. A snapshot is taken first, so that what is there now can be brought back. Or put the files into a folder of their own, and compare.',
      when,
      trans._n('%1 file is', '%1 files are', plan.replaced)
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.createButton({ label: trans.__('Into a Folder…'), accept: true, actions: ['folder'] }),
      Dialog.warnButton({ label: trans.__('Restore Here'), actions: ['here'] })
    ],
    defaultButton: 1
  });
  if (!result.button.accept) {
    return;
  }
  if (result.button.actions[0] === 'folder') {
    const folder = await askName(
      trans.__('Restore into a Folder'),
      trans.__('Name of the folder in the project directory; new or empty'),
      `restored-${id.slice(0, 8)}`,
      trans.__('Restore'),
      trans
    );
    if (folder !== null) {
      await storage.settle(await storage.requests.restoreInto(id, folder));
      Notification.success(trans.__('The files of %1 are in “%2”.', when, folder), {
        autoClose: 10_000
      });
    }
    return;
  }
  const record = await restoreInPlace(storage, documents, id, null);
  const { undo } = record;
  Notification.success(trans.__('The project directory is as it was at %1.', when), {
    autoClose: 15_000,
    actions: undo
      ? [
          {
            label: trans.__('Undo'),
            callback: () => void restoreInPlace(storage, documents, undo, null)
          }
        ]
      : []
  });
}
