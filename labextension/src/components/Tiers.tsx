import * as React from 'react';

import { formatBytes } from '../format';
import { tierIcon, usageIcon } from '../icons';
import { formatPath } from '../paths';
import type { ITier } from '../records';
import { CommandIDs } from '../tokens';
import { Bar } from './Bar';
import type { IPanelContext } from './context';
import { useDrops } from './drops';
import { useSignal } from './hooks';
import { Forecast } from './Usage';

/** The list of tiers. */
export function Tiers({ context }: { context: IPanelContext }): React.JSX.Element {
  const { model, trans } = context;
  useSignal(model.changed);
  useSignal(model.browser.changed);
  if (model.tiersError) {
    return (
      <div className="jp-Storage-message jp-mod-error" role="alert">
        <p>{model.tiersError}</p>
        <button className="jp-Storage-link" onClick={() => void model.refreshTiers()}>
          {trans.__('Retry')}
        </button>
      </div>
    );
  }
  if (model.tiers.length === 0) {
    return <div className="jp-Storage-message">{trans.__('Looking for tiers…')}</div>;
  }
  return (
    <>
      <ul className="jp-Storage-tiers" aria-label={trans.__('Tiers')}>
        {model.tiers.map(tier => (
          <Tier key={tier.name} tier={tier} context={context} />
        ))}
      </ul>
      <button
        className="jp-Storage-link jp-Storage-addTier"
        onClick={() => void context.commands.execute(CommandIDs.addTier)}
      >
        {trans.__('Add a Bucket…')}
      </button>
    </>
  );
}

function Tier({ tier, context }: { tier: ITier; context: IPanelContext }): React.JSX.Element {
  const { model, trans } = context;
  const [looking, setLooking] = React.useState(false);
  const icon = tierIcon(tier.name, tier.uri);
  const current = model.browser.tier === tier.name;
  const ok = tier.state === 'ok';
  const { over, ref, handlers } = useDrops<HTMLLIElement>(context, () =>
    ok ? formatPath(tier.name, '') : null
  );
  const checking = tier.state === 'checking';
  const details = [
    `${tier.name}:`,
    tier.purpose,
    trans.__('Scope: %1', tier.scope),
    trans.__('Lifetime: %1', tier.lifetime),
    tier.path ?? tier.uri
  ].filter(Boolean);

  const retry = async () => {
    setLooking(true);
    await model.retryTier(tier.name);
    setLooking(false);
  };
  const classes = ['jp-Storage-tier'];
  if (current) {
    classes.push('jp-mod-current');
  }
  if (over !== null) {
    classes.push('jp-mod-dropTarget');
  }
  if (!ok && !checking) {
    classes.push('jp-mod-away');
  }
  return (
    <li className={classes.join(' ')} ref={ref} data-tier={tier.name} {...handlers}>
      <button
        className="jp-Storage-tierButton"
        title={details.join('\n')}
        aria-current={current ? 'true' : undefined}
        onClick={() => void model.browser.open(tier.name)}
      >
        <icon.react className="jp-Storage-icon" tag="span" />
        <span className="jp-Storage-tierText">
          <span className="jp-Storage-tierLine">
            <span className="jp-Storage-tierName">{tier.name}</span>
            <span className="jp-Storage-tierUsage">
              {ok ? room(tier, context) : stateOf(tier, context)}
            </span>
          </span>
          <span className="jp-Storage-small">{`${tier.scope} · ${tier.lifetime}`}</span>
        </span>
      </button>
      {ok && (
        <button
          className="jp-Storage-iconButton jp-Storage-tierUsageButton"
          title={trans.__('Usage and Clean-Up')}
          aria-label={trans.__('Usage of %1', tier.name)}
          onClick={() => void context.commands.execute(CommandIDs.usage, { tier: tier.name })}
        >
          <usageIcon.react tag="span" className="jp-Storage-icon" />
        </button>
      )}
      {ok && <Usage tier={tier} context={context} />}
      {ok && <Forecast tier={tier} trans={trans} />}
      {!ok && !checking && (
        <div className="jp-Storage-tierReason">
          {tier.reason && <p>{tier.reason}</p>}
          {tier.hint && <p>{tier.hint}</p>}
          <button
            className="jp-Storage-link"
            disabled={looking}
            aria-label={trans.__('Retry %1', tier.name)}
            onClick={() => void retry()}
          >
            {looking ? trans.__('Looking…') : trans.__('Retry')}
          </button>
        </div>
      )}
    </li>
  );
}

function stateOf(tier: ITier, { trans }: IPanelContext): string {
  switch (tier.state) {
    case 'checking':
      return trans.__('Looking…');
    case 'unreachable':
      return trans.__('Unreachable');
    default:
      return trans.__('Not configured');
  }
}

/** Where the room of a tier ends: its quota, else the disk. */
function total(tier: ITier): number | null {
  if (tier.quota) {
    return tier.quota;
  }
  return tier.used !== null && tier.free !== null ? tier.used + tier.free : null;
}

function room(tier: ITier, { trans }: IPanelContext): string {
  if (tier.quota && tier.used !== null) {
    return trans.__('%1 of %2', formatBytes(tier.used), formatBytes(tier.quota));
  }
  if (tier.free !== null) {
    return trans.__('%1 free', formatBytes(tier.free));
  }
  return tier.used !== null ? trans.__('%1 used', formatBytes(tier.used)) : '';
}

function Usage({
  tier,
  context
}: {
  tier: ITier;
  context: IPanelContext;
}): React.JSX.Element | null {
  const all = total(tier);
  if (tier.used === null || !all) {
    return null;
  }
  const value = tier.used / all;
  const label = context.trans.__('Used room of %1', tier.name);
  return <Bar role="meter" value={value} label={label} warn={value > 0.9} />;
}
