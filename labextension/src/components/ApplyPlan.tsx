import { type Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explain } from '../errors';
import { formatBytes } from '../format';
import type { IApplyPlan, IApplyStep } from '../records';

/** A plan, and whether copies stand in for what is to be mounted. */
interface IChoice {
  plan: IApplyPlan;
  copied: boolean;
  /** Whether something is to be mounted, so that there is something to choose. */
  offered: boolean;
}

type Look = (copied: boolean) => Promise<IApplyPlan>;

/** What applying a file would do; its value is whether copies are to stand in for mounts. */
export class ApplyBody extends ReactWidget implements Dialog.IBodyWidget<boolean> {
  constructor(
    private _choice: IChoice,
    private readonly _look: Look,
    private readonly _trans: TranslationBundle
  ) {
    super();
  }

  /** Plan with mounts where they are possible, and else with copies. */
  static async choice(look: Look): Promise<IChoice> {
    const plan = await look(false);
    const offered = plan.steps.some(step => step.action === 'mount');
    const copied = offered && plan.unmountable !== '';
    return { plan: copied ? { ...(await look(true)), ...reason(plan) } : plan, copied, offered };
  }

  get changing(): boolean {
    return this._choice.plan.steps.some(step => step.action !== 'keep');
  }

  getValue(): boolean {
    return this._choice.copied;
  }

  protected render(): React.JSX.Element {
    const { plan, copied, offered } = this._choice;
    const trans = this._trans;
    return (
      <div className="jp-Storage-plan" aria-busy={this._looking}>
        <ApplyPlan plan={plan} trans={trans} />
        {plan.unmountable && offered && <p>{`${plan.unmountable}.`}</p>}
        {offered && (
          <label>
            <input
              type="checkbox"
              checked={copied}
              onChange={event => void this._choose(event.target.checked)}
            />
            {trans.__('Fetch copies in place of mounts')}
          </label>
        )}
        {offered && copied && (
          <p className="jp-Storage-small">
            {trans.__(
              'What you change in a copy stays here until you upload it in the section Storages.'
            )}
          </p>
        )}
        {this._error && <p role="alert">{this._error}</p>}
      </div>
    );
  }

  private async _choose(copied: boolean): Promise<void> {
    const before = this._choice;
    this._choice = { ...before, copied };
    this._looking = true;
    this.update();
    try {
      const plan = { ...(await this._look(copied)), ...reason(before.plan) };
      // Somebody may have changed their mind meanwhile.
      if (this._choice.copied === copied) {
        this._choice = { ...this._choice, plan };
        this._error = '';
      }
    } catch (error) {
      this._choice = before;
      this._error = explain(error);
    }
    this._looking = false;
    this.update();
  }

  private _looking = false;
  private _error = '';
}

/** Why nothing can be mounted: a plan with copies alone does not say it. */
function reason({ unmountable }: IApplyPlan): Pick<IApplyPlan, 'unmountable'> {
  return { unmountable };
}

function ApplyPlan(props: { plan: IApplyPlan; trans: TranslationBundle }): React.JSX.Element {
  const { plan, trans } = props;
  const verbs: Record<IApplyStep['action'], string> = {
    create: trans.__('Create'),
    upload: trans.__('Upload'),
    copy: trans.__('Copy'),
    mount: trans.__('Mount'),
    keep: trans.__('Keep')
  };
  return (
    <>
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
    </>
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
