import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { findExperiments } from '../experiments';
import { formatAgo } from '../format';
import { nameOf } from '../paths';
import type { IExperiment } from '../records';
import type { IPanelContext } from './context';
import { useNow } from './hooks';
import { onListKey } from './keys';
import { Trials } from './Trials';

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
  const button = React.useRef<HTMLButtonElement>(null);
  const look = async () => {
    if (looking) {
      return;
    }
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
        <button
          ref={button}
          className="jp-Storage-link"
          aria-disabled={looking}
          onClick={() => void look()}
        >
          {found === null ? trans.__('Look for Them') : trans.__('Look Again')}
        </button>
        {found !== null && found.left.length > 0 && (
          <p>{trans.__('Not everything was looked at: %1', found.left.join(', '))}</p>
        )}
      </div>
      {found?.experiments.map(each => (
        <Experiment
          key={each.path}
          experiment={each}
          context={context}
          now={now}
          onRemoved={() => {
            setFound({ ...found, experiments: found.experiments.filter(one => one !== each) });
            // The button that the keyboard was on goes with the experiment.
            button.current?.focus();
          }}
        />
      ))}
    </div>
  );
}

function Experiment(props: {
  experiment: IExperiment;
  context: IPanelContext;
  now: number;
  onRemoved: () => void;
}): React.JSX.Element {
  const { experiment, context, now, onRemoved } = props;
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
      {open && (
        <Trials
          key={experiment.modified}
          experiment={experiment}
          context={context}
          onRemoved={onRemoved}
        />
      )}
    </section>
  );
}
