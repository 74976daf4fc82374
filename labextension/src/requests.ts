import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { encodeKey, parsePath } from './paths';
import type {
  Conflict,
  IBatchFailure,
  IApplyPlan,
  ICellRestored,
  ICheckpoint,
  IComparison,
  IEntry,
  IExperiment,
  IExperimentPage,
  IJudgement,
  IFileComparison,
  IFileVersion,
  IFinding,
  IInTheWay,
  IMount,
  IMountRequest,
  IPage,
  IPlan,
  IPreview,
  IRemovalPlan,
  IRestorePlan,
  ISnapshot,
  ISnapshotStatus,
  IStorageRecord,
  ITicket,
  ITier,
  ITierRequest,
  ITransfer,
  ITrashItem,
  ITrialDetails,
  ITrialPage,
  IUpload,
  IUsage,
  SortKey
} from './records';
import type { IBeginning, IUploadTransport } from './uploads/items';
import { type IProblem, StorageError } from './errors';
import { linesOf } from './lines';

const BASE = 'jupyter-storage/api/v1';

/** How a directory is asked for. */
export interface IListOptions {
  cursor?: string | null;
  limit?: number;
  sort?: SortKey;
  descending?: boolean;
  /** Only names with this in them, or that match it as a pattern. */
  match?: string;
}

/** The REST routes as functions. Every request goes through `ServerConnection`. */
export class Requests implements IUploadTransport {
  constructor(readonly settings: ServerConnection.ISettings) {}

  /** All tiers; those that do not answer within some seconds are `checking`, if that is given. */
  async tiers(wait?: number): Promise<ITier[]> {
    const query = wait === undefined ? '' : `?wait=${wait}`;
    return (await this.json<{ tiers: ITier[] }>(`tiers${query}`)).tiers;
  }

  /** One tier, looked at afresh. */
  tier(name: string): Promise<ITier> {
    return this.json(`tiers/${encodeURIComponent(name)}`);
  }

  /** Add a tier or change one that was added; or say how it would be. */
  putTier(name: string, request: ITierRequest, dryRun: boolean): Promise<ITier> {
    return this.json(`tiers/${encodeURIComponent(name)}`, {
      method: 'PUT',
      body: JSON.stringify({ ...request, dry_run: dryRun }),
      headers: { 'Content-Type': 'application/json' }
    });
  }

  /** Take a tier that was added off the list. */
  async removeTier(name: string): Promise<void> {
    await this.send(`tiers/${encodeURIComponent(name)}`, { method: 'DELETE' });
  }

  /** What fills a tier, as it is counted or was counted last. */
  usage(tier: string): Promise<IUsage> {
    return this.json(`usage/${encodeURIComponent(tier)}`);
  }

  /** Begin to count. */
  countUsage(tier: string): Promise<IUsage> {
    return this.post(`usage/${encodeURIComponent(tier)}`, {});
  }

  /** Stop counting. */
  cancelUsage(tier: string): Promise<IUsage> {
    return this.json(`usage/${encodeURIComponent(tier)}`, { method: 'DELETE' });
  }

  /** A link that works without credentials for some seconds. */
  link(path: string, expires: number): Promise<{ url: string }> {
    return this.post('links', { path, expires });
  }

  /** One page of a directory. */
  list(path: string, options: IListOptions = {}): Promise<IPage> {
    const query: Record<string, string> = {
      limit: String(options.limit ?? 1000),
      sort: options.sort ?? 'name',
      order: options.descending ? 'desc' : 'asc'
    };
    if (options.cursor) {
      query.cursor = options.cursor;
    }
    if (options.match) {
      query.match = options.match;
    }
    return this.json(`${this.file(path)}?${new URLSearchParams(query)}`);
  }

  /** What is known of one file or directory. */
  stat(path: string): Promise<IEntry> {
    return this.json(`${this.file(path)}?as=entry`);
  }

