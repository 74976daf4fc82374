import type { TranslationBundle } from '@jupyterlab/translation';

import { isOnTier, nameOf } from './paths';
import type { ITransfer } from './records';
import type { UploadJob } from './uploads/job';

/** An upload in a few words. */
export function titleOfJob(job: UploadJob, trans: TranslationBundle): string {
  const what =
    job.items.length === 1
      ? nameOf(job.items[0].path)
      : trans._n('%1 file', '%1 files', job.filesTotal);
  return trans.__('Upload %1 to %2', what, job.destination);
}

/** A transfer in a few words. */
export function titleOfTransfer(record: ITransfer, trans: TranslationBundle): string {
  const what =
    record.sources.length === 1
      ? short(record.sources[0])
      : trans._n('%1 item', '%1 items', record.sources.length);
  const target = record.destination ?? '';
  const titles: Record<string, string> = {
    copy: trans.__('Copy %1 to %2', what, target),
    move: trans.__('Move %1 to %2', what, target),
    sync: trans.__('Sync %1 to %2', what, target),
    delete: trans.__('Delete %1', what),
    undelete: trans.__('Bring back %1', what),
    'empty trash': trans.__('Empty the trash of %1', what),
    upload: trans.__('Publish %1', short(target)),
    restore: trans.__('Restore into %1', target),
    apply: trans.__('Apply %1', what)
  };
  return titles[record.operation] ?? `${record.operation} ${what}`;
}

/** A source may be a URI or a local path too: those keep their full text. */
function short(path: string): string {
  return isOnTier(path) ? nameOf(path) : path;
}
