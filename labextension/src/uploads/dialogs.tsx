import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { formatBytes, formatMoment } from '../format';
import { directoryOf, nameOf } from '../paths';
import type { IUpload } from '../records';
import type { IAnswer, IQuestion } from './conflicts';
import { modifiedOf } from './measuring';

/** Ask what to do with a file that exists already. */
export async function askConflict(
  { item, existing, others }: IQuestion,
  trans: TranslationBundle
): Promise<IAnswer> {
  const describe = (size: number | null, modified: string | null) =>
    [formatBytes(size), modified && formatMoment(modified)].filter(Boolean).join(', ');
  const body = ReactWidget.create(
    <div className="jp-Storage-conflict">
      <p>{trans.__('“%1” exists already in %2.', nameOf(item.path), directoryOf(item.path))}</p>
      <dl>
        <dt>{trans.__('There:')}</dt>
        <dd>{describe(existing.size, existing.modified)}</dd>
        <dt>{trans.__('Yours:')}</dt>
        <dd>{describe(item.blob?.size ?? null, modifiedOf(item)?.toISOString() ?? null)}</dd>
      </dl>
    </div>
  );
  const choices: [string, string, IAnswer['choice']][] = [
    [trans.__('Cancel'), trans.__('Upload nothing'), 'cancel'],
    [trans.__('Skip'), trans.__('Leave the file that is there'), 'skip'],
    [trans.__('Keep Newer'), trans.__('Replace it only if yours is newer'), 'newer'],
    [trans.__('Keep Both'), trans.__('Give yours another name'), 'both'],
    [trans.__('Replace'), trans.__('Replace the file that is there'), 'overwrite']
  ];
  const result = await showDialog({
    title: trans.__('Already There'),
    body,
    buttons: choices.map(([label, caption, choice]) =>
      choice === 'cancel'
        ? Dialog.cancelButton({ label, caption })
        : choice === 'overwrite'
          ? Dialog.warnButton({ label, caption, actions: [choice] })
          : Dialog.createButton({ label, caption, accept: true, actions: [choice] })
    ),
    // The harmless choice, not the one that replaces.
    defaultButton: 1,
    checkbox:
      others > 0
        ? {
            label: trans._n(
              'Do the same for %1 other that exists',
              'Do the same for all %1 others that exist',
              others
            ),
            checked: false
          }
        : null
  });
  const choice = result.button.actions[0] as IAnswer['choice'] | undefined;
  return { choice: choice ?? 'cancel', all: result.isChecked ?? false };
}

/** Say that a chosen file is not the one of which a part has arrived; true to choose again. */
export async function explainOther(
  upload: IUpload,
  file: File,
  trans: TranslationBundle
): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Another File'),
    body: trans.__(
      '“%1” (%2) is not the file of which a part has arrived: that one had %3, and the content or the time may differ as well. Choose the same file, or discard what has arrived and upload this one.',
      file.name,
      formatBytes(file.size),
      formatBytes(upload.size)
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Choose Again…') })
    ]
  });
  return button.accept;
}

/** Ask before what has arrived of an upload is thrown away. */
export async function confirmDiscard(upload: IUpload, trans: TranslationBundle): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Discard Upload'),
    body: trans.__(
      '%1 of “%2” have arrived, and will be deleted from the server. Your own file stays as it is.',
      formatBytes(upload.offset),
      nameOf(upload.path)
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Discard') })
    ],
    defaultButton: 0
  });
  return button.accept;
}