  /** A file's bytes. */
  async read(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
    return (await this.send(this.file(path), { signal })).arrayBuffer();
  }

  /** What a file looks like. */
  preview(path: string, signal?: AbortSignal): Promise<IPreview> {
    return this.json(`previews/${this.route(path)}`, { signal });
  }

  /** Names below a directory, step by step while they are found. */
  async *search(path: string, match: string, signal: AbortSignal): AsyncGenerator<IFinding> {
    const route = `search/${this.route(path)}?${query({ match })}`;
    const response = await this.send(route, { signal });
    for await (const line of linesOf(response.body!)) {
      const step = JSON.parse(line) as IFinding | { error: IProblem };
      if ('error' in step) {
        throw new StorageError(502, step.error);
      }
      yield step;
    }
  }

  /** Write a small file whole. */
  put(path: string, body: Blob, exclusive: boolean, signal?: AbortSignal): Promise<IEntry> {
    const headers: Record<string, string> = { 'Content-Type': 'application/octet-stream' };
    if (exclusive) {
      headers['If-None-Match'] = '*';
    }
    return this.json(this.file(path), { method: 'PUT', body, headers, signal });
  }

  /** Make a directory and those above it. */
  mkdir(path: string): Promise<IEntry> {
    return this.post(this.file(path), { action: 'mkdir' });
  }

  /** Rename inside a tier. */
  rename(path: string, to: string): Promise<IEntry> {
    return this.post(this.file(path), { action: 'rename', to });
  }

  /** Delete a file, or a directory with all that is in it. */
  async remove(path: string, recursive: boolean): Promise<void> {
    await this.send(this.file(path) + (recursive ? '?recursive=1' : ''), { method: 'DELETE' });
  }

  /** Which targets of an upload into a directory exist. */
  async inTheWay(directory: string, paths: string[], signal?: AbortSignal): Promise<IInTheWay[]> {
    const body = { directory, paths };
    const answer = this.post<{ existing: IInTheWay[] }>('uploads/in-the-way', body, signal);
    return (await answer).existing;
  }

  /** Send many small files; the answer is what could not be written. */
  async batch(body: Blob, signal?: AbortSignal): Promise<IBatchFailure[]> {
    const headers = { 'Content-Type': 'application/octet-stream' };
    const init = { method: 'POST', body, headers, signal };
    return (await this.json<{ failures: IBatchFailure[] }>('uploads/batch', init)).failures;
  }

  /** Uploads that were begun and are not published. */
  async uploads(): Promise<IUpload[]> {
    return (await this.json<{ uploads: IUpload[] }>('uploads')).uploads;
  }

  /** Begin a resumable upload, or go on with an earlier one of the same file. */
  begin({ modified, ...request }: IBeginning, signal?: AbortSignal): Promise<IUpload> {
    return this.post('uploads', { ...request, modified: modified?.toISOString() }, signal);
  }

  /** How many bytes of an upload the server has. */
  async offset(id: string, signal?: AbortSignal): Promise<number> {
    const response = await this.send(`uploads/${id}`, { method: 'HEAD', signal });
    return uploadOffset(response);
  }

  /** Send the piece that begins at `offset`; the answer is the new offset. */
  async patch(
    id: string,
    offset: number,
    piece: Blob,
    checksum: string,
    signal?: AbortSignal
  ): Promise<number> {
    const response = await this.send(`uploads/${id}`, {
      method: 'PATCH',
      // A Blob: of bytes in memory Chromium sends but a few megabytes a second.
      body: piece,
      headers: {
        'Content-Type': 'application/octet-stream',
        'Upload-Offset': String(offset),
        'Upload-Checksum': checksum
      },
      signal
    });
    return uploadOffset(response);
  }

  /** Publish an upload whose bytes are all there. */
  commit(id: string, signal?: AbortSignal): Promise<IEntry> {
    return this.post(`uploads/${id}/commit`, {}, signal);
  }

