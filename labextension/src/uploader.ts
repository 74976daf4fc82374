import { Signal } from '@lumino/signaling';

import { StorageError, explain } from './errors';
import { nameOf } from './paths';
import { PieceReader } from './pieces';
import type { Conflict, IEntry, IFailure, IUpload, TransferState } from './records';

/** Bytes of a piece; a file up to this size goes in one request. */
export const PIECE_SIZE = 8 * 1024 * 1024;

/** The requests that an upload makes. */
export interface IUploadTransport {
  stat(path: string): Promise<IEntry>;
  put(path: string, body: Blob, exclusive: boolean, signal?: AbortSignal): Promise<IEntry>;
  mkdir(path: string): Promise<IEntry>;
  begin(
    path: string,
    size: number,
    modified: Date | null,
    conflict: Conflict,
    signal?: AbortSignal
  ): Promise<IUpload>;
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

/** What is to be uploaded: a file, or a directory (`blob` is null) that may be empty. */
export interface IUploadItem {
  /** The target: `tier:key`. */
  path: string;
  blob: Blob | null;
  modified: Date | null;
}

/** What a person says about a file that exists already. */
export interface IAnswer {
  choice: 'overwrite' | 'skip' | 'newer' | 'cancel';
  /** Whether to do the same with all others. */
  all: boolean;
}

/** How an upload behaves. */
export interface IUploadOptions {
  transport: IUploadTransport;
  ask: (path: string) => Promise<IAnswer>;
  /** What to do with files that exist; 'fail' asks. */
  policy?: Conflict;
  /** Files at the same time. */
  parallel?: number;
  pieceSize?: number;
  /** Milliseconds before the n-th try after a passing error. */
  delay?: (attempt: number) => number;
  /** Tries without any progress before a file is given up. */
  attempts?: number;
}

/** One drop or one choice of files: uploaded side by side, resumed after cuts, cancelled whole. */
export class UploadJob {
  constructor(
    readonly id: string,
    readonly destination: string,
    readonly items: IUploadItem[],
    options: IUploadOptions
  ) {
    this._options = {
      parallel: 3,
      pieceSize: PIECE_SIZE,
      delay: attempt => Math.min(30000, 500 * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2),
      attempts: 12,
      policy: 'fail',
      ...options
    };
    this._policy = this._options.policy;
    for (const item of items) {
      if (item.blob) {
        this.bytesTotal += item.blob.size;
        this.filesTotal += 1;
      }
    }
  }

  readonly changed = new Signal<this, void>(this);
  readonly started = new Date();
  readonly failures: IFailure[] = [];
  /** What failed, to be tried again. */
  readonly failed: IUploadItem[] = [];
  state: TransferState = 'waiting';
  bytesTotal = 0;
  filesTotal = 0;
  filesDone = 0;
  filesSkipped = 0;
  /** What the server has, files that were skipped or failed included. */
  bytesDone = 0;
  /** Name of a file under way. */
  current = '';
  /** Since the connection was lost; null while it works. */
  waitingSince: Date | null = null;

  /** Upload everything. Never rejects: what failed is in `failures`. */
  async run(): Promise<void> {
    this.update({ state: 'running' });
    const queue = this.items[Symbol.iterator]();
    const work = async () => {
      for (const item of queue) {
        if (this._stop.signal.aborted) {
          return;
        }
        await this.one(item);
      }
    };
    // Array iterators are shared on purpose: each worker takes the next item.
    await Promise.all(Array.from({ length: this._options.parallel }, work));
    const done = this.items.length - this.failed.length;
    const state = this._stop.signal.aborted
      ? 'cancelled'
      : this.failures.length === 0
        ? 'done'
        : done > 0
          ? 'partial'
          : 'failed';
    this.update({ state, current: '', waitingSince: null });
  }

  /** Stop within a request; what is complete stays, nothing half-written does. */
  cancel(): void {
    this._stop.abort();
  }

  private async one(item: IUploadItem): Promise<void> {
    this.update({ current: nameOf(item.path) });
    const progress = { bytes: 0 };
    try {
      if (!item.blob) {
        await this.persist(() => this._options.transport.mkdir(item.path));
        return;
      }
      const outcome = await this.file(item, item.blob, this._policy, progress);
      if (outcome === 'skipped') {
        this.filesSkipped += 1;
      } else {
        this.filesDone += 1;
      }
    } catch (error) {
      if (this._stop.signal.aborted) {
        return;
      }
      this.failed.push(item);
      this.failures.push({
        path: item.path,
        kind: error instanceof StorageError ? error.kind : 'Error',
        message: explain(error),
        hint: ''
      });
    }
    this.count(progress, item.blob?.size ?? 0);
  }

