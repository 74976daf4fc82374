import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explain } from '../errors';
import { formatAgo, formatBytes, formatDate } from '../format';
import type { StorageModel } from '../model';
import { formatPath } from '../paths';
import type { IEntry, ITier, ITrashItem, IUsage } from '../records';
import { amount, emptyTrash, removeEntries, undo } from '../removing';
import { Bar } from './Bar';
import { useSignal } from './hooks';
import { Trash } from './Trash';

/** Milliseconds between two looks at a count that goes on. */
const TICK = 500;

type View = 'largest' | 'oldest' | 'trash';

interface IUsageProps {
  model: StorageModel;
  tier: string;
  trans: TranslationBundle;
}

/** What fills a tier, and what can go. */
export function Usage(props: IUsageProps): React.JSX.Element {
  const { model, tier, trans } = props;
  useSignal(model.changed);
  const { usage, trash, error, count, stop, look } = useUsage(props);
  const [view, setView] = React.useState<View>('largest');
  const record = model.tiers.find(other => other.name === tier);
  const views: [View, string][] = [
    ['largest', trans.__('Largest')],
    ['oldest', trans.__('Oldest')],
    ['trash', trans.__('Trash')]
  ];
  const counting = usage?.state === 'counting';
  const refresh = () => Promise.all([look(), model.retryTier(tier), count()]);
  return (
    <div className="jp-Storage-usage">
      <h2>{trans.__('Usage of %1', tier)}</h2>
      {record && <Room tier={record} trans={trans} />}
      {error && (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          {error}
        </div>
      )}
      <div className="jp-Storage-usageLine">
        <span role="status">{usage ? summary(usage, trans) : trans.__('Looking…')}</span>
        <button
          className="jp-Storage-link"
          onClick={() => void (counting ? stop() : count())}
          disabled={usage === null}
        >
          {counting ? trans.__('Stop') : trans.__('Count Again')}
        </button>
      </div>
      {counting && <Bar role="progressbar" value={null} label={trans.__('Counting %1', tier)} />}
      <div className="jp-Storage-views" role="group" aria-label={trans.__('What is listed')}>
        {views.map(([name, label]) => (
          <button key={name} aria-pressed={view === name} onClick={() => setView(name)}>
            {label}
            {name === 'trash' && trash.length > 0 ? ` (${trash.length})` : ''}
          </button>
        ))}
      </div>
      {view === 'trash' ? (
        <Trash
          items={trash}
          trans={trans}
          onRestore={async item => {
            await undo(model, [formatPath(item.tier, item.id)], trans);
            await refresh();
          }}
          onEmpty={async item => {
            if (await emptyTrash(model, tier, item, trans)) {
              await refresh();
            }
          }}
        />
      ) : (
        <Files
          key={view}
          entries={(view === 'largest' ? usage?.largest : usage?.oldest) ?? []}
          model={model}
          trans={trans}
          onChanged={() => void refresh()}
        />
      )}
    </div>
  );
}

/** The count and the trash of a tier, looked at again while it goes on. */
function useUsage({ model, tier }: IUsageProps) {
  const { requests } = model;
  const [usage, setUsage] = React.useState<IUsage | null>(null);
  const [trash, setTrash] = React.useState<readonly ITrashItem[]>([]);
  const [error, setError] = React.useState('');
  const guarded = React.useCallback(async (work: () => Promise<void>) => {
    try {
      await work();
      setError('');
    } catch (problem) {
      setError(explain(problem));
    }
  }, []);
  const count = React.useCallback(
    () => guarded(async () => setUsage(await requests.countUsage(tier))),
    [guarded, requests, tier]
  );
  const stop = React.useCallback(
    () => guarded(async () => setUsage(await requests.cancelUsage(tier))),
    [guarded, requests, tier]
  );
  const look = React.useCallback(
    () => guarded(async () => setTrash(await requests.trashed(tier))),
    [guarded, requests, tier]
  );
  React.useEffect(() => {
    void guarded(async () => {
      const known = await requests.usage(tier);
      setUsage(known.state === 'none' ? await requests.countUsage(tier) : known);
    });
    void look();
  }, [guarded, look, requests, tier]);
  const counting = usage?.state === 'counting';
  React.useEffect(() => {
    if (!counting) {
      return;
    }
    const timer = window.setInterval(
      () => void guarded(async () => setUsage(await requests.usage(tier))),
      TICK
    );
    return () => {
      window.clearInterval(timer);
      // What a quota is held against is known now.
      void model.retryTier(tier);
    };
  }, [counting, guarded, model, requests, tier]);
  return { usage, trash, error, count, stop, look };
}

