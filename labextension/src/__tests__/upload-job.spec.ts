import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { IAnswer } from '../uploads/conflicts';
import type { IUploadItem } from '../uploads/items';
import { type IUploadOptions, UploadJob } from '../uploads/job';
import { StorageServer, transportTo } from './server';

const PIECE = 1000;

describe('UploadJob', () => {
  let server: StorageServer;
  let base: string;
  let asked: string[];

  beforeEach(async () => {
    server = new StorageServer();
    base = await server.start();
    asked = [];
  });

  afterEach(() => server.stop());

  function bytes(size: number, seed = 1): Buffer {
    return Buffer.from(new Uint8Array(size).map((_, i) => (i * 31 + seed) % 253));
  }

  function item(path: string, content: Buffer | null): IUploadItem {
    return { path, blob: content && new Blob([new Uint8Array(content)]) };
  }

  function job(
    items: IUploadItem[],
    answer: IAnswer = { choice: 'cancel', all: false },
    options: Partial<IUploadOptions> = {}
  ) {
    return new UploadJob('1', 't:', items, {
      transport: transportTo(base),
      ask: async question => {
        asked.push(question.item.path);
        return answer;
      },
      pieceSize: PIECE,
      delay: () => 1,
      attempts: 5,
      ...options
    });
  }

  const patches = () => server.log.filter(line => line.startsWith('PATCH')).length;

  it('sends small files together, large ones in pieces, and makes empty folders', async () => {
    const large = bytes(3 * PIECE + 17);
    const upload = job([item('t:d', null), item('t:d/a', bytes(10)), item('t:d/b', large)]);
    await upload.run();
    expect(upload.failures).toEqual([]);
    expect(upload.state).toBe('done');
    expect(server.directories).toContain('t:d');
    expect(server.files.get('t:d/a')).toEqual(bytes(10));
    expect(server.files.get('t:d/b')).toEqual(large);
    // Two of the first size, and a larger one, for they have arrived soon.
    expect(patches()).toBe(3);
    expect([upload.bytesDone, upload.filesDone]).toEqual([upload.bytesTotal, 2]);
  });

  it.each(['cut', 'cut after', 'busy', 'corrupt'] as const)(
    'goes on where the server is after every second piece is lost: %s',
    async fault => {
      const content = bytes(6 * PIECE + 1);
      let count = 0;
      server.fault = verb => (verb === 'PATCH' && count++ % 2 === 0 ? fault : null);
      const upload = job([item('t:big', content)]);
      await upload.run();
      expect(upload.failures).toEqual([]);
      expect(server.files.get('t:big')!.equals(content)).toBe(true);
      expect(upload.bytesDone).toBe(content.length);
      expect(server.log).toContain('HEAD /uploads/u0');
    }
  );

  it('comes through where the line breaks before a whole piece has passed', async () => {
    const piece = 1024 * 1024;
    const content = bytes(2 * piece);
    server.fault = (verb, _, length) => (verb === 'PATCH' && length > piece / 3 ? 'cut' : null);
    const upload = job([item('t:big', content)], undefined, { pieceSize: piece });
    await upload.run();
    expect(upload.failures).toEqual([]);
    expect(server.files.get('t:big')!.equals(content)).toBe(true);
  });

  it('survives a lost answer to every kind of request', async () => {
    const seen = new Set<string>();
    server.fault = (verb, url) => {
      const kind = `${verb} ${url.replace(/u\d+/, '')}`;
      if (seen.has(kind)) {
        return null;
      }
      seen.add(kind);
      return 'cut after';
    };
    const upload = job([item('t:small', bytes(5)), item('t:big', bytes(2 * PIECE))]);
    await upload.run();
    expect(upload.failures).toEqual([]);
    expect(asked).toEqual([]);
    expect(server.files.get('t:small')).toEqual(bytes(5));
    expect(server.files.get('t:big')).toEqual(bytes(2 * PIECE));
  });

  it('gives a file up after tries without progress, and does the others', async () => {
    server.fault = (_, url) => (url.includes('u0') ? 'cut' : null);
    const upload = job([item('t:bad', bytes(2 * PIECE)), item('t:good', bytes(6))]);
    await upload.run();
    expect(upload.state).toBe('partial');
    expect(upload.failures.map(failure => failure.path)).toEqual(['t:bad']);
    expect(upload.failed).toHaveLength(1);
    expect(server.files.get('t:good')).toEqual(bytes(6));
  });

  it('takes a failure off the list that another job tries again', async () => {
    server.fault = (_, url) => (/u[01]/.test(url) ? 'cut' : null);
    const items = [item('t:bad', bytes(2 * PIECE)), item('t:worse', bytes(3 * PIECE))];
    const upload = job(items);
    await upload.run();
    expect(upload.failures).toHaveLength(2);
    upload.forgive('t:bad');
    expect(upload.failures.map(failure => failure.path)).toEqual(['t:worse']);
    expect(upload.failed.map(failed => failed.path)).toEqual(['t:worse']);
  });

  it('asks once where the answer is for all', async () => {
    const names = ['a', 'b', 'c', 'd'];
    names.forEach(name => server.files.set(`t:${name}`, bytes(3, 9)));
    const upload = job(
      names.map(name => item(`t:${name}`, bytes(4))),
      { choice: 'overwrite', all: true }
    );
    await upload.run();
    expect(asked).toHaveLength(1);
    names.forEach(name => expect(server.files.get(`t:${name}`)).toEqual(bytes(4)));
  });

  it('asks for each where it is not, one at a time', async () => {
    ['a', 'b'].forEach(name => server.files.set(`t:${name}`, bytes(3, 9)));
    const upload = job([item('t:a', bytes(4)), item('t:b', bytes(2 * PIECE))], {
      choice: 'skip',
      all: false
    });
    await upload.run();
    expect(asked.sort()).toEqual(['t:a', 't:b']);
    expect(upload.filesSkipped).toBe(2);
    expect(server.files.get('t:a')).toEqual(bytes(3, 9));
    expect(server.files.get('t:b')).toEqual(bytes(3, 9));
  });

  it('stops everything when a question is cancelled', async () => {
    server.files.set('t:a', bytes(3, 9));
    const later = Array.from({ length: 50 }, (_, i) => item(`t:z${i}`, bytes(4)));
    const upload = job([item('t:a', bytes(4)), ...later]);
    await upload.run();
    expect(upload.state).toBe('cancelled');
    expect(server.files.get('t:a')).toEqual(bytes(3, 9));
    expect(server.files.size).toBeLessThan(51);
  });

  it('takes back what it has sent when it is cancelled', async () => {
    const upload = job([item('t:big', bytes(20 * PIECE))]);
    server.fault = verb => {
      if (verb === 'PATCH' && patches() === 3) {
        upload.cancel();
      }
      return null;
    };
    await upload.run();
    expect(upload.state).toBe('cancelled');
    expect(server.files.size).toBe(0);
    expect(server.uploads.size).toBe(0);
  });

  it('sends a thousand small files in a few requests', async () => {
    const items = Array.from({ length: 1000 }, (_, i) => item(`t:d${i % 9}/${i}`, bytes(3, i)));
    const upload = job(items, undefined, { pieceSize: 8 * 1024 * 1024 });
    await upload.run();
    expect(upload.state).toBe('done');
    expect(upload.filesDone).toBe(1000);
    expect(server.log.length).toBeLessThan(10);
    items.forEach((_, i) => expect(server.files.get(`t:d${i % 9}/${i}`)).toEqual(bytes(3, i)));
  });

  it('repeats of a batch only what was not written', async () => {
    let refused = 0;
    const problem = { kind: 'Throttled', message: 'slow down', hint: '', path: null };
    server.refuses = path =>
      path === 't:a' && refused++ < 2
        ? { status: 503, ...problem }
        : path === 't:b'
          ? { status: 403, ...problem, kind: 'AccessDenied' }
          : null;
    const upload = job(['a', 'b', 'c'].map(name => item(`t:${name}`, bytes(5))));
    await upload.run();
    expect(upload.failures.map(({ path, kind }) => [path, kind])).toEqual([
      ['t:b', 'AccessDenied']
    ]);
    expect([...server.files.keys()].sort()).toEqual(['t:a', 't:c']);
    expect(upload.filesDone).toBe(2);
    expect(upload.bytesDone).toBe(15);
  });

  it('says which file cannot be read, and sends the others', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'upload-'));
    await writeFile(join(directory, 'gone'), bytes(5));
    const gone = { path: 't:gone', blob: await openAsBlob(join(directory, 'gone')) };
    await rm(directory, { recursive: true });
    const upload = job([item('t:before', bytes(4)), gone, item('t:there', bytes(6))]);
    await upload.run();
    expect(upload.failures).toMatchObject([
      { path: 't:gone', message: expect.stringContaining('could not be read') as string }
    ]);
    expect(server.files.get('t:before')).toEqual(bytes(4));
    expect(server.files.get('t:there')).toEqual(bytes(6));
  });

  it('keeps both where that is wanted', async () => {
    server.files.set('t:a', bytes(3, 9));
    const upload = job([item('t:a', bytes(4))], { choice: 'both', all: false });
    await upload.run();
    expect(server.files.get('t:a')).toEqual(bytes(3, 9));
    expect(server.files.get('t:a (2)')).toEqual(bytes(4));
  });

  it('asks before the first byte, and passes over what is there already', async () => {
    const file = (name: string) =>
      new File([new Uint8Array(bytes(4))], name, { lastModified: 1700000000123 });
    server.files.set('t:same', bytes(4, 9));
    server.times.set('t:same', '2023-11-14T22:13:20.123456Z');
    server.files.set('t:other', bytes(4, 9));
    server.times.set('t:other', '2023-11-14T22:13:21.123Z');
    const upload = new UploadJob(
      '1',
      't:',
      ['same', 'other', 'new'].map(name => ({ path: `t:${name}`, blob: file(name) })),
      {
        transport: transportTo(base),
        ask: async ({ item: { path }, others }) => {
          expect([path, others]).toEqual(['t:other', 0]);
          expect(server.log).toEqual(['POST /uploads/in-the-way']);
          return { choice: 'overwrite', all: false };
        }
      }
    );
    await upload.run();
    expect(upload.failures).toEqual([]);
    expect([upload.filesDone, upload.filesSkipped]).toEqual([2, 1]);
    expect(server.files.get('t:same')).toEqual(bytes(4, 9));
    expect(server.files.get('t:other')).toEqual(bytes(4));
  });

  it.each([5, 3 * PIECE])('asks about what comes into being meanwhile: %d bytes', async size => {
    let first = true;
    const problem = { status: 409, kind: 'AlreadyExists', message: '', hint: '', path: null };
    const appear = () => {
      const now = first;
      first = false;
      if (now) {
        server.files.set('t:f', bytes(3, 9));
      }
      return now;
    };
    server.refuses = () => (appear() ? problem : null);
    server.refusesCommit = appear;
    const upload = job([item('t:f', bytes(size))], { choice: 'overwrite', all: false });
    await upload.run();
    expect(asked).toEqual(['t:f']);
    expect(upload.state).toBe('done');
    expect(server.files.get('t:f')).toEqual(bytes(size));
    // What had arrived by then is not sent again.
    expect(patches()).toBe(size > PIECE ? 3 : 0);
    expect([upload.bytesDone, upload.filesDone]).toEqual([size, 1]);
  });

  it('rests in a pause, and goes on where it was', async () => {
    const content = bytes(9 * PIECE);
    const upload = job([item('t:big', content)]);
    server.fault = verb => {
      if (verb === 'PATCH' && patches() === 4) {
        upload.pause();
      }
      return null;
    };
    const run = upload.run();
    while (upload.state !== 'paused') {
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    await new Promise(resolve => setTimeout(resolve, 30));
    const before = server.log.length;
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(server.log.length).toBe(before);
    expect(server.files.size).toBe(0);
    upload.resume();
    await run;
    expect(upload.state).toBe('done');
    expect(server.files.get('t:big')!.equals(content)).toBe(true);
    expect(patches()).toBeLessThanOrEqual(10);
  });

  it('can be cancelled during a pause', async () => {
    const upload = job([item('t:big', bytes(9 * PIECE))]);
    server.fault = verb => {
      if (verb === 'PATCH') {
        upload.pause();
      }
      return null;
    };
    const run = upload.run();
    while (upload.state !== 'paused') {
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    upload.cancel();
    await run;
    expect(upload.state).toBe('cancelled');
    expect(server.uploads.size).toBe(0);
  });

  it('goes on with what an earlier page has sent of the same file, and of no other', async () => {
    const content = bytes(6 * PIECE);
    server.fault = verb => (verb === 'PATCH' && patches() > 3 ? 'cut' : null);
    await job([item('t:big', content)]).run();
    expect(server.uploads.get('u0')!.bytes).toHaveLength(4 * PIECE);
    server.fault = () => null;
    server.log.length = 0;
    const other = job([item('t:big', bytes(6 * PIECE, 2))]);
    await other.run();
    expect(patches()).toBe(4);
    server.files.clear();
    server.log.length = 0;
    const upload = job([item('t:big', content)]);
    await upload.run();
    expect(patches()).toBe(2);
    expect(server.files.get('t:big')!.equals(content)).toBe(true);
    expect([upload.bytesDone, upload.bytesSent]).toEqual([6 * PIECE, 2 * PIECE]);
  });

  it('uploads an empty file', async () => {
    const upload = job([item('t:empty', Buffer.alloc(0))]);
    await upload.run();
    expect(upload.state).toBe('done');
    expect(server.files.get('t:empty')!.length).toBe(0);
  });
});
