import { type ISignal, Signal } from '@lumino/signaling';

import { explain } from './errors';
import type { StorageModel } from './model';
import type { IComparison, ISnapshot } from './records';

/** Milliseconds after which the list is read again, although nothing was saved here. */
const REREAD = 60_000;
/** Milliseconds for which a fork is news. */
const RECENT = 3_600_000;

/** Snapshots of one hour, or of one day. */
export interface IGroup {
  key: string;
  /** When it begins. */
  time: Date;
  /** Whether it is an hour of the last day. */
  hour: boolean;
  snapshots: ISnapshot[];
}

/** Put snapshots (newest first) together: by hours those of the last 24, by days the others. */
export function group(snapshots: readonly ISnapshot[], now: number): IGroup[] {
  const groups: IGroup[] = [];
  for (const snapshot of snapshots) {
    const moment = Date.parse(snapshot.time);
    const time = new Date(moment);
    const hour = now - moment < 86_400_000;
    time.setMinutes(0, 0, 0);
    if (!hour) {
      time.setHours(0);
    }
    const key = `${hour ? 'h' : 'd'}${time.getTime()}`;
    const last = groups[groups.length - 1];
    if (last?.key === key) {
      last.snapshots.push(snapshot);
    } else {
      groups.push({ key, time, hour, snapshots: [snapshot] });
    }
  }
  return groups;
}

/** Text of a tag that a person gave, and whether the snapshot stays for ever. */
export function labels(snapshot: ISnapshot): { name: string; pinned: boolean } {
  const name = snapshot.tags.find(tag => tag.startsWith('name:')) ?? '';
  return { name: name.slice('name:'.length), pinned: snapshot.tags.includes('pinned') };
}

/** What stays the same where a snapshot is pinned or named, which gives it another ID. */
export function momentOf(snapshot: ISnapshot): string {
  return `${snapshot.time} ${snapshot.hostname}`;
}

/**
 * The newest snapshot of a fork that somebody has written in the last hour.
 *
 * A fork that has become the main line is none any more: its last snapshot has a child there.
 */
export function recentFork(snapshots: readonly ISnapshot[], now: number): ISnapshot | null {
  const parents = new Set(snapshots.filter(each => !each.fork).map(each => each.parent));
  const joined = new Set(snapshots.filter(each => parents.has(each.id)).map(each => each.fork));
  const newest = snapshots.find(each => each.fork && !joined.has(each.fork));
  return newest && now - Date.parse(newest.time) < RECENT ? newest : null;
}

/** While a snapshot is being pinned or named, there are two of it for a moment. */
function unique(snapshots: ISnapshot[]): ISnapshot[] {
  return [...new Map(snapshots.map(snapshot => [momentOf(snapshot), snapshot])).values()];
}

/** The snapshots of the project directory, and what changed in those that a person opened. */
export class HistoryModel {
  constructor(private readonly _storage: StorageModel) {
    _storage.changed.connect(() => {
      const last = _storage.snapshots?.last?.id ?? '';
      // Another machine may write too, of which no status tells.
      if (this._shown && (last !== this._last || Date.now() - this._loaded > REREAD)) {
        void this.load();
      }
    });
  }

  snapshots: readonly ISnapshot[] | null = null;
  error = '';

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether anybody looks: only then is the list kept new. */
  show(shown: boolean): void {
    this._shown = shown;
    if (shown) {
      void this.load();
    }
  }

  async load(): Promise<void> {
    this._last = this._storage.snapshots?.last?.id ?? '';
    if (this._loading) {
      this._again = true;
      return;
    }
    this._loading = true;
    this._loaded = Date.now();
    try {
      this.snapshots = unique(await this._storage.requests.snapshots());
      this.error = '';
    } catch (error) {
      this.error = explain(error);
    }
    this._loading = false;
    this._changed.emit();
    if (this._again) {
      this._again = false;
      await this.load();
    }
  }

  /** ID of the newest snapshot; on a fork, of this machine's own. */
  get newest(): string {
    const fork = this._storage.snapshots?.fork ?? null;
    const mine = this.snapshots?.find(snapshot => (snapshot.fork ?? null) === fork);
    return mine?.id ?? 'latest';
  }

  /** What a snapshot changed, or what differs from it in a later one. */
  compare(id: string, later: string | null): Promise<IComparison> {
    const { requests } = this._storage;
    return later === null ? requests.compareSnapshots(id) : requests.compareSnapshots(later, id);
  }

  private _shown = false;
  private _loading = false;
  private _again = false;
  private _last = '';
  private _loaded = 0;
  private readonly _changed = new Signal<this, void>(this);
}
