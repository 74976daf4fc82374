/** Storages and mounts. */

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
  /** Why nothing can be mounted on the server's machine; empty where it can. */
  unmountable: string;
}

/** A directory of the server's machine in which object storage appears. */
export interface IMount {
  id: string;
  target: string;
  uri: string;
  /** `COPY`: a copy in place of a mount, brought back on request. */
  mode: 'MOUNT' | 'MOUNT_CACHED' | 'COPY';
  mounter: string;
  /** Why this mounter. */
  reason: string;
  state: 'ok' | 'dead' | 'hanging' | 'missing' | 'incomplete';
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
