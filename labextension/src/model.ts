import type { Event } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { BrowserModel } from './browser-model';
import { explain } from './errors';
import { HistoryModel } from './history-model';
import { isOnTier, parsePath } from './paths';
import {
  type Conflict,
  type ISnapshotStatus,
  type ITier,
  type ITransfer,
  type JobState,
  isFinished
} from './records';
import type { Requests } from './requests';
import { StoragesModel } from './storages-model';
import type { Ask } from './uploads/conflicts';
import { UploadJob } from './uploads/job';
import { UploadsModel } from './uploads/model';

const SCHEMAS = 'https://schema.jupyter-storage.dev/';
/** Finished transfers that stay listed. */
const KEPT = 20;

/** What was copied or cut, to be pasted. */
export interface IClipboard {
  operation: 'copy' | 'move';
  paths: string[];
}

/** Everything that the panel shows: tiers, the browsed directory, transfers, snapshots. */
export class StorageModel implements IDisposable {
  constructor(options: StorageModel.IOptions) {
    this.requests = options.requests;
    this.browser = new BrowserModel(options.requests);
    this.history = new HistoryModel(this);
    this.uploads = new UploadsModel(options.requests, options.ask);
    this.uploads.changed.connect(() => this._changed.emit());
    this.uploads.finished.connect((_, job) => void this._uploaded(job));
    this.storages = new StoragesModel(this);
    this._events = options.events;
    this._events.stream.connect(this._onEvent, this);
    this._poll = new Poll({
      name: 'jupyter-storage:status',
      // Events carry the news; asking is for the case that they do not arrive.
      frequency: { interval: 30_000, backoff: true, max: 300_000 },
      standby: 'when-hidden',
      factory: () => this._look()
    });
  }

  readonly requests: Requests;
  readonly browser: BrowserModel;
  readonly history: HistoryModel;
  readonly uploads: UploadsModel;
  readonly storages: StoragesModel;

  tiers: readonly ITier[] = [];
  tiersError = '';
  transfers: readonly ITransfer[] = [];
  /** Transfers that were cut off, and can be gone on with. */
  interrupted: readonly ITransfer[] = [];
  snapshots: ISnapshotStatus | null = null;
  snapshotsError = '';
  clipboard: IClipboard | null = null;
  /** Where the last deletion of this window lies, to be undone: `tier:ID`. */
  lastDeleted: readonly string[] = [];

  /** Tiers, transfers, uploads, snapshots or the clipboard have changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The names of the tiers have become known. */
  get tiersLoaded(): ISignal<this, readonly ITier[]> {
    return this._tiersLoaded;
  }

