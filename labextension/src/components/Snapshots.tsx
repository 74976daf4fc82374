import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatAgo, formatBytes, formatMoment } from '../format';
import type { StorageModel } from '../model';
import type { ISnapshotStatus } from '../records';
import { CommandIDs } from '../tokens';
import type { IPanelContext } from './context';
import { useNow, useSignal } from './hooks';

/** How safe the project directory is, in a few words. */
export function snapshotText(model: StorageModel, trans: TranslationBundle, now: number): string {
  const status = model.snapshots;
  if (model.snapshotsError || status?.state === 'error') {
    return trans.__('Snapshot problem');
  }
  if (!status) {
    return trans.__('Snapshots: …');
  }
  switch (status.state) {
    case 'off':
      return trans.__('Snapshots are off');
    case 'capturing':
      return trans.__('Snapshotting…');
    case 'restoring':
      return trans.__('Restoring…');
    case 'waiting':
      if (status.pending > 0) {
        return trans._n('%1 change to save', '%1 changes to save', status.pending);
      }
      return status.last ? trans.__('Changes to save') : trans.__('No snapshot yet');
    default:
      return status.last
        ? trans.__('Saved %1', formatAgo(status.last.time, trans, now))
        : trans.__('No snapshot yet');
  }
}

/** The section of the panel. */
export function Snapshots({ context }: { context: IPanelContext }): React.JSX.Element {
  const { model, commands, trans } = context;
  useSignal(model.changed);
  const now = useNow(5000);
  const status = model.snapshots;
  const error = model.snapshotsError || status?.error;
  const last = status?.last;
  return (
    <div className="jp-Storage-snapshots">
      <div className="jp-Storage-snapshotLine">
        <span
          className={`jp-Storage-dot jp-mod-${error ? 'error' : (status?.state ?? 'off')}`}
          aria-hidden
        />
        <span role="status" title={last ? new Date(last.time).toLocaleString() : undefined}>
          {snapshotText(model, trans, now)}
        </span>
        <button
          className="jp-Storage-link"
          disabled={!status || status.state === 'off' || status.state === 'capturing'}
          onClick={() => void commands.execute(CommandIDs.snapshotNow)}
        >
          {trans.__('Snapshot Now')}
        </button>
      </div>
      {status && (
        <div className="jp-Storage-small" title={`${status.project}\n${status.repository}`}>
          {[
            last?.files ? trans._n('%1 file', '%1 files', last.files) : '',
            last?.bytes ? formatBytes(last.bytes) : '',
            status.project
          ]
            .filter(Boolean)
            .join(' · ')}
        </div>
      )}
      {status && status.pending > 0 && (
        <div className="jp-Storage-small">{waitingText(status, trans)}</div>
      )}
      {status?.fork && (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          <p>
            {status.holder
              ? trans.__(
                  'Another machine, %1, holds this workspace. What you do here is saved in a fork: nothing is lost, on either side.',
                  status.holder
                )
              : trans.__(
                  'Another machine holds this workspace. What you do here is saved in a fork: nothing is lost, on either side.'
                )}
          </p>
          <p>
            {trans.__(
              'Go on there; or go on here, and make this the main line: “jupyter storage snapshot takeover”.'
            )}
          </p>
        </div>
      )}
      {error && (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          <p>{error}</p>
          {status?.hint && <p>{status.hint}</p>}
        </div>
      )}
      {status && status.failures.length > 0 && (
        <details className="jp-Storage-failures">
          <summary>
            {trans._n(
              '%1 file could not be read',
              '%1 files could not be read',
              status.failures.length
            )}
          </summary>
          <ul>
            {status.failures.map(failure => (
              <li key={failure.path}>
                <b>{failure.path}</b> {failure.message} {failure.hint}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

/** What is in no snapshot yet, and since when. */
function waitingText(status: ISnapshotStatus, trans: TranslationBundle): string {
  const parts = [trans._n('%1 change waits', '%1 changes wait', status.pending)];
  if (status.pending_bytes) {
    parts.push(formatBytes(status.pending_bytes));
  }
  if (status.durable) {
    parts.push(trans.__('all before %1 is safe', formatMoment(status.durable)));
  }
  return parts.join(' · ');
}
