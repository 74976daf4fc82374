import * as React from 'react';

import type { IComparison, IDifference } from '../records';
import { CommandIDs } from '../tokens';
import type { IPanelContext } from './context';

const SIGNS = { added: '+', removed: '−', changed: '•', type: '•', attributes: '•' };

/** The files that two snapshots differ in; each leads to its versions. */
export function Changes(props: {
  found: IComparison;
  context: IPanelContext;
  /** What each kind of difference is called. */
  words: Record<IDifference['change'], string>;
}): React.JSX.Element {
  const { found, context, words } = props;
  const { commands, trans } = context;
  const files = found.entries.filter(entry => entry.type !== 'directory');
  if (files.length === 0) {
    return <div className="jp-Storage-small">{trans.__('No file differs.')}</div>;
  }
  const total = found.added + found.removed + found.changed;
  return (
    <ul className="jp-Storage-changes">
      {files.map(entry => (
        <li key={entry.path}>
          <button
            className={`jp-Storage-change jp-mod-${entry.change}`}
            title={`${entry.path}: ${words[entry.change]}`}
            aria-label={trans.__('%1, %2: show versions', entry.path, words[entry.change])}
            onClick={() => void commands.execute(CommandIDs.versions, { path: entry.path })}
          >
            <span aria-hidden>{SIGNS[entry.change]}</span> <span>{entry.path}</span>
          </button>
        </li>
      ))}
      {!found.complete && total > files.length && (
        <li className="jp-Storage-small">
          {trans._n('and %1 more file', 'and %1 more files', total - files.length)}
        </li>
      )}
    </ul>
  );
}
