import { crc32 } from 'node:zlib';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { StorageError } from '../errors';
import type { IEntry, IUpload } from '../records';
import type { IUploadTransport } from '../uploader';

/** What the server does with a request before it would answer it. */
export type Fault = 'cut' | 'cut after' | 'busy' | 'corrupt' | null;

/** A small storage server over real connections, which can be told to fail. */
export class StorageServer {
  readonly files = new Map<string, Buffer>();
  readonly directories = new Set<string>();
  readonly uploads = new Map<string, { path: string; size: number; bytes: Buffer }>();
  readonly log: string[] = [];
  /** Asked before each request. */
  fault: (verb: string, url: string) => Fault = () => null;

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
    const fault = this.fault(verb, url);
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
    if (kind === 'files' && verb === 'PUT') {
      if (request.headers['if-none-match'] === '*' && this.files.has(name)) {
        return this._refuse(response, 409, 'AlreadyExists');
      }
      this.files.set(name, body);
      return json(201, this._entry(name));
    }
    if (kind === 'files' && verb === 'GET') {
      return this.files.has(name)
        ? json(200, this._entry(name))
        : this._refuse(response, 404, 'NotFound');
    }
    if (kind === 'files' && verb === 'POST') {
      this.directories.add(name);
      return json(200, { path: name });
    }
    if (kind === 'uploads' && verb === 'POST' && rest[1] === 'commit') {
      if (!upload || upload.bytes.length !== upload.size) {
        return this._refuse(response, upload ? 409 : 404, upload ? 'Conflict' : 'NotFound');
      }
      this.files.set(upload.path, upload.bytes);
      return json(200, this._entry(upload.path));
    }
    if (kind === 'uploads' && verb === 'POST') {
      const { path, size, conflict } = JSON.parse(body.toString()) as {
        path: string;
        size: number;
        conflict: string;
      };
      if (conflict !== 'overwrite' && this.files.has(path)) {
        return this._refuse(response, 409, 'AlreadyExists');
      }
      const id = `u${this.uploads.size}`;
      this.uploads.set(id, { path, size, bytes: Buffer.alloc(0) });
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

  private _entry(path: string): Partial<IEntry> {
    return { path, size: this.files.get(path)!.length };
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
  const file = (path: string) => `files/${encodeURIComponent(path)}`;
  const entry = async (promise: Promise<Response>) => (await (await promise).json()) as IEntry;
  const offset = (response: Response) => Number(response.headers.get('Upload-Offset'));
  return {
    stat: path => entry(send(file(path))),
    mkdir: path => entry(send(file(path), { method: 'POST' })),
    put: (path, body, exclusive, signal) =>
      entry(
        send(file(path), {
          method: 'PUT',
          body,
          headers: exclusive ? { 'If-None-Match': '*' } : {},
          signal
        })
      ),
    begin: async (path, size, modified, conflict, signal) => {
      const body = JSON.stringify({ path, size, modified, conflict });
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
