import { type ISignal, Signal } from '@lumino/signaling';

import { explain } from './errors';
import type { StorageModel } from './model';
import type { ICellRestored, IFileComparison, IFileVersion, ITransfer } from './records';

/** Files as editors have them open. Paths are relative to the project directory. */
export interface IDocuments {
  /** Those that are open. */
  paths(): string[];
  /** Whether the file is open with changes that were not saved. */
  isDirty(path: string): boolean;
  save(path: string): Promise<void>;
  /** Show in editors what the file is now. */
  reload(path: string): Promise<void>;
}

/**
 * Bring a file or folder of the project directory back, or all of it, in editors as well.
 *
 * `exact` removes what the snapshot lacks.
 */
export async function restoreInPlace(
  model: StorageModel,
  documents: IDocuments,
  snapshot: string,
  path: string | null,
  exact = false
): Promise<ITransfer> {
  const open = documents
    .paths()
    .filter(other => path === null || other === path || other.startsWith(`${path}/`));
  for (const other of open) {
    // So that what was typed is in the snapshot that is taken first.
    if (documents.isDirty(other)) {
      await documents.save(other);
    }
  }
  const paths = path === null ? undefined : [path];
  const record = await model.settle(await model.requests.restoreInPlace(snapshot, paths, exact));
  for (const other of open) {
    await documents.reload(other);
  }
  if (record.state !== 'done') {
    const [failure] = record.failures;
    throw new Error(
      failure ? `${failure.path}: ${failure.message}. ${failure.hint}` : record.state
    );
  }
  return record;
}

/** The versions of one file, and what differs between the chosen one and the file as it is now. */
export class VersionsModel {
  constructor(
    readonly path: string,
    private readonly _storage: StorageModel,
    private readonly _documents: IDocuments
  ) {}

  versions: readonly IFileVersion[] = [];
  chosen: IFileVersion | null = null;
  comparison: IFileComparison | null = null;
  loading = false;
  /** While something is brought back. */
  busy = false;
  error = '';

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether an editor has changes that the comparison does not know. */
  get dirty(): boolean {
    return this._documents.isDirty(this.path);
  }

  /** Look for versions; the chosen one stays, else it is the newest that is not there now. */
  async load(): Promise<void> {
    const before = this.chosen?.snapshots ?? [];
    await this._try(async () => {
      this.versions = await this._storage.requests.versions(this.path);
    });
    const same = this.versions.find(version => before.some(id => version.snapshots.includes(id)));
    const old = this.versions.find(version => !version.current);
    const next = same ?? old ?? this.versions[0] ?? null;
    if (next) {
      await this.choose(next);
    }
  }

  async choose(version: IFileVersion): Promise<void> {
    if (this.chosen?.snapshot !== version.snapshot) {
      this.comparison = null;
    }
    this.chosen = version;
    await this._try(async () => {
      const found = await this._storage.requests.compareFile(version.snapshot, this.path);
      // Meanwhile another one may have been chosen.
      if (this.chosen === version) {
        this.comparison = found;
      }
    });
  }

  /** Bring the chosen version back. */
  async restore(): Promise<ITransfer> {
    return this._work(snapshot =>
      restoreInPlace(this._storage, this._documents, snapshot, this.path)
    );
  }

  /** Bring one cell of the chosen version back; the rest of the notebook stays. */
  async restoreCell(cell: string): Promise<ICellRestored> {
    return this._work(async snapshot => {
      if (this._documents.isDirty(this.path)) {
        await this._documents.save(this.path);
      }
      const done = await this._storage.requests.restoreCell(snapshot, this.path, cell);
      await this._documents.reload(this.path);
      return done;
    });
  }

  /** Bring back what was there before, from the snapshot that was taken first. */
  async undo(snapshot: string): Promise<void> {
    await restoreInPlace(this._storage, this._documents, snapshot, this.path);
    await this.load();
  }

  private async _work<T>(work: (snapshot: string) => Promise<T>): Promise<T> {
    if (!this.chosen) {
      throw new Error('No version is chosen');
    }
    this.busy = true;
    this._changed.emit();
    try {
      return await work(this.chosen.snapshot);
    } finally {
      this.busy = false;
      await this.load();
    }
  }

  private async _try(work: () => Promise<void>): Promise<void> {
    this.loading = true;
    this._changed.emit();
    try {
      await work();
      this.error = '';
    } catch (error) {
      this.error = explain(error);
    }
    this.loading = false;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
}
