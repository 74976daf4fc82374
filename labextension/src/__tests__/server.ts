import { crc32 } from 'node:zlib';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { StorageError } from '../errors';
import type { IBatchFailure, IEntry, IInTheWay, IUpload } from '../records';
import type { IUploadTransport } from '../uploads/items';

/** What the server does with a request before it would answer it. */
export type Fault = 'cut' | 'cut after' | 'busy' | 'corrupt' | null;

/** A small storage server over real connections, which can be told to fail. */
export class StorageServer {
  readonly files = new Map<string, Buffer>();
  readonly directories = new Set<string>();
  readonly uploads = new Map<
    string,
    { path: string; size: number; bytes: Buffer; sample?: string }
  >();
  /** Where the modification times of files would be. */
  readonly times = new Map<string, string>();
  readonly log: string[] = [];
  /** Asked before each request. */
  fault: (verb: string, url: string, length: number) => Fault = () => null;

  async start(): Promise<string> {
    this._server = createServer((request, response) => void this._handle(request, response));
    await new Promise<void>(resolve => this._server!.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this._server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this._server?.closeAllConnections();
    await new Promise(resolve => this._server?.close(resolve));
  }

  private async _handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const verb = request.method!;
    const url = decodeURIComponent(request.url!);
    this.log.push(`${verb} ${url}`);
    const fault = this.fault(verb, url, Number(request.headers['content-length'] ?? 0));
    if (fault === 'cut') {
      request.socket.destroy();
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of request) {
      parts.push(part as Buffer);
    }
    let body = Buffer.concat(parts);
    if (fault === 'busy') {
      this._refuse(response, 503, 'Throttled');
      return;
    }
    if (fault === 'corrupt') {
      body = Buffer.from(body.map((byte, i) => (i === 0 ? byte ^ 1 : byte)));
    }
    this._answer(verb, url, request, body, fault === 'cut after' ? null : response);
    if (fault === 'cut after') {
      request.socket.destroy();
    }
  }

  private _answer(
    verb: string,
    url: string,
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse | null
  ): void {
    const json = (status: number, value: unknown) => {
      response?.writeHead(status, { 'Content-Type': 'application/json' });
      response?.end(JSON.stringify(value));
    };
    const [, kind, ...rest] = url.split('/');
    const name = rest.join('/');
    const upload = this.uploads.get(rest[0]);
    if (kind === 'uploads' && name === 'in-the-way') {
      const { paths } = JSON.parse(body.toString()) as { paths: string[] };
      const existing = paths
        .filter(path => this.files.has(path))
        .map(path => ({ path, entry: this._entry(path), free: `${path} (2)` }));
      return json(200, { existing });
    }
    if (kind === 'uploads' && name === 'batch') {
      return json(200, { failures: this._batch(body) });
    }
    if (kind === 'uploads' && verb === 'POST' && rest[1] === 'commit') {
      if (!upload || upload.bytes.length !== upload.size) {
        return this._refuse(response, upload ? 409 : 404, upload ? 'Conflict' : 'NotFound');
      }
      if (this.refusesCommit(upload.path)) {
        return this._refuse(response, 409, 'AlreadyExists');
      }
      this.files.set(upload.path, upload.bytes);
      return json(200, this._entry(upload.path));
    }
    if (kind === 'uploads' && verb === 'POST') {
      const { path, size, conflict, sample } = JSON.parse(body.toString()) as {
        path: string;
        size: number;
        conflict: string;
        sample: string;
      };
      if (conflict !== 'overwrite' && this.files.has(path)) {
        return this._refuse(response, 409, 'AlreadyExists');
      }
      for (const [id, earlier] of this.uploads) {
        if (earlier.path === path && earlier.sample === sample) {
          return json(200, { id, path, size, offset: earlier.bytes.length });
        }
      }
      const id = `u${this.uploads.size}`;
      this.uploads.set(id, { path, size, bytes: Buffer.alloc(0), sample });
      return json(201, { id, path, size, offset: 0 });
    }
    if (!upload) {
      return this._refuse(response, 404, 'NotFound');
    }
    if (verb === 'PATCH') {
      if (Number(request.headers['upload-offset']) !== upload.bytes.length) {
        return this._refuse(response, 409, 'Conflict');
      }
      const sum = crc32(body).toString(16).padStart(8, '0');
      if (request.headers['upload-checksum'] !== `crc32 ${sum}`) {
        return this._refuse(response, 422, 'ChecksumMismatch');
      }
      upload.bytes = Buffer.concat([upload.bytes, body]);
    }
    if (verb === 'DELETE') {
      this.uploads.delete(rest[0]);
    }
    response?.writeHead(204, { 'Upload-Offset': String(upload.bytes.length) });
    response?.end();
  }

