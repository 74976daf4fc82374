import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  copyIcon,
  cutIcon,
  deleteIcon,
  downloadIcon,
  editIcon,
  fileUploadIcon,
  filterIcon,
  folderIcon,
  newFolderIcon,
  pasteIcon,
  refreshIcon,
  searchIcon,
  undoIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { choose } from './choosing';
import { codeFor, LIBRARIES, type Library } from './code';
import { askName } from './dialogs';
import { explain } from './errors';
import { fetchCheckpoint, insertRestore, removeExperiment } from './experiments';
import { storageIcon, uploadFolderIcon } from './icons';
import type { StorageModel } from './model';
import { paste } from './pasting';
import { addressOf, formatPath, joinKeys, parentKey, parsePath } from './paths';
import type { IEntry } from './records';
import { removeEntries, undo } from './removing';
import { CommandIDs } from './tokens';

/** Add every action of the panel to the application. */
export function addCommands(
  app: JupyterFrontEnd,
  model: StorageModel,
  trans: TranslationBundle
): void {
  const { browser } = model;

  const add = (
    id: string,
    label: string,
    execute: CommandRegistry.CommandFunc<unknown>,
    options: {
      icon?: LabIcon;
      caption?: string;
      enabled?: () => boolean;
      visible?: () => boolean;
    } = {}
  ) => {
    app.commands.addCommand(id, {
      label,
      caption: options.caption ?? label,
      icon: options.icon,
      isEnabled: options.enabled,
      isVisible: options.visible,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async args => {
        try {
          return await execute(args);
        } catch (error) {
          await showErrorMessage(label, explain(error));
          return undefined;
        }
      }
    });
  };
  const inTier = () => browser.tier !== '' && !browser.error;
  const some = () => browser.selectedCount > 0;
  const one = () => browser.selectedCount === 1;
  const target = (args: { path?: unknown }) =>
    typeof args.path === 'string' ? args.path : browser.path;

  const open = async (entry: IEntry) => {
    const { tier, key } = parsePath(entry.path);
    if (entry.type === 'directory') {
      await browser.open(tier, key);
      browser.focus(0, 'keep');
    } else {
      await app.commands.execute('docmanager:open', { path: entry.path });
    }
  };
  add(
    CommandIDs.open,
    trans.__('Open'),
    async () => {
      const entries = browser.selected;
      // One directory is entered; of several things the files are opened.
      const chosen =
        entries.length === 1 ? entries : entries.filter(entry => entry.type !== 'directory');
      for (const entry of chosen) {
        await open(entry);
      }
    },
    { icon: folderIcon, enabled: some }
  );
  add(CommandIDs.goUp, trans.__('Go to Parent Folder'), () => browser.up(), {
    enabled: () => inTier() && browser.key !== ''
  });
  add(
    CommandIDs.refresh,
    trans.__('Refresh'),
    () =>
      Promise.all([
        browser.refresh(),
        model.refreshTiers(),
        model.refreshSnapshots(),
        model.refreshInterrupted(),
        model.uploads.refresh()
      ]),
    { icon: refreshIcon, caption: trans.__('Look again at tiers and files') }
  );
  add(
    CommandIDs.filter,
    trans.__('Filter'),
    () => browser.setFilter(browser.filter === null ? '' : null),
    { icon: filterIcon, enabled: inTier, caption: trans.__('Show only some names of this folder') }
  );
  add(
    CommandIDs.search,
    trans.__('Search'),
    async () => {
      await browser.setFilter(browser.filter ?? '');
      await browser.setBelow(true);
    },
    { icon: searchIcon, enabled: inTier, caption: trans.__('Look for names here and below') }
  );
  add(
    CommandIDs.reveal,
    trans.__('Show in Folder'),
    () => browser.reveal(browser.selected[0].path),
    { icon: folderIcon, enabled: () => one() && browser.isSearch, visible: () => browser.isSearch }
  );
  add(CommandIDs.goTo, trans.__('Go to Path…'), () => browser.typePath(true), {
    enabled: () => browser.tier !== '',
    caption: trans.__('Type the path of a folder or file')
  });
  add(CommandIDs.selectAll, trans.__('Select All'), () => browser.selectAll());

  add(
    CommandIDs.uploadFiles,
    trans.__('Upload Files…'),
    async args => model.uploads.upload(await choose('files'), target(args)),
    { icon: fileUploadIcon, enabled: inTier, caption: trans.__('Upload files into this folder') }
  );
  add(
    CommandIDs.uploadFolder,
    trans.__('Upload Folder…'),
    async args => model.uploads.upload(await choose('folder'), target(args)),
    {
      icon: uploadFolderIcon,
      enabled: inTier,
      caption: trans.__('Upload a folder with everything in it')
    }
  );
  add(
    CommandIDs.download,
    trans.__('Download'),
    async () => {
      const entries = browser.selected;
      // With nothing selected, the folder that is shown.
      const paths = entries.length > 0 ? entries.map(entry => entry.path) : [browser.path];
      const raw = entries.length === 1 && entries[0].type !== 'directory';
      const ticket = await model.requests.archive(paths, raw ? 'raw' : 'zip');
      save(ticket.url, ticket.name);
    },
    {
      icon: downloadIcon,
      enabled: inTier,
      caption: trans.__('Download a file, or folders and selections as zip')
    }
  );

  add(
    CommandIDs.newFolder,
    trans.__('New Folder…'),
    async () => {
      const name = await askName(
        trans.__('New Folder'),
        trans.__('Name of the folder in %1', browser.path),
        trans.__('New folder'),
        trans.__('Create'),
        trans
      );
      if (name !== null) {
        const { tier, key } = browser;
        const path = formatPath(tier, joinKeys(key, name));
        await model.requests.mkdir(path);
        await browser.refresh();
        browser.focusPath(path);
      }
    },
    { icon: newFolderIcon, enabled: inTier, caption: trans.__('Make a folder here') }
  );
  add(
    CommandIDs.rename,
    trans.__('Rename…'),
    async () => {
      const [entry] = browser.selected;
      const name = await askName(
        trans.__('Rename'),
        trans.__('New name of %1', entry.name),
        entry.name,
        trans.__('Rename'),
        trans
      );
      if (name !== null && name !== entry.name) {
        const { tier, key } = parsePath(entry.path);
        const to = formatPath(tier, joinKeys(parentKey(key), name));
        // Through the drive, so that editors that show the file follow it.
        await app.serviceManager.contents.rename(entry.path, to);
        await browser.refresh();
        browser.focusPath(to);
      }
    },
    { icon: editIcon, enabled: one }
  );
  add(
    CommandIDs.remove,
    trans.__('Delete'),
    async () => {
      const entries = browser.selected;
      if (entries.length > 0) {
        await removeEntries(model, entries, trans);
      }
    },
    { icon: deleteIcon, enabled: some }
  );
  add(CommandIDs.undo, trans.__('Undo Delete'), () => undo(model, model.lastDeleted, trans), {
    icon: undoIcon,
    enabled: () => model.lastDeleted.length > 0,
    caption: trans.__('Bring back what was deleted last')
  });

  const remember = (operation: 'copy' | 'move') => () =>
    model.setClipboard({ operation, paths: browser.selected.map(entry => entry.path) });
  add(CommandIDs.copy, trans.__('Copy'), remember('copy'), { icon: copyIcon, enabled: some });
  add(CommandIDs.cut, trans.__('Cut'), remember('move'), { icon: cutIcon, enabled: some });
  add(
    CommandIDs.paste,
    trans.__('Paste'),
    async () => {
      const clipboard = model.clipboard;
      if (clipboard) {
        const started = await paste(
          model,
          clipboard.operation,
          clipboard.paths,
          browser.path,
          trans
        );
        if (started && clipboard.operation === 'move') {
          model.setClipboard(null);
        }
      }
    },
    { icon: pasteIcon, enabled: () => inTier() && model.clipboard !== null }
  );
  add(
    CommandIDs.copyPath,
    trans.__('Copy Path'),
    () => {
      const paths = browser.selected.map(entry => entry.path);
      Clipboard.copyToSystem(paths.length > 0 ? paths.join('\n') : browser.path);
    },
    { enabled: inTier, caption: trans.__('Copy the path as notebooks and the shell take it') }
  );

  add(
    CommandIDs.copyUri,
    trans.__('Copy URI'),
    () => {
      const paths = some() ? browser.selected.map(entry => entry.path) : [browser.path];
      const addresses = paths.map(path => addressOf(path, model.tiers, 'uri'));
      Clipboard.copyToSystem(addresses.join('\n'));
    },
    { enabled: inTier, caption: trans.__('Copy the address as other programs take it') }
  );
  app.commands.addCommand(CommandIDs.copyCode, {
    label: args => (args.library ? LIBRARIES[libraryOf(args)] : trans.__('Copy Code')),
    caption: trans.__('Copy Python code that reads the selected file'),
    describedBy: {
      args: {
        type: 'object',
        properties: { library: { type: 'string', enum: Object.keys(LIBRARIES) } }
      }
    },
    isEnabled: args => one() && codeFor(browser.selected[0], libraryOf(args)) !== null,
    execute: args => {
      const code = codeFor(browser.selected[0], libraryOf(args));
      if (code !== null) {
        Clipboard.copyToSystem(code);
      }
    }
  });

  add(CommandIDs.fetchCheckpoint, trans.__('Fetch Checkpoint…'), args =>
    fetchCheckpoint(model, args as { path: string }, trans)
  );
  add(CommandIDs.insertRestore, trans.__('Insert Cell That Restores'), args =>
    insertRestore(app.commands, args as { path: string; kind: string }, trans)
  );
  add(CommandIDs.removeExperiment, trans.__('Clean Up…'), args =>
    removeExperiment(model, args as { path: string }, trans)
  );

  add(CommandIDs.retryTier, trans.__('Look at a Tier Again'), args =>
    model.retryTier(typeof args.name === 'string' ? args.name : browser.tier)
  );
  add(CommandIDs.clearTransfers, trans.__('Clear Finished Transfers'), () => model.dismiss());
  add(
    CommandIDs.snapshotNow,
    trans.__('Snapshot Now'),
    async () => {
      await model.snapshotNow();
    },
    {
      icon: storageIcon,
      enabled: () => model.snapshots !== null && model.snapshots.state !== 'off',
      caption: trans.__('Save a version of the project directory now')
    }
  );
}

function libraryOf(args: { library?: unknown }): Library {
  const { library } = args;
  return typeof library === 'string' && library in LIBRARIES ? (library as Library) : 'python';
}

/** Let the browser save what an address gives. */
function save(url: string, name: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.appendChild(link);
  link.click();
  link.remove();
}
