import { checksumHeader } from '../crc32';
import type { Conflict } from '../records';
import type { ITask } from './items';
import { modifiedOf } from './measuring';

/** Files of one request at most; with more, a bar that shows progress would stand still. */
const MOST = 250;

/** A request with many files, and what could not be put into it. */
export interface IBatch {
  body: Blob;
  /** In the order of the body. */
  tasks: ITask[];
  unreadable: { task: ITask; error: unknown }[];
}

/**
 * Put small files together; each that is larger than `size` comes alone.
 *
 * No file is looked at before its turn.
 */
export function* pack(tasks: readonly ITask[], size: number): Generator<ITask[], undefined> {
  let open: ITask[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const more = task.blob?.size ?? 0;
    if (more > size) {
      yield [task];
      continue;
    }
    if (open.length === MOST || bytes + more > size || open.at(0)?.policy !== task.policy) {
      if (open.length > 0) {
        yield open;
      }
      open = [];
      bytes = 0;
    }
    open.push(task);
    bytes += more;
  }
  if (open.length > 0) {
    yield open;
  }
}

/** Read files, and write the body of a request with all of them. */
export async function readBatch(tasks: readonly ITask[], conflict: Conflict): Promise<IBatch> {
  const { together, contents } = await readTogether(tasks);
  const batch: IBatch = { body: new Blob(), tasks: [], unreadable: [] };
  const parts: BlobPart[] = [];
  const files: object[] = [];
  contents.forEach((content, i) => {
    const task = tasks[i];
    if (content.status === 'rejected') {
      batch.unreadable.push({ task, error: content.reason });
      return;
    }
    const { path } = task;
    const bytes = content.value;
    batch.tasks.push(task);
    files.push(
      bytes === null
        ? { path }
        : {
            path,
            size: bytes.length,
            crc32: checksumHeader(bytes).slice('crc32 '.length),
            modified: modifiedOf(task)?.toISOString()
          }
    );
    if (bytes !== null) {
      parts.push(bytes);
    }
  });
  // A Blob: of bytes in memory Chromium sends but a few megabytes a second.
  batch.body = new Blob([
    JSON.stringify({ conflict, files }),
    '\n',
    ...(together ? [together] : parts)
  ]);
  return batch;
}

type Content = Uint8Array<ArrayBuffer> | null;

interface IContents {
  /** All of them, one after the other, if they could be read as one. */
  together?: Uint8Array<ArrayBuffer>;
  contents: PromiseSettledResult<Content>[];
}

/** Read files as if they were one: each by itself takes Chromium a millisecond. */
async function readTogether(tasks: readonly ITask[]): Promise<IContents> {
  const blobs = tasks.map(({ blob }) => blob).filter(blob => blob !== null);
  try {
    const together = new Uint8Array(await new Blob(blobs).arrayBuffer());
    const sizes = tasks.map(({ blob }) => blob?.size ?? 0);
    if (together.length === sizes.reduce((sum, size) => sum + size, 0)) {
      let end = 0;
      const contents = tasks.map(({ blob }, i) => ({
        status: 'fulfilled' as const,
        value: blob && together.subarray(end, (end += sizes[i]))
      }));
      return { together, contents };
    }
  } catch {
    // Of one by one, those that cannot be read are known.
  }
  return { contents: await Promise.allSettled(tasks.map(read)) };
}

async function read({ blob }: ITask): Promise<Content> {
  return blob && new Uint8Array(await blob.arrayBuffer());
}
