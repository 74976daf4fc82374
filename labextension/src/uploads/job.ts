import { Signal } from '@lumino/signaling';

import { StorageError, explain } from '../errors';
import { nameOf } from '../paths';
import type { Conflict, IBatchFailure, IFailure, IUpload, JobState } from '../records';
import { pack, readBatch } from './batches';
import { type Ask, Conflicts } from './conflicts';
import { Gate } from './gate';
import type { ITask, IUploadItem, IUploadTransport } from './items';
import { measure, modifiedOf } from './measuring';
import { PieceReader } from './pieces';
import { sampleOf } from './sample';

/** Bytes of a piece; files up to this size share a request with others. */
export const PIECE_SIZE = 8 * 1024 * 1024;

/** How an upload behaves. */
export interface IUploadOptions {
  transport: IUploadTransport;
  ask: Ask;
  /** What to do with files that exist; 'fail' asks. */
  policy?: Conflict;
  /** Requests at the same time. */
  parallel?: number;
  pieceSize?: number;
  /** Milliseconds before the n-th try after a passing error. */
  delay?: (attempt: number) => number;
  /** Tries without any progress before a file is given up. */
  attempts?: number;
  /** Whether what has arrived stays when something fails, for another try. */
  resumable?: boolean;
  /** Told of each resumable upload, so that it can be gone on with after a reload. */
  began?: (upload: IUpload, item: IUploadItem) => void;
}

