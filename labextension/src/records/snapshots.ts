/** Snapshots, versions, differences and restores. */

import type { IFailure } from './transfers';

/** One version of the project directory. */
export interface ISnapshot {
  id: string;
  short_id: string;
  time: string;
  hostname: string;
  tags: string[];
  parent: string | null;
  /** The fork that it is on; null on the main line. */
  fork?: string | null;
  files: number | null;
  bytes: number | null;
  files_new: number | null;
  files_changed: number | null;
  files_removed: number | null;
  bytes_added: number | null;
  failures: IFailure[];
}

/** How far the restore at a start is; a total is null where nobody knows it. */
export interface IRestoreProgress {
  files: number;
  files_total: number | null;
  bytes: number;
  bytes_total: number | null;
}

/** How safe the project directory is. */
export interface ISnapshotStatus {
  state: 'off' | 'unwatched' | 'waiting' | 'capturing' | 'restoring' | 'ok' | 'error';
  workspace: string;
  project: string;
  repository: string;
  last: ISnapshot | null;
  pending: number;
  /** Everything that changed before this moment is safe. */
  durable?: string | null;
  pending_bytes?: number | null;
  /** Whether changes are noticed at once; else by looks at everything, now and then. */
  watching?: boolean | null;
  unwatched?: string | null;
  /** In the state `restoring`. */
  restoring?: IRestoreProgress | null;
  /** The fork that this machine writes, while another one holds the workspace. */
  fork?: string | null;
  holder?: string | null;
  error: string | null;
  hint: string | null;
  failures: IFailure[];
}

/** One version of one file, and the snapshots that have it. */
export interface IFileVersion {
  path: string;
  /** The newest snapshot that has it; `snapshots` are all, newest first. */
  snapshot: string;
  snapshots: string[];
  first: string;
  last: string;
  type: 'file' | 'symlink';
  size: number | null;
  modified: string | null;
  /** Whether the file is still like this. */
  current: boolean;
}

/** One path that two snapshots differ in. */
export interface IDifference {
  path: string;
  change: 'added' | 'removed' | 'changed' | 'type' | 'attributes';
  type: 'file' | 'directory' | 'symlink' | 'other';
  /** Bytes. */
  before: number | null;
  after: number | null;
}

/** What changed from one snapshot to another. */
export interface IComparison {
  before: string | null;
  after: string;
  added: number;
  removed: number;
  changed: number;
  bytes_added: number;
  bytes_removed: number;
  entries: IDifference[];
  complete: boolean;
}

/** One cell of a notebook, in an old version and a newer one. */
export interface ICellDifference {
  change: 'same' | 'added' | 'removed' | 'changed';
  /** Number of the cell, from 1. */
  before: number | null;
  after: number | null;
  id: string | null;
  cell_type: string;
  source: string;
  source_changed: boolean;
  outputs_changed: boolean;
  metadata_changed: boolean;
}

/** What differs between an old version of a file and a newer one. */
export interface IFileComparison {
  path: string;
  before: string;
  after: string | null;
  kind: 'same' | 'text' | 'notebook' | 'binary' | 'large' | 'missing';
  size_before: number | null;
  size_after: number | null;
  diff: string;
  cells: ICellDifference[];
  metadata_changed: boolean;
}

/** A cell that was put back. */
export interface ICellRestored {
  path: string;
  number: number;
  replaced: boolean;
  /** The snapshot with the notebook as it was before. */
  saved: string;
}

/** What a restore into the project directory would do. */
export interface IRestorePlan {
  snapshot: ISnapshot;
  undo: ISnapshot;
  replaced: number;
  removed: number;
  removed_bytes: number;
  examples: string[];
}
