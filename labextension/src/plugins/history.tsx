import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  InputDialog,
  MainAreaWidget,
  Notification,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { historyIcon, ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Browse } from '../components/Browse';
import { Versions } from '../components/Versions';
import { saveBlob } from '../dialogs';
import { documentsOf, inProject } from '../documents';
import { DurabilityWatch } from '../durability';
import { explain } from '../errors';
import { formatMoment } from '../format';
import type { StorageModel } from '../model';
import { OpenFiles } from '../open-files';
import type { ICellDifference } from '../records';
import { RestoreWatch } from '../restore-watch';
import { restoreSnapshot } from '../restoring';
import { addWithRoom, roomIn } from '../room';
import { takeOver } from '../takeover';
import { CommandIDs, IStorage } from '../tokens';
import { VersionsModel, restoreInPlace } from '../versions-model';

/** Versions of files in the main area, and the warning that nothing can be saved. */
export const historyPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-storage:history',
  description: 'The versions of any file, what differs, and how they come back.',
  autoStart: true,
  requires: [IStorage, IDocumentManager],
  optional: [ITranslator, ICommandPalette, IDefaultFileBrowser, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    storage: StorageModel,
    manager: IDocumentManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    browser: IDefaultFileBrowser | null,
    shell: ILabShell | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_storage');
    const documents = documentsOf(app, manager);
    const showPanel = () => void app.commands.execute(CommandIDs.show);
    new DurabilityWatch(storage, trans, showPanel);
    new RestoreWatch(storage, trans, showPanel);
    if (shell) {
      new OpenFiles(shell, storage, documents);
    }

    /** What is chosen in JupyterLab's own file browser, if it is one file. */
    const selected = (): string => {
      const items = browser ? [...browser.selectedItems()] : [];
      return items.length === 1 && items[0].type !== 'directory'
        ? inProject(app, items[0].path)
        : '';
    };
    const open = (): string => {
      const widget = app.shell.currentWidget;
      const context = widget ? manager.contextForWidget(widget) : undefined;
      return context ? inProject(app, context.path) : '';
    };
    const pathOf = (args: { path?: unknown; of?: unknown }): string =>
      typeof args.path === 'string'
        ? inProject(app, args.path)
        : args.of === 'browser'
          ? selected()
          : open() || selected();
    const guarded = async (title: string, work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        await showErrorMessage(title, explain(error));
      }
    };

    /** Show a main-area widget, the same one where it is open already. */
    const show = (id: string, make: () => MainAreaWidget) => {
      let widget = [...app.shell.widgets(roomIn(app.shell))].find(other => other.id === id);
      if (!widget) {
        widget = make();
        widget.id = id;
        widget.title.closable = true;
        addWithRoom(app.shell, widget);
      }
      app.shell.activateById(id);
    };

    const versionsOf = (path: string) => {
      const model = new VersionsModel(path, storage, documents);
      const name = PathExt.basename(path);
      const undoable = (message: string, snapshot: string | null | undefined) => {
        Notification.success(message, {
          autoClose: 15_000,
          actions: snapshot
            ? [
                {
                  label: trans.__('Undo'),
                  caption: trans.__('Bring back what was there before'),
                  callback: () => void guarded(trans.__('Undo'), () => model.undo(snapshot))
                }
              ]
            : []
        });
      };
      const moment = () => formatMoment(model.chosen?.modified ?? model.chosen?.first ?? '');
      const restore = () =>
        guarded(trans.__('Restore'), async () => {
          const unsaved = model.dirty
            ? ` ${trans.__('Changes in the editor are saved before.')}`
            : '';
          const result = await showDialog({
            title: trans.__('Restore “%1”?', name),
            body:
              trans.__(
                'The file becomes what it was at %1. A snapshot is taken first, so that what is there now can be brought back.',
                moment()
              ) + unsaved,
            buttons: [
              Dialog.cancelButton({ label: trans.__('Cancel') }),
              Dialog.okButton({ label: trans.__('Restore') })
            ]
          });
          if (result.button.accept) {
            const when = moment();
            const record = await model.restore();
            undoable(trans.__('“%1” is as it was at %2.', name, when), record.undo);
          }
        });
      const restoreCell = (cell: ICellDifference) =>
        guarded(trans.__('Restore'), async () => {
          const when = moment();
          const done = await model.restoreCell(cell.id ?? String(cell.before));
          const message = done.replaced
            ? trans.__('Cell %1 of “%2” is as it was at %3.', done.number, name, when)
            : trans.__('Cell %1 of “%2” is back from %3.', done.number, name, when);
          undoable(message, done.saved);
        });
      const download = () =>
        guarded(trans.__('Download'), async () => {
          const { snapshot } = model.chosen!;
          saveBlob(await storage.requests.readSnapshot(snapshot, path), name);
        });
      const content = ReactWidget.create(
        <Versions
          model={model}
          trans={trans}
          onRestore={() => void restore()}
          onRestoreCell={cell => void restoreCell(cell)}
          onDownload={() => void download()}
        />
      );
      content.addClass('jp-Storage');
      const widget = new MainAreaWidget({ content });
      widget.title.label = trans.__('Versions of %1', name);
      widget.title.caption = path;
      widget.title.icon = historyIcon;
      void model.load();
      return widget;
    };

    app.commands.addCommand(CommandIDs.versions, {
      label: trans.__('Versions…'),
      caption: trans.__('Show the versions of a file, what differs, and bring one back'),
      icon: historyIcon,
      describedBy: {
        args: { type: 'object', properties: { path: { type: 'string' }, of: { type: 'string' } } }
      },
      isEnabled: args => storage.snapshots?.state !== 'off' && pathOf(args) !== '',
      execute: args => {
        const path = pathOf(args);
        show(`jp-storage-versions-${path}`, () => versionsOf(path));
      }
    });
    palette?.addItem({ command: CommandIDs.versions, category: trans.__('Storage') });

    app.commands.addCommand(CommandIDs.browseSnapshot, {
      label: trans.__('Browse Snapshot'),
      caption: trans.__('Look at the files of a snapshot'),
      icon: historyIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: { id: { type: 'string' }, time: { type: 'string' } },
          required: ['id', 'time']
        }
      },
      isVisible: args => typeof args.id === 'string',
      execute: args => {
        const id = text(args.id);
        const when = formatMoment(text(args.time));
        show(`jp-storage-snapshot-${id}`, () => {
          const restore = (path: string) =>
            guarded(trans.__('Restore'), async () => {
              const plan = await storage.requests.planRestore(id, [path]);
              const result = await showDialog({
                title: trans.__('Restore “%1”?', PathExt.basename(path)),
                body: trans.__(
                  'It becomes what it was at %1; %2 are replaced. A snapshot is taken first, so that what is there now can be brought back.',
                  when,
                  trans._n('%1 file', '%1 files', plan.replaced)
                ),
                buttons: [
                  Dialog.cancelButton({ label: trans.__('Cancel') }),
                  Dialog.okButton({ label: trans.__('Restore') })
                ]
              });
              if (result.button.accept) {
                await restoreInPlace(storage, documents, id, path);
                Notification.success(trans.__('“%1” is as it was at %2.', path, when), {
                  autoClose: 10_000
                });
              }
            });
          const download = (path: string) =>
            guarded(trans.__('Download'), async () =>
              saveBlob(await storage.requests.readSnapshot(id, path), PathExt.basename(path))
            );
          const content = ReactWidget.create(
            <Browse
              requests={storage.requests}
              docRegistry={app.docRegistry}
              id={id}
              title={trans.__('Files at %1', when)}
              trans={trans}
              onRestore={path => void restore(path)}
              onDownload={path => void download(path)}
              onVersions={path => void app.commands.execute(CommandIDs.versions, { path })}
            />
          );
          content.addClass('jp-Storage');
          const widget = new MainAreaWidget({ content });
          widget.title.label = trans.__('Files at %1', when);
          widget.title.caption = trans.__('Snapshot %1', id.slice(0, 8));
          widget.title.icon = historyIcon;
          return widget;
        });
      }
    });
    app.commands.addCommand(CommandIDs.restoreSnapshot, {
      label: trans.__('Restore Snapshot…'),
      caption: trans.__('Bring the project directory back as it was'),
      describedBy: {
        args: {
          type: 'object',
          properties: { id: { type: 'string' }, time: { type: 'string' } },
          required: ['id', 'time']
        }
      },
      isVisible: args => typeof args.id === 'string',
      execute: args =>
        guarded(trans.__('Restore'), () =>
          restoreSnapshot(storage, documents, trans, text(args.id), text(args.time))
        )
    });
    app.commands.addCommand(CommandIDs.takeOver, {
      label: trans.__('Take Over the Workspace…'),
      caption: trans.__('Make this machine the one that writes the main line of snapshots'),
      describedBy: { args: { type: 'object', properties: {} } },
      isVisible: () => Boolean(storage.snapshots?.fork),
      execute: () => guarded(trans.__('Take Over'), () => takeOver(storage, trans))
    });
    app.commands.addCommand(CommandIDs.pinSnapshot, {
      label: args => (args.pinned ? trans.__('Unpin Snapshot') : trans.__('Pin Snapshot')),
      caption: trans.__('Keep a snapshot when older ones are thinned out'),
      describedBy: {
        args: {
          type: 'object',
          properties: { id: { type: 'string' }, pinned: { type: 'boolean' } },
          required: ['id']
        }
      },
      isVisible: args => typeof args.id === 'string',
      execute: args =>
        guarded(trans.__('Pin'), async () => {
          await storage.requests.changeSnapshot(text(args.id), { pinned: !args.pinned });
          await storage.history.load();
        })
    });
    app.commands.addCommand(CommandIDs.nameSnapshot, {
      label: trans.__('Name Snapshot…'),
      caption: trans.__('Give a snapshot a name'),
      describedBy: {
        args: {
          type: 'object',
          properties: { id: { type: 'string' }, name: { type: 'string' } },
          required: ['id']
        }
      },
      isVisible: args => typeof args.id === 'string',
      execute: args =>
        guarded(trans.__('Name'), async () => {
          const result = await InputDialog.getText({
            title: trans.__('Name of the snapshot'),
            label: trans.__('Empty takes the name away. To keep the snapshot, pin it.'),
            text: text(args.name),
            okLabel: trans.__('Name')
          });
          if (result.button.accept && result.value !== null) {
            await storage.requests.changeSnapshot(text(args.id), { name: result.value });
            await storage.history.load();
          }
        })
    });
    storage.changed.connect(() => app.commands.notifyCommandChanged(CommandIDs.versions));
  }
};

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
