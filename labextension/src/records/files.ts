/** Files, directories and what is shown of them. */

/** A file, a directory, or a symbolic link that is shown as itself. */
export interface IEntry {
  /** As a person types it: `shared:a/b`. */
  path: string;
  name: string;
  type: 'file' | 'directory' | 'symlink';
  /** Bytes; null for directories. */
  size: number | null;
  /** ISO 8601 in UTC; null where the store does not know. */
  modified: string | null;
  checksum: string | null;
  link: string | null;
}

/** One page of a directory. */
export interface IPage {
  entry: IEntry;
  entries: IEntry[];
  /** Asks for the next page; null on the last one. */
  cursor: string | null;
}

/** What a file looks like, and what its store knows of it. */
export interface IPreview {
  entry: IEntry;
  kind: 'text' | 'json' | 'table' | 'notebook' | 'image' | 'binary' | 'empty' | 'none';
  /** `owner`, `storage_class`, `etag` and others. */
  details: Record<string, string>;
  text: string;
  encoding: string | null;
  columns: { name: string; type: string }[];
  rows: (string | null)[][];
  /** Rows of the whole file, where it is known. */
  row_count: number | null;
  cells: { cell_type: string; source: string }[];
  /** Of an image, whose bytes are to be fetched. */
  media_type: string | null;
  /** Whether this is all that is in the file. */
  complete: boolean;
  hint: string;
}

/** One step of a search. */
export interface IFinding {
  entries: IEntry[];
  /** Files and folders that were looked at so far. */
  looked: number;
  /** Folders that could not be listed. */
  unlisted: number;
  done: boolean;
  complete: boolean;
}

export type SortKey = 'name' | 'size' | 'modified';
