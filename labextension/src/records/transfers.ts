/** Transfers, uploads, deletions, and what is asked before. */

import type { IEntry } from './files';

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
  /** US dollars, about. */
  cost?: number | null;
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

/** What a download ticket is. */
export interface ITicket {
  id: string;
  url: string;
  name: string;
  /** Null where to count takes longer. */
  files: number | null;
  bytes: number | null;
}

export type Conflict = 'fail' | 'overwrite' | 'skip' | 'newer';

/** Whether a transfer will not change any more. */
export function isFinished(state: JobState): boolean {
  return state === 'done' || state === 'partial' || state === 'failed' || state === 'cancelled';
}
