import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { askConflict, pasteMessage } from './dialogs';
import { formatBytes, formatDuration } from './format';
import type { StorageModel } from './model';
import { isBelow, nameOf, parsePath } from './paths';
import type { IPlan, ITransfer } from './records';

/** Bytes and files above which a copy is worth a question. */
const LARGE = 1e9;
const MANY = 5000;

/**
 * Copy or move into a directory, after a look at what stands in the way.
 *
 * Gives the transfer, or null where the person gave up.
 */
export async function paste(
  model: StorageModel,
  operation: 'copy' | 'move',
  sources: string[],
  destination: string,
  trans: TranslationBundle
): Promise<ITransfer | null> {
  const inItself = sources.find(source => isBelow(destination, source));
  if (inItself) {
    throw new Error(trans.__('“%1” cannot be put into itself.', nameOf(inItself)));
  }
  const plan = await model.requests.plan(operation, sources, destination);
  if (plan.files === 0 && plan.conflict_count === 0 && plan.failures.length > 0) {
    const { path, message, hint } = plan.failures[0];
    throw new Error([`${path}: ${message}.`, hint].join(' ').trim());
  }
  if (!(await agreed(plan, operation, destination, trans))) {
    return null;
  }
  let conflict: 'fail' | 'overwrite' | 'skip' | 'newer' = 'fail';
  if (plan.conflict_count > 0) {
    const message = pasteMessage(plan.conflicts, plan.conflict_count, trans);
    const choice = await askConflict(message, trans);
    if (choice === 'cancel') {
      return null;
    }
    conflict = choice;
  }
  return model.start(operation, sources, destination, conflict);
}

/** What a person has been told in this window: nobody is told twice. */
const told = new Set<string>();

/** Ask before a copy that is large, or that something speaks against. */
async function agreed(
  plan: IPlan,
  operation: 'copy' | 'move',
  destination: string,
  trans: TranslationBundle
): Promise<boolean> {
  const advice = (plan.advice ?? []).filter(
    ({ kind }) => kind === 'secret' || !told.has(`${kind} ${parsePath(destination).tier}`)
  );
  if (advice.length === 0 && plan.bytes < LARGE && plan.files < MANY) {
    return true;
  }
  const amount = trans._n('%1 file, %2', '%1 files, %2', plan.files, formatBytes(plan.bytes));
  const size = plan.seconds
    ? trans.__('%1, about %2 at the last speed.', amount, formatDuration(plan.seconds, trans))
    : `${amount}.`;
  const cost =
    plan.cost && plan.cost >= 0.01
      ? [
          trans.__(
            'The cloud asks about $%1 for it, and more for what leaves the cloud.',
            plan.cost.toFixed(2)
          )
        ]
      : [];
  const reasons = advice.map(({ message, hint }) => `${message}. ${hint}`);
  const label = operation === 'copy' ? trans.__('Copy') : trans.__('Move');
  const result = await showDialog({
    title: trans.__('%1 to %2?', label, destination),
    body: [size, ...cost, ...reasons].join(' '),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: advice.length > 0 ? trans.__('%1 Anyway', label) : label })
    ],
    defaultButton: advice.length > 0 ? 0 : 1
  });
  if (result.button.accept) {
    advice.forEach(({ kind }) => told.add(`${kind} ${parsePath(destination).tier}`));
  }
  return result.button.accept;
}
