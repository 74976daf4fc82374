/** Reading what was dropped or chosen: files and whole folders. */

/** One file or directory, with its path below what was dropped. */
export interface IDropped {
  /** `photos/2026/a.jpg`; names as the desktop spells them. */
  path: string;
  /** Null for a directory. */
  file: File | null;
}

/**
 * Read a drop: files, and folders with all that is in them, empty ones too.
 *
 * Must be called in the event handler itself: the browser empties the list of items afterwards.
 */
export async function readDrop(transfer: DataTransfer): Promise<IDropped[]> {
  const entries: FileSystemEntry[] = [];
  const files: File[] = [];
  for (const item of Array.from(transfer.items)) {
    if (item.kind !== 'file') {
      continue;
    }
    const entry = item.webkitGetAsEntry();
    if (entry) {
      entries.push(entry);
    } else {
      const file = item.getAsFile();
      if (file) {
        files.push(file);
      }
    }
  }
  const found: IDropped[] = files.map(file => ({ path: file.name, file }));
  for (const entry of entries) {
    await readEntry(entry, '', found);
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
