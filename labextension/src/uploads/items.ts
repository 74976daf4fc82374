import type { Conflict, IBatchFailure, IEntry, IInTheWay, IUpload } from '../records';

/** What is to be uploaded: a file, or a directory (`blob` is null) that may be empty. */
export interface IUploadItem {
  /** The target: `tier:key`. */
  path: string;
  blob: Blob | null;
  /** Gives what opens the file again after a reload, where the browser has such a thing. */
  handle?: () => Promise<FileSystemFileHandle | null>;
}

/** Something to be sent, and what to do if it exists by then. */
export interface ITask extends IUploadItem {
  policy: Conflict;
}

/** The requests that an upload makes. */
export interface IUploadTransport {
  inTheWay(directory: string, paths: string[], signal?: AbortSignal): Promise<IInTheWay[]>;
  batch(body: Blob, signal?: AbortSignal): Promise<IBatchFailure[]>;
  begin(request: IBeginning, signal?: AbortSignal): Promise<IUpload>;
  offset(id: string, signal?: AbortSignal): Promise<number>;
  patch(
    id: string,
    offset: number,
    piece: Blob,
    checksum: string,
    signal?: AbortSignal
  ): Promise<number>;
  commit(id: string, signal?: AbortSignal): Promise<IEntry>;
  abort(id: string): Promise<void>;
}

/** How a resumable upload is asked for. */
export interface IBeginning {
  path: string;
  size: number;
  modified: Date | null;
  conflict: Conflict;
  /** By which the same file is known again, if it is to be gone on with. */
  sample?: string;
}
