import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { explain } from '../errors';
import { findExperiments, numberText, pairsText } from '../experiments';
import { formatAgo, formatBytes } from '../format';
import { nameOf } from '../paths';
import type { IExperiment, ITrial, ITrialDetails, ITrialPage } from '../records';
import { CommandIDs } from '../tokens';
import type { IPanelContext } from './context';
import { useNow } from './hooks';
import { onListKey } from './keys';
import { Sparkline } from './Sparkline';

/** Trials that are drawn at first, and with each 'Show More'. */
const SHOWN = 10;

interface IFound {
  experiments: IExperiment[];
  /** Tiers of which not everything was looked at, or that did not answer. */
  left: string[];
}

/** Experiments of Ray Tune and Ray Train, looked for when somebody asks. */
export function Experiments({ context }: { context: IPanelContext }): React.JSX.Element {
  const { model, trans } = context;
  const [found, setFound] = React.useState<IFound | null>(null);
  const [looking, setLooking] = React.useState(false);
  const now = useNow(60_000);
  const look = async () => {
    setLooking(true);
    setFound(await findExperiments(model));
    setLooking(false);
  };
  return (
    <div className="jp-Storage-experiments" onKeyDown={onListKey}>
      <div className="jp-Storage-message" role="status">
        {looking
          ? trans.__('Looking for experiments…')
          : found === null
            ? trans.__('Experiments of Ray Tune and Ray Train on your tiers.')
            : found.experiments.length === 0
              ? trans.__('No experiments of Ray Tune or Ray Train.')
              : trans._n('%1 experiment.', '%1 experiments.', found.experiments.length)}{' '}
        <button className="jp-Storage-link" disabled={looking} onClick={() => void look()}>
          {found === null ? trans.__('Look for Them') : trans.__('Look Again')}
        </button>
        {found !== null && found.left.length > 0 && (
          <p>{trans.__('Not everything was looked at: %1', found.left.join(', '))}</p>
        )}
      </div>
      {found?.experiments.map(each => (
        <Experiment key={each.path} experiment={each} context={context} now={now} />
      ))}
    </div>
  );
}

