import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explain } from '../errors';
import { formatAgo } from '../format';
import { recentFork } from '../history-model';
import type { IComparison } from '../records';
import { CommandIDs } from '../tokens';
import { Changes } from './Changes';
import type { IPanelContext } from './context';
import { useNow, useSignal } from './hooks';

/** Two machines in one workspace: which one is this, what differs, and the way out. */
export function Fork({ context }: { context: IPanelContext }): React.JSX.Element | null {
  const { model, commands, trans } = context;
  useSignal(model.changed);
  useSignal(model.history.changed);
  const now = useNow(60_000);
  const [compared, setCompared] = React.useState(false);
  const status = model.snapshots;
  const other = status?.fork ? null : recentFork(model.history.snapshots ?? [], now);
  if (!status?.fork && !other) {
    return null;
  }
  // What is here, and what is there.
  const [here, there] = other ? ['latest', other.id] : [status?.last?.id ?? '', 'latest'];
  return (
    <section className="jp-Storage-fork" aria-label={trans.__('Two machines in this workspace')}>
      <p role={other ? 'status' : 'alert'}>
        {other
          ? trans.__(
              'Another machine, %1, saves to a fork of this workspace, last %2. Nothing is lost, and nothing is merged.',
              other.hostname,
              formatAgo(other.time, trans, now)
            )
          : forkText(status?.holder ?? null, trans)}
      </p>
      <div className="jp-Storage-actions">
        <button
          className="jp-Storage-action"
          aria-expanded={compared}
          disabled={here === ''}
          onClick={() => setCompared(!compared)}
        >
          {trans.__('Compare')}
        </button>
        {!other && (
          <button
            className="jp-Storage-action"
            onClick={() => void commands.execute(CommandIDs.takeOver)}
          >
            {trans.__('Take Over…')}
          </button>
        )}
      </div>
      {compared && here !== '' && <Differences here={here} there={there} context={context} />}
    </section>
  );
}

function forkText(holder: string | null, trans: TranslationBundle): string {
  return holder
    ? trans.__(
        'Another machine, %1, holds this workspace. What you do here is saved in a fork: nothing is lost, on either side.',
        holder
      )
    : trans.__(
        'Another machine holds this workspace. What you do here is saved in a fork: nothing is lost, on either side.'
      );
}

/** What the newest snapshots of the two sides differ in. */
function Differences(props: {
  here: string;
  there: string;
  context: IPanelContext;
}): React.JSX.Element {
  const { here, there, context } = props;
  const { model, trans } = context;
  const [found, setFound] = React.useState<IComparison | null>(null);
  const [error, setError] = React.useState('');
  React.useEffect(() => {
    let gone = false;
    model.requests.compareSnapshots(here, there).then(
      comparison => {
        if (!gone) {
          setFound(comparison);
          setError('');
        }
      },
      problem => {
        if (!gone) {
          setError(explain(problem));
        }
      }
    );
    return () => {
      gone = true;
    };
  }, [here, there, model]);
  const words = {
    added: trans.__('only here'),
    removed: trans.__('only there'),
    changed: trans.__('different'),
    type: trans.__('not the same kind'),
    attributes: trans.__('other permissions or owner')
  };
  return (
    <div className="jp-Storage-differences">
      {error && (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          {error}
        </div>
      )}
      {!error && !found && <div className="jp-Storage-small">{trans.__('Comparing…')}</div>}
      {found && (
        <>
          <div className="jp-Storage-small" role="status">
            {trans.__('%1 only here (+), %2 only there (−), %3 different (•)', ...counts(found))}
          </div>
          <Changes found={found} context={context} words={words} />
        </>
      )}
    </div>
  );
}

function counts(found: IComparison): string[] {
  return [found.added, found.removed, found.changed].map(String);
}
