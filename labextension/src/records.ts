/** The wire format: what the REST routes and the events carry. */

/** A file, a directory, or a symbolic link that is shown as itself. */
export interface IEntry {
  /** As a person types it: `shared:a/b`. */
  path: string;
  name: string;
  type: 'file' | 'directory' | 'symlink';
  /** Bytes; null for directories. */
  size: number | null;
  /** ISO 8601 in UTC; null where the store does not know. */
  modified: string | null;
  checksum: string | null;
  link: string | null;
}

/** One page of a directory. */
export interface IPage {
  entry: IEntry;
  entries: IEntry[];
  /** Asks for the next page; null on the last one. */
  cursor: string | null;
}

/** A named root. */
export interface ITier {
  name: string;
  uri: string;
  scope: string;
  lifetime: string;
  purpose: string;
  /** Directory in which kernels and terminals find it; null for object storage. */
  path: string | null;
  state: 'ok' | 'checking' | 'not configured' | 'unreachable';
  reason: string | null;
  hint: string | null;
  /** Bytes, as the two that follow. */
  used: number | null;
  free: number | null;
  quota: number | null;
}

/** One file that could not be done, and why. */
export interface IFailure {
  path: string;
  kind: string;
  message: string;
  hint: string;
}

/** What a transfer would do. */
export interface IPlan {
  files: number;
  bytes: number;
  conflicts: string[];
  conflict_count: number;
  failures: IFailure[];
}

export type TransferState =
  'waiting' | 'planning' | 'running' | 'done' | 'partial' | 'failed' | 'cancelled';

/** One transfer that the server runs. */
export interface ITransfer {
  id: string;
  operation: string;
  sources: string[];
  destination: string | null;
  state: TransferState;
  bytes_done: number;
  bytes_total: number | null;
  files_done: number;
  files_total: number | null;
  files_skipped: number;
  failures: IFailure[];
  failure_count: number;
  current: string | null;
  started: string | null;
  finished: string | null;
}

/** A resumable upload. */
export interface IUpload {
  id: string;
  path: string;
  size: number;
  offset: number;
}

/** One version of the project directory. */
export interface ISnapshot {
  id: string;
  short_id: string;
  time: string;
  hostname: string;
  files: number | null;
  bytes: number | null;
  files_new: number | null;
  files_changed: number | null;
  files_removed: number | null;
  bytes_added: number | null;
  failures: IFailure[];
}

/** How safe the project directory is. */
export interface ISnapshotStatus {
  state: 'off' | 'unwatched' | 'waiting' | 'capturing' | 'restoring' | 'ok' | 'error';
  workspace: string;
  project: string;
  repository: string;
  last: ISnapshot | null;
  pending: number;
  error: string | null;
  hint: string | null;
  failures: IFailure[];
}

/** What a download ticket is. */
export interface ITicket {
  id: string;
  url: string;
  name: string;
  files: number;
  bytes: number | null;
}

export type Conflict = 'fail' | 'overwrite' | 'skip' | 'newer';

export type SortKey = 'name' | 'size' | 'modified';

/** Whether a transfer will not change any more. */
export function isFinished(state: TransferState): boolean {
  return state === 'done' || state === 'partial' || state === 'failed' || state === 'cancelled';
}
