import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';
import { fileIcon, folderIcon, linkIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { explain } from '../errors';
import { formatBytes, formatMoment } from '../format';
import type { IEntry } from '../records';
import type { Requests } from '../requests';
import { onListKey } from './keys';

interface IBrowseProps {
  requests: Requests;
  docRegistry: DocumentRegistry;
  id: string;
  title: string;
  trans: TranslationBundle;
  onRestore: (path: string) => void;
  onDownload: (path: string) => void;
  onVersions: (path: string) => void;
}

/** The files of one snapshot. */
export function Browse(props: IBrowseProps): React.JSX.Element {
  const { requests, id, title, trans } = props;
  const [path, setPath] = React.useState('');
  const [entries, setEntries] = React.useState<readonly IEntry[] | null>(null);
  const [cursor, setCursor] = React.useState<string | null>(null);
  const [error, setError] = React.useState('');
  const load = React.useCallback(
    async (from: string | null, signal?: { gone: boolean }) => {
      try {
        const page = await requests.listSnapshot(id, path, from);
        if (!signal?.gone) {
          setEntries(before => (from && before ? [...before, ...page.entries] : page.entries));
          setCursor(page.cursor);
          setError('');
        }
      } catch (problem) {
        setError(explain(problem));
      }
    },
    [requests, id, path]
  );
  React.useEffect(() => {
    const signal = { gone: false };
    setEntries(null);
    void load(null, signal);
    return () => {
      signal.gone = true;
    };
  }, [load]);

  const parts = path ? path.split('/') : [];
  return (
    <div className="jp-Storage-browse">
      <h2>{title}</h2>
      <nav className="jp-Storage-crumbs" aria-label={trans.__('Folder')}>
        <ol>
          {['', ...parts].map((name, i) => {
            const target = parts.slice(0, i).join('/');
            return (
              <li key={target}>
                <button
                  aria-current={target === path ? 'location' : undefined}
                  onClick={() => setPath(target)}
                >
                  {name || trans.__('Project directory')}
                </button>
              </li>
            );
          })}
        </ol>
      </nav>
      {error ? (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          {error}
        </div>
      ) : (
        <ul
          className="jp-Storage-entries"
          aria-label={title}
          aria-busy={entries === null}
          onKeyDown={onListKey}
        >
          {entries?.map(entry => (
            <Entry key={entry.path} entry={entry} {...props} onEnter={setPath} />
          ))}
        </ul>
      )}
      {entries?.length === 0 && (
        <p className="jp-Storage-message">{trans.__('This folder was empty.')}</p>
      )}
      {cursor && (
        <button className="jp-Storage-link" onClick={() => void load(cursor)}>
          {trans.__('Show More')}
        </button>
      )}
    </div>
  );
}

function Entry({
  entry,
  docRegistry,
  trans,
  onEnter,
  onRestore,
  onDownload,
  onVersions
}: IBrowseProps & { entry: IEntry; onEnter: (path: string) => void }): React.JSX.Element {
  const directory = entry.type === 'directory';
  const icon = directory
    ? folderIcon
    : entry.type === 'symlink'
      ? linkIcon
      : (docRegistry.getFileTypesForPath(entry.name)[0]?.icon ?? fileIcon);
  const action = (label: string, name: string, act: (path: string) => void) => (
    <button className="jp-Storage-action" aria-label={name} onClick={() => act(entry.path)}>
      {label}
    </button>
  );
  return (
    <li className="jp-Storage-entry">
      <button
        className="jp-Storage-entryName"
        title={entry.link ? trans.__('Link to %1', entry.link) : entry.path}
        onClick={() => (directory ? onEnter(entry.path) : onVersions(entry.path))}
      >
        <icon.react tag="span" className="jp-Storage-icon" />
        <span>{entry.name}</span>
      </button>
      <span className="jp-Storage-small">
        {[formatBytes(entry.size), entry.modified ? formatMoment(entry.modified) : '']
          .filter(Boolean)
          .join(' · ')}
      </span>
      <span className="jp-Storage-actions">
        {entry.type === 'file' &&
          action(trans.__('Download'), trans.__('Download %1', entry.name), onDownload)}
        {action(trans.__('Restore'), trans.__('Restore %1', entry.name), onRestore)}
      </span>
    </li>
  );
}
