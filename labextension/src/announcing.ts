import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { StorageModel } from './model';
import type { ITransfer } from './records';
import { titleOfJob, titleOfTransfer } from './titles';
import { UploadJob } from './uploads/job';

/** What says its end by itself, or whose end nobody waits for. */
const SILENT = ['delete', 'undelete', 'empty trash', 'restore'];

/** Says once of each upload and transfer that it has ended, to who does not see the panel. */
export function announceEnds(
  model: StorageModel,
  isSeen: () => boolean,
  show: () => void,
  trans: TranslationBundle
): void {
  model.finished.connect((_, item) => {
    const { state } = item;
    const isJob = item instanceof UploadJob;
    if (isSeen() || state === 'cancelled' || (!isJob && SILENT.includes(item.operation))) {
      return;
    }
    const title = isJob ? titleOfJob(item, trans) : titleOfTransfer(item, trans);
    const actions = [{ label: trans.__('Show Storage'), callback: show }];
    if (state === 'done') {
      Notification.success(trans.__('Done: %1', title), { autoClose: 10_000, actions });
    } else {
      const count = failureCount(item);
      const what = trans._n('%1 file not done', '%1 files not done', count);
      Notification.error(trans.__('%1: %2', what, title), { autoClose: false, actions });
    }
  });
}

function failureCount(item: ITransfer | UploadJob): number {
  return item instanceof UploadJob ? item.failures.length : item.failure_count;
}