  /** Give an upload up. */
  async abort(id: string): Promise<void> {
    await this.send(`uploads/${id}`, { method: 'DELETE' });
  }

  /** A ticket for a download; `url` is absolute. */
  async archive(paths: string[], format: 'zip' | 'raw', name?: string): Promise<ITicket> {
    const ticket = await this.post<ITicket>('archive', { paths, format, name });
    const origin = new URL(this.settings.baseUrl, window.location.href);
    // The server's answer is a path; anything else would take the person elsewhere.
    const url = new URL(ticket.url, new URL(`${BASE}/`, origin));
    if (url.origin !== origin.origin) {
      throw new StorageError(502, {
        kind: 'StorageError',
        // eslint-disable-next-line no-restricted-syntax -- no server does that by itself
        message: 'The server answered with a download address of another server'
      });
    }
    return { ...ticket, url: url.href };
  }

  /** What a copy or move would do. */
  plan(operation: 'copy' | 'move', sources: string[], destination: string): Promise<IPlan> {
    return this.post('transfers', { operation, sources, destination, dry_run: true });
  }

  /** Start a transfer on the server. */
  transfer(
    operation: 'copy' | 'move' | 'delete',
    sources: string[],
    destination?: string,
    conflict?: Conflict
  ): Promise<ITransfer> {
    return this.post('transfers', { operation, sources, destination, conflict });
  }

  /** What a deletion would take away, and whether it can be undone. */
  planRemoval(sources: string[], signal?: AbortSignal): Promise<IRemovalPlan> {
    return this.post('transfers', { operation: 'delete', sources, dry_run: true }, signal);
  }

  /** Delete such that it can be undone. */
  trash(sources: string[]): Promise<ITransfer> {
    return this.post('transfers', { operation: 'delete', sources, trash: true });
  }

  /** What was deleted and can come back, of one tier or of all. */
  async trashed(tier?: string): Promise<ITrashItem[]> {
    const arguments_ = tier ? `?${query({ tier })}` : '';
    return (await this.json<{ trash: ITrashItem[] }>(`trash${arguments_}`)).trash;
  }

  /** Bring back what one deletion took away; `where` is `tier:ID`. */
  restoreTrash(where: string): Promise<ITransfer> {
    return this.post(trashRoute(where), {});
  }

  /** Delete one deletion for good, or all of a tier's trash. */
  emptyTrash(where: string): Promise<ITransfer> {
    const { tier, key } = parsePath(where);
    return this.json(key ? trashRoute(where) : `trash?${query({ tier })}`, { method: 'DELETE' });
  }

  /** All transfers that the server remembers. */
  async transfers(): Promise<ITransfer[]> {
    return (await this.json<{ transfers: ITransfer[] }>('transfers')).transfers;
  }

  /** One transfer. */
  getTransfer(id: string): Promise<ITransfer> {
    return this.json(`transfers/${encodeURIComponent(id)}`);
  }

