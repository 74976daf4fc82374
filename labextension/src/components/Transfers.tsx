import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { formatBytes, formatDuration } from '../format';
import { isOnTier, nameOf } from '../paths';
import { isFinished, type IFailure, type ITransfer, type TransferState } from '../records';
import { UploadJob } from '../uploader';
import { Bar } from './Bar';
import type { IPanelContext } from './context';
import { useSignal } from './hooks';

/** Failures that are shown; the rest is counted. */
const SHOWN_FAILURES = 50;

/** Uploads of this browser and transfers of the server. */
export function Transfers({ context }: { context: IPanelContext }): React.JSX.Element {
  const { model, trans } = context;
  useSignal(model.changed);
  const uploads = model.uploads.map(job => fromUpload(job, context));
  const transfers = model.transfers.map(record => fromTransfer(record, context));
  const items = [...uploads, ...transfers];
  if (items.length === 0) {
    return <div className="jp-Storage-message">{trans.__('No transfers.')}</div>;
  }
  return (
    <ul className="jp-Storage-transfers" aria-label={trans.__('Transfers')}>
      {items.map(item => (
        <Transfer key={item.id} item={item} context={context} />
      ))}
    </ul>
  );
}

/** What both kinds have in common. */
interface IItem {
  id: string;
  title: string;
  state: TransferState;
  bytesDone: number;
  bytesTotal: number | null;
  filesDone: number;
  filesTotal: number | null;
  skipped: number;
  started: number | null;
  failures: readonly IFailure[];
  failureCount: number;
  waiting: boolean;
  retry?: () => void;
}

function Transfer({ item, context }: { item: IItem; context: IPanelContext }): React.JSX.Element {
  const { model, trans } = context;
  const finished = isFinished(item.state);
  const stop = finished ? trans.__('Dismiss') : trans.__('Cancel');
  const act = () => (finished ? model.dismiss(item.id) : void model.cancel(item.id));
  return (
    <li className={`jp-Storage-transfer jp-mod-${item.state}`}>
      <div className="jp-Storage-transferLine">
        <span className="jp-Storage-transferTitle" title={item.title}>
          {item.title}
        </span>
        <button
          className="jp-Storage-iconButton"
          title={stop}
          aria-label={`${stop}: ${item.title}`}
          onClick={act}
        >
          <closeIcon.react tag="span" />
        </button>
      </div>
      {!finished && <Bar role="progressbar" value={share(item)} label={item.title} />}
      <div className="jp-Storage-small">{describe(item, context)}</div>
      {item.failures.length > 0 && (
        <details className="jp-Storage-failures">
          <summary>{trans._n('%1 file not done', '%1 files not done', item.failureCount)}</summary>
          <ul>
            {item.failures.slice(0, SHOWN_FAILURES).map((failure, i) => (
              <li key={i}>
                <b>{failure.path}</b> {failure.message} {failure.hint}
              </li>
            ))}
          </ul>
          {item.failureCount > SHOWN_FAILURES && (
            <p>{trans.__('and %1 more', item.failureCount - SHOWN_FAILURES)}</p>
          )}
        </details>
      )}
      {finished && item.retry && (
        <button className="jp-Storage-link" onClick={item.retry}>
          {trans.__('Try Again')}
        </button>
      )}
    </li>
  );
}

function share(item: IItem): number | null {
  if (item.bytesTotal) {
    return item.bytesDone / item.bytesTotal;
  }
  return item.filesTotal ? item.filesDone / item.filesTotal : null;
}

function describe(item: IItem, { trans }: IPanelContext): string {
  const parts: string[] = [];
  const names: Record<TransferState, string> = {
    waiting: trans.__('Waiting'),
    planning: trans.__('Looking what there is to do'),
    running: '',
    done: trans.__('Done'),
    partial: trans.__('Done in part'),
    failed: trans.__('Failed'),
    cancelled: trans.__('Cancelled')
  };
  if (names[item.state]) {
    parts.push(names[item.state]);
  }
  if (item.waiting) {
    parts.push(trans.__('Connection lost, trying again'));
  }
  const running = item.state === 'running';
  // What was skipped counts as dealt with, but nothing of it was moved.
  if (item.bytesTotal && (running || item.filesDone > 0)) {
    parts.push(
      running
        ? trans.__('%1 of %2', formatBytes(item.bytesDone), formatBytes(item.bytesTotal))
        : formatBytes(item.bytesDone)
    );
  }
  if (item.filesTotal !== null && item.filesTotal > 1 && (running || item.filesDone > 0)) {
    parts.push(
      running
        ? trans.__('%1 of %2 files', item.filesDone, item.filesTotal)
        : trans._n('%1 file', '%1 files', item.filesDone)
    );
  }
  if (item.skipped > 0) {
    parts.push(trans.__('%1 skipped', item.skipped));
  }
  const seconds = item.started === null ? 0 : (Date.now() - item.started) / 1000;
  if (running && !item.waiting && seconds > 2 && item.bytesTotal && item.bytesDone > 0) {
    const speed = item.bytesDone / seconds;
    parts.push(trans.__('%1/s', formatBytes(speed)));
    parts.push(
      trans.__('%1 left', formatDuration((item.bytesTotal - item.bytesDone) / speed, trans))
    );
  }
  return parts.join(' · ');
}

function fromUpload(job: UploadJob, { model, trans }: IPanelContext): IItem {
  const [first] = job.items;
  const what =
    job.items.length === 1 ? nameOf(first.path) : trans._n('%1 file', '%1 files', job.filesTotal);
  return {
    id: job.id,
    title: trans.__('Upload %1 to %2', what, job.destination),
    state: job.state,
    bytesDone: job.bytesDone,
    bytesTotal: job.bytesTotal,
    filesDone: job.filesDone,
    filesTotal: job.filesTotal,
    skipped: job.filesSkipped,
    started: job.started.getTime(),
    failures: job.failures,
    failureCount: job.failures.length,
    waiting: job.waitingSince !== null,
    retry: job.failed.length > 0 ? () => void model.retryUpload(job) : undefined
  };
}

function fromTransfer(record: ITransfer, { trans }: IPanelContext): IItem {
  const what =
    record.sources.length === 1
      ? short(record.sources[0])
      : trans._n('%1 item', '%1 items', record.sources.length);
  const target = record.destination ?? '';
  const titles: Record<string, string> = {
    copy: trans.__('Copy %1 to %2', what, target),
    move: trans.__('Move %1 to %2', what, target),
    delete: trans.__('Delete %1', what),
    undelete: trans.__('Bring back %1', what),
    'empty trash': trans.__('Empty the trash of %1', what),
    upload: trans.__('Publish %1', short(target)),
    restore: trans.__('Restore into %1', target)
  };
  return {
    id: record.id,
    title: titles[record.operation] ?? `${record.operation} ${what}`,
    state: record.state,
    bytesDone: record.bytes_done,
    bytesTotal: record.bytes_total,
    filesDone: record.files_done,
    filesTotal: record.files_total,
    skipped: record.files_skipped,
    started: record.started ? Date.parse(record.started) : null,
    failures: record.failures,
    failureCount: record.failure_count,
    waiting: false
  };
}

/** A source may be a URI or a local path too: those keep their full text. */
function short(path: string): string {
  return isOnTier(path) ? nameOf(path) : path;
}
