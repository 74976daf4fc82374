import {
  caretDownIcon,
  caretUpIcon,
  codeIcon,
  deleteIcon,
  downloadIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import { numberText, pairsText } from '../experiments';
import type { IExperiment, ITrial, ITrialDetails } from '../records';
import { CommandIDs } from '../tokens';
import { TrialsModel } from '../trials-model';
import type { IPanelContext } from './context';
import { useSignal } from './hooks';
import { Sparkline } from './Sparkline';
import { TrialDetails } from './TrialDetails';

/** Height of a row in pixels, as in the style sheet. */
const ROW_HEIGHT = 24;
/** Milliseconds that a row stays in sight before its curve is asked for. */
const STAY = 150;

/** An experiment that was opened: what can be done with it, and its trials, the best first. */
export function Trials(props: {
  experiment: IExperiment;
  context: IPanelContext;
  onRemoved: () => void;
}): React.JSX.Element {
  const { experiment, context, onRemoved } = props;
  const { commands, trans } = context;
  const { path, kind } = experiment;
  const [trials] = React.useState(() => new TrialsModel(experiment, context.model.requests));
  useSignal(trials.changed);
  React.useEffect(() => void trials.loadMore(), [trials]);
  const { metric, mode } = trials;
  const act = (command: string, label: string, icon: LabIcon) => (
    <button
      className="jp-Storage-iconButton"
      title={label}
      aria-label={label}
      onClick={() => {
        void commands
          .execute(command, { path, kind, metric, mode })
          .then(done => command === CommandIDs.removeExperiment && done === true && onRemoved());
      }}
    >
      <icon.react tag="span" />
    </button>
  );
  const states = Object.entries(experiment.states).map(([state, count]) => `${count} ${state}`);
  const chosen = trials.trials.find(trial => trial.id === trials.chosen);
  return (
    <div className="jp-Storage-details">
      <div className="jp-Storage-experimentHead">
        <span className="jp-Storage-small" title={path}>
          {path}
        </span>
        {act(CommandIDs.fetchCheckpoint, trans.__('Fetch Best Checkpoint…'), downloadIcon)}
        {act(CommandIDs.insertRestore, trans.__('Insert Cell That Restores'), codeIcon)}
        {act(CommandIDs.removeExperiment, trans.__('Clean Up…'), deleteIcon)}
      </div>
      {states.length > 0 && <div className="jp-Storage-small">{states.join(' · ')}</div>}
      <Judgement trials={trials} context={context} />
      {trials.error && (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          {trials.error}
        </div>
      )}
      {trials.total === null && !trials.error && (
        <div className="jp-Storage-small" role="status">
          {trans.__('Reading the trials…')}
        </div>
      )}
      <Rows trials={trials} context={context} />
      {chosen && (
        <TrialDetails
          key={`${chosen.id} ${metric} ${mode}`}
          trials={trials}
          trial={chosen}
          context={context}
        />
      )}
    </div>
  );
}

/** By which metric the best come first, and whether more of it is better. */
function Judgement(props: {
  trials: TrialsModel;
  context: IPanelContext;
}): React.JSX.Element | null {
  const { trials, context } = props;
  const { trans } = context;
  const { metric, metrics, mode } = trials;
  if (metrics.length === 0) {
    return null;
  }
  const most = mode === 'max';
  const Caret = (most ? caretDownIcon : caretUpIcon).react;
  const label = most ? trans.__('More is better') : trans.__('Less is better');
  return (
    <div className="jp-Storage-metric">
      <label>
        {trans.__('Best by')}{' '}
        <select
          value={metric ?? ''}
          onChange={event => void trials.judge({ metric: event.currentTarget.value || undefined })}
        >
          {metric === null && <option value="">{trans.__('choose…')}</option>}
          {metrics.map(name => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      {metric !== null && (
        <button
          className="jp-Storage-link"
          title={trans.__('Turn it round')}
          onClick={() => void trials.judge({ metric, mode: most ? 'min' : 'max' })}
        >
          {label}
          <Caret tag="span" className="jp-Storage-caret" />
        </button>
      )}
    </div>
  );
}

/** The trials: only those that can be seen are in the document. */
function Rows(props: { trials: TrialsModel; context: IPanelContext }): React.JSX.Element | null {
  const { trials, context } = props;
  const { trans } = context;
  const scroller = React.useRef<HTMLDivElement>(null);
  const moved = React.useRef(false);
  const count = trials.trials.length;
  const rows = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 4,
    // The row that the keyboard is on stays, or the focus would be lost when it is scrolled away.
    rangeExtractor: range => {
      const indexes = new Set(defaultRangeExtractor(range)).add(trials.active);
      return [...indexes].filter(index => index < count).sort((a, b) => a - b);
    }
  });
  const items = rows.getVirtualItems();
  const reached = (rows.range?.endIndex ?? -1) >= count - 1;
  React.useEffect(() => {
    if (reached && count > 0 && trials.more) {
      void trials.loadMore();
    }
  }, [reached, count, trials]);
  React.useEffect(() => {
    if (moved.current) {
      moved.current = false;
      rows.scrollToIndex(trials.active);
      rowButton(scroller.current, trials.active)?.focus({ preventScroll: true });
    }
  });
  const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 1);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const moves: Record<string, number> = {
      ArrowDown: trials.active + 1,
      ArrowUp: trials.active - 1,
      PageDown: Math.min(trials.active + page, count - 1),
      PageUp: Math.max(trials.active - page, 0),
      Home: 0,
      End: count - 1
    };
    const to = moves[event.key];
    // Beyond the first and the last, the arrows go on to what stands around the trials.
    if (to >= 0 && to < count) {
      const shown = rowButton(scroller.current, to);
      if (shown) {
        shown.focus();
      } else {
        moved.current = true;
        trials.focus(to);
      }
      event.preventDefault();
      event.stopPropagation();
    }
  };
  return count === 0 ? null : (
    <>
      <div ref={scroller} className="jp-Storage-trials" onKeyDown={onKeyDown}>
        <ul
          style={{ height: rows.getTotalSize() }}
          aria-label={trans.__('Trials of %1', trials.experiment.path)}
          aria-busy={trials.loading}
        >
          {items.map(({ index, start }) => (
            <Row
              key={`${trials.trials[index].id} ${trials.metric} ${trials.mode}`}
              trials={trials}
              trial={trials.trials[index]}
              index={index}
              top={start}
              scrolling={rows.isScrolling}
            />
          ))}
        </ul>
      </div>
      {trials.more && (
        <div className="jp-Storage-small">
          {trans.__('The best %1 of %2; scroll for more', count, trials.total)}
        </div>
      )}
    </>
  );
}

