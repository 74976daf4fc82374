import * as React from 'react';

import { formatBytes, formatDuration } from '../format';
import type { IFailure } from '../records';
import { Speedometer } from '../speed';
import { Bar } from './Bar';
import type { IPanelContext } from './context';
import { useNow, useSignal } from './hooks';
import { allItems, type IAction, type IItem, isOver } from './transfer-items';

/** Failures that are shown; the rest is counted. */
const SHOWN_FAILURES = 50;

/** Uploads of this browser, transfers of the server, and what was cut off of both. */
export function Transfers({ context }: { context: IPanelContext }): React.JSX.Element {
  const { model, trans } = context;
  useSignal(model.changed);
  // Speeds change although nothing arrives.
  useNow(1000);
  const items = allItems(context);
  const speeds = useSpeeds(items);
  if (items.length === 0) {
    return <div className="jp-Storage-message">{trans.__('No transfers.')}</div>;
  }
  return (
    <>
      <Together items={items} context={context} />
      <ul className="jp-Storage-transfers" aria-label={trans.__('Transfers')}>
        {items.map(item => (
          <Transfer key={item.id} item={item} speed={speeds.get(item.id)} context={context} />
        ))}
      </ul>
    </>
  );
}

/** What can be done with several at once. */
function Together(props: { items: IItem[]; context: IPanelContext }): React.JSX.Element | null {
  const { items, context } = props;
  const { model, trans } = context;
  const { jobs } = model.uploads;
  const running = jobs.filter(job => job.state === 'running').length;
  const paused = jobs.filter(job => job.state === 'paused').length;
  const under = jobs.filter(job => !['done', 'partial', 'failed', 'cancelled'].includes(job.state));
  const actions: IAction[] = [];
  if (running + paused > 1 && running > 0) {
    actions.push({ label: trans.__('Pause All'), run: () => model.uploads.pauseAll(true) });
  }
  if (running + paused > 1 && paused > 0) {
    actions.push({ label: trans.__('Resume All'), run: () => model.uploads.pauseAll(false) });
  }
  if (under.length > 1) {
    actions.push({
      label: trans.__('Cancel All'),
      run: () => under.forEach(job => job.cancel())
    });
  }
  if (items.filter(isOver).length > 1) {
    actions.push({ label: trans.__('Clear Finished'), run: () => model.dismiss() });
  }
  return actions.length === 0 ? null : (
    <div className="jp-Storage-together">
      {actions.map(({ label, run }) => (
        <button key={label} className="jp-Storage-link" onClick={run}>
          {label}
        </button>
      ))}
    </div>
  );
}

function Transfer(props: {
  item: IItem;
  speed: number | null | undefined;
  context: IPanelContext;
}): React.JSX.Element {
  const { item, speed, context } = props;
  const { trans } = context;
  const links = item.actions.filter(action => !action.icon);
  return (
    <li className={`jp-Storage-transfer jp-mod-${item.state}`}>
      <div className="jp-Storage-transferLine">
        <span className="jp-Storage-transferTitle" title={item.title}>
          {item.title}
        </span>
        {item.actions.map(
          ({ icon, label, run }) =>
            icon && (
              <button
                key={label}
                className="jp-Storage-iconButton"
                title={label}
                aria-label={`${label}: ${item.title}`}
                onClick={run}
              >
                <icon.react tag="span" />
              </button>
            )
        )}
      </div>
      {!isOver(item) && (item.state !== 'interrupted' || item.bytesTotal !== null) && (
        <Bar role="progressbar" value={share(item)} label={item.title} />
      )}
      <div className="jp-Storage-small">{describe(item, speed ?? null, context)}</div>
      {item.state === 'running' && item.current && (
        <div className="jp-Storage-small jp-Storage-current" title={item.current}>
          {item.current}
        </div>
      )}
      {item.failures.length > 0 && (
        <details className="jp-Storage-failures">
          <summary>{trans._n('%1 file not done', '%1 files not done', item.failureCount)}</summary>
          <ul>
            {item.failures.slice(0, SHOWN_FAILURES).map((failure, i) => (
              <Failed key={i} failure={failure} retry={item.retry(failure)} context={context} />
            ))}
          </ul>
          {item.failureCount > SHOWN_FAILURES && (
            <p>{trans.__('and %1 more', item.failureCount - SHOWN_FAILURES)}</p>
          )}
        </details>
      )}
      {links.length > 0 && (
        <div className="jp-Storage-transferLine">
          {links.map(({ label, run }) => (
            <button
              key={label}
              className="jp-Storage-link"
              aria-label={`${label}: ${item.title}`}
              onClick={run}
            >
              {label}
            </button>
          ))}
        </div>
      )}
    </li>
  );
}

