import type { IStateDB } from '@jupyterlab/statedb';
import type { ReadonlyPartialJSONValue } from '@lumino/coreutils';

import type { Columns } from './columns';
import type { StorageModel } from './model';
import { parsePath } from './paths';
import type { SortKey } from './records';

const KEY = 'jupyter-storage:browser';
/** Pause after a change before it is kept, in milliseconds. */
const PAUSE = 500;

/** Bring back where the person was, the order and the columns, and keep them from now on. */
export async function remember(
  model: StorageModel,
  columns: Columns,
  state: IStateDB
): Promise<void> {
  const { browser } = model;
  const kept = read(await state.fetch(KEY).catch(() => undefined));
  columns.set('modified', kept.modified);
  columns.set('size', kept.size);
  // Somebody may have been faster than the server.
  if (!browser.tier) {
    browser.sort = kept.sort;
    browser.descending = kept.descending;
    open(model, kept.path);
  }

  let timer: number | undefined;
  let before = JSON.stringify(kept);
  const keep = () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      const { path, sort, descending } = browser;
      const now = { path: browser.tier ? path : '', sort, descending, ...columns.widths };
      if (JSON.stringify(now) !== before) {
        before = JSON.stringify(now);
        state.save(KEY, now).catch(error => console.warn('The panel is not remembered', error));
      }
    }, PAUSE);
  };
  browser.changed.connect(keep);
  columns.changed.connect(keep);
}

/** Open a folder when its tier is known; one that is gone gives way to the root. */
function open(model: StorageModel, path: string): void {
  if (!path) {
    return;
  }
  const { browser } = model;
  const { tier, key } = parsePath(path);
  const go = async () => {
    await browser.open(tier, key);
    if (browser.error && key && browser.path === path) {
      await browser.open(tier);
    }
  };
  const slot = () => {
    if (model.tiers.length > 0) {
      model.tiersLoaded.disconnect(slot);
      if (!browser.tier && model.tiers.some(other => other.name === tier)) {
        void go();
      }
    }
  };
  model.tiersLoaded.connect(slot);
  slot();
}

interface IKept {
  path: string;
  sort: SortKey;
  descending: boolean;
  modified: number;
  size: number;
}

/** What was kept, by this version or another. */
function read(value: ReadonlyPartialJSONValue | undefined): IKept {
  const kept = (value ?? {}) as Partial<Record<keyof IKept, unknown>>;
  const path = typeof kept.path === 'string' && kept.path.includes(':') ? kept.path : '';
  return {
    path,
    sort: kept.sort === 'size' || kept.sort === 'modified' ? kept.sort : 'name',
    descending: kept.descending === true,
    modified: typeof kept.modified === 'number' ? kept.modified : 76,
    size: typeof kept.size === 'number' ? kept.size : 56
  };
}
