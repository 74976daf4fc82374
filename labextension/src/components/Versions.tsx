import { refreshIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatBytes, formatMoment } from '../format';
import type { ICellDifference, IFileVersion } from '../records';
import type { VersionsModel } from '../versions-model';
import { Diff, marked } from './Diff';
import { useSignal } from './hooks';
import { onListKey } from './keys';

export interface IVersionsProps {
  model: VersionsModel;
  trans: TranslationBundle;
  onRestore: () => void;
  onRestoreCell: (cell: ICellDifference) => void;
  onDownload: () => void;
}

/** The versions of a file beside what differs from the file as it is now. */
export function Versions(props: IVersionsProps): React.JSX.Element {
  const { model, trans } = props;
  useSignal(model.changed);
  return (
    <div className="jp-Storage-versions">
      <div className="jp-Storage-versionList">
        <div className="jp-Storage-versionHead">
          <h2>{trans.__('Versions')}</h2>
          <button
            className="jp-Storage-iconButton"
            title={trans.__('Look again')}
            aria-label={trans.__('Look for versions again')}
            onClick={() => void model.load()}
          >
            <refreshIcon.react tag="span" />
          </button>
        </div>
        <ul aria-label={trans.__('Versions of %1', model.path)} onKeyDown={onListKey}>
          {model.versions.map(version => (
            <Version key={version.snapshot} version={version} {...props} />
          ))}
        </ul>
      </div>
      <div className="jp-Storage-version" aria-busy={model.loading || model.busy}>
        {model.error ? (
          <div className="jp-Storage-message jp-mod-error" role="alert">
            <p>{model.error}</p>
          </div>
        ) : model.chosen ? (
          <Chosen {...props} />
        ) : (
          <div className="jp-Storage-message">{trans.__('Looking for versions…')}</div>
        )}
      </div>
    </div>
  );
}

function Version({
  version,
  model,
  trans
}: IVersionsProps & { version: IFileVersion }): React.JSX.Element {
  const chosen = model.chosen?.snapshot === version.snapshot;
  const count = version.snapshots.length;
  return (
    <li>
      <button
        className="jp-Storage-versionButton"
        aria-current={chosen ? 'true' : undefined}
        title={trans._n(
          'In %1 snapshot, the first of %2',
          'In %1 snapshots, the first of %2',
          count,
          new Date(version.first).toLocaleString()
        )}
        onClick={() => void model.choose(version)}
      >
        <span>{formatMoment(version.modified ?? version.first)}</span>
        <span className="jp-Storage-small">
          {[formatBytes(version.size), version.current ? trans.__('as it is now') : '']
            .filter(Boolean)
            .join(' · ')}
        </span>
      </button>
    </li>
  );
}

function Chosen(props: IVersionsProps): React.JSX.Element {
  const { model, trans, onRestore, onDownload } = props;
  const version = model.chosen!;
  const found = model.comparison;
  const same = found?.kind === 'same';
  return (
    <>
      <div className="jp-Storage-versionHead">
        <h2 title={version.snapshot}>
          {trans.__('From %1 to now', formatMoment(version.modified ?? version.first))}
        </h2>
        <button
          className="jp-Storage-action"
          disabled={model.busy || !found || same}
          onClick={onRestore}
        >
          {trans.__('Restore This Version')}
        </button>
        <button className="jp-Storage-action" disabled={model.busy} onClick={onDownload}>
          {trans.__('Download')}
        </button>
      </div>
      {model.dirty && (
        <p className="jp-Storage-note" role="status">
          {trans.__('The editor has changes that are not saved: they are not compared here.')}
        </p>
      )}
      <div className="jp-Storage-differences">
        {found ? <Differences {...props} /> : <p>{trans.__('Comparing…')}</p>}
      </div>
    </>
  );
}

function Differences(props: IVersionsProps): React.JSX.Element {
  const { model, trans } = props;
  const found = model.comparison!;
  const more = (count: number) => trans._n('and %1 more line', 'and %1 more lines', count);
  switch (found.kind) {
    case 'same':
      return <p>{trans.__('The file is still as it was in this version.')}</p>;
    case 'binary':
      return (
        <p>
          {trans.__(
            'This is not text, so that the difference cannot be shown: %1 then, %2 now.',
            formatBytes(found.size_before),
            formatBytes(found.size_after)
          )}
        </p>
      );
    case 'large':
      return (
        <p>
          {trans.__(
            'The file is too large to be compared here: %1 then, %2 now.',
            formatBytes(found.size_before),
            found.size_after === null ? trans.__('gone') : formatBytes(found.size_after)
          )}
        </p>
      );
    case 'missing':
      return (
        <>
          <p>{trans.__('The file is not there any more. This is what was in it:')}</p>
          <Diff text={marked(found.diff, '-')} label={trans.__('The version')} more={more} />
        </>
      );
    case 'text':
      return <Diff text={found.diff} label={trans.__('Changes since this version')} more={more} />;
    case 'notebook':
      return <Cells {...props} />;
  }
}

function Cells(props: IVersionsProps): React.JSX.Element {
  const { model, trans } = props;
  const { cells, metadata_changed } = model.comparison!;
  const parts: React.JSX.Element[] = [];
  let same = 0;
  const rest = () => {
    if (same > 0) {
      parts.push(
        <p key={`same-${parts.length}`} className="jp-Storage-small">
          {trans._n('%1 cell is the same', '%1 cells are the same', same)}
        </p>
      );
      same = 0;
    }
  };
  for (const cell of cells) {
    if (cell.change === 'same') {
      same += 1;
    } else {
      rest();
      parts.push(<Cell key={`${cell.before}-${cell.after}`} cell={cell} {...props} />);
    }
  }
  rest();
  return (
    <>
      {parts}
      {metadata_changed && <p>{trans.__('The metadata of the notebook differ.')}</p>}
    </>
  );
}

function Cell({
  cell,
  model,
  trans,
  onRestoreCell
}: IVersionsProps & { cell: ICellDifference }): React.JSX.Element {
  const titles = {
    same: '',
    added: trans.__('Cell %1 is new', cell.after ?? ''),
    removed: trans.__('Cell %1 is gone', cell.before ?? ''),
    changed: trans.__('Cell %1 has changed', cell.before ?? '')
  };
  const title = titles[cell.change];
  const what = [
    cell.cell_type,
    cell.outputs_changed ? trans.__('other outputs') : '',
    cell.metadata_changed ? trans.__('other metadata') : ''
  ];
  const text =
    cell.change === 'added'
      ? marked(cell.source, '+')
      : cell.change === 'removed'
        ? marked(cell.source, '-')
        : cell.source;
  return (
    <section className={`jp-Storage-cell jp-mod-${cell.change}`} aria-label={title}>
      <div className="jp-Storage-versionHead">
        <h3>{title}</h3>
        <span className="jp-Storage-small">{what.filter(Boolean).join(' · ')}</span>
        {cell.before !== null && (
          <button
            className="jp-Storage-action"
            disabled={model.busy}
            aria-label={trans.__('Restore cell %1 of this version', cell.before)}
            onClick={() => onRestoreCell(cell)}
          >
            {trans.__('Restore This Cell')}
          </button>
        )}
      </div>
      <Diff
        text={text}
        label={title}
        more={count => trans._n('and %1 more line', 'and %1 more lines', count)}
      />
    </section>
  );
}
