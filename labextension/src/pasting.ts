import type { TranslationBundle } from '@jupyterlab/translation';

import { askConflict, pasteMessage } from './dialogs';
import type { StorageModel } from './model';
import { isBelow, nameOf } from './paths';
import type { ITransfer } from './records';

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
  let conflict: 'fail' | 'overwrite' | 'skip' | 'newer' = 'fail';
  if (plan.conflict_count > 0) {
    const message = pasteMessage(plan.conflicts, plan.conflict_count, trans);
    const { choice } = await askConflict(message, false, trans);
    if (choice === 'cancel') {
      return null;
    }
    conflict = choice;
  }
  return model.start(operation, sources, destination, conflict);
}