  private async file(
    item: IUploadItem,
    blob: Blob,
    policy: Conflict,
    progress: IProgress
  ): Promise<'done' | 'skipped'> {
    if (policy === 'skip' && (await this.exists(item.path))) {
      return 'skipped';
    }
    try {
      // 'newer' is for the server to decide, and only a resumable upload can ask it to.
      if (blob.size <= this._options.pieceSize && policy !== 'newer') {
        await this.small(item, blob, policy);
      } else {
        await this.large(item, blob, policy, progress);
      }
      return 'done';
    } catch (error) {
      if (!isConflict(error)) {
        throw error;
      }
      if (policy !== 'fail') {
        // With 'newer' or 'skip' a refusal is the answer that was asked for.
        if (policy === 'overwrite') {
          throw error;
        }
        return 'skipped';
      }
    }
    const choice = await this.ask(item.path);
    if (choice === 'cancel') {
      this.cancel();
      throw new Error('cancelled');
    }
    if (choice === 'skip') {
      return 'skipped';
    }
    return this.file(item, blob, choice, progress);
  }

  private async small(item: IUploadItem, blob: Blob, policy: Conflict): Promise<void> {
    const exclusive = policy !== 'overwrite';
    let unsure = false;
    await this.persist(
      async () => {
        try {
          await this._options.transport.put(item.path, blob, exclusive, this._stop.signal);
        } catch (error) {
          // The first try may have arrived although its answer was lost: then what is there
          // is what we sent, for the server never shows half a file.
          if (unsure && isConflict(error)) {
            const entry = await this._options.transport.stat(item.path);
            if (entry.size === blob.size) {
              return;
            }
          }
          throw error;
        }
      },
      () => {
        unsure = true;
      }
    );
  }

  private async large(
    item: IUploadItem,
    blob: Blob,
    policy: Conflict,
    progress: IProgress
  ): Promise<void> {
    const { transport } = this._options;
    const signal = this._stop.signal;
    const upload = await this.persist(() =>
      transport.begin(item.path, blob.size, item.modified, policy, signal)
    );
    try {
      await this.pieces(upload, blob, progress);
      await this.persist(async () => {
        await transport.commit(upload.id, signal);
      });
    } catch (error) {
      // Bytes that nobody will ask for again should not lie on the server for a week.
      await transport.abort(upload.id).catch(() => undefined);
      throw error;
    }
  }

  private async pieces(upload: IUpload, blob: Blob, progress: IProgress): Promise<void> {
    const { transport } = this._options;
    const signal = this._stop.signal;
    let offset = upload.offset;
    let known = true;
    const reader = new PieceReader(blob, this._options.pieceSize);
    while (offset < blob.size || !known) {
      const before = offset;
      await this.persist(
        async () => {
          if (!known) {
            offset = await transport.offset(upload.id, signal);
            known = true;
          }
          if (offset >= blob.size) {
            return;
          }
          const { body, checksum } = await reader.get(offset);
          known = false;
          offset = await transport.patch(upload.id, offset, body, checksum, signal);
          known = true;
        },
        // After a cut the server knows best what arrived.
        () => {
          known = false;
        },
        // Another offset than ours is no failure: ask, and go on from there.
        error => error instanceof StorageError && error.status === 409
      );
      if (offset < before) {
        progress.bytes = Math.min(progress.bytes, offset);
      }
      this.count(progress, offset);
    }
  }

  /** Try until it works, fails for good, is cancelled, or nothing has moved for long. */
  private async persist<T>(
    action: () => Promise<T>,
    onCut: () => void = () => undefined,
    isPassing: (error: unknown) => boolean = () => false
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await action();
        if (this.waitingSince) {
          this.update({ waitingSince: null });
        }
        return result;
      } catch (error) {
        if (this._stop.signal.aborted) {
          throw error;
        }
        const passing =
          isPassing(error) ||
          (error instanceof StorageError ? error.passing : error instanceof TypeError);
        if (!passing || attempt >= this._options.attempts) {
          throw error;
        }
        onCut();
        this.update({ waitingSince: this.waitingSince ?? new Date() });
        await pause(this._options.delay(attempt), this._stop.signal);
      }
    }
  }

  private async exists(path: string): Promise<boolean> {
    try {
      await this.persist(() => this._options.transport.stat(path));
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.status === 404) {
        return false;
      }
      throw error;
    }
  }

  /** One question at a time; an answer for all spares the others. */
  private ask(path: string): Promise<IAnswer['choice']> {
    const answer = this._asking.then(async () => {
      if (this._stop.signal.aborted) {
        return 'cancel';
      }
      if (this._policy !== 'fail') {
        return this._policy;
      }
      const { choice, all } = await this._options.ask(path);
      if (all && choice !== 'cancel') {
        this._policy = choice;
      }
      return choice;
    });
    this._asking = answer.catch(() => undefined);
    return answer;
  }

  private count(progress: IProgress, bytes: number): void {
    this.bytesDone += bytes - progress.bytes;
    progress.bytes = bytes;
    this.changed.emit();
  }

  private update(values: Partial<Pick<UploadJob, 'state' | 'current' | 'waitingSince'>>): void {
    Object.assign(this, values);
    this.changed.emit();
  }

  private readonly _options: Required<IUploadOptions>;
  private readonly _stop = new AbortController();
  private _policy: Conflict;
  private _asking: Promise<unknown> = Promise.resolve();
}

interface IProgress {
  bytes: number;
}

function isConflict(error: unknown): boolean {
  return error instanceof StorageError && error.status === 409 && error.kind === 'AlreadyExists';
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new Error('cancelled'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
  });
}
