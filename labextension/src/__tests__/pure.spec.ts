import type { JSONObject } from '@lumino/coreutils';

import { nullTranslator as trans } from './translator';
import { ChunkCollector, fromBase64, toBase64 } from '../chunks';
import { decode, encode, kindOf } from '../contents';
import { checksumHeader, crc32 } from '../crc32';
import { formatAgo, formatBytes, formatDuration } from '../format';
import { parseNotebook, serializeNotebook } from '../notebook';
import {
  encodeKey,
  formatPath,
  isBelow,
  joinKeys,
  nameOf,
  nameProblem,
  numberedName,
  parentKey,
  parsePath
} from '../paths';
import { PieceReader } from '../uploads/pieces';
import { crc32 as zlibCrc32 } from 'node:zlib';

describe('crc32', () => {
  it('gives the check value of the standard', () => {
    expect(checksumHeader(new TextEncoder().encode('123456789'))).toBe('crc32 cbf43926');
  });

  it('agrees with zlib for every length around the steps, wherever it begins', () => {
    const bytes = new Uint8Array(5000).map((_, i) => (i * 7919) % 251);
    for (let begin = 0; begin < 5; begin++) {
      for (let length = 0; length < 70; length++) {
        const part = bytes.subarray(begin, begin + length);
        expect(crc32(part)).toBe(zlibCrc32(part));
      }
    }
    expect(crc32(bytes)).toBe(zlibCrc32(bytes));
  });

  it('keeps its leading zeros in the header', () => {
    expect(checksumHeader(new Uint8Array())).toBe('crc32 00000000');
  });
});

describe('paths', () => {
  it('takes a path apart at its first colon only', () => {
    expect(parsePath('shared:a/b:c')).toEqual({ tier: 'shared', key: 'a/b:c' });
    expect(() => parsePath('no colon')).toThrow('no path of a tier');
  });

  it('joins keys and leaves no trace of roots', () => {
    expect(joinKeys('', 'a/', '/b')).toBe('a/b');
    expect(formatPath('shared', '/a/')).toBe('shared:a');
    expect(parentKey('a/b')).toBe('a');
    expect(parentKey('a')).toBe('');
    expect(['shared:a', 'shared:a/b', 'shared:'].map(nameOf)).toEqual(['a', 'b', 'shared:']);
  });

  it('encodes each part once', () => {
    expect(encodeKey('a b/100%/ü?#')).toBe('a%20b/100%25/%C3%BC%3F%23');
    expect(encodeKey('%252F')).toBe('%25252F');
  });

  it('knows data from data2', () => {
    expect(isBelow('shared:data/x', 'shared:data')).toBe(true);
    expect(isBelow('shared:data2/x', 'shared:data')).toBe(false);
    expect(isBelow('local:data/x', 'shared:data')).toBe(false);
    expect(isBelow('shared:anything', 'shared:')).toBe(true);
  });

  it('refuses names that are none', () => {
    expect(['', ' ', 'a/b', '..', 'a.txt', '.hidden'].map(nameProblem)).toEqual([
      'empty',
      'empty',
      'slash',
      'dots',
      null,
      null
    ]);
  });

  it('numbers before the extension, and a leading dot is no extension', () => {
    expect(numberedName('a.tar.gz', 2)).toBe('a.tar-2.gz');
    expect(numberedName('.env', 1)).toBe('.env-1');
    expect(numberedName('a.txt', 0)).toBe('a.txt');
  });
});

describe('format', () => {
  it('changes units before a thousand is rounded to', () => {
    expect([0, 999, 999_499, 999_500, 1_500_000, 3e11].map(n => formatBytes(n))).toEqual([
      '0 B',
      '999 B',
      '999 kB',
      '1 MB',
      '1.5 MB',
      '300 GB'
    ]);
    expect(formatBytes(null)).toBe('');
  });

  it('never says that something happened in the future', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(formatAgo('2026-01-01T00:00:05Z', trans, now)).toBe('just now');
    expect(formatAgo('2025-12-31T23:59:48Z', trans, now)).toBe('12 s ago');
    expect(formatAgo('2025-12-31T23:57:30Z', trans, now)).toBe('2 min ago');
    expect(formatAgo('2025-12-31T20:00:00Z', trans, now)).toBe('4 h ago');
    expect(formatDuration(90, trans)).toBe('2 min');
  });
});

describe('pieces of an upload', () => {
  const MEBIBYTE = 2 ** 20;

  /** Sizes of some pieces after each of which something happens. */
  async function sizes(happens: (reader: PieceReader) => void): Promise<number[]> {
    const reader = new PieceReader(new Blob([new Uint8Array(16 * MEBIBYTE)]), MEBIBYTE);
    const found = [];
    for (let offset = 0, count = 0; count < 5; count++) {
      const { body } = await reader.get(offset);
      offset += body.size;
      found.push(body.size / MEBIBYTE);
      happens(reader);
    }
    return found;
  }

  it('are larger on a fast line, and smaller on a slow one or on one that breaks', async () => {
    // The second one was read while the first was on its way.
    expect(await sizes(reader => reader.arrived(50))).toEqual([1, 1, 2, 2, 2]);
    expect(await sizes(reader => reader.arrived(1000))).toEqual([1, 1, 1, 1, 1]);
    expect(await sizes(reader => reader.arrived(9000))).toEqual([1, 1, 0.5, 0.25, 0.25]);
    expect(await sizes(reader => reader.shrink())).toEqual([1, 1, 0.5, 0.25, 0.25]);
  });
});