/** One drop or one choice of files: uploaded side by side, resumed after cuts, paused, cancelled. */
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
      resumable: true,
      began: () => undefined,
      ...options
    };
    const { transport, ask, policy, delay, attempts } = this._options;
    this._conflicts = new Conflicts(transport, destination, ask, policy);
    this._gate = new Gate({ delay, attempts, changed: () => this.changed.emit() });
    this.filesTotal = items.filter(({ blob }) => blob).length;
  }

  readonly changed = new Signal<this, void>(this);
  readonly started = new Date();
  readonly failures: IFailure[] = [];
  /** What failed, to be tried again. */
  readonly failed: IUploadItem[] = [];
  /** IDs of its resumable uploads that are not published. */
  readonly uploads = new Set<string>();
  /** 0 until all files were looked at. */
  bytesTotal = 0;
  readonly filesTotal: number;
  filesDone = 0;
  filesSkipped = 0;
  /** What the server has, files that were skipped or failed included. */
  bytesDone = 0;
  /** What was sent by this job. */
  bytesSent = 0;

  get state(): JobState {
    return this._state === 'running' && this._gate.paused ? 'paused' : this._state;
  }

  /** Since the connection was lost; null while it works. */
  get waitingSince(): Date | null {
    return this._gate.waitingSince;
  }

  /** Name of a file under way. */
  get current(): string {
    return [...this._current].at(-1) ?? '';
  }

  /** Upload everything. Never rejects: what failed is in `failures`. */
  async run(): Promise<void> {
    this.enter('planning');
    // Files are sent meanwhile.
    const measured = measure(this.items, () => this._gate.cancelled).then(total => {
      this.bytesTotal = total ?? 0;
      this.changed.emit();
    });
    try {
      const decision = await this._gate.persist(signal =>
        this._conflicts.decide(this.items, signal)
      );
      if (decision.cancelled) {
        this._gate.cancel();
      }
      decision.skipped.forEach(item => this.skip(item));
      await this.send(decision.tasks);
    } catch (error) {
      if (!this._gate.cancelled) {
        this.items.forEach(item => this.fail(item, error));
      }
    }
    await measured;
    this._current.clear();
    const done = this.items.length - this.failed.length;
    this.enter(
      this._gate.cancelled
        ? 'cancelled'
        : this.failed.length === 0
          ? 'done'
          : done > 0
            ? 'partial'
            : 'failed'
    );
  }

  /** Stop within a request; what is complete stays, nothing half-written does. */
  cancel(): void {
    this._gate.cancel();
  }

  /** Stop within a request, until it is resumed. */
  pause(): void {
    this._gate.pause();
  }

  resume(): void {
    this._gate.resume();
  }

  /** Take a failure off the list: the file is tried again by another job. */
  forgive(path: string): void {
    for (const list of [this.failures, this.failed]) {
      const index = list.findIndex(each => each.path === path);
      if (index >= 0) {
        list.splice(index, 1);
      }
    }
    this.changed.emit();
  }

  private async send(tasks: ITask[]): Promise<void> {
    this.enter('running');
    const units = pack(tasks, this._options.pieceSize);
    const asked: ITask[] = [];
    const work = async () => {
      let unit;
      const next = () => (asked.length > 0 ? [asked.pop()!] : units.next().value);
      while (!this._gate.cancelled && (unit = next())) {
        const again = this.isLarge(unit[0]) ? await this.large(unit[0]) : await this.batch(unit);
        asked.push(...(await this.askAgain(again)));
      }
    };
    await Promise.all(Array.from({ length: this._options.parallel }, work));
  }

  private isLarge({ blob }: ITask): boolean {
    return (blob?.size ?? 0) > this._options.pieceSize;
  }

  /** Send small files together; gives those in whose place something has come into being. */
  private async batch(unit: ITask[]): Promise<ITask[]> {
    const { policy } = unit[0];
    const conflicts: ITask[] = [];
    let left = unit;
    const names = unit.map(task => nameOf(task.path));
    this._current.add(names[0]);
    try {
      await this._gate.persist(async signal => {
        const batch = await readBatch(left, policy);
        batch.unreadable.forEach(({ task, error }) => this.fail(task, error));
        left = batch.tasks;
        if (left.length === 0) {
          return;
        }
        const failures = await this._options.transport.batch(batch.body, signal);
        const failed = new Map(failures.map(failure => [failure.index, refusal(failure)]));
        let passing: StorageError | null = null;
        left = batch.tasks.filter((task, i) => {
          const error = failed.get(i);
          if (error?.passing) {
            passing = error;
            return true;
          }
          if (!error) {
            this.complete(task, task.blob?.size ?? 0);
          } else if (!isTaken(error)) {
            this.fail(task, error);
          } else if (policy === 'fail') {
            conflicts.push(task);
          } else {
            this.skip(task);
          }
          return false;
        });
        if (passing) {
          throw passing as StorageError;
        }
      });
    } catch (error) {
      if (!this._gate.cancelled) {
        left.forEach(task => this.fail(task, error));
      }
    } finally {
      this._current.delete(names[0]);
    }
    return conflicts;
  }

  /** Send a large file; gives it back if something has come into being in its place. */
  private async large(task: ITask): Promise<ITask[]> {
    const name = nameOf(task.path);
    const progress = { bytes: 0 };
    this._current.add(name);
    try {
      await this.publish(task, task.blob!, progress);
      this.complete(task, 0);
    } catch (error) {
      this.count(progress, 0);
      if (this._gate.cancelled) {
        return [];
      }
      if (!isTaken(error)) {
        this.fail(task, error);
      } else if (task.policy === 'fail') {
        return [task];
      } else {
        this.skip(task);
      }
    } finally {
      this._current.delete(name);
    }
    return [];
  }

  private async publish(task: ITask, blob: Blob, progress: IProgress): Promise<void> {
    const { transport, resumable } = this._options;
    const { path, policy } = task;
    const sample = resumable ? await sampleOf(blob) : undefined;
    const modified = modifiedOf(task);
    const beginning = { path, size: blob.size, modified, conflict: policy, sample };
    // Not cut off by a cancellation: what the server has begun could then not be taken back.
    const upload = await this._gate.persist(() => transport.begin(beginning));
    this.uploads.add(upload.id);
    this._options.began(upload, task);
    // What came earlier was not sent now.
    this.bytesSent -= upload.offset;
    this.count(progress, upload.offset);
    try {
      await this.pieces(upload, blob, progress);
      await this._gate.persist(signal => transport.commit(upload.id, signal));
      this.uploads.delete(upload.id);
    } catch (error) {
      // What failed can be tried again; what was cancelled should not lie on the server.
      if (this._gate.cancelled || !resumable) {
        await transport.abort(upload.id).catch(() => undefined);
        this.uploads.delete(upload.id);
      }
      throw error;
    }
  }

  private async pieces(upload: IUpload, blob: Blob, progress: IProgress): Promise<void> {
    const { transport } = this._options;
    let offset = upload.offset;
    let known = true;
    const reader = new PieceReader(blob, this._options.pieceSize);
    while (offset < blob.size || !known) {
      await this._gate.persist(
        async (signal, moved) => {
          if (!known) {
            const arrived = await transport.offset(upload.id, signal);
            known = true;
            if (arrived > offset) {
              moved();
            }
            offset = arrived;
            this.count(progress, offset);
          }
          if (offset >= blob.size) {
            return;
          }
          const { body, checksum } = await reader.get(offset);
          known = false;
          const began = performance.now();
          offset = await transport.patch(upload.id, offset, body, checksum, signal);
          known = true;
          reader.arrived(performance.now() - began);
        },
        // After a cut the server knows best what arrived.
        () => {
          known = false;
          reader.shrink();
        },
        // Another offset than ours is no failure: ask, and go on from there.
        error => error instanceof StorageError && error.status === 409
      );
      this.count(progress, offset);
    }
  }

  /** Ask about what has come into being since the first questions. */
  private async askAgain(tasks: ITask[]): Promise<ITask[]> {
    const again: ITask[] = [];
    for (const task of tasks) {
      try {
        const decided = await this._conflicts.again(task);
        if (decided === 'cancel') {
          this._gate.cancel();
        } else if (decided === 'skip') {
          this.skip(task);
        } else {
          again.push(decided);
        }
      } catch (error) {
        this.fail(task, error);
      }
    }
    return again;
  }

  private complete(task: ITask, bytes: number): void {
    if (task.blob) {
      this.filesDone += 1;
    }
    this.count({ bytes: 0 }, bytes);
  }

  private skip(item: IUploadItem): void {
    this.filesSkipped += 1;
    this.bytesDone += item.blob?.size ?? 0;
    this.changed.emit();
  }

  private fail(item: IUploadItem, error: unknown): void {
    this.failed.push(item);
    const problem = error instanceof StorageError ? error.problem : null;
    this.failures.push({
      path: item.path,
      kind: problem?.kind ?? 'Error',
      message: problem ? problem.message : explain(error),
      hint: problem?.hint ?? ''
    });
    this.bytesDone += item.blob?.size ?? 0;
    this.changed.emit();
  }

  private count(progress: IProgress, bytes: number): void {
    this.bytesDone += bytes - progress.bytes;
    this.bytesSent += bytes - progress.bytes;
    progress.bytes = bytes;
    this.changed.emit();
  }

  private enter(state: JobState): void {
    this._state = state;
    this.changed.emit();
  }

  private readonly _options: Required<IUploadOptions>;
  private readonly _gate: Gate;
  private readonly _conflicts: Conflicts;
  private readonly _current = new Set<string>();
  private _state: JobState = 'waiting';
}

interface IProgress {
  bytes: number;
}

function isTaken(error: unknown): boolean {
  return error instanceof StorageError && error.status === 409 && error.kind === 'AlreadyExists';
}

function refusal({ status, kind, message, hint, path }: IBatchFailure): StorageError {
  return new StorageError(status, { kind, message, hint, path });
}
