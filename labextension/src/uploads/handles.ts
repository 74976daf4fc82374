/**
 * What opens files again after a reload, kept by the browser.
 *
 * Chromium gives a handle for what is dropped, and keeps it in IndexedDB; whoever uses it after a
 * reload is asked once whether the page may read the file. Where there is no such thing, everything
 * here answers with nothing, and the person chooses the file again.
 */

const DATABASE = 'jupyter-storage-uploads';
const STORE = 'handles';
/** Milliseconds after which the server has forgotten an upload too. */
const LIFE = 7 * 24 * 3600 * 1000;

interface IKept {
  handle: FileSystemFileHandle;
  since: number;
}

/** Chromium's own; not in TypeScript's library. */
interface IPermission {
  requestPermission?: (options: { mode: 'read' }) => Promise<PermissionState>;
}

/** Keep what opens the file of an upload. */
export async function keepHandle(id: string, handle: FileSystemFileHandle): Promise<void> {
  await inStore('readwrite', store => {
    store.put({ handle, since: Date.now() } satisfies IKept, id);
    forgetOld(store);
  });
}

/** Forget one. */
export async function forgetHandle(id: string): Promise<void> {
  await inStore('readwrite', store => void store.delete(id));
}

/** Open the file of an upload, if the browser can and the person lets it. */
export async function openAgain(id: string): Promise<File | null> {
  let kept: IKept | undefined;
  await inStore('readonly', store => {
    const request = store.get(id) as IDBRequest<IKept | undefined>;
    request.onsuccess = () => {
      kept = request.result;
    };
  });
  if (!kept) {
    return null;
  }
  try {
    const asked = kept.handle as FileSystemFileHandle & IPermission;
    const answer = (await asked.requestPermission?.({ mode: 'read' })) ?? 'granted';
    return answer === 'granted' ? await kept.handle.getFile() : null;
  } catch {
    // Moved or deleted since.
    return null;
  }
}

function forgetOld(store: IDBObjectStore): void {
  const request = store.openCursor();
  request.onsuccess = () => {
    const cursor = request.result;
    if (cursor) {
      if ((cursor.value as IKept).since < Date.now() - LIFE) {
        cursor.delete();
      }
      cursor.continue();
    }
  };
}

/** Do something in one transaction; a browser that keeps nothing (private windows) is no failure. */
async function inStore(
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => void
): Promise<void> {
  try {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => void request.result.createObjectStore(STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error('no database'));
    });
    try {
      await new Promise<void>((resolve, reject) => {
        const transaction = database.transaction(STORE, mode);
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
        work(transaction.objectStore(STORE));
      });
    } finally {
      database.close();
    }
  } catch (error) {
    console.debug('What opens files again could not be kept or found', error);
  }
}
