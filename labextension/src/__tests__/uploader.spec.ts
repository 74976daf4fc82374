import { type IAnswer, type IUploadItem, UploadJob } from '../uploader';
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
    return { path, blob: content && new Blob([new Uint8Array(content)]), modified: null };
  }

  function job(items: IUploadItem[], answer: IAnswer = { choice: 'cancel', all: false }) {
    return new UploadJob('1', 't:', items, {
      transport: transportTo(base),
      ask: async path => {
        asked.push(path);
        return answer;
      },
      pieceSize: PIECE,
      delay: () => 1,
      attempts: 5
    });
  }

  it('sends small files whole, large ones in pieces, and makes empty folders', async () => {
    const large = bytes(3 * PIECE + 17);
    const upload = job([item('t:d', null), item('t:d/a', bytes(10)), item('t:d/b', large)]);
    await upload.run();
    expect(upload.failures).toEqual([]);
    expect(upload.state).toBe('done');
    expect(server.directories).toContain('t:d');
    expect(server.files.get('t:d/a')).toEqual(bytes(10));
    expect(server.files.get('t:d/b')).toEqual(large);
    expect(server.log.filter(line => line.startsWith('PATCH'))).toHaveLength(4);
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

  it('survives a lost answer to every kind of request', async () => {
    const seen = new Set<string>();
    server.fault = verb => {
      if (seen.has(verb)) {
        return null;
      }
      seen.add(verb);
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
    server.fault = (_, url) => (url.includes('bad') ? 'cut' : null);
    const upload = job([item('t:bad', bytes(5)), item('t:good', bytes(6))]);
    await upload.run();
    expect(upload.state).toBe('partial');
    expect(upload.failures.map(failure => failure.path)).toEqual(['t:bad']);
    expect(upload.failed).toHaveLength(1);
    expect(server.files.get('t:good')).toEqual(bytes(6));
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
      if (verb === 'PATCH' && server.log.filter(line => line.startsWith('PATCH')).length === 3) {
        upload.cancel();
      }
      return null;
    };
    await upload.run();
    expect(upload.state).toBe('cancelled');
    expect(server.files.size).toBe(0);
    expect(server.uploads.size).toBe(0);
  });

  it('uploads an empty file', async () => {
    const upload = job([item('t:empty', Buffer.alloc(0))]);
    await upload.run();
    expect(upload.state).toBe('done');
    expect(server.files.get('t:empty')!.length).toBe(0);
  });
});
