import * as React from 'react';

import { explain } from '../errors';
import { pairsText } from '../experiments';
import { formatBytes } from '../format';
import type { ICheckpoint, ITrial, ITrialDetails } from '../records';
import { CommandIDs } from '../tokens';
import type { TrialsModel } from '../trials-model';
import type { IPanelContext } from './context';
import { Plot } from './Sparkline';

/** What is known of the trial that was chosen. */
export function TrialDetails(props: {
  trials: TrialsModel;
  trial: ITrial;
  context: IPanelContext;
}): React.JSX.Element {
  const { trials, trial, context } = props;
  const { commands, trans } = context;
  const { path } = trials.experiment;
  const [details, setDetails] = React.useState<ITrialDetails | null>(null);
  const [error, setError] = React.useState('');
  React.useEffect(() => {
    let gone = false;
    trials.lookAt(trial).then(
      found => !gone && setDetails(found),
      problem => !gone && setError(explain(problem))
    );
    return () => {
      gone = true;
    };
  }, [trials, trial]);
  const checkpoint = details?.checkpoints[0];
  return (
    <section className="jp-Storage-trialDetails" aria-label={trans.__('Trial %1', trial.id)}>
      {details?.curve && <Plot curve={details.curve} trans={trans} />}
      <dl className="jp-Storage-trialFacts">
        <Fact name={trans.__('Trial')} value={trial.id} />
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
              name={trials.metric ? trans.__('Best checkpoint') : trans.__('Newest checkpoint')}
              value={checkpoint ? checkpointText(checkpoint) : trans.__('none')}
            />
          </>
        )}
        {error && <Fact name={trans.__('Problem')} value={error} />}
      </dl>
      {checkpoint && (
        <button
          className="jp-Storage-action"
          onClick={() =>
            void commands.execute(CommandIDs.fetchCheckpoint, { path, checkpoint: checkpoint.path })
          }
        >
          {trans.__('Fetch Checkpoint…')}
        </button>
      )}
    </section>
  );
}

function checkpointText({ name, size, metrics }: ICheckpoint): string {
  return `${name} (${formatBytes(size)}) ${pairsText(metrics)}`;
}

function Fact({ name, value }: { name: string; value: string }): React.JSX.Element | null {
  return value ? (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  ) : null;
}
