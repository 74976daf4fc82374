import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  InputDialog,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { folderIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { ApplyBody } from '../components/ApplyPlan';
import { inProject } from '../documents';
import { explain, StorageError } from '../errors';
import { formatBytes } from '../format';
import { storageIcon } from '../icons';
import type { StorageModel } from '../model';
import { nameOf } from '../paths';
import type { IMount, IMountRequest } from '../records';
import { IStorage, StorageCommandIDs } from '../tokens';

/** Files that are named where several would be lost. */
const NAMED = 5;

/** Storages and mounts: applied from YAML files, mounted, flushed, taken away. */
export const storagesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-storage:storages',
  description: 'Storages that YAML files declare, and object storage as folders.',
  autoStart: true,
  requires: [IStorage],
  optional: [ITranslator, ICommandPalette, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    model: StorageModel,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    files: IDefaultFileBrowser | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_storage');
    const { storages, requests, browser } = model;

    const add = (
      id: string,
      label: string,
      execute: (args: ReadonlyPartialJSONObject) => Promise<void>,
      options: Partial<{
        icon: typeof storageIcon;
        argument: string;
        enabled: () => boolean;
        visible: () => boolean;
      }> = {}
    ) => {
      const { argument } = options;
      app.commands.addCommand(id, {
        label,
        icon: options.icon,
        isVisible: options.visible,
        isEnabled: args =>
          argument ? typeof args[argument] === 'string' : (options.enabled?.() ?? true),
        describedBy: {
          args: {
            type: 'object',
            properties: argument ? { [argument]: { type: 'string' } } : {}
          }
        },
        execute: async args => {
          try {
            await execute(args);
          } catch (error) {
            await showErrorMessage(label.replace('…', ''), explain(error));
          }
        }
      });
    };
    const mountOf = (args: ReadonlyPartialJSONObject): IMount | undefined =>
      storages.mounts.find(mount => mount.id === args.id);

    const nameIn = ({ name }: ReadonlyPartialJSONObject): string =>
      typeof name === 'string' ? name : '';

    /** The YAML file that is chosen in JupyterLab's own file browser. */
    const chosen = (): string => {
      const items = files ? [...files.selectedItems()] : [];
      const path = items.length === 1 ? inProject(app, items[0].path) : '';
      return /\.ya?ml$/i.test(path) ? path : '';
    };
    add(
      StorageCommandIDs.apply,
      trans.__('Apply Storages…'),
      async () => {
        const path = `./${chosen()}`;
        const look = (copied: boolean) => requests.planApply(path, copied);
        const body = new ApplyBody(await ApplyBody.choice(look), look, trans);
        const { changing } = body;
        const apply = Dialog.okButton({ label: trans.__('Apply') });
        const close = Dialog.cancelButton({
          label: changing ? trans.__('Cancel') : trans.__('Close')
        });
        const result = await showDialog({
          title: changing
            ? trans.__('Apply “%1”?', nameOf(path))
            : trans.__('All of “%1” is done', nameOf(path)),
          body,
          buttons: changing ? [close, apply] : [close]
        });
        if (result.button.accept) {
          await model.settle(await requests.apply(path, result.value ?? false));
          await storages.refresh();
        }
      },
      { icon: storageIcon, enabled: () => chosen() !== '', visible: () => chosen() !== '' }
    );

    const mount = async (
      request: Pick<IMountRequest, 'path' | 'storage'>,
      what: string,
      name: string
    ) => {
      const result = await InputDialog.getText({
        title: trans.__('Mount %1', what),
        label: trans.__('Folder in the server’s root directory'),
        text: `mounts/${name}`,
        okLabel: trans.__('Mount'),
        checkbox: {
          label: trans.__('Write to this machine first, and upload in the background'),
          caption: trans.__('Then files can be appended to and changed inside, too'),
          checked: false
        }
      });
      if (result.button.accept && result.value) {
        const target = `./${result.value.replace(/^[./]+/, '')}`;
        const whole = { ...request, target, cached: result.isChecked ?? false };
        try {
          await requests.mount(whole);
        } catch (error) {
          if (!(error instanceof StorageError) || error.kind !== 'Unsupported') {
            throw error;
          }
          await copyInstead(whole, what, error);
        }
        await storages.refresh();
      }
    };
    /** Where nothing can be mounted, a copy can stand in. */
    const copyInstead = async (request: IMountRequest, what: string, error: StorageError) => {
      const asked = await showDialog({
        title: trans.__('Copy %1 instead?', what),
        body: trans.__(
          '%1. All of it would be fetched. What you change then stays here until you upload it in the section Storages.',
          error.message
        ),
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.okButton({ label: trans.__('Copy') })
        ]
      });
      if (asked.button.accept) {
        await model.settle(await requests.mountCopy(request));
      }
    };
    add(
      StorageCommandIDs.mount,
      trans.__('Mount as Folder…'),
      async () => {
        const path = browser.selected[0]?.path ?? browser.path;
        await mount({ path }, path, nameOf(path) || browser.tier);
      },
      {
        icon: folderIcon,
        enabled: () => browser.tier !== '' && !browser.error,
        visible: () => browser.selected.every(entry => entry.type === 'directory')
      }
    );
    add(
      StorageCommandIDs.mountStorage,
      trans.__('Mount a Storage…'),
      async args => {
        const name = nameIn(args);
        await mount({ storage: name }, name, name);
      },
      { argument: 'name' }
    );

    const unmount = async (record: IMount) => {
      const copied = record.mode === 'COPY';
      const waits = record.pending
        ? trans._n(
            '%1 file is uploaded first: %2.',
            '%1 files are uploaded first: %2.',
            record.pending,
            named(record)
          )
        : '';
      const asked = await showDialog({
        title: copied
          ? trans.__('End the copy “%1”?', nameOf(record.target))
          : trans.__('Unmount “%1”?', nameOf(record.target)),
        body: `${
          copied
            ? trans.__('The files stay here and in %1, and nothing is uploaded later.', record.uri)
            : trans.__('What is in %1 stays there.', record.uri)
        } ${waits}`,
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.okButton({ label: copied ? trans.__('End') : trans.__('Unmount') })
        ]
      });
      if (!asked.button.accept) {
        return;
      }
      try {
        await storages.act(record.id, () => requests.unmount(record.id));
      } catch (error) {
        if (!(error instanceof StorageError) || error.status !== 409) {
          throw error;
        }
        const now = storages.mounts.find(other => other.id === record.id) ?? record;
        const lost = copied
          ? trans.__('What was changed here stays here, and is not uploaded.')
          : now.pending
            ? trans.__('Not uploaded, and lost: %1.', named(now))
            : trans.__('What is being written at this moment is lost.');
        const forced = await showDialog({
          title: copied
            ? trans.__('End the copy “%1” all the same?', nameOf(record.target))
            : trans.__('Unmount “%1” all the same?', nameOf(record.target)),
          body: `${explain(error)} ${lost}`,
          buttons: [
            Dialog.cancelButton({ label: trans.__('Cancel') }),
            Dialog.warnButton({
              label: copied ? trans.__('End') : trans.__('Unmount and Lose It')
            })
          ],
          defaultButton: 0
        });
        if (forced.button.accept) {
          await storages.act(record.id, () => requests.unmount(record.id, true));
        }
      }
    };
    const named = (record: IMount): string =>
      record.waiting.slice(0, NAMED).join(', ') + (record.pending > NAMED ? ', …' : '');
    add(
      StorageCommandIDs.unmount,
      trans.__('Unmount…'),
      async args => {
        const record = mountOf(args);
        if (record) {
          await unmount(record);
        }
      },
      { argument: 'id' }
    );
    for (const [id, label, action] of [
      [StorageCommandIDs.flush, trans.__('Wait for Uploads'), 'flush'],
      [StorageCommandIDs.repair, trans.__('Bring Back a Mount'), 'repair']
    ] as const) {
      add(
        id,
        label,
        async args => {
          const record = mountOf(args);
          if (record) {
            await storages.act(record.id, () => requests.changeMount(record.id, action));
          }
        },
        { argument: 'id' }
      );
    }
    add(
      StorageCommandIDs.remove,
      trans.__('Delete a Storage…'),
      async args => {
        const name = nameIn(args);
        const loss = await requests.planStorageRemoval(name);
        const result = await showDialog({
          title: trans.__('Delete the storage “%1”?', name),
          body: trans._n(
            '%1 file (%2) in it is lost for good.',
            '%1 files (%2) in it are lost for good.',
            loss.files,
            formatBytes(loss.bytes)
          ),
          buttons: [
            Dialog.cancelButton({ label: trans.__('Cancel') }),
            Dialog.warnButton({ label: trans.__('Delete') })
          ],
          defaultButton: 0
        });
        if (result.button.accept) {
          await storages.act(name, async () => model.settle(await requests.removeStorage(name)));
        }
      },
      { argument: 'name' }
    );
    for (const id of [StorageCommandIDs.apply, StorageCommandIDs.mount]) {
      palette?.addItem({ command: id, category: trans.__('Storage') });
    }
    const notify = () => {
      app.commands.notifyCommandChanged(StorageCommandIDs.mount);
    };
    browser.changed.connect(notify);
  }
};
