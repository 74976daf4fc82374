import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatAgo, formatBytes } from '../format';
import type { ITrashItem } from '../records';

/** What was deleted on a tier and can come back. */
export function Trash(props: {
  items: readonly ITrashItem[];
  trans: TranslationBundle;
  onRestore: (item: ITrashItem) => Promise<void>;
  /** Delete one for good, or all of them. */
  onEmpty: (item: ITrashItem | null) => Promise<void>;
}): React.JSX.Element {
  const { items, trans, onRestore, onEmpty } = props;
  if (items.length === 0) {
    return <p className="jp-Storage-message">{trans.__('The trash is empty.')}</p>;
  }
  const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
  return (
    <>
      <div className="jp-Storage-usageLine">
        <span>
          {trans._n('%1 deletion, %2', '%1 deletions, %2', items.length, formatBytes(bytes))}
        </span>
        <button className="jp-Storage-action" onClick={() => void onEmpty(null)}>
          {trans.__('Empty the Trash…')}
        </button>
      </div>
      <ul className="jp-Storage-usageList">
        {items.map(item => {
          const what = nameOfItem(item, trans);
          return (
            <li key={item.id} className="jp-Storage-trashItem">
              <span className="jp-Storage-usagePath" title={item.paths.join('\n')}>
                {what}
              </span>
              <span className="jp-Storage-small">{formatBytes(item.bytes)}</span>
              <span className="jp-Storage-small">{formatAgo(item.deleted, trans)}</span>
              <button
                className="jp-Storage-action"
                aria-label={trans.__('Restore %1', what)}
                onClick={() => void onRestore(item)}
              >
                {trans.__('Restore')}
              </button>
              <button
                className="jp-Storage-action"
                aria-label={trans.__('Delete %1 for good', what)}
                onClick={() => void onEmpty(item)}
              >
                {trans.__('Delete…')}
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}

/** What a deletion took away, in a few words. */
export function nameOfItem(item: ITrashItem, trans: TranslationBundle): string {
  const [first] = item.paths;
  return item.items > 1 ? trans.__('%1 and %2 more', first, item.items - 1) : first;
}