function Failed(props: {
  failure: IFailure;
  retry: (() => void) | null;
  context: IPanelContext;
}): React.JSX.Element {
  const { failure, retry, context } = props;
  const { trans } = context;
  return (
    <li>
      <b>{failure.path}</b> {failure.message} {failure.hint}
      {retry && (
        <>
          {' '}
          <button
            className="jp-Storage-link"
            aria-label={trans.__('Try again: %1', failure.path)}
            onClick={retry}
          >
            {trans.__('Try Again')}
          </button>
        </>
      )}
    </li>
  );
}

/** How fast each goes. */
function useSpeeds(items: readonly IItem[]): Map<string, number | null> {
  const meters = React.useRef(new Map<string, Speedometer>());
  const now = Date.now();
  const speeds = new Map<string, number | null>();
  const kept = new Map<string, Speedometer>();
  for (const { id, state, moved, waiting } of items) {
    // After a pause or a cut it is measured afresh.
    if (state === 'running' && !waiting) {
      const meter = meters.current.get(id) ?? new Speedometer();
      meter.observe(moved, now);
      kept.set(id, meter);
      speeds.set(id, meter.perSecond);
    }
  }
  meters.current = kept;
  return speeds;
}

function share(item: IItem): number | null {
  if (item.bytesTotal) {
    return item.bytesDone / item.bytesTotal;
  }
  return item.filesTotal ? item.filesDone / item.filesTotal : null;
}

function describe(item: IItem, speed: number | null, { trans }: IPanelContext): string {
  const parts: string[] = [];
  const names: Record<IItem['state'], string> = {
    waiting: trans.__('Waiting'),
    planning: trans.__('Looking what there is to do'),
    running: '',
    paused: trans.__('Paused'),
    interrupted: trans.__('Interrupted'),
    done: trans.__('Done'),
    partial: trans.__('Done in part'),
    failed: trans.__('Failed'),
    cancelled: trans.__('Cancelled')
  };
  const moving = item.state === 'running' || item.state === 'paused';
  parts.push(names[item.state], item.note);
  if (item.waiting) {
    parts.push(trans.__('Connection lost, trying again'));
  }
  // What was skipped counts as dealt with, but nothing of it was moved.
  if (item.bytesTotal && (moving || item.filesDone > 0)) {
    parts.push(
      moving
        ? trans.__('%1 of %2', formatBytes(item.bytesDone), formatBytes(item.bytesTotal))
        : formatBytes(item.bytesDone)
    );
  }
  if (item.filesTotal !== null && item.filesTotal > 1 && (moving || item.filesDone > 0)) {
    parts.push(
      moving
        ? trans.__('%1 of %2 files', item.filesDone + item.skipped, item.filesTotal)
        : trans._n('%1 file', '%1 files', item.filesDone)
    );
  }
  if (item.skipped > 0) {
    parts.push(trans.__('%1 skipped', item.skipped));
  }
  if (speed && item.bytesTotal && !item.waiting) {
    const left = (item.bytesTotal - item.bytesDone) / speed;
    parts.push(
      trans.__('%1/s', formatBytes(speed)),
      trans.__('%1 left', formatDuration(left, trans))
    );
  }
  return parts.filter(Boolean).join(' · ');
}