describe('chunks', () => {
  const base64 = (text: string) => toBase64(new TextEncoder().encode(text));

  it('puts pieces together in order', async () => {
    const chunks = new ChunkCollector(trans);
    expect(chunks.add('f', 1, base64('one'))).toBeNull();
    expect(chunks.add('f', 2, base64('two'))).toBeNull();
    expect(await chunks.add('f', -1, base64('end'))!.text()).toBe('onetwoend');
  });

  it('counts a piece that is sent twice once, and begins anew with the first', async () => {
    const chunks = new ChunkCollector(trans);
    chunks.add('f', 1, base64('old'));
    chunks.add('f', 1, base64('one'));
    chunks.add('f', 2, base64('two'));
    chunks.add('f', 2, base64('two'));
    expect(await chunks.add('f', -1, base64('.'))!.text()).toBe('onetwo.');
  });

  it('refuses a file with a hole', () => {
    const chunks = new ChunkCollector(trans);
    chunks.add('f', 1, base64('one'));
    expect(() => chunks.add('f', 3, base64('three'))).toThrow('missing');
    expect(() => chunks.add('f', -1, base64('end'))).toThrow('missing');
  });

  it('keeps every byte through base64, also beyond the limit of arguments', () => {
    const bytes = new Uint8Array(200_000).map((_, i) => i % 256);
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  });
});

describe('contents', () => {
  const buffer = (bytes: number[]) => new Uint8Array(bytes).buffer;

  it('finds out text and bytes', () => {
    const kind = kindOf('a.bin', {});
    expect(decode(buffer([0xc3, 0xbc]), kind, trans)).toEqual({ content: 'ü', format: 'text' });
    expect(decode(buffer([0xff, 0xfe]), kind, trans).format).toBe('base64');
  });

  it('refuses bytes that were asked for as text', () => {
    expect(() => decode(buffer([0xff]), kindOf('a.txt', { format: 'text' }), trans)).toThrow(
      'UTF-8'
    );
  });

  it('keeps a byte order mark', async () => {
    const { content } = decode(buffer([0xef, 0xbb, 0xbf, 0x61]), kindOf('a.txt', {}), trans);
    const saved = await encode({ type: 'file', format: 'text', content }).arrayBuffer();
    expect([...new Uint8Array(saved)]).toEqual([0xef, 0xbb, 0xbf, 0x61]);
  });

  it('opens a notebook as text where a text editor asks', () => {
    expect(kindOf('a.ipynb', { type: 'file', format: 'text' }).type).toBe('file');
    expect(kindOf('a.ipynb', {}).type).toBe('notebook');
  });
});

interface ICell {
  source: string[];
  metadata: object;
  outputs: { data: object; text: string[] }[];
}

describe('notebook', () => {
  const notebook: JSONObject = {
    nbformat_minor: 5,
    nbformat: 4,
    metadata: { signature: 'x' },
    cells: [
      {
        source: 'a\nb',
        cell_type: 'code',
        metadata: { trusted: true, tags: ['t'] },
        outputs: [
          {
            output_type: 'display_data',
            data: { 'text/plain': 'x\ny\n', 'application/json': ['a', 'b'] }
          },
          { output_type: 'stream', name: 'stdout', text: '' }
        ]
      }
    ]
  };

  it('writes what nbformat writes', () => {
    const text = serializeNotebook(notebook);
    const cell = (JSON.parse(text) as { cells: ICell[] }).cells[0];
    expect(cell.source).toEqual(['a\n', 'b']);
    expect(cell.metadata).toEqual({ tags: ['t'] });
    expect(cell.outputs[0].data).toEqual({
      'application/json': ['a', 'b'],
      'text/plain': ['x\n', 'y\n']
    });
    expect(cell.outputs[1].text).toEqual([]);
    expect(Object.keys(JSON.parse(text) as object)).toEqual([
      'cells',
      'metadata',
      'nbformat',
      'nbformat_minor'
    ]);
    expect(text.startsWith('{\n "cells"') && text.endsWith('}\n')).toBe(true);
  });

  it('reads back what it wrote, and writes the same again', () => {
    const text = serializeNotebook(notebook);
    const read = parseNotebook(text, trans);
    expect((read.cells as { source: string }[])[0].source).toBe('a\nb');
    expect(serializeNotebook(read)).toBe(text);
  });

  it('says what to do with another format', () => {
    expect(() => parseNotebook('{"nbformat": 3, "worksheets": []}', trans)).toThrow('nbconvert');
    expect(() => parseNotebook('not json', trans)).toThrow('text editor');
  });
});