  /** A transfer or an upload has come to its end. */
  get finished(): ISignal<this, ITransfer | UploadJob> {
    return this._finished;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._poll.dispose();
      this._events.stream.disconnect(this._onEvent, this);
      Signal.clearData(this);
    }
  }

  /** Look at all tiers: those that answer at once are shown at once, the others follow. */
  async refreshTiers(): Promise<void> {
    try {
      const before = new Map(this.tiers.map(tier => [tier.name, tier]));
      const first = await this.requests.tiers(0.5);
      const late = first.some(tier => tier.state === 'checking');
      this.tiers = first.map(tier =>
        tier.state === 'checking' ? (before.get(tier.name) ?? tier) : tier
      );
      this.tiersError = '';
      this._tiersLoaded.emit(this.tiers);
      if (late) {
        this._changed.emit();
        this.tiers = await this.requests.tiers();
      }
    } catch (error) {
      this.tiersError = explain(error);
    }
    this._changed.emit();
  }

  /** Look at one tier again, and open it if it is there now. */
  async retryTier(name: string): Promise<void> {
    try {
      const tier = await this.requests.tier(name);
      this.tiers = this.tiers.map(other => (other.name === name ? tier : other));
      this._changed.emit();
      if (tier.state === 'ok' && this.browser.tier === name) {
        await this.browser.refresh();
      }
    } catch (error) {
      this.tiersError = explain(error);
      this._changed.emit();
    }
  }

  /** Start a transfer on the server and list it. */
  async start(
    operation: 'copy' | 'move' | 'delete',
    sources: string[],
    destination?: string,
    conflict?: Conflict
  ): Promise<ITransfer> {
    const record = await this.requests.transfer(operation, sources, destination, conflict);
    this._put(record);
    this._watch();
    return record;
  }

  /** List a transfer that was started, and wait for its end. */
  settle(record: ITransfer): Promise<ITransfer> {
    this._put(record);
    this._watch();
    const now = this.transfers.find(other => other.id === record.id) ?? record;
    if (isFinished(now.state)) {
      return Promise.resolve(now);
    }
    return new Promise(resolve => {
      const slot = (_: this, item: ITransfer | UploadJob) => {
        if (item.id === record.id && !(item instanceof UploadJob)) {
          this._finished.disconnect(slot);
          resolve(item);
        }
      };
      this._finished.connect(slot);
    });
  }

  /** Go on with a transfer that was cut off. */
  async goOn({ id }: ITransfer): Promise<void> {
    this._put(await this.requests.goOn(id));
    this.interrupted = this.interrupted.filter(other => other.id !== id);
    this._changed.emit();
    this._watch();
  }

  /** Look again at the transfers that were cut off. */
  async refreshInterrupted(): Promise<void> {
    try {
      this.interrupted = await this.requests.interrupted();
      this._changed.emit();
    } catch (error) {
      console.warn('Interrupted transfers could not be listed', error);
    }
  }

  /** Forget a transfer that was cut off. */
  async forget({ id }: ITransfer): Promise<void> {
    await this.requests.forget(id);
    this.interrupted = this.interrupted.filter(other => other.id !== id);
    this._changed.emit();
  }

  async cancel(id: string): Promise<void> {
    this._put(await this.requests.cancel(id));
  }

  /** Take finished ones off the list: one, or all. */
  dismiss(id?: string): void {
    const stays = (item: { id: string; state: JobState }) =>
      !isFinished(item.state) || (id !== undefined && item.id !== id);
    for (const item of this.transfers) {
      if (!stays(item)) {
        this._dismissed.add(item.id);
      }
    }
    this.transfers = this.transfers.filter(stays);
    this.uploads.dismiss(stays);
  }

  setClipboard(clipboard: IClipboard | null): void {
    this.clipboard = clipboard;
    this._changed.emit();
  }

  async refreshSnapshots(): Promise<void> {
    try {
      this.snapshots = await this.requests.snapshotStatus();
      this.snapshotsError = '';
    } catch (error) {
      this.snapshotsError = explain(error);
    }
    this._changed.emit();
  }

  async snapshotNow(): Promise<void> {
    this.snapshots = await this.requests.snapshotNow();
    this.snapshotsError = '';
    this._changed.emit();
  }

  /** Tell whoever shows this directory that something in it has changed. */
  async touched(directory: string): Promise<void> {
    if (directory === this.browser.path) {
      await this.browser.refresh();
    }
  }

  private async _uploaded(job: UploadJob): Promise<void> {
    this._finished.emit(job);
    await this.browser.refresh();
    await this._refreshTier(parsePath(job.destination).tier);
  }

  private async _refreshTier(name: string): Promise<void> {
    try {
      const tier = await this.requests.tier(name);
      this.tiers = this.tiers.map(other => (other.name === name ? tier : other));
      this._changed.emit();
    } catch (error) {
      console.warn(`The tier ${name} could not be looked at again`, error);
    }
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    if (!event.schema_id.startsWith(SCHEMAS)) {
      return;
    }
    const kind = event.schema_id.slice(SCHEMAS.length).replace(/\/v?\d+$/, '');
    if (kind === 'transfer') {
      this._lastEvent = Date.now();
      this._put(event as unknown as ITransfer);
    } else if (kind === 'snapshot') {
      this.snapshots = event as unknown as ISnapshotStatus;
      this.snapshotsError = '';
      this._changed.emit();
    } else if (kind === 'change') {
      const { tier, directory } = event as unknown as { tier: string; directory: string };
      if (tier === this.browser.tier && directory === this.browser.key) {
        this._refreshSoon();
      }
    }
  }

  /** Many changes in a row make one look at the directory. */
  private _refreshSoon(): void {
    // During an upload the server has something better to do, and at its end comes a look, too.
    const delay = this.uploads.busy ? 2000 : 500;
    this._refreshTimer ??= window.setTimeout(() => {
      this._refreshTimer = null;
      void this.browser.refresh();
    }, delay);
  }

  private _put(record: ITransfer): void {
    if (this._dismissed.has(record.id)) {
      return;
    }
    const before = this.transfers.find(other => other.id === record.id);
    if (before && isFinished(before.state)) {
      // A late event must not bring a finished transfer back to life.
      return;
    }
    const others = this.transfers.filter(other => other.id !== record.id);
    const all = before
      ? this.transfers.map(other => (other === before ? record : other))
      : [record, ...others];
    const old = all.filter(other => isFinished(other.state)).slice(KEPT);
    this.transfers = all.filter(other => !old.includes(other));
    this._changed.emit();
    if (before && isFinished(record.state)) {
      this._finished.emit(record);
      this._refreshSoon();
      if (record.failure_count > record.failures.length) {
        void this._fetchFailures(record);
      }
      // A restore lands in the project directory, which is on no tier.
      if (record.failure_count > 0 || this.interrupted.length > 0) {
        // Of what was cut off, the server may know how to go on; another window may have done so.
        void this.refreshInterrupted();
      }
      if (record.destination && isOnTier(record.destination)) {
        void this._refreshTier(parsePath(record.destination).tier);
      }
    }
  }

  /** An event carries the first failures only. */
  private async _fetchFailures({ id }: ITransfer): Promise<void> {
    try {
      const whole = await this.requests.getTransfer(id);
      this.transfers = this.transfers.map(other => (other.id === id ? whole : other));
      this._changed.emit();
    } catch (error) {
      console.warn(`The failures of transfer ${id} could not be fetched`, error);
    }
  }

  private async _look(): Promise<void> {
    const [transfers, interrupted, status] = await Promise.all([
      this.requests.transfers(),
      this.requests.interrupted(),
      this.requests.snapshotStatus(),
      this.uploads.refresh()
    ]);
    this.interrupted = interrupted;
    for (const record of transfers.reverse()) {
      this._put(record);
    }
    this.snapshots = status;
    this.snapshotsError = '';
    this._changed.emit();
    this._watch();
  }

  /** While a transfer runs and no event tells of it, ask every two seconds. */
  private _watch(): void {
    if (this._watchTimer !== null) {
      return;
    }
    this._watchTimer = window.setTimeout(() => {
      this._watchTimer = null;
      const running = this.transfers.filter(record => !isFinished(record.state));
      if (running.length === 0 || this.isDisposed) {
        return;
      }
      if (Date.now() - this._lastEvent > 2000) {
        for (const { id } of running) {
          this.requests.getTransfer(id).then(
            record => this._put(record),
            error => console.warn(`The transfer ${id} could not be looked at`, error)
          );
        }
      }
      this._watch();
    }, 2000);
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _tiersLoaded = new Signal<this, readonly ITier[]>(this);
  private readonly _finished = new Signal<this, ITransfer | UploadJob>(this);
  private readonly _events: Event.IManager;
  private readonly _poll: Poll;
  private readonly _dismissed = new Set<string>();
  private _lastEvent = 0;
  private _watchTimer: number | null = null;
  private _refreshTimer: number | null = null;
}

export namespace StorageModel {
  export interface IOptions {
    requests: Requests;
    events: Event.IManager;
    /** Asked what to do with an uploaded file that exists. */
    ask: Ask;
  }
}