function Row(props: {
  trials: TrialsModel;
  trial: ITrial;
  index: number;
  top: number;
  scrolling: boolean;
}): React.JSX.Element {
  const { trials, trial, index, top, scrolling } = props;
  const [details, setDetails] = React.useState<ITrialDetails | null>(null);
  React.useEffect(() => {
    let gone = false;
    const timer = scrolling
      ? 0
      : window.setTimeout(() => {
          trials.lookAt(trial).then(
            found => !gone && setDetails(found),
            // The trial tells what is wrong when it is opened.
            () => undefined
          );
        }, STAY);
    return () => {
      gone = true;
      window.clearTimeout(timer);
    };
  }, [trials, trial, scrolling]);
  const chosen = trials.chosen === trial.id;
  const best = trials.metric !== null && trial.best !== null ? numberText(trial.best) : '';
  const told = [trial.id, trial.state, best && `${trials.metric} ${best}`].filter(Boolean);
  return (
    <li
      data-index={index}
      style={{ transform: `translateY(${top}px)` }}
      aria-setsize={trials.more ? -1 : trials.trials.length}
      aria-posinset={index + 1}
    >
      <button
        className="jp-Storage-trial"
        aria-expanded={chosen}
        aria-label={told.join(', ')}
        title={[told.join(', '), pairsText(trial.parameters)].filter(Boolean).join('\n')}
        tabIndex={index === trials.active ? 0 : -1}
        onFocus={() => index !== trials.active && trials.focus(index)}
        onClick={() => trials.choose(chosen ? null : trial)}
      >
        <span className={`jp-Storage-dot jp-mod-${trial.state.toLowerCase()}`} aria-hidden />
        <span className="jp-Storage-time">{shortID(trial)}</span>
        <span className="jp-Storage-label">{pairsText(trial.parameters)}</span>
        {details?.curve && <Sparkline curve={details.curve} />}
        <span className="jp-Storage-best">{best}</span>
      </button>
    </li>
  );
}

function rowButton(list: HTMLElement | null, index: number): HTMLElement | null {
  return list?.querySelector<HTMLElement>(`[data-index="${index}"] > button`) ?? null;
}

/** The end of a trial's ID, which commands take as well. */
function shortID(trial: ITrial): string {
  return trial.id.split('_').pop() ?? trial.id;
}
