import { type Contents, type ServerConnection } from '@jupyterlab/services';
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { type ISignal, Signal } from '@lumino/signaling';

import { ChunkCollector } from './chunks';
import { decode, encode, fileModel, kindOf } from './contents';
import { StorageError, explain } from './errors';
import { EMPTY_NOTEBOOK } from './notebook';
import { baseName, formatPath, joinKeys, numberedName, parentKey } from './paths';
import { type IEntry, type IPage, type ITransfer, isFinished } from './records';
import type { Requests } from './requests';
import { PIECE_SIZE, UploadJob } from './uploads/job';

/** A tier as a drive of JupyterLab: what is on it opens and saves in editors. */
export class TierDrive implements Contents.IDrive {
  constructor(
    readonly name: string,
    private readonly _requests: Requests,
    private readonly _trans: TranslationBundle
  ) {
    this._chunks = new ChunkCollector(_trans);
  }

  get serverSettings(): ServerConnection.ISettings {
    return this._requests.settings;
  }

  get fileChanged(): ISignal<this, Contents.IChangedArgs> {
    return this._fileChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      Signal.clearData(this);
    }
  }

  async get(localPath: string, options: Contents.IFetchOptions = {}): Promise<Contents.IModel> {
    const path = this._path(localPath);
    const entry = await told(this._requests.stat(path));
    if (entry.type === 'directory') {
      return this._directory(entry, localPath, options.content !== false);
    }
    const kind = kindOf(entry.name, options);
    if (options.content === false) {
      return fileModel(entry, localPath, kind.type, null, null);
    }
    const bytes = await told(this._requests.read(path));
    const { content, format } = decode(bytes, kind, this._trans);
    return fileModel(entry, localPath, kind.type, format, content);
  }

  async getDownloadUrl(localPath: string): Promise<string> {
    const path = this._path(localPath);
    const entry = await told(this._requests.stat(path));
    const format = entry.type === 'directory' ? 'zip' : 'raw';
    return (await told(this._requests.archive([path], format))).url;
  }

  async newUntitled(options: Contents.ICreateOptions = {}): Promise<Contents.IModel> {
    const directory = options.path ?? '';
    const type = options.type ?? 'file';
    const stem = { notebook: 'Untitled', directory: 'Untitled Folder', file: 'untitled' }[type];
    const extension = (options.ext ?? '').replace(/^(?=[^.])/, '.');
    const suffix = { notebook: '.ipynb', directory: '', file: extension }[type];
    for (let n = 0; ; n++) {
      const number = n === 0 ? '' : type === 'directory' ? ` ${n}` : String(n);
      const localPath = joinKeys(directory, `${stem}${number}${suffix}`);
      const model = await this._create(localPath, type);
      if (model) {
        this._fileChanged.emit({ type: 'new', oldValue: null, newValue: model });
        return model;
      }
    }
  }

  async delete(localPath: string): Promise<void> {
    const path = this._path(localPath);
    const entry = await told(this._requests.stat(path));
    await told(this._requests.remove(path, entry.type === 'directory'));
    this.emitDeleted(localPath);
  }

  /** Tell editors that a file has been deleted by other means. */
  emitDeleted(localPath: string): void {
    this._fileChanged.emit({ type: 'delete', oldValue: { path: localPath }, newValue: null });
  }

  async rename(oldLocalPath: string, newLocalPath: string): Promise<Contents.IModel> {
    const entry = await told(
      this._requests.rename(this._path(oldLocalPath), this._path(newLocalPath))
    );
    const model = this._model(entry, newLocalPath);
    this._fileChanged.emit({
      type: 'rename',
      oldValue: { path: oldLocalPath },
      newValue: model
    });
    return model;
  }

  async save(localPath: string, options: Partial<Contents.IModel> = {}): Promise<Contents.IModel> {
    const path = this._path(localPath);
    let entry: IEntry;
    if (options.type === 'directory') {
      entry = await told(this._requests.mkdir(path));
    } else if (options.chunk) {
      const blob = this._chunks.add(localPath, options.chunk, String(options.content ?? ''));
      if (!blob) {
        // JupyterLab asks for nothing but an answer until the last piece.
        return partialModel(localPath);
      }
      entry = await this._upload(path, blob);
    } else {
      entry = await this._upload(path, encode(options));
    }
    const model = this._model(entry, localPath, options.type);
    this._fileChanged.emit({ type: 'save', oldValue: null, newValue: model });
    return model;
  }

  async copy(localPath: string, toLocalDir: string): Promise<Contents.IModel> {
    const source = this._path(localPath);
    const name = baseName(localPath);
    if (toLocalDir === parentKey(localPath)) {
      return this._duplicate(localPath);
    }
    const record = await told(
      this._requests.transfer('copy', [source], this._path(toLocalDir), 'fail')
    );
    await this._finish(record);
    const target = joinKeys(toLocalDir, name);
    const model = this._model(await told(this._requests.stat(this._path(target))), target);
    this._fileChanged.emit({ type: 'new', oldValue: null, newValue: model });
    return model;
  }

  /** Snapshots keep versions; JupyterLab only needs to hear that saving may go on. */
  async createCheckpoint(localPath: string): Promise<Contents.ICheckpointModel> {
    const { modified } = await told(this._requests.stat(this._path(localPath)));
    return { id: 'saved', last_modified: modified ?? new Date(0).toISOString() };
  }

  async listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return [];
  }

  async restoreCheckpoint(localPath: string): Promise<void> {
    throw new Error(`${this._path(localPath)} has no checkpoints: see its snapshots.`);
  }

  async deleteCheckpoint(): Promise<void> {
    // There are none, so nothing is left to delete.
  }

  private _path(localPath: string): string {
    return formatPath(this.name, localPath);
  }

  private _model(entry: IEntry, localPath: string, type?: string): Contents.IModel {
    if (entry.type === 'directory') {
      return directoryModel(entry, localPath, null);
    }
    const kind = kindOf(entry.name, { type });
    return fileModel(entry, localPath, kind.type, null, null);
  }

  private async _directory(
    entry: IEntry,
    localPath: string,
    content: boolean
  ): Promise<Contents.IModel> {
    if (!content) {
      return directoryModel(entry, localPath, null);
    }
    const children: Contents.IModel[] = [];
    let cursor: string | null = null;
    do {
      const page: IPage = await told(this._requests.list(entry.path, { cursor, limit: 5000 }));
      for (const child of page.entries) {
        children.push(this._model(child, joinKeys(localPath, child.name)));
      }
      cursor = page.cursor;
    } while (cursor);
    return directoryModel(entry, localPath, children);
  }

  /** Null where the name is taken. */
  private async _create(
    localPath: string,
    type: Contents.ContentType
  ): Promise<Contents.IModel | null> {
    const path = this._path(localPath);
    try {
      if (type === 'directory') {
        if (await this._exists(path)) {
          return null;
        }
        return this._model(await told(this._requests.mkdir(path)), localPath);
      }
      const text = type === 'notebook' ? EMPTY_NOTEBOOK : '';
      return this._model(await this._requests.put(path, new Blob([text]), true), localPath);
    } catch (error) {
      if (error instanceof StorageError && error.kind === 'AlreadyExists') {
        return null;
      }
      throw new Error(explain(error));
    }
  }

  private async _exists(path: string): Promise<boolean> {
    try {
      await this._requests.stat(path);
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.status === 404) {
        return false;
      }
      throw error;
    }
  }

  private async _duplicate(localPath: string): Promise<Contents.IModel> {
    const bytes = new Blob([await told(this._requests.read(this._path(localPath)))]);
    const extension = PathExt.extname(localPath);
    const stem = localPath.slice(0, localPath.length - extension.length);
    for (let n = 1; ; n++) {
      const target = numberedName(`${stem}-Copy${extension}`, n).replace('-Copy-', '-Copy');
      if (!(await this._exists(this._path(target)))) {
        const model = this._model(await this._upload(this._path(target), bytes), target);
        this._fileChanged.emit({ type: 'new', oldValue: null, newValue: model });
        return model;
      }
    }
  }

  /** Write a file whole, in resumable pieces where it is large; what is there is replaced. */
  private async _upload(path: string, blob: Blob): Promise<IEntry> {
    if (blob.size <= PIECE_SIZE) {
      return told(this._requests.put(path, blob, false));
    }
    const job = new UploadJob(path, path, [{ path, blob }], {
      transport: this._requests,
      ask: async () => ({ choice: 'overwrite', all: true }),
      policy: 'overwrite',
      // A person waits at an editor: say soon that the server is away.
      attempts: 4,
      // The editor saves again; nobody goes on with half of it.
      resumable: false
    });
    await job.run();
    if (job.failures.length > 0) {
      throw new Error(job.failures[0].message);
    }
    return told(this._requests.stat(path));
  }

  private async _finish(record: ITransfer): Promise<void> {
    while (!isFinished(record.state)) {
      await new Promise(resolve => setTimeout(resolve, 300));
      record = await told(this._requests.getTransfer(record.id));
    }
    if (record.state !== 'done') {
      throw new Error(record.failures[0]?.message ?? this._trans.__('The copy was cancelled.'));
    }
  }

  private readonly _chunks: ChunkCollector;
  private readonly _fileChanged = new Signal<this, Contents.IChangedArgs>(this);
  private _isDisposed = false;
}

function directoryModel(
  entry: IEntry,
  localPath: string,
  content: Contents.IModel[] | null
): Contents.IModel {
  return {
    name: baseName(localPath),
    path: localPath,
    type: 'directory',
    writable: true,
    created: entry.modified ?? '',
    last_modified: entry.modified ?? '',
    mimetype: '',
    format: content ? 'json' : null!,
    content
  };
}

function partialModel(localPath: string): Contents.IModel {
  const now = new Date().toISOString();
  return {
    name: baseName(localPath),
    path: localPath,
    type: 'file',
    writable: true,
    created: now,
    last_modified: now,
    mimetype: '',
    format: null!,
    content: null
  };
}

/** Dialogs of JupyterLab show an error's message only: put the hint into it. */
async function told<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw error instanceof StorageError ? new ToldError(error) : error;
  }
}

/** Carries `response.status`, by which JupyterLab knows a missing file. */
class ToldError extends Error {
  constructor(error: StorageError) {
    super(explain(error));
    this.response = { status: error.status };
  }
  readonly response: { status: number };
}
