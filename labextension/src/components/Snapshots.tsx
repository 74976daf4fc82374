import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatAgo, formatBytes, formatMoment } from '../format';
import type { StorageModel } from '../model';
import type { IRestoreProgress, ISnapshotStatus } from '../records';
import { CommandIDs } from '../tokens';
import { Bar } from './Bar';
import type { IPanelContext } from './context';
import { useNow, useSignal } from './hooks';

/** States in which no snapshot can be asked for. */
const BUSY: ReadonlySet<ISnapshotStatus['state']> = new Set(['off', 'capturing', 'restoring']);

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
    case 'restoring': {
      const part = status.restoring ? fraction(status.restoring) : null;
      return part === null
        ? trans.__('Restoring…')
        : trans.__('Restoring %1\u00a0%', String(Math.floor(100 * part)));
    }
    case 'waiting':
      if (status.pending > 0) {
        return trans._n('%1 change to save', '%1 changes to save', status.pending);
      }
      return status.last ? trans.__('Changes to save') : trans.__('No snapshot yet');
    default:
      if (!status.last) {
        return trans.__('No snapshot yet');
      }
      return status.fork
        ? trans.__('Saved to a fork %1', formatAgo(status.last.time, trans, now))
        : trans.__('Saved %1', formatAgo(status.last.time, trans, now));
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
          disabled={!status || BUSY.has(status.state)}
          onClick={() => void commands.execute(CommandIDs.snapshotNow)}
        >
          {trans.__('Snapshot Now')}
        </button>
      </div>
      {status && !status.restoring && (
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
      {status?.watching === false && last && !status.restoring && (
        <div
          className="jp-Storage-small"
          title={
            status.unwatched ??
            trans.__('A network disk, or more directories than this system can watch')
          }
        >
          {trans.__('Changes are found by looking, not at once')}
        </div>
      )}
      {status?.restoring && (
        <>
          <div className="jp-Storage-small">{restoringText(status.restoring, trans)}</div>
          <Bar
            value={fraction(status.restoring)}
            label={trans.__('Restoring the project directory')}
            role="progressbar"
          />
        </>
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

/** How much of a restore is done, from 0 to 1; null where nobody knows. */
function fraction(progress: IRestoreProgress): number | null {
  const { files, files_total, bytes, bytes_total } = progress;
  if (bytes_total) {
    return Math.min(1, bytes / bytes_total);
  }
  return files_total ? Math.min(1, files / files_total) : null;
}

function restoringText(progress: IRestoreProgress, trans: TranslationBundle): string {
  const { files, files_total, bytes, bytes_total } = progress;
  return files_total === null || bytes_total === null
    ? `${trans._n('%1 file', '%1 files', files)} · ${formatBytes(bytes)}`
    : trans.__(
        '%1 of %2 files · %3 of %4',
        files.toLocaleString(),
        files_total.toLocaleString(),
        formatBytes(bytes),
        formatBytes(bytes_total)
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