function Room({ tier, trans }: { tier: ITier; trans: TranslationBundle }): React.JSX.Element {
  const total =
    tier.quota ?? (tier.used !== null && tier.free !== null ? tier.used + tier.free : null);
  return (
    <>
      {tier.used !== null && total !== null && (
        <>
          <Bar
            role="meter"
            value={tier.used / total}
            label={trans.__('Used room of %1', tier.name)}
            warn={tier.used / total > 0.9}
          />
          <p>
            {tier.quota
              ? trans.__(
                  '%1 of %2 that the quota allows',
                  formatBytes(tier.used),
                  formatBytes(total)
                )
              : trans.__(
                  '%1 of the disk’s %2 are used, by everything that is on it',
                  formatBytes(tier.used),
                  formatBytes(total)
                )}
          </p>
        </>
      )}
      <Forecast tier={tier} trans={trans} />
    </>
  );
}

/** When the tier will be full; nothing where nobody can tell. */
export function Forecast(props: {
  tier: ITier;
  trans: TranslationBundle;
}): React.JSX.Element | null {
  const { tier, trans } = props;
  const days = tier.full_in_days;
  if (days === null || days === undefined) {
    return null;
  }
  const text =
    days < 1
      ? trans.__('Full in less than a day at this rate')
      : trans._n(
          'Full in about %1 day at this rate',
          'Full in about %1 days at this rate',
          Math.round(days)
        );
  return <p className="jp-Storage-forecast">{text}</p>;
}

function summary(usage: IUsage, trans: TranslationBundle): string {
  const parts = [amount(usage.files, usage.bytes, true, trans)];
  if (usage.own_bytes !== null && usage.own_bytes !== usage.bytes) {
    parts.push(trans.__('%1 of it yours', formatBytes(usage.own_bytes)));
  }
  if (usage.trash_bytes > 0) {
    parts.push(trans.__('%1 in your trash', formatBytes(usage.trash_bytes)));
  }
  switch (usage.state) {
    case 'counting':
      parts.push(trans.__('counting…'));
      break;
    case 'cancelled':
      parts.push(trans.__('not all was counted'));
      break;
    case 'failed':
      parts.push(usage.error ?? trans.__('it could not be counted'));
      break;
    default:
      parts.push(trans.__('counted %1', formatAgo(usage.taken, trans)));
  }
  return parts.join(' · ');
}

function Files(props: {
  entries: readonly IEntry[];
  model: StorageModel;
  trans: TranslationBundle;
  onChanged: () => void;
}): React.JSX.Element {
  const { entries, model, trans, onChanged } = props;
  const [chosen, setChosen] = React.useState<ReadonlySet<string>>(new Set());
  const selected = entries.filter(entry => chosen.has(entry.path));
  const bytes = selected.reduce((sum, entry) => sum + (entry.size ?? 0), 0);
  const toggle = (path: string) => {
    const next = new Set(chosen);
    if (!next.delete(path)) {
      next.add(path);
    }
    setChosen(next);
  };
  const clean = async () => {
    if (await removeEntries(model, selected, trans)) {
      setChosen(new Set());
      onChanged();
    }
  };
  if (entries.length === 0) {
    return <p className="jp-Storage-message">{trans.__('No files.')}</p>;
  }
  return (
    <>
      <div className="jp-Storage-usageLine">
        <span>
          {selected.length > 0
            ? amount(selected.length, bytes, true, trans)
            : trans.__('Choose what can go.')}
        </span>
        <button
          className="jp-Storage-action"
          disabled={selected.length === 0}
          onClick={() => void clean()}
        >
          {trans.__('Delete…')}
        </button>
      </div>
      <ul className="jp-Storage-usageList">
        {entries.map(entry => (
          <li key={entry.path}>
            <label title={entry.path}>
              <input
                type="checkbox"
                checked={chosen.has(entry.path)}
                onChange={() => toggle(entry.path)}
              />
              <span className="jp-Storage-usagePath">{entry.path}</span>
              <span className="jp-Storage-small">{formatBytes(entry.size)}</span>
              <span className="jp-Storage-small">{formatDate(entry.modified)}</span>
            </label>
          </li>
        ))}
      </ul>
    </>
  );
}
