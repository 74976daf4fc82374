import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { explain } from './errors';
import type { StorageModel } from './model';
import type { IMount, IStorageRecord } from './records';

/** Storages that were made here, and what is mounted on the server's machine. */
export class StoragesModel {
  constructor(private readonly _model: StorageModel) {
    this._poll = new Poll({
      name: 'jupyter-storage:storages',
      auto: false,
      frequency: { interval: 10_000, backoff: true, max: 60_000 },
      standby: () => document.visibilityState === 'hidden' || !this._isWatched(),
      factory: () => this._look(Date.now() - this._listed > RELIST)
    });
    _model.finished.connect((_, item) => {
      if (this.loaded && 'operation' in item && CHANGING.has(item.operation)) {
        void this.refresh();
      }
    });
  }

  storages: readonly IStorageRecord[] = [];
  mounts: readonly IMount[] = [];
  error = '';
  /** Whether anything is known yet. */
  loaded = false;
  /** IDs of mounts, and names of storages, that something is being done with. */
  readonly busy = new Set<string>();

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Keep an eye on them as long as they are shown; gives what ends that. */
  watch(isShown: () => boolean): () => void {
    this._watchers.add(isShown);
    void this._poll.start();
    void this.refresh();
    return () => {
      this._watchers.delete(isShown);
    };
  }

  /** Look now. */
  async refresh(): Promise<void> {
    await this._look(true).catch(() => undefined);
  }

  /** Do something with one of them, which is marked meanwhile. */
  async act(id: string, work: () => Promise<unknown>): Promise<void> {
    this.busy.add(id);
    this._changed.emit();
    try {
      await work();
    } finally {
      this.busy.delete(id);
      await this.refresh();
    }
  }

  private _isWatched(): boolean {
    return [...this._watchers].some(isShown => isShown());
  }

  private async _look(all: boolean): Promise<void> {
    try {
      const { requests } = this._model;
      const storages = all ? requests.storages() : this.storages;
      [this.mounts, this.storages] = await Promise.all([requests.mounts(), storages]);
      this._listed = all ? Date.now() : this._listed;
      this.error = '';
      this.loaded = true;
    } catch (error) {
      this.error = explain(error);
      throw error;
    } finally {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _poll: Poll;
  private readonly _watchers = new Set<() => boolean>();
  private _listed = 0;
}

/** Milliseconds after which storages are looked at again: each is a question to its service. */
const RELIST = 120_000;

/** Transfers after which other storages or mounts may be there. */
const CHANGING: ReadonlySet<string> = new Set(['apply', 'delete']);
