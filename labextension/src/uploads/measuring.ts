/**
 * What is known of files that were chosen, asked for late and with pauses: at the first look at a
 * file's size or time Chromium asks the disk, and lets the page wait.
 */

import type { IUploadItem } from './items';

/** Files that are looked at without a pause. */
const AT_ONCE = 50;

/** When a file was changed last; null for what is no file. */
export function modifiedOf({ blob }: IUploadItem): Date | null {
  return blob instanceof File ? new Date(blob.lastModified) : null;
}

/** Add up sizes; null where nobody wants the sum any more. */
export async function measure(
  items: readonly IUploadItem[],
  isCancelled: () => boolean
): Promise<number | null> {
  let total = 0;
  for (const [i, { blob }] of items.entries()) {
    if (i % AT_ONCE === AT_ONCE - 1) {
      await turn();
    }
    if (isCancelled()) {
      return null;
    }
    total += blob?.size ?? 0;
  }
  return total;
}

/** Let others have their turn; unlike a timer, not slowed down in a window that nobody sees. */
function turn(): Promise<void> {
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