  /** Stop a transfer. */
  cancel(id: string): Promise<ITransfer> {
    return this.json(`transfers/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  /** Transfers that were cut off, by a restart of the server for one. */
  async interrupted(): Promise<ITransfer[]> {
    return (await this.json<{ transfers: ITransfer[] }>('interrupted')).transfers;
  }

  /** Go on with a transfer that was cut off. */
  goOn(id: string): Promise<ITransfer> {
    return this.post(`interrupted/${encodeURIComponent(id)}`, {});
  }

  /** Forget a transfer that was cut off. */
  async forget(id: string): Promise<void> {
    await this.send(`interrupted/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  /** How safe the project directory is. */
  snapshotStatus(): Promise<ISnapshotStatus> {
    return this.json('snapshots/status');
  }

  /** Take a snapshot now. */
  snapshotNow(): Promise<ISnapshotStatus> {
    return this.post('snapshots', {});
  }

  /** Note which files are open: a start on a new machine brings these first. */
  async noteOpen(paths: string[]): Promise<void> {
    await this.send('snapshots/open', {
      method: 'PUT',
      body: JSON.stringify({ paths }),
      headers: { 'Content-Type': 'application/json' }
    });
  }

  /** Make this machine the one that writes the workspace's main line. */
  takeOver(): Promise<ISnapshot> {
    return this.post('snapshots/takeover', {});
  }

  /** All snapshots of the project directory, newest first. */
  async snapshots(): Promise<ISnapshot[]> {
    return (await this.json<{ snapshots: ISnapshot[] }>('snapshots')).snapshots;
  }

  /** Pin a snapshot, or give it a name; it has another ID then. */
  changeSnapshot(id: string, change: { pinned?: boolean; name?: string }): Promise<ISnapshot> {
    return this.json(`snapshots/${id}`, {
      method: 'PATCH',
      body: JSON.stringify(change),
      headers: { 'Content-Type': 'application/json' }
    });
  }

  /** What differs between a snapshot and an earlier one; its parent unless told. */
  compareSnapshots(id: string, against = 'previous', limit = 500): Promise<IComparison> {
    return this.json(`snapshots/${id}/diff?${query({ against, limit: String(limit) })}`);
  }

  /** A page of a directory as it was. */
  listSnapshot(id: string, path: string, cursor: string | null): Promise<IPage> {
    const arguments_ = cursor ? `?${query({ cursor })}` : '';
    return this.json(`snapshots/${id}/files/${encodeKey(path)}${arguments_}`);
  }

  /** A file as it was. */
  async readSnapshot(id: string, path: string): Promise<Blob> {
    return (await this.send(`snapshots/${id}/files/${encodeKey(path)}`)).blob();
  }

  /** The versions of a file of the project directory, newest first. */
  async versions(path: string): Promise<IFileVersion[]> {
    const answer = await this.json<{ versions: IFileVersion[] }>(`versions/${encodeKey(path)}`);
    return answer.versions;
  }

  /** What differs between a file as it was and as it is now. */
  compareFile(id: string, path: string): Promise<IFileComparison> {
    return this.json(`snapshots/${id}/diff/${encodeKey(path)}`);
  }

  /** What it would do to bring files, or everything, back into the project directory. */
  planRestore(id: string, paths?: string[], exact = false): Promise<IRestorePlan> {
    return this.post(`snapshots/${id}/restore`, { in_place: true, paths, exact, dry_run: true });
  }

  /** Bring files, or everything, back into the project directory. */
  restoreInPlace(id: string, paths?: string[], exact = false): Promise<ITransfer> {
    const body = { in_place: true, paths, exact, policy: 'overwrite' };
    return this.post(`snapshots/${id}/restore`, body);
  }

  /** Bring a snapshot back into another directory of the project directory. */
  restoreInto(id: string, target: string): Promise<ITransfer> {
    return this.post(`snapshots/${id}/restore`, { target });
  }

  /** Put one cell of an old version into the notebook as it is now. */
  restoreCell(id: string, path: string, cell: string): Promise<ICellRestored> {
    return this.post(`snapshots/${id}/cell`, { path, cell });
  }

  /** Experiments of Ray in a directory and below it, newest first. */
  experiments(path: string): Promise<IExperimentPage> {
    return this.json(`experiments?${query({ path, limit: '200' })}`);
  }

  /** One experiment, however large it is. */
  experiment(path: string): Promise<IExperiment> {
    return this.json(`experiments/${this.route(path)}`);
  }

  /** A page of an experiment's trials, the best first. */
  trials(
    path: string,
    options: IJudgement & { cursor?: string; limit: number }
  ): Promise<ITrialPage> {
    const asked: Record<string, string> = { ...judged(options), limit: String(options.limit) };
    if (options.cursor) {
      asked.cursor = options.cursor;
    }
    return this.json(`trials/${this.route(path)}?${query(asked)}`);
  }

  /** One trial with its curve and its checkpoints. */
  trial(path: string, trial: string, judgement: IJudgement): Promise<ITrialDetails> {
    return this.json(`trials/${this.route(path)}?${query({ trial, ...judged(judgement) })}`);
  }

  /** The best checkpoint of an experiment that is there. */
  bestCheckpoint(path: string, judgement: IJudgement): Promise<ICheckpoint> {
    return this.json(`best-checkpoint/${this.route(path)}?${query(judged(judgement))}`);
  }

  private route(path: string): string {
    const { tier, key } = parsePath(path);
    return `${encodeURIComponent(tier)}/${encodeKey(key)}`;
  }

  /** Storages that were created here. */
  async storages(): Promise<IStorageRecord[]> {
    return (await this.json<{ storages: IStorageRecord[] }>('storages')).storages;
  }

  /** How much deleting a storage would lose. */
  planStorageRemoval(name: string): Promise<IPlan> {
    return this.json(`storages/${encodeURIComponent(name)}?dry_run=1`, { method: 'DELETE' });
  }

  /** Delete a storage with all that is in it. */
  removeStorage(name: string): Promise<ITransfer> {
    return this.json(`storages/${encodeURIComponent(name)}`, { method: 'DELETE' });
  }

  /** What a YAML file of the server's root directory would do. */
  planApply(path: string, copy: boolean): Promise<IApplyPlan> {
    return this.post('apply', { path, copy, dry_run: true });
  }

  /** Do what a YAML file says; `copy`: with copies in place of mounts. */
  apply(path: string, copy: boolean): Promise<ITransfer> {
    return this.post('apply', { path, copy });
  }

  /** What is mounted on the server's machine. */
  async mounts(): Promise<IMount[]> {
    return (await this.json<{ mounts: IMount[] }>('mounts')).mounts;
  }

  /** Mount a part of a tier, or a storage. */
  mount(request: IMountRequest): Promise<IMount> {
    return this.post('mounts', request);
  }

  /** Fetch a copy in place of a mount. */
  mountCopy(request: IMountRequest): Promise<ITransfer> {
    return this.post('mounts', { ...request, cached: false, copy: true });
  }

  /** Wait until all is uploaded, or bring back what does not work. */
  changeMount(id: string, action: 'flush' | 'repair'): Promise<IMount> {
    return this.post(`mounts/${id}`, { action });
  }

  /** Unmount; `force` gives up what is not uploaded. */
  async unmount(id: string, force = false): Promise<void> {
    await this.send(`mounts/${id}${force ? '?force=1' : ''}`, { method: 'DELETE' });
  }

  private file(path: string): string {
    return `files/${this.route(path)}`;
  }

  private post<T>(route: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return this.json(route, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' },
      signal
    });
  }

  private async json<T>(route: string, init: RequestInit = {}): Promise<T> {
    return (await (await this.send(route, init)).json()) as T;
  }

  private async send(route: string, init: RequestInit = {}): Promise<Response> {
    // Joined by hand: URLExt.join would decode and encode what is encoded already.
    const url = `${URLExt.join(this.settings.baseUrl, BASE)}/${route}`;
    const response = await ServerConnection.makeRequest(
      url,
      { cache: 'no-cache', ...init },
      this.settings
    );
    if (!response.ok) {
      throw await StorageError.from(response);
    }
    return response;
  }
}

function trashRoute(where: string): string {
  const { tier, key } = parsePath(where);
  return `trash/${encodeURIComponent(tier)}/${encodeURIComponent(key)}`;
}

function judged({ metric, mode }: IJudgement): Record<string, string> {
  return { ...(metric ? { metric } : {}), ...(mode ? { mode } : {}) };
}

function query(values: Record<string, string>): string {
  return new URLSearchParams(values).toString();
}

function uploadOffset(response: Response): number {
  return Number(response.headers.get('Upload-Offset'));
}
