import { Token } from '@lumino/coreutils';

import type { StorageModel } from './model';

/** What other extensions can use: the model behind the panel. */
export const IStorage = new Token<StorageModel>(
  'jupyter-storage:IStorage',
  'Tiers, transfers and snapshots of Jupyter Storage, and the requests behind them.'
);

/** The commands, named in the schema too. */
export const CommandIDs = {
  show: 'storage:show',
  open: 'storage:open',
  goUp: 'storage:go-up',
  refresh: 'storage:refresh',
  filter: 'storage:filter',
  search: 'storage:search',
  reveal: 'storage:show-in-folder',
  goTo: 'storage:go-to',
  preview: 'storage:preview',
  uploadFiles: 'storage:upload-files',
  uploadFolder: 'storage:upload-folder',
  download: 'storage:download',
  newFolder: 'storage:new-folder',
  rename: 'storage:rename',
  remove: 'storage:delete',
  undo: 'storage:undo-delete',
  copy: 'storage:copy',
  cut: 'storage:cut',
  paste: 'storage:paste',
  copyPath: 'storage:copy-path',
  copyUri: 'storage:copy-uri',
  copyCode: 'storage:copy-code',
  selectAll: 'storage:select-all',
  retryTier: 'storage:retry-tier',
  usage: 'storage:usage',
  shareLink: 'storage:share-link',
  addTier: 'storage:add-tier',
  editTier: 'storage:edit-tier',
  removeTier: 'storage:remove-tier',
  openTerminal: 'storage:open-terminal',
  clearTransfers: 'storage:clear-transfers',
  snapshotNow: 'storage:snapshot-now',
  takeOver: 'storage:take-over',
  versions: 'storage:versions',
  browseSnapshot: 'storage:browse-snapshot',
  restoreSnapshot: 'storage:restore-snapshot',
  pinSnapshot: 'storage:pin-snapshot',
  nameSnapshot: 'storage:name-snapshot',
  fetchCheckpoint: 'storage:fetch-checkpoint',
  insertRestore: 'storage:insert-restore',
  removeExperiment: 'storage:delete-experiment'
} as const;

/** The commands of storages and mounts. */
export const StorageCommandIDs = {
  apply: 'storage:apply',
  mount: 'storage:mount',
  mountStorage: 'storage:mount-storage',
  unmount: 'storage:unmount',
  flush: 'storage:flush',
  repair: 'storage:repair-mount',
  remove: 'storage:delete-storage'
} as const;

/** The plugin whose schema holds the settings, menus, toolbars and shortcuts. */
export const PANEL_ID = 'jupyter-storage:panel';
