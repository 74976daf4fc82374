import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { explain } from '../errors';
import { formatBytes, formatMoment } from '../format';
import { group, labels, momentOf, type HistoryModel, type IGroup } from '../history-model';
import type { IComparison, ISnapshot } from '../records';
import { CommandIDs } from '../tokens';
import { Changes } from './Changes';
import type { IPanelContext } from './context';
import { useNow, useSignal } from './hooks';
import { onListKey } from './keys';

/** Snapshots of a group that are drawn at first. */
const SHOWN = 100;

/** The timeline: snapshots by hours and days, and what each of them changed. */
export function History({
  context,
  history
}: {
  context: IPanelContext;
  history: HistoryModel;
}): React.JSX.Element {
  const { model, trans } = context;
  useSignal(history.changed);
  const now = useNow(60_000);
  React.useEffect(() => {
    history.show(true);
    return () => history.show(false);
  }, [history]);
  if (history.error) {
    return (
      <div className="jp-Storage-message jp-mod-error" role="alert">
        <p>{history.error}</p>
        <button className="jp-Storage-link" onClick={() => void history.load()}>
          {trans.__('Retry')}
        </button>
      </div>
    );
  }
  if (history.snapshots === null) {
    return <div className="jp-Storage-message">{trans.__('Looking for snapshots…')}</div>;
  }
  if (history.snapshots.length === 0) {
    return (
      <div className="jp-Storage-message">
        {model.snapshots?.state === 'off'
          ? trans.__('Snapshots are off.')
          : trans.__('No snapshot yet.')}
      </div>
    );
  }
  return (
    <div className="jp-Storage-history" onKeyDown={onListKey}>
      {group(history.snapshots, now).map((each, i) => (
        <Group key={each.key} group={each} first={i === 0} context={context} history={history} />
      ))}
    </div>
  );
}

function Group(props: {
  group: IGroup;
  first: boolean;
  context: IPanelContext;
  history: HistoryModel;
}): React.JSX.Element {
  const { group: each, first, context, history } = props;
  const { trans } = context;
  const [open, setOpen] = React.useState(first);
  const [shown, setShown] = React.useState(SHOWN);
  const Caret = (open ? caretDownIcon : caretRightIcon).react;
  const today = each.time.toDateString() === new Date().toDateString();
  const day = each.time.toLocaleDateString(undefined, {
    weekday: 'short',
    day: 'numeric',
    month: 'short'
  });
  const hour = each.time.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  const title = each.hour ? (today ? hour : `${day}, ${hour}`) : day;
  return (
    <section aria-label={title}>
      <button className="jp-Storage-group" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Caret tag="span" className="jp-Storage-icon" />
        <span>{title}</span>
        <span className="jp-Storage-small">
          {trans._n('%1 snapshot', '%1 snapshots', each.snapshots.length)}
        </span>
      </button>
      {open && (
        <ul aria-label={title}>
          {each.snapshots.slice(0, shown).map(snapshot => (
            <Item
              key={momentOf(snapshot)}
              snapshot={snapshot}
              context={context}
              history={history}
            />
          ))}
        </ul>
      )}
      {open && each.snapshots.length > shown && (
        <button className="jp-Storage-link" onClick={() => setShown(shown + SHOWN)}>
          {trans.__('Show More')}
        </button>
      )}
    </section>
  );
}

interface IItemProps {
  snapshot: ISnapshot;
  context: IPanelContext;
  history: HistoryModel;
}

function Item({ snapshot, context, history }: IItemProps): React.JSX.Element {
  const { trans } = context;
  const [open, setOpen] = React.useState(false);
  const { name, pinned } = labels(snapshot);
  const moment = formatMoment(snapshot.time);
  const counts: [number | null, string, string][] = [
    [snapshot.files_new, '+', trans.__('new')],
    [snapshot.files_changed, '•', trans.__('changed')],
    [snapshot.files_removed, '−', trans.__('removed')]
  ];
  const known = counts.filter(([count]) => count);
  const told = known.map(([count, , word]) => `${count} ${word}`).join(', ');
  const details = [
    new Date(snapshot.time).toLocaleString(),
    trans.__('Snapshot %1 of %2', snapshot.short_id, snapshot.hostname),
    told,
    snapshot.bytes_added ? trans.__('%1 stored', formatBytes(snapshot.bytes_added)) : ''
  ];
  return (
    <li className="jp-Storage-snapshot">
      <button
        className="jp-Storage-snapshotButton"
        aria-expanded={open}
        title={details.filter(Boolean).join('\n')}
        onClick={() => setOpen(!open)}
      >
        <span className="jp-Storage-time">{moment}</span>
        <span className="jp-Storage-label">{name}</span>
        {pinned && <span className="jp-Storage-badge">{trans.__('pinned')}</span>}
        {snapshot.fork && (
          <span
            className="jp-Storage-badge jp-mod-fork"
            title={trans.__('Written while another machine held the workspace')}
          >
            {trans.__('fork %1', snapshot.hostname)}
          </span>
        )}
        <span className="jp-Storage-small" aria-label={told}>
          {known.map(([count, sign]) => `${sign}${count}`).join(' ')}
        </span>
      </button>
      {open && <Details snapshot={snapshot} context={context} history={history} />}
    </li>
  );
}

function Details({ snapshot, context, history }: IItemProps): React.JSX.Element {
  const { commands, trans } = context;
  const [withNewest, setWithNewest] = React.useState(false);
  const [found, setFound] = React.useState<IComparison | null>(null);
  const [error, setError] = React.useState('');
  // IDs, not records: a list that is read again has new records of the same snapshots.
  const { id } = snapshot;
  const later = withNewest ? history.newest : null;
  React.useEffect(() => {
    let gone = false;
    setFound(null);
    history.compare(id, later).then(
      comparison => {
        if (!gone) {
          setFound(comparison);
          setError('');
        }
      },
      problem => setError(explain(problem))
    );
    return () => {
      gone = true;
    };
  }, [id, later, history]);
  const { time } = snapshot;
  const { name, pinned } = labels(snapshot);
  const words = {
    added: trans.__('added'),
    removed: trans.__('removed'),
    changed: trans.__('changed'),
    type: trans.__('became something else'),
    attributes: trans.__('other permissions or owner')
  };
  const act = (command: string, label: string, pressed?: boolean) => (
    <button
      className="jp-Storage-action"
      aria-pressed={pressed}
      onClick={() => void commands.execute(command, { id, time, name, pinned })}
    >
      {label}
    </button>
  );
  return (
    <div className="jp-Storage-details">
      <div className="jp-Storage-actions">
        {act(CommandIDs.browseSnapshot, trans.__('Browse'))}
        {act(CommandIDs.restoreSnapshot, trans.__('Restore…'))}
        {act(CommandIDs.pinSnapshot, trans.__('Pin'), pinned)}
        {act(CommandIDs.nameSnapshot, trans.__('Name…'))}
        <button
          className="jp-Storage-action"
          aria-pressed={withNewest}
          onClick={() => setWithNewest(!withNewest)}
        >
          {trans.__('Compare with Now')}
        </button>
      </div>
      <div className="jp-Storage-small">
        {withNewest
          ? trans.__('Different in the newest snapshot:')
          : trans.__('Changed in this snapshot:')}
      </div>
      {error && (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          {error}
        </div>
      )}
      {!error && !found && <div className="jp-Storage-small">{trans.__('Comparing…')}</div>}
      {found && <Changes found={found} context={context} words={words} />}
    </div>
  );
}
