import { showErrorMessage } from '@jupyterlab/apputils';
import { closeIcon, type LabIcon, pauseIcon, runIcon } from '@jupyterlab/ui-components';

import { choose } from '../choosing';
import { explain } from '../errors';
import { formatAgo, formatBytes } from '../format';
import { paste } from '../pasting';
import { directoryOf, formatPath, isBelow, joinKeys, nameOf, parentKey, parsePath } from '../paths';
import { isFinished, type IFailure, type ITransfer, type IUpload, type JobState } from '../records';
import { titleOfJob, titleOfTransfer } from '../titles';
import { confirmDiscard, explainOther } from '../uploads/dialogs';
import type { UploadJob } from '../uploads/job';
import type { IPanelContext } from './context';

/** Something that can be done with a transfer. */
export interface IAction {
  label: string;
  /** With an icon it stands beside the title, else below. */
  icon?: LabIcon;
  run: () => void;
}

/** A transfer as it is shown, whatever moves the bytes. */
export interface IItem {
  id: string;
  title: string;
  state: JobState | 'interrupted';
  bytesDone: number;
  bytesTotal: number | null;
  filesDone: number;
  filesTotal: number | null;
  skipped: number;
  /** What counts for the speed. */
  moved: number;
  failures: readonly IFailure[];
  failureCount: number;
  /** Tries a single failure again; null where that cannot be. */
  retry: (failure: IFailure) => (() => void) | null;
  waiting: boolean;
  /** The file under way. */
  current: string;
  /** What else there is to say. */
  note: string;
  actions: IAction[];
}

const NOTHING = {
  bytesDone: 0,
  bytesTotal: null,
  filesDone: 0,
  filesTotal: null,
  skipped: 0,
  moved: 0,
  failures: [],
  failureCount: 0,
  retry: () => null,
  waiting: false,
  current: '',
  note: ''
};

/** Everything that the section lists: under way first, then what waits for a person, then the rest. */
export function allItems(context: IPanelContext): IItem[] {
  const { model } = context;
  const own = [
    ...model.uploads.jobs.map(job => fromJob(job, context)),
    ...model.transfers.map(record => fromTransfer(record, context))
  ];
  return [
    ...own.filter(item => !isOver(item)),
    ...model.uploads.unfinished.map(upload => fromUnfinished(upload, context)),
    ...model.interrupted.map(record => fromInterrupted(record, context)),
    ...own.filter(isOver)
  ];
}

/** Whether nothing will change any more. */
export function isOver({ state }: IItem): boolean {
  return state !== 'interrupted' && isFinished(state);
}

function fromJob(job: UploadJob, context: IPanelContext): IItem {
  const { model, trans } = context;
  const actions = ending(job, () => job.cancel(), context);
  if (job.state === 'paused') {
    actions.unshift({ label: trans.__('Resume'), icon: runIcon, run: () => job.resume() });
  } else if (job.state === 'running') {
    actions.unshift({ label: trans.__('Pause'), icon: pauseIcon, run: () => job.pause() });
  }
  if (isFinished(job.state) && job.failed.length > 0) {
    actions.push({ label: trans.__('Try Again'), run: () => void model.uploads.retry(job) });
  }
  return {
    ...NOTHING,
    id: job.id,
    title: titleOfJob(job, trans),
    state: job.state,
    bytesDone: job.bytesDone,
    bytesTotal: job.bytesTotal,
    filesDone: job.filesDone,
    filesTotal: job.filesTotal,
    skipped: job.filesSkipped,
    moved: job.bytesSent,
    failures: job.failures,
    failureCount: job.failures.length,
    retry: ({ path }) =>
      isFinished(job.state) && job.failures.length > 1
        ? () => void model.uploads.retry(job, path)
        : null,
    waiting: job.waitingSince !== null,
    current: job.items.length > 1 ? job.current : '',
    actions
  };
}

