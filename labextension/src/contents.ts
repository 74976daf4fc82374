/** Between a file's bytes and the models in which JupyterLab's editors take them. */

import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';

import { fromBase64, toBase64 } from './chunks';
import { parseNotebook, serializeNotebook } from './notebook';
import { baseName } from './paths';
import type { IEntry } from './records';

/** As what a file is opened; a null format is found out from the bytes. */
export interface IKind {
  type: 'notebook' | 'file';
  format: 'json' | 'text' | 'base64' | null;
}

/** As what a file is to be opened: what was asked for, else by its name. */
export function kindOf(
  name: string,
  options: { type?: string; format?: Contents.FileFormat }
): IKind {
  const asked = options.type;
  // A file type of JupyterLab may ask for anything but these two words; it means a file.
  if (asked === 'notebook' || (!asked && !options.format && name.endsWith('.ipynb'))) {
    return { type: 'notebook', format: 'json' };
  }
  const format = options.format === 'text' || options.format === 'base64' ? options.format : null;
  return { type: 'file', format };
}

/** Turn bytes into content. */
export function decode(
  bytes: ArrayBuffer,
  kind: IKind,
  trans: TranslationBundle
): { content: string | JSONObject; format: 'json' | 'text' | 'base64' } {
  if (kind.type === 'notebook') {
    return { content: parseNotebook(utf8(bytes, trans), trans), format: 'json' };
  }
  if (kind.format === 'base64') {
    return { content: toBase64(new Uint8Array(bytes)), format: 'base64' };
  }
  try {
    return { content: utf8(bytes, trans), format: 'text' };
  } catch (error) {
    if (kind.format === 'text') {
      throw error;
    }
    return { content: toBase64(new Uint8Array(bytes)), format: 'base64' };
  }
}

/** Turn what an editor saves into bytes. */
export function encode(model: Partial<Contents.IModel>): Blob {
  if (model.type === 'notebook') {
    return new Blob([serializeNotebook(model.content as JSONObject)]);
  }
  if (model.format === 'base64') {
    return new Blob([fromBase64(String(model.content ?? ''))]);
  }
  const content: unknown = model.content ?? '';
  return new Blob([typeof content === 'string' ? content : JSON.stringify(content, null, 2)]);
}

/** A file's model; without content where that is null. */
export function fileModel(
  entry: IEntry,
  localPath: string,
  type: IKind['type'],
  format: Contents.FileFormat | null,
  content: string | JSONObject | null
): Contents.IModel {
  return {
    name: baseName(localPath),
    path: localPath,
    type,
    writable: true,
    created: entry.modified ?? '',
    last_modified: entry.modified ?? '',
    mimetype: type === 'notebook' ? 'application/x-ipynb+json' : '',
    size: entry.size ?? undefined,
    // JupyterLab's type leaves out the null that its own server sends.
    format: format,
    content
  };
}

function utf8(bytes: ArrayBuffer, trans: TranslationBundle): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(
      trans.__('This file is not UTF-8 text. Download it, or open it with another editor.')
    );
  }
}