  /** Asked before an upload is published. */
  refusesCommit: (path: string) => boolean = () => false;
  /** Asked before a file of a batch is written. */
  refuses: (path: string) => Omit<IBatchFailure, 'index'> | null = () => null;

  private _batch(body: Buffer): IBatchFailure[] {
    const newline = body.indexOf(10);
    const { conflict, files } = JSON.parse(body.subarray(0, newline).toString()) as {
      conflict: string;
      files: { path: string; size?: number; crc32: string; modified?: string }[];
    };
    const failures: IBatchFailure[] = [];
    let offset = newline + 1;
    files.forEach(({ path, size, crc32: sum }, index) => {
      if (size === undefined) {
        this.directories.add(path);
        return;
      }
      const content = body.subarray(offset, (offset += size));
      const refused = this.refuses(path);
      const fail = (status: number, kind: string) =>
        failures.push({ index, status, kind, message: kind, hint: '', path });
      if (refused) {
        failures.push({ index, ...refused });
      } else if (crc32(content).toString(16).padStart(8, '0') !== sum) {
        fail(422, 'ChecksumMismatch');
      } else if (
        conflict !== 'overwrite' &&
        this.files.has(path) &&
        !this.files.get(path)!.equals(content)
      ) {
        fail(409, 'AlreadyExists');
      } else {
        this.files.set(path, Buffer.from(content));
      }
    });
    return failures;
  }

  private _entry(path: string): Partial<IEntry> {
    const modified = this.times.get(path) ?? null;
    return { path, type: 'file', size: this.files.get(path)!.length, modified };
  }

  private _refuse(response: ServerResponse | null, status: number, kind: string): void {
    response?.writeHead(status, { 'Content-Type': 'application/json' });
    response?.end(JSON.stringify({ kind, message: kind, hint: '', path: null }));
  }

  private _server: Server | null = null;
}

/** The requests of an upload as the panel makes them, with Node's own fetch. */
export function transportTo(base: string): IUploadTransport {
  const send = async (route: string, init: RequestInit = {}) => {
    const response = await fetch(`${base}/${route}`, init).catch(error => {
      // As ServerConnection does; Jest's own TypeError is another one than Node's.
      throw new TypeError(String(error));
    });
    if (!response.ok) {
      throw await StorageError.from(response);
    }
    return response;
  };
  const entry = async (promise: Promise<Response>) => (await (await promise).json()) as IEntry;
  const offset = (response: Response) => Number(response.headers.get('Upload-Offset'));
  return {
    inTheWay: async (directory, paths, signal) => {
      const body = JSON.stringify({ directory, paths });
      const response = await send('uploads/in-the-way', { method: 'POST', body, signal });
      return ((await response.json()) as { existing: IInTheWay[] }).existing;
    },
    batch: async (body, signal) => {
      const response = await send('uploads/batch', { method: 'POST', body, signal });
      return ((await response.json()) as { failures: IBatchFailure[] }).failures;
    },
    begin: async (request, signal) => {
      const body = JSON.stringify(request);
      return (await (await send('uploads', { method: 'POST', body, signal })).json()) as IUpload;
    },
    offset: async (id, signal) => offset(await send(`uploads/${id}`, { method: 'HEAD', signal })),
    patch: async (id, at, piece, checksum, signal) =>
      offset(
        await send(`uploads/${id}`, {
          method: 'PATCH',
          body: piece,
          headers: { 'Upload-Offset': String(at), 'Upload-Checksum': checksum },
          signal
        })
      ),
    commit: (id, signal) => entry(send(`uploads/${id}/commit`, { method: 'POST', signal })),
    abort: async id => {
      await send(`uploads/${id}`, { method: 'DELETE' });
    }
  };
}