function fromTransfer(record: ITransfer, context: IPanelContext): IItem {
  const { model, trans } = context;
  const { sources, destination, operation } = record;
  const actions = ending(record, () => void model.cancel(record.id), context);
  const again = operation === 'copy' || operation === 'move' ? operation : null;
  if (isFinished(record.state) && record.failure_count > 0 && again && destination) {
    actions.push({
      label: trans.__('Try Again'),
      run: attempt(trans.__('Try Again'), async () => {
        // Asks about what has arrived, as any paste does.
        if (await paste(model, again, sources, destination, trans)) {
          model.dismiss(record.id);
        }
      })
    });
  }
  return {
    ...NOTHING,
    id: record.id,
    title: titleOfTransfer(record, trans),
    state: record.state,
    bytesDone: record.bytes_done,
    bytesTotal: record.bytes_total,
    filesDone: record.files_done,
    filesTotal: record.files_total,
    skipped: record.files_skipped,
    moved: record.bytes_done,
    failures: record.failures,
    failureCount: record.failure_count,
    retry: ({ path }) => {
      const folder = again && destination ? folderOfCopy(path, sources, destination) : null;
      return isFinished(record.state) && record.failure_count > 1 && folder
        ? attempt(trans.__('Try Again'), async () => {
            await paste(model, again!, [path], folder, trans);
          })
        : null;
    },
    current: record.files_total === 1 ? '' : (record.current ?? ''),
    actions
  };
}

/** A transfer that a crash or a restart of the server has cut off. */
function fromInterrupted(record: ITransfer, context: IPanelContext): IItem {
  const { model, trans } = context;
  const since = formatAgo(record.started, trans);
  return {
    ...NOTHING,
    id: `interrupted-${record.id}`,
    title: titleOfTransfer(record, trans),
    state: 'interrupted',
    note: trans.__(
      '%1, begun %2',
      trans._n('%1 file done', '%1 files done', record.files_done),
      since
    ),
    actions: [
      {
        label: trans.__('Go On'),
        run: attempt(trans.__('Go On'), () => model.goOn(record))
      },
      {
        label: trans.__('Discard'),
        run: attempt(trans.__('Discard'), () => model.forget(record))
      }
    ]
  };
}

/** An upload that a reload, a crash of the browser or another window has left. */
function fromUnfinished(upload: IUpload, context: IPanelContext): IItem {
  const { model, trans } = context;
  const { uploads } = model;
  const goOn = async () => {
    let file = await uploads.reopen(upload);
    while (!file || !(await uploads.isSame(upload, file))) {
      if (file && !(await explainOther(upload, file, trans))) {
        return;
      }
      const [chosen] = await choose('file');
      if (!chosen?.file) {
        return;
      }
      file = chosen.file;
    }
    await uploads.goOn(upload, file);
  };
  const discard = async () => {
    if (await confirmDiscard(upload, trans)) {
      await uploads.discard(upload);
    }
  };
  return {
    ...NOTHING,
    id: `unfinished-${upload.id}`,
    title: trans.__('Upload %1 to %2', nameOf(upload.path), directoryOf(upload.path)),
    state: upload.active ? 'running' : 'interrupted',
    bytesDone: upload.offset,
    bytesTotal: upload.size,
    moved: upload.offset,
    note: upload.active
      ? trans.__('another window is sending it')
      : trans.__('%1 of %2 have arrived', formatBytes(upload.offset), formatBytes(upload.size)),
    actions: upload.active
      ? []
      : [
          { label: trans.__('Go On…'), run: attempt(trans.__('Go On'), goOn) },
          { label: trans.__('Discard…'), run: attempt(trans.__('Discard'), discard) }
        ]
  };
}

/** The cross: cancels, or takes a finished one off the list. */
function ending(
  { id, state }: { id: string; state: JobState },
  cancel: () => void,
  { model, trans }: IPanelContext
): IAction[] {
  return isFinished(state)
    ? [{ label: trans.__('Dismiss'), icon: closeIcon, run: () => model.dismiss(id) }]
    : [{ label: trans.__('Cancel'), icon: closeIcon, run: cancel }];
}

function attempt(title: string, work: () => Promise<void>): () => void {
  return () => void work().catch(error => showErrorMessage(title, explain(error)));
}

/** Where a file of a copy was to go: sources land under their own names. Null for what was none. */
function folderOfCopy(
  path: string,
  sources: readonly string[],
  destination: string
): string | null {
  const source = sources.find(each => path === each || isBelow(path, each));
  if (!source) {
    return null;
  }
  const above = parentKey(parsePath(source).key);
  const folder = parentKey(parsePath(path).key);
  const { tier, key } = parsePath(destination);
  return formatPath(tier, joinKeys(key, folder.slice(above.length).replace(/^\//, '')));
}
