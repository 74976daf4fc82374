import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { nameOf, nameProblem } from './paths';

/** Names that a question lists before it counts the rest. */
const LISTED = 5;

/** Ask what to do where files exist already. */
export async function askConflict(
  message: string,
  trans: TranslationBundle
): Promise<'overwrite' | 'skip' | 'newer' | 'cancel'> {
  const choices: [string, 'overwrite' | 'skip' | 'newer' | 'cancel'][] = [
    [trans.__('Cancel'), 'cancel'],
    [trans.__('Skip'), 'skip'],
    [trans.__('Keep Newer'), 'newer'],
    [trans.__('Replace'), 'overwrite']
  ];
  const result = await showDialog({
    title: trans.__('Already There'),
    body: message,
    buttons: choices.map(([label, choice]) =>
      choice === 'cancel'
        ? Dialog.cancelButton({ label })
        : choice === 'overwrite'
          ? Dialog.warnButton({ label, actions: [choice] })
          : Dialog.createButton({ label, accept: true, actions: [choice] })
    ),
    // The harmless choice, not the one that replaces.
    defaultButton: 1
  });
  const choice = result.button.actions[0] as 'overwrite' | 'skip' | 'newer' | undefined;
  return choice ?? 'cancel';
}

/** Ask for a name until it is one that can be given, or the person gives up. */
export async function askName(
  title: string,
  label: string,
  initial: string,
  okLabel: string,
  trans: TranslationBundle
): Promise<string | null> {
  let text = initial;
  let problem = '';
  for (;;) {
    const dot = text.lastIndexOf('.');
    const result = await InputDialog.getText({
      title,
      label: problem ? `${problem} ${label}` : label,
      text,
      okLabel,
      // As in the file browser: the extension mostly stays.
      selectionRange: dot > 0 ? dot : text.length
    });
    if (!result.button.accept || result.value === null) {
      return null;
    }
    text = result.value;
    switch (nameProblem(text)) {
      case null:
        return text;
      case 'empty':
        problem = trans.__('A name cannot be empty.');
        break;
      case 'slash':
        problem = trans.__('A name cannot contain a slash.');
        break;
      case 'dots':
        problem = trans.__('“.” and “..” are not names.');
        break;
    }
  }
}

/** The question for a paste whose targets exist in part. */
export function pasteMessage(
  conflicts: readonly string[],
  count: number,
  trans: TranslationBundle
): string {
  const names = conflicts.slice(0, LISTED).map(path => `“${nameOf(path)}”`);
  if (count > names.length) {
    names.push(trans._n('%1 more', '%1 more', count - names.length));
  }
  return trans._n(
    '%1 file exists in the target: %2.',
    '%1 files exist in the target: %2.',
    count,
    names.join(', ')
  );
}

/** Let the browser save bytes. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.appendChild(link);
  link.click();
  link.remove();
  // The browser has begun to read by then.
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
