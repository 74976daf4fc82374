import { codeFor, type Library } from '../code';
import {
  addressOf,
  directoryOf,
  folderBelow,
  isBelow,
  isOnTier,
  nameOf,
  typedPath
} from '../paths';
import type { IEntry, ITier } from '../records';

const tier = (name: string, uri: string, path: string | null): ITier => ({
  name,
  uri,
  path,
  scope: '',
  lifetime: '',
  purpose: '',
  state: 'ok',
  reason: null,
  hint: null,
  used: null,
  free: null,
  quota: null
});
const tiers = [
  tier('shared', 'file:///mnt/shared%20storage', '/mnt/shared storage'),
  tier('artifacts', 's3://bucket/artifact_storage/', null)
];
const entry = (path: string): IEntry => ({
  path,
  name: nameOf(path),
  type: 'file',
  size: 1,
  modified: null,
  checksum: null,
  link: null
});

describe('places outside tiers', () => {
  it('has paths of the root directory beside those of tiers', () => {
    expect(['shared:a', './a', './a:b'].map(isOnTier)).toEqual([true, false, false]);
    expect(['./a/b.txt', './b', 'shared:x/y'].map(nameOf)).toEqual(['b.txt', 'b', 'y']);
    expect(['./a/b', './b', 'shared:x/y', 'shared:x'].map(directoryOf)).toEqual([
      './a',
      './',
      'shared:x',
      'shared:'
    ]);
  });

  it('knows what lies in what, by whole parts', () => {
    expect(isBelow('./a/b', './a')).toBe(true);
    expect(isBelow('./ab', './a')).toBe(false);
    expect(isBelow('./a', './')).toBe(true);
    expect(isBelow('shared:a', './a')).toBe(false);
  });

  it('gives other programs a local path or a URI', () => {
    expect(addressOf('shared:a b/c', tiers, 'path')).toBe('/mnt/shared storage/a b/c');
    expect(addressOf('shared:a b', tiers, 'uri')).toBe('file:///mnt/shared%20storage/a%20b');
    expect(addressOf('artifacts:a b', tiers, 'path')).toBe('s3://bucket/artifact_storage/a b');
    expect(addressOf('artifacts:', tiers, 'uri')).toBe('s3://bucket/artifact_storage');
  });
});

describe('code that reads a file', () => {
  it('opens it with what the library has for its kind', () => {
    expect(codeFor(entry('shared:d/iris.CSV'), 'pandas')).toBe(
      [
        'import jupyter_storage',
        'import pandas as pd',
        '',
        'with jupyter_storage.open("shared:d/iris.CSV") as file:',
        '    frame = pd.read_csv(file)'
      ].join('\n')
    );
    expect(codeFor(entry('artifacts:a.parquet'), 'ray')).toContain(
      'ray.data.read_parquet("a.parquet", filesystem=storage)'
    );
    expect(codeFor(entry('artifacts:a.parquet'), 'pyarrow')).toContain(
      'from pyarrow import parquet\n\nwith'
    );
    expect(codeFor(entry('shared:a.jsonl'), 'pandas')).toContain('pd.read_json(file, lines=True)');
  });

  it('quotes names, and says nothing for what a library does not read', () => {
    expect(codeFor(entry('shared:a "b".bin'), 'python')).toContain('open("shared:a \\"b\\".bin")');
    expect(codeFor(entry('shared:a b.txt'), 'magic')).toBe('%storage head "shared:a b.txt"');
    const libraries: Library[] = ['pandas', 'polars', 'pyarrow', 'ray'];
    expect(libraries.map(each => codeFor(entry('shared:a.bin'), each))).toEqual([
      null,
      null,
      null,
      null
    ]);
    expect(codeFor({ ...entry('shared:d.csv'), type: 'directory' }, 'pandas')).toBeNull();
  });
});

describe('a typed path', () => {
  const typed = (text: string) => typedPath(text, 'shared:a/b', tiers);

  it('may be spelled in any way in which a person knows the place', () => {
    expect(typed('artifacts:x/y/')).toBe('artifacts:x/y');
    expect(typed('s3://bucket/artifact_storage/x y')).toBe('artifacts:x y');
    expect(typed('s3://bucket/artifact_storage')).toBe('artifacts:');
    expect(typed('/mnt/shared storage/x')).toBe('shared:x');
    expect(typed('file:///mnt/shared%20storage/x%20y')).toBe('shared:x y');
    expect(typed('c/d')).toBe('shared:a/b/c/d');
    expect(typed('../c')).toBe('shared:a/c');
    expect(typed('shared:../../..')).toBe('shared:');
  });

  it('is refused where no tier has it', () => {
    expect(typed('s3://bucket/artifact_storage2/x')).toBeNull();
    expect(typed('s3://other/x')).toBeNull();
    expect(typed('/etc/passwd')).toBeNull();
    expect(typed('none:x')).toBeNull();
  });

  it('is told from the folder that a search looked in', () => {
    expect(folderBelow('shared:a/b/c/d.txt', 'shared:a')).toBe('b/c');
    expect(folderBelow('shared:d.txt', 'shared:')).toBe('');
  });
});
