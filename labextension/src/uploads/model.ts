import { type ISignal, Signal } from '@lumino/signaling';

import type { IDropped } from '../dnd';
import { formatPath, joinKeys, parsePath } from '../paths';
import { type IUpload, isFinished } from '../records';
import type { Requests } from '../requests';
import type { Ask } from './conflicts';
import { forgetHandle, keepHandle, openAgain } from './handles';
import type { IUploadItem } from './items';
import { UploadJob } from './job';
import { sampleOf } from './sample';

/** Milliseconds between two looks at what another window is sending. */
const STEP = 3000;

/** Uploads of this page, and those that were begun and have nobody who sends them. */
export class UploadsModel {
  constructor(
    private readonly _requests: Requests,
    private readonly _ask: Ask
  ) {}

  jobs: readonly UploadJob[] = [];
  /** Begun here before a reload, or elsewhere: with bytes on the server, and no job of this page. */
  unfinished: readonly IUpload[] = [];

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A job has come to its end. */
  get finished(): ISignal<this, UploadJob> {
    return this._finished;
  }

  /** Whether something is under way that leaving the page would stop. */
  get busy(): boolean {
    return this.jobs.some(job => !isFinished(job.state));
  }

  /** Upload what was dropped or chosen into a directory. */
  async upload(dropped: readonly IDropped[], directory: string): Promise<void> {
    const { tier, key } = parsePath(directory);
    const items = withoutFull(dropped).map(({ path, file, handle }) => ({
      path: formatPath(tier, joinKeys(key, path)),
      blob: file,
      handle
    }));
    if (items.length > 0) {
      await this.run(items, directory);
    }
  }

  /** Try again what failed, or one file of it. */
  async retry(job: UploadJob, path?: string): Promise<void> {
    const items = job.failed.filter(item => path === undefined || item.path === path);
    if (path === undefined) {
      this.dismiss(other => other !== job);
    } else {
      job.forgive(path);
    }
    await this.run(items, job.destination);
  }

  /** The file of an unfinished upload, if the browser can open it again by itself. */
  reopen(upload: IUpload): Promise<File | null> {
    return openAgain(upload.id);
  }

  /** Whether this is the file of which a part has arrived. */
  async isSame(upload: IUpload, file: File): Promise<boolean> {
    const modified = upload.modified ? Date.parse(upload.modified) : null;
    return (
      file.size === upload.size &&
      (modified === null || Math.abs(modified - file.lastModified) < 2) &&
      (await sampleOf(file)) === upload.sample
    );
  }

  /** Go on with an unfinished upload. */
  async goOn(upload: IUpload, file: File): Promise<void> {
    const { tier, key } = parsePath(upload.path);
    const directory = formatPath(tier, key.includes('/') ? key.slice(0, key.lastIndexOf('/')) : '');
    const item = { path: upload.path, blob: file };
    await this.run([item], directory, upload);
  }

  /** Throw away what has arrived of an unfinished upload. */
  async discard(upload: IUpload): Promise<void> {
    await this._requests.abort(upload.id);
    await forgetHandle(upload.id);
    this.unfinished = this.unfinished.filter(other => other.id !== upload.id);
    this._changed.emit();
  }

  /** Ask the server for what is unfinished. */
  async refresh(): Promise<void> {
    const own = new Set(this.jobs.flatMap(job => [...job.uploads]));
    const uploads = await this._requests.uploads();
    // One without a byte is as good as none: its beginning was asked for, no more.
    this.unfinished = uploads.filter(
      ({ id, offset, sample }) => offset > 0 && sample !== null && !own.has(id)
    );
    this._changed.emit();
    if (this.unfinished.some(upload => upload.active) && this._timer === null) {
      this._timer = window.setTimeout(() => {
        this._timer = null;
        this.refresh().catch(error => console.warn('Uploads could not be listed', error));
      }, STEP);
    }
  }

  /** Pause all, or let all go on. */
  pauseAll(paused: boolean): void {
    for (const job of this.jobs) {
      if (paused && job.state === 'running') {
        job.pause();
      } else if (!paused) {
        job.resume();
      }
    }
  }

  /** Take jobs off the list, unless they are under way. */
  dismiss(stays: (job: UploadJob) => boolean): void {
    this.jobs = this.jobs.filter(job => !isFinished(job.state) || stays(job));
    this._changed.emit();
  }

  private async run(items: IUploadItem[], directory: string, earlier?: IUpload): Promise<void> {
    const job = new UploadJob(`upload-${++this._count}`, directory, items, {
      transport: this._requests,
      ask: this._ask,
      policy: earlier?.conflict ?? 'fail',
      began: (upload, item) => void this.began(upload, item)
    });
    if (earlier) {
      job.uploads.add(earlier.id);
      this.unfinished = this.unfinished.filter(other => other !== earlier);
    }
    this.jobs = [job, ...this.jobs];
    job.changed.connect(() => this._changed.emit());
    await job.run();
    this._finished.emit(job);
  }

  private async began(upload: IUpload, { handle }: IUploadItem): Promise<void> {
    this.unfinished = this.unfinished.filter(other => other.id !== upload.id);
    this._changed.emit();
    const opens = await handle?.();
    if (opens) {
      await keepHandle(upload.id, opens);
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _finished = new Signal<this, UploadJob>(this);
  private _count = 0;
  private _timer: number | null = null;
}

/** Leave out directories that come into being with what is in them. */
function withoutFull(dropped: readonly IDropped[]): IDropped[] {
  const full = new Set(dropped.map(({ path }) => path.slice(0, path.lastIndexOf('/'))));
  return dropped.filter(({ path, file }) => file || !full.has(path));
}
