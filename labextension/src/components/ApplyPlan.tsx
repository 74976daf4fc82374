import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatBytes } from '../format';
import type { IApplyPlan, IApplyStep } from '../records';

/** What applying a file would do, step by step. */
export function ApplyPlan({
  plan,
  trans
}: {
  plan: IApplyPlan;
  trans: TranslationBundle;
}): React.JSX.Element {
  const verbs: Record<IApplyStep['action'], string> = {
    create: trans.__('Create'),
    upload: trans.__('Upload'),
    copy: trans.__('Copy'),
    mount: trans.__('Mount'),
    keep: trans.__('Keep')
  };
  return (
    <div className="jp-Storage-plan">
      <ol>
        {plan.steps.map((step, i) => (
          <li key={i} className={step.action === 'keep' ? 'jp-mod-keep' : undefined}>
            <b>{verbs[step.action]}</b>
            <div>
              <div>{`${step.source} → ${step.target}`}</div>
              <div className="jp-Storage-small">{amount(step, trans)}</div>
            </div>
          </li>
        ))}
      </ol>
      <p>
        {plan.files > 0
          ? trans._n(
              'Together %1 file, %2 to move.',
              'Together %1 files, %2 to move.',
              plan.files,
              formatBytes(plan.bytes)
            )
          : trans.__('No files have to be moved.')}
      </p>
    </div>
  );
}

function amount(step: IApplyStep, trans: TranslationBundle): string {
  const parts: string[] = [];
  if (step.files > 0) {
    parts.push(trans._n('%1 file', '%1 files', step.files), formatBytes(step.bytes));
  }
  if (step.note) {
    parts.push(step.note);
  }
  return parts.join(' · ');
}
