import { Dialog, Notification, ReactWidget, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { RemovalQuestion } from './components/RemovalQuestion';
import { explain } from './errors';
import { formatBytes } from './format';
import type { StorageModel } from './model';
import { formatPath, nameOf } from './paths';
import type { IEntry, IRemovalPlan, ITransfer, ITrashItem } from './records';

/** Milliseconds in which a plan is waited for before the question is shown without it. */
const PATIENCE = 150;
/** Milliseconds for which an undo is offered. */
const OFFERED = 20_000;

/** What a question about a deletion says beside names and sizes. */
export interface IRemovalNotes {
  loss: string;
  warning: string;
}

/** Ask, delete (into the trash where that can be), and offer to undo it. */
export async function removeEntries(
  model: StorageModel,
  entries: readonly IEntry[],
  trans: TranslationBundle,
  notes?: IRemovalNotes
): Promise<boolean> {
  const paths = entries.map(entry => entry.path);
  const gone = new AbortController();
  let plan: IRemovalPlan | null = null;
  const counted = model.requests.planRemoval(paths, gone.signal).then(found => (plan = found));
  // Most answers are there at once: then the question does not change under the reader.
  await Promise.race([
    counted.catch(() => null),
    new Promise(resolve => window.setTimeout(resolve, PATIENCE))
  ]);
  try {
    const accepted = await ask(entries, counted, trans, notes);
    if (!accepted) {
      return false;
    }
    // Who is quicker than the count still gets the trash where there is one.
    plan ??= await counted;
  } finally {
    gone.abort();
  }
  await remove(model, paths, plan.undoable, trans);
  return true;
}

/** Delete one deletion, or all of a tier's trash, for good, after a question. */
export async function emptyTrash(
  model: StorageModel,
  tier: string,
  item: ITrashItem | null,
  trans: TranslationBundle
): Promise<boolean> {
  const result = await showDialog({
    title: item ? trans.__('Delete for Good?') : trans.__('Empty the Trash of %1?', tier),
    body: item
      ? trans.__(
          '%1, deleted from %2, is lost then.',
          amount(item.files, item.bytes, true, trans),
          item.paths[0]
        )
      : trans.__('Everything in it is lost then. This cannot be undone.'),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: item ? trans.__('Delete') : trans.__('Empty') })
    ],
    defaultButton: 0
  });
  if (result.button.accept) {
    const where = formatPath(tier, item?.id ?? '');
    await model.settle(await model.requests.emptyTrash(where));
  }
  return result.button.accept;
}

async function ask(
  entries: readonly IEntry[],
  counted: Promise<IRemovalPlan>,
  trans: TranslationBundle,
  notes?: IRemovalNotes
): Promise<boolean> {
  const result = await showDialog({
    title:
      entries.length === 1
        ? trans.__('Delete')
        : trans._n('Delete %1 Item', 'Delete %1 Items', entries.length),
    body: ReactWidget.create(
      <RemovalQuestion entries={entries} counted={counted} notes={notes} trans={trans} />
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Delete') })
    ],
    defaultButton: 0
  });
  return result.button.accept;
}

/** Delete what was agreed to, and say so with a way back. */
async function remove(
  model: StorageModel,
  paths: string[],
  undoable: boolean,
  trans: TranslationBundle
): Promise<ITransfer> {
  if (!undoable) {
    return model.start('delete', paths);
  }
  const record = await model.settle(await model.requests.trash(paths));
  const trashed = record.trashed ?? [];
  if (record.files_done > 0 && trashed.length > 0) {
    model.lastDeleted = trashed;
    const what =
      paths.length === 1
        ? `“${nameOf(paths[0])}”`
        : trans._n('%1 item', '%1 items', record.files_done);
    Notification.success(trans.__('%1 is in the trash.', what), {
      autoClose: OFFERED,
      actions: [
        {
          label: trans.__('Undo'),
          caption: trans.__('Bring it back to where it was'),
          callback: () => void undo(model, trashed, trans)
        }
      ]
    });
  }
  return record;
}

/** Bring deletions back; `where` has `tier:ID`. */
export async function undo(
  model: StorageModel,
  where: readonly string[],
  trans: TranslationBundle
): Promise<void> {
  model.lastDeleted = model.lastDeleted.filter(each => !where.includes(each));
  try {
    for (const each of where) {
      const record = await model.settle(await model.requests.restoreTrash(each));
      if (record.failure_count > 0) {
        const { path, message, hint } = record.failures[0];
        Notification.error(`${path}: ${message}. ${hint}`.trim(), { autoClose: false });
      } else {
        Notification.success(
          trans._n('%1 item is back.', '%1 items are back.', record.sources.length),
          { autoClose: 5000 }
        );
      }
    }
  } catch (error) {
    Notification.error(explain(error), { autoClose: false });
  }
}

/** Files and bytes as one phrase. */
export function amount(
  files: number,
  bytes: number,
  complete: boolean,
  trans: TranslationBundle
): string {
  const all = trans._n('%1 file, %2', '%1 files, %2', files, formatBytes(bytes));
  return complete ? all : trans.__('more than %1', all);
}
