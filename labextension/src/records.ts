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

/** What a file looks like, and what its store knows of it. */
export interface IPreview {
  entry: IEntry;
  kind: 'text' | 'json' | 'table' | 'notebook' | 'image' | 'binary' | 'empty' | 'none';
  /** `owner`, `storage_class`, `etag` and others. */
  details: Record<string, string>;
  text: string;
  encoding: string | null;
  columns: { name: string; type: string }[];
  rows: (string | null)[][];
  /** Rows of the whole file, where it is known. */
  row_count: number | null;
  cells: { cell_type: string; source: string }[];
  /** Of an image, whose bytes are to be fetched. */
  media_type: string | null;
  /** Whether this is all that is in the file. */
  complete: boolean;
  hint: string;
}

/** One step of a search. */
export interface IFinding {
  entries: IEntry[];
  /** Files and folders that were looked at so far. */
  looked: number;
  /** Folders that could not be listed. */
  unlisted: number;
  done: boolean;
  complete: boolean;
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
  /** When it will be full, if it goes on like that; null where nobody can tell. */
  full_in_days?: number | null;
  /** How a tier that was added in the panel is reached. */
  options?: ITierOptions | null;
}

/** Where the credentials of a bucket are found, and the bucket itself; never a secret. */
export interface ITierOptions {
  endpoint_url?: string;
  region?: string;
  profile?: string;
  anonymous?: boolean;
  access_key_env?: string;
  secret_key_env?: string;
  credentials_file?: string;
}

/** A tier as it is added. */
export interface ITierRequest {
  uri: string;
  options: ITierOptions;
}

/** What fills a tier. */
export interface IUsage {
  tier: string;
  state: 'none' | 'counting' | 'done' | 'cancelled' | 'failed';
  files: number;
  bytes: number;
  own_files: number | null;
  own_bytes: number | null;
  trash_bytes: number;
  largest: IEntry[];
  oldest: IEntry[];
  taken: string | null;
  error: string | null;
}

/** What speaks against a step. */
export interface IAdvice {
  kind: 'large' | 'many' | 'secret' | 'region';
  message: string;
  hint: string;
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
  /** At the speed of the last transfer there. */
  seconds?: number | null;
  advice?: IAdvice[];
}

/** What a deletion would take away, and whether it can be undone. */
export interface IRemovalPlan {
  files: number;
  bytes: number;
  /** Whether all was counted; else there is more. */
  complete: boolean;
  undoable: boolean;
  /** Why it cannot be undone. */
  reason: string;
  /** How long the trash keeps it. */
  days: number;
}

/** What one deletion put into a tier's trash. */
export interface ITrashItem {
  id: string;
  tier: string;
  /** The first of what was deleted; `items` is their number. */
  paths: string[];
  items: number;
  files: number;
  bytes: number;
  deleted: string;
  expires: string | null;
}

export type TransferState =
  'waiting' | 'planning' | 'running' | 'done' | 'partial' | 'failed' | 'cancelled';

/** An upload can also rest. */
export type JobState = TransferState | 'paused';

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
  /** A snapshot of what a restore replaced. */
  undo?: string | null;
  /** Where what was deleted lies in a trash: `tier:ID`. */
  trashed?: string[];
}

/** A resumable upload. */
export interface IUpload {
  id: string;
  path: string;
  size: number;
  offset: number;
  created: string;
  conflict: Conflict;
  modified: string | null;
  /** By which the browser knows the file again. */
  sample: string | null;
  /** Whether somebody is sending it at this moment. */
  active: boolean;
}

/** A target of an upload that exists. */
export interface IInTheWay {
  path: string;
  entry: IEntry;
  /** A name beside it that nothing has. */
  free: string;
}

/** A file of a batch that was not written. */
export interface IBatchFailure {
  /** Of the file in the batch, from 0. */
  index: number;
  status: number;
  kind: string;
  message: string;
  hint: string;
  path: string | null;
}

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

/** What a download ticket is. */
export interface ITicket {
  id: string;
  url: string;
  name: string;
  files: number;
  bytes: number | null;
}

/** A storage that was created here. */
export interface IStorageRecord {
  name: string;
  created: string;
  store: string;
  /** What created it. */
  command: string;
  status: 'INIT' | 'READY' | 'UPLOAD_FAILED' | 'DELETING' | 'GONE' | 'UNREACHABLE';
  uri: string;
  kind: 'bucket' | 'prefix';
  persistent: boolean;
}

/** One thing that a file with storages asks for. */
export interface IApplyStep {
  action: 'create' | 'upload' | 'copy' | 'mount' | 'keep';
  source: string;
  target: string;
  files: number;
  bytes: number;
  note: string;
}

/** What applying a file would do. */
export interface IApplyPlan {
  steps: IApplyStep[];
  files: number;
  bytes: number;
}

/** A directory of the server's machine in which object storage appears. */
export interface IMount {
  id: string;
  target: string;
  uri: string;
  mode: 'MOUNT' | 'MOUNT_CACHED';
  mounter: string;
  /** Why this mounter. */
  reason: string;
  state: 'ok' | 'dead' | 'hanging' | 'missing';
  created: string;
  read_only: boolean;
  /** Files that are not uploaded yet. */
  pending: number;
  /** The first of them. */
  waiting: string[];
}

/** What is to be mounted: a part of a tier, or a storage. */
export interface IMountRequest {
  path?: string;
  storage?: string;
  /** `./relative/path` in the server's root directory. */
  target: string;
  cached?: boolean;
  read_only?: boolean;
}

export type Conflict = 'fail' | 'overwrite' | 'skip' | 'newer';

export type SortKey = 'name' | 'size' | 'modified';

/** Whether a transfer will not change any more. */
export function isFinished(state: JobState): boolean {
  return state === 'done' || state === 'partial' || state === 'failed' || state === 'cancelled';
}

/** An experiment of Ray Tune, or a run of Ray Train. */
export interface IExperiment {
  path: string;
  name: string;
  kind: 'tune' | 'train';
  /** When its state was last written. */
  modified: string | null;
  /** null where the state has not been read. */
  trials: number | null;
  /** Ray's words for states, and how many trials are in each. */
  states: Record<string, number>;
  metric: string | null;
  metrics: string[];
}

/** Experiments, newest first. */
export interface IExperimentPage {
  experiments: IExperiment[];
  cursor: string | null;
  /** Whether everything was looked at. */
  complete: boolean;
}

/** One trial of an experiment. */
export interface ITrial {
  id: string;
  path: string | null;
  state: string;
  parameters: Record<string, unknown>;
  /** What was reported last. */
  metrics: Record<string, unknown>;
  /** Best value of the metric that was asked for. */
  best: number | null;
  iterations: number | null;
}

/** Trials, the best first. */
export interface ITrialPage {
  trials: ITrial[];
  metric: string | null;
  mode: 'min' | 'max';
  total: number;
  cursor: string | null;
}

/** A checkpoint that is there. */
export interface ICheckpoint {
  path: string;
  name: string;
  trial: string;
  metrics: Record<string, unknown>;
  size: number | null;
}

/** A metric over iterations; null where a value is no number. */
export interface ICurve {
  metric: string;
  steps: number[];
  values: (number | null)[];
}

/** A trial with what lies in its directory. */
export interface ITrialDetails {
  trial: ITrial;
  metric: string | null;
  mode: 'min' | 'max';
  curve: ICurve | null;
  /** The best first. */
  checkpoints: ICheckpoint[];
  files: number;
  size: number;
}
