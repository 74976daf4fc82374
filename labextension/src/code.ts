import type { IEntry } from './records';

/** What code can be written for, and its name. */
export const LIBRARIES = {
  python: 'Python',
  pandas: 'pandas',
  polars: 'Polars',
  pyarrow: 'PyArrow',
  ray: 'Ray Data',
  magic: '%storage'
} as const;

export type Library = keyof typeof LIBRARIES;

/** Per kind of file and library, the call that reads `file`. */
const READERS: Record<string, Partial<Record<Library, string>>> = {
  csv: {
    pandas: 'read_csv(file)',
    polars: 'read_csv(file)',
    pyarrow: 'csv.read_csv(file)',
    ray: 'read_csv(file)'
  },
  parquet: {
    pandas: 'read_parquet(file)',
    polars: 'read_parquet(file)',
    pyarrow: 'parquet.read_table(file)',
    ray: 'read_parquet(file)'
  },
  json: { pandas: 'read_json(file)', polars: 'read_json(file)', ray: 'read_json(file)' },
  jsonl: {
    pandas: 'read_json(file, lines=True)',
    polars: 'read_ndjson(file)',
    pyarrow: 'json.read_json(file)',
    ray: 'read_json(file)'
  },
  feather: {
    pandas: 'read_feather(file)',
    polars: 'read_ipc(file)',
    pyarrow: 'feather.read_table(file)'
  }
};

const IMPORTS: Partial<Record<Library, [string, string]>> = {
  pandas: ['import pandas as pd', 'pd'],
  polars: ['import polars as pl', 'pl']
};

/** Python code that reads a file; null where the library does not read such files. */
export function codeFor(entry: IEntry, library: Library): string | null {
  if (entry.type === 'directory') {
    return null;
  }
  const path = JSON.stringify(entry.path);
  if (library === 'magic') {
    return `%storage head ${/^[\w.:/+-]+$/.test(entry.path) ? entry.path : path}`;
  }
  if (library === 'python') {
    return open(path, 'data = file.read()');
  }
  const extension = entry.name.toLowerCase().split('.').at(-1) ?? '';
  const reader = READERS[extension]?.[library];
  if (!reader) {
    return null;
  }
  if (library === 'ray') {
    const [tier, ...rest] = entry.path.split(':');
    const call = reader.replace('file', JSON.stringify(rest.join(':')));
    return [
      'import jupyter_storage',
      'import ray',
      '',
      `storage = jupyter_storage.fs(${JSON.stringify(tier)})`,
      `dataset = ray.data.${call.replace(/\)$/, ', filesystem=storage)')}`
    ].join('\n');
  }
  if (library === 'pyarrow') {
    const module = reader.slice(0, reader.indexOf('.'));
    return open(path, `table = ${reader}`, `from pyarrow import ${module}`);
  }
  const [statement, alias] = IMPORTS[library]!;
  return open(path, `frame = ${alias}.${reader}`, statement);
}

function open(path: string, body: string, statement = ''): string {
  return [
    'import jupyter_storage',
    ...(statement ? [statement] : []),
    '',
    `with jupyter_storage.open(${path}) as file:`,
    `    ${body}`
  ].join('\n');
}
