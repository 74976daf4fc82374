import { checksumHeader } from '../crc32';
import type { Conflict } from '../records';
import type { ITask } from './items';

/** Files of one request at most; with more, a bar that shows progress would stand still. */
const MOST = 250;

/** A request with many files, and what could not be put into it. */
export interface IBatch {
  body: Blob;
  /** In the order of the body. */
  tasks: ITask[];
  unreadable: { task: ITask; error: unknown }[];
}

/** Put small files together; each that is larger than `size` comes alone. */
export function pack(tasks: readonly ITask[], size: number): ITask[][] {
  const units: ITask[][] = [];
  let open: ITask[] = [];
  let bytes = 0;
  const small = (task: ITask) => (task.blob?.size ?? 0) <= size;
  for (const task of tasks) {
    if (!small(task)) {
      units.push([task]);
      continue;
    }
    const more = task.blob?.size ?? 0;
    if (
      open.length === 0 ||
      open.length === MOST ||
      bytes + more > size ||
      open[0].policy !== task.policy
    ) {
      open = [];
      bytes = 0;
      units.push(open);
    }
    open.push(task);
    bytes += more;
  }
  return units;
}

/** Read files, and write the body of a request with all of them. */
export async function readBatch(tasks: readonly ITask[], conflict: Conflict): Promise<IBatch> {
  const contents = await Promise.allSettled(tasks.map(read));
  const batch: IBatch = { body: new Blob(), tasks: [], unreadable: [] };
  const parts: BlobPart[] = [];
  const files: object[] = [];
  contents.forEach((content, i) => {
    const task = tasks[i];
    if (content.status === 'rejected') {
      batch.unreadable.push({ task, error: content.reason });
      return;
    }
    const { path, modified } = task;
    const bytes = content.value;
    batch.tasks.push(task);
    files.push(
      bytes === null
        ? { path }
        : {
            path,
            size: bytes.length,
            crc32: checksumHeader(bytes).slice('crc32 '.length),
            modified: modified?.toISOString()
          }
    );
    if (bytes !== null) {
      parts.push(bytes);
    }
  });
  // A Blob: of bytes in memory Chromium sends but a few megabytes a second.
  batch.body = new Blob([JSON.stringify({ conflict, files }), '\n', ...parts]);
  return batch;
}

async function read({ blob }: ITask): Promise<Uint8Array<ArrayBuffer> | null> {
  return blob && new Uint8Array(await blob.arrayBuffer());
}