function Experiment(props: {
  experiment: IExperiment;
  context: IPanelContext;
  now: number;
}): React.JSX.Element {
  const { experiment, context, now } = props;
  const { trans } = context;
  const [open, setOpen] = React.useState(false);
  const Caret = (open ? caretDownIcon : caretRightIcon).react;
  return (
    <section aria-label={experiment.path}>
      <button
        className="jp-Storage-group"
        aria-expanded={open}
        title={experiment.path}
        onClick={() => setOpen(!open)}
      >
        <Caret tag="span" className="jp-Storage-icon" />
        <span className="jp-Storage-label">{nameOf(experiment.path) || experiment.path}</span>
        <span className="jp-Storage-small">
          {[
            experiment.trials === null ? '' : trans._n('%1 trial', '%1 trials', experiment.trials),
            formatAgo(experiment.modified, trans, now)
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </button>
      {open && <Trials experiment={experiment} context={context} />}
    </section>
  );
}

function Trials(props: { experiment: IExperiment; context: IPanelContext }): React.JSX.Element {
  const { experiment, context } = props;
  const { commands, model, trans } = context;
  const { path, kind } = experiment;
  const [metric, setMetric] = React.useState<string | undefined>();
  const [shown, setShown] = React.useState(SHOWN);
  const [page, setPage] = React.useState<ITrialPage | null>(null);
  const [error, setError] = React.useState('');
  React.useEffect(() => {
    let gone = false;
    model.requests.trials(path, { metric, limit: shown }).then(
      answer => {
        if (!gone) {
          setPage(answer);
          setError('');
        }
      },
      problem => !gone && setError(explain(problem))
    );
    return () => {
      gone = true;
    };
  }, [path, metric, shown, model]);
  const act = (command: string, label: string) => (
    <button
      className="jp-Storage-action"
      onClick={() => void commands.execute(command, { path, kind, metric: page?.metric ?? null })}
    >
      {label}
    </button>
  );
  const states = Object.entries(experiment.states).map(([state, count]) => `${count} ${state}`);
  return (
    <div className="jp-Storage-details">
      <div className="jp-Storage-small" title={path}>
        {[path, ...states].join(' · ')}
      </div>
      <div className="jp-Storage-actions">
        {act(CommandIDs.fetchCheckpoint, trans.__('Fetch Best Checkpoint…'))}
        {act(CommandIDs.insertRestore, trans.__('Insert Cell That Restores'))}
        {act(CommandIDs.removeExperiment, trans.__('Clean Up…'))}
      </div>
      {experiment.metrics.length > 1 && (
        <label className="jp-Storage-metric">
          {trans.__('Best by')}{' '}
          <select
            value={page?.metric ?? ''}
            onChange={event => setMetric(event.currentTarget.value || undefined)}
          >
            {!page?.metric && <option value="">{trans.__('choose…')}</option>}
            {experiment.metrics.map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      {error && (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          {error}
        </div>
      )}
      {page && (
        <ul aria-label={trans.__('Trials of %1', path)}>
          {page.trials.map(trial => (
            <Trial
              key={`${trial.id} ${page.metric}`}
              experiment={experiment}
              trial={trial}
              metric={page.metric}
              context={context}
            />
          ))}
        </ul>
      )}
      {page && page.trials.length < page.total && (
        <button className="jp-Storage-link" onClick={() => setShown(shown + SHOWN)}>
          {trans.__('Show More (%1 of %2)', page.trials.length, page.total)}
        </button>
      )}
    </div>
  );
}

function Trial(props: {
  experiment: IExperiment;
  trial: ITrial;
  metric: string | null;
  context: IPanelContext;
}): React.JSX.Element {
  const { experiment, trial, metric, context } = props;
  const { model, trans } = context;
  const [open, setOpen] = React.useState(false);
  const [details, setDetails] = React.useState<ITrialDetails | null>(null);
  const [error, setError] = React.useState('');
  React.useEffect(() => {
    let gone = false;
    model.requests.trial(experiment.path, trial.id, metric ?? undefined).then(
      answer => !gone && setDetails(answer),
      problem => !gone && setError(explain(problem))
    );
    return () => {
      gone = true;
    };
  }, [experiment.path, trial.id, metric, model]);
  const best = metric && trial.best !== null ? numberText(trial.best) : '';
  const short = trial.id.split('_').pop() ?? trial.id;
  const told = [trial.id, trial.state, best && `${metric} ${best}`].filter(Boolean).join(', ');
  return (
    <li>
      <button
        className="jp-Storage-trial"
        aria-expanded={open}
        aria-label={told}
        title={[told, pairsText(trial.parameters)].filter(Boolean).join('\n')}
        onClick={() => setOpen(!open)}
      >
        <span className={`jp-Storage-dot jp-mod-${trial.state.toLowerCase()}`} aria-hidden />
        <span className="jp-Storage-time">{short}</span>
        <span className="jp-Storage-label">{pairsText(trial.parameters)}</span>
        {details?.curve && <Sparkline curve={details.curve} />}
        <span className="jp-Storage-best">{best}</span>
      </button>
      {open && (
        <dl className="jp-Storage-facts">
          <Fact name={trans.__('State')} value={trial.state} />
          <Fact name={trans.__('Reports')} value={String(trial.iterations ?? '')} />
          <Fact name={trans.__('Parameters')} value={pairsText(trial.parameters)} />
          <Fact name={trans.__('Last metrics')} value={pairsText(trial.metrics)} />
          {details && (
            <>
              <Fact
                name={trans.__('Size')}
                value={`${formatBytes(details.size)} · ${trans._n('%1 file', '%1 files', details.files)}`}
              />
              <Fact
                name={metric ? trans.__('Best checkpoint') : trans.__('Newest checkpoint')}
                value={
                  details.checkpoints.length === 0
                    ? trans.__('none')
                    : `${details.checkpoints[0].name} (${formatBytes(details.checkpoints[0].size)}) ${pairsText(details.checkpoints[0].metrics)}`
                }
              />
            </>
          )}
          {error && <Fact name={trans.__('Problem')} value={error} />}
        </dl>
      )}
      {open && details && details.checkpoints.length > 0 && (
        <div className="jp-Storage-actions">
          <button
            className="jp-Storage-action"
            onClick={() =>
              void context.commands.execute(CommandIDs.fetchCheckpoint, {
                path: experiment.path,
                checkpoint: details.checkpoints[0].path
              })
            }
          >
            {trans.__('Fetch Checkpoint…')}
          </button>
        </div>
      )}
    </li>
  );
}

function Fact({ name, value }: { name: string; value: string }): React.JSX.Element | null {
  return value ? (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  ) : null;
}
