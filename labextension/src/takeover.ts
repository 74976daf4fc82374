import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { StorageModel } from './model';

/** Ask whether this machine is to write the main line, and make it so. */
export async function takeOver(storage: StorageModel, trans: TranslationBundle): Promise<void> {
  const holder = storage.snapshots?.holder;
  const result = await showDialog({
    title: trans.__('Take over the workspace?'),
    body: trans.__(
      'The project directory of this machine becomes the newest version of the workspace, and this machine writes its main line from now on. %1 goes on as a fork: what it saved stays in the history, and what it saves from now on is kept beside. Files are not merged: compare first, and bring over what you want to have here.',
      holder ?? trans.__('The other machine')
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Take Over') })
    ],
    defaultButton: 0
  });
  if (!result.button.accept) {
    return;
  }
  await storage.requests.takeOver();
  await storage.refreshSnapshots();
  await storage.history.load();
  Notification.success(trans.__('This machine holds the workspace now.'), { autoClose: 10_000 });
}
