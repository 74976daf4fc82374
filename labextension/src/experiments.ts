import { Clipboard, InputDialog, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { explain } from './errors';
import { formatAgo } from './format';
import type { StorageModel } from './model';
import { formatPath, nameOf, parentKey, parsePath } from './paths';
import type { IExperiment } from './records';
import { removeEntries } from './removing';

/** Look in all tiers that answer, side by side; the newest first. */
export async function findExperiments(
  model: StorageModel
): Promise<{ experiments: IExperiment[]; left: string[] }> {
  const left: string[] = [];
  const experiments: IExperiment[] = [];
  await Promise.all(
    model.tiers.map(async ({ name }) => {
      try {
        const page = await model.requests.experiments(`${name}:`);
        experiments.push(...page.experiments);
        if (!page.complete || page.cursor !== null) {
          left.push(`${name}:`);
        }
      } catch (error) {
        left.push(`${name}: ${explain(error)}`);
      }
    })
  );
  experiments.sort((a, b) => (b.modified ?? '').localeCompare(a.modified ?? ''));
  return { experiments, left };
}

/** A number as short as it can be told. */
export function numberText(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** Parameters or metrics in one line. */
export function pairsText(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(
      ([name, value]) => `${name}=${typeof value === 'number' ? numberText(value) : String(value)}`
    )
    .join(', ');
}

/** Python code that goes on with an experiment. */
export function restoreCode(path: string, kind: string): string {
  const { tier, key } = parsePath(path);
  const above = parentKey(key);
  const where = JSON.stringify(above ? formatPath(tier, above) : tier);
  const name = JSON.stringify(nameOf(path));
  if (kind === 'train') {
    return [
      'from jupyter_storage.ray import run_config',
      '',
      '# For the trainer: it goes on from the newest checkpoint.',
      `config = run_config(${name}, ${where}, library="train", resume=True)`
    ].join('\n');
  }
  return [
    'from jupyter_storage.ray import location',
    'from ray import tune',
    '',
    'tuner = tune.Tuner.restore(',
    `    **location(${name}, ${where}),`,
    '    trainable=train,  # as it was defined for the first run',
    '    resume_errored=True,',
    ')',
    'results = tuner.fit()'
  ].join('\n');
}

/** Copy a checkpoint, the best unless told, into a folder that a person names. */
export async function fetchCheckpoint(
  model: StorageModel,
  args: { path: string; metric?: string | null; mode?: 'min' | 'max'; checkpoint?: string },
  trans: TranslationBundle
): Promise<void> {
  const checkpoint =
    args.checkpoint ??
    (
      await model.requests.bestCheckpoint(
        args.path,
        args.metric ? { metric: args.metric, mode: args.mode } : {}
      )
    ).path;
  const result = await InputDialog.getText({
    title: trans.__('Fetch Checkpoint'),
    label: trans.__('Folder that “%1” is copied into', nameOf(checkpoint)),
    text: `local:checkpoints/${nameOf(args.path)}`,
    okLabel: trans.__('Copy')
  });
  if (result.button.accept && result.value) {
    await model.requests.transfer('copy', [checkpoint], result.value);
  }
}

/** Put code that goes on with an experiment into the notebook that is open, or on the clipboard. */
export async function insertRestore(
  commands: CommandRegistry,
  args: { path: string; kind: string },
  trans: TranslationBundle
): Promise<void> {
  const code = restoreCode(args.path, args.kind);
  const insert = 'notebook:insert-cell-below';
  if (commands.hasCommand(insert) && commands.isEnabled(insert)) {
    await commands.execute(insert);
    await commands.execute('notebook:replace-selection', { text: code });
    return;
  }
  Clipboard.copyToSystem(code);
  Notification.info(trans.__('No notebook is open: the code is on the clipboard.'), {
    autoClose: 5000
  });
}

/** Milliseconds in which an experiment that runs writes its state: as the server has it. */
const RUNNING = 10 * 60_000;

/** Delete an experiment, after a question that says what is lost; tell whether it was. */
export async function removeExperiment(
  model: StorageModel,
  args: { path: string },
  trans: TranslationBundle
): Promise<boolean> {
  const [entry, { trials, modified }] = await Promise.all([
    model.requests.stat(args.path),
    model.requests.experiment(args.path)
  ]);
  const loss = trans._n(
    '%1 trial with all its checkpoints.',
    '%1 trials with all their checkpoints.',
    trials ?? 0
  );
  const fresh = modified !== null && Date.now() - Date.parse(modified) < RUNNING;
  const warning = trans.__(
    'It changed %1, and may be running: stop it first.',
    formatAgo(modified, trans, Date.now())
  );
  return removeEntries(model, [entry], trans, { loss, warning: fresh ? warning : '' });
}
