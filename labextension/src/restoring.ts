import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { askName } from './dialogs';
import { formatBytes, formatMoment } from './format';
import type { StorageModel } from './model';
import type { IRestorePlan } from './records';
import { restoreInPlace, type IDocuments } from './versions-model';

/** Names of files in a question. */
const NAMED = 5;

/** Ask where a snapshot is to come back, and bring it there. */
export async function restoreSnapshot(
  storage: StorageModel,
  documents: IDocuments,
  trans: TranslationBundle,
  id: string,
  time: string
): Promise<void> {
  const when = formatMoment(time);
  const plan = await storage.requests.planRestore(id, undefined, true);
  const result = await showDialog({
    title: trans.__('Restore the project directory?'),
    body: trans.__(
      'Back to %1: %2 replaced. Files that are newer stay. A snapshot is taken first, so that what is there now can be brought back. Or put the files into a folder of their own, and compare.',
      when,
      trans._n('%1 file is', '%1 files are', plan.replaced)
    ),
    checkbox:
      plan.removed > 0
        ? {
            label: trans._n(
              'Also remove %1 file that came later',
              'Also remove %1 files that came later',
              plan.removed
            ),
            caption: trans.__('Only with “Restore Here”'),
            checked: false
          }
        : null,
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
  const exact = result.isChecked === true;
  if (exact && !(await confirmRemoval(plan, trans))) {
    return;
  }
  const record = await restoreInPlace(storage, documents, id, null, exact);
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

/** Ask whether files are to go, by number and name. */
async function confirmRemoval(plan: IRestorePlan, trans: TranslationBundle): Promise<boolean> {
  const names = plan.examples.slice(0, NAMED).map(path => `“${path}”`);
  if (plan.removed > names.length) {
    names.push(trans._n('%1 more', '%1 more', plan.removed - names.length));
  }
  const result = await showDialog({
    title: trans._n('Remove %1 file?', 'Remove %1 files?', plan.removed),
    body: trans.__(
      '%1 (%2) came later than the snapshot and are removed from the project directory. The snapshot that is taken first has them, and Undo brings them back.',
      names.join(', '),
      formatBytes(plan.removed_bytes)
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Remove and Restore') })
    ],
    defaultButton: 0
  });
  return result.button.accept;
}
