import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explain } from '../errors';
import type { IEntry, IRemovalPlan } from '../records';
import { amount, type IRemovalNotes } from '../removing';

/** Names that a question lists before it counts the rest. */
const LISTED = 5;

/** What will be deleted, how much it is, and whether it comes back. */
export function RemovalQuestion(props: {
  entries: readonly IEntry[];
  counted: Promise<IRemovalPlan>;
  notes?: IRemovalNotes;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { entries, counted, notes, trans } = props;
  const [plan, setPlan] = React.useState<IRemovalPlan | null>(null);
  const [problem, setProblem] = React.useState('');
  React.useEffect(() => {
    let here = true;
    counted.then(
      found => here && setPlan(found),
      error => here && setProblem(explain(error))
    );
    return () => {
      here = false;
    };
  }, [counted]);
  return (
    <div className="jp-Storage-question">
      <ul>
        {entries.slice(0, LISTED).map(entry => (
          <li key={entry.path}>{entry.name}</li>
        ))}
        {entries.length > LISTED && (
          <li>{trans._n('and %1 more', 'and %1 more', entries.length - LISTED)}</li>
        )}
      </ul>
      {notes && <p>{notes.loss}</p>}
      {notes?.warning && <p className="jp-mod-warn">{notes.warning}</p>}
      <p role="status">
        {problem ||
          (plan ? amount(plan.files, plan.bytes, plan.complete, trans) : trans.__('Counting…'))}
      </p>
      {plan && (
        <p className={plan.undoable ? undefined : 'jp-mod-warn'}>{consequence(plan, trans)}</p>
      )}
    </div>
  );
}

function consequence(plan: IRemovalPlan, trans: TranslationBundle): string {
  if (plan.undoable) {
    return trans._n(
      'It goes to the trash of its tier, from which it can be brought back for %1 day.',
      'It goes to the trash of its tier, from which it can be brought back for %1 days.',
      Math.round(plan.days)
    );
  }
  return trans.__('This cannot be undone: %1.', plan.reason);
}
