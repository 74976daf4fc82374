/** Reading what was dropped or chosen: files and whole folders. */

/** One file or directory, with its path below what was dropped. */
export interface IDropped {
  /** `photos/2026/a.jpg`; names as the desktop spells them. */
  path: string;
  /** Null for a directory. */
  file: File | null;
  /** Gives what opens the file again after a reload, where the browser has such a thing. */
  handle?: () => Promise<FileSystemFileHandle | null>;
}

/** Chromium's own; not in TypeScript's library. */
interface IHandleItem {
  getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
}

/**
 * Read a drop: files, and folders with all that is in them, empty ones too.
 *
 * Must be called in the event handler itself: the browser empties the list of items afterwards.
 */
export async function readDrop(transfer: DataTransfer): Promise<IDropped[]> {
  const entries: [FileSystemEntry, Promise<FileSystemHandle | null> | undefined][] = [];
  const files: File[] = [];
  for (const item of Array.from(transfer.items)) {
    if (item.kind !== 'file') {
      continue;
    }
    const entry = item.webkitGetAsEntry();
    if (entry) {
      entries.push([entry, (item as IHandleItem).getAsFileSystemHandle?.().catch(() => null)]);
    } else {
      const file = item.getAsFile();
      if (file) {
        files.push(file);
      }
    }
  }
  const found: IDropped[] = files.map(file => ({ path: file.name, file }));
  for (const [entry, handle] of entries) {
    const first = found.length;
    await readEntry(entry, '', found);
    for (const dropped of found.slice(first)) {
      if (dropped.file && handle) {
        dropped.handle = async () => handleBelow(await handle, dropped.path);
      }
    }
  }
  return found;
}

/** Read what a file input holds; with `webkitdirectory` the paths below the chosen folder. */
export function readInput(files: FileList): IDropped[] {
  return Array.from(files, file => ({ path: file.webkitRelativePath || file.name, file }));
}

/** Whether something is dragged that could be uploaded. */
export function hasFiles(transfer: DataTransfer | null): transfer is DataTransfer {
  return !!transfer && Array.from(transfer.types).includes('Files');
}

/** The handle of a file; `path` begins with the name of what was dropped. */
async function handleBelow(
  handle: FileSystemHandle | null,
  path: string
): Promise<FileSystemFileHandle | null> {
  const names = path.split('/').slice(1);
  try {
    while (handle?.kind === 'directory') {
      const directory = handle as FileSystemDirectoryHandle;
      const name = names.shift()!;
      handle =
        names.length > 0
          ? await directory.getDirectoryHandle(name)
          : await directory.getFileHandle(name);
    }
  } catch {
    return null;
  }
  return handle as FileSystemFileHandle | null;
}

async function readEntry(entry: FileSystemEntry, above: string, found: IDropped[]): Promise<void> {
  const path = above ? `${above}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject)
    );
    found.push({ path, file });
    return;
  }
  found.push({ path, file: null });
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // Chromium gives at most 100 entries a call; an empty batch is the end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject)
    );
    if (batch.length === 0) {
      return;
    }
    for (const child of batch) {
      await readEntry(child, path, found);
    }
  }
}
