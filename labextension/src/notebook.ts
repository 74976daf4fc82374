/**
 * Notebooks between the editor and the disk, as nbformat does it.
 *
 * On disk nbformat keeps multi-line strings as lists of lines and sorts keys, so that versions
 * differ only where a person changed something; in the editor they are plain strings.
 * Source of the rules: nbformat's v4 `rwbase.py` (`split_lines`, `rejoin_lines`,
 * `strip_transient`).
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject, JSONValue } from '@lumino/coreutils';

/** An empty notebook. */
export const EMPTY_NOTEBOOK = serializeNotebook({
  cells: [],
  metadata: {},
  nbformat: 4,
  nbformat_minor: 5
});

/**
 * Read a notebook's text.
 *
 * @throws Error where it is no notebook of format 4.
 */
export function parseNotebook(text: string, trans: TranslationBundle): JSONObject {
  let notebook: JSONObject;
  try {
    notebook = JSON.parse(text) as JSONObject;
  } catch {
    throw new Error(
      trans.__('The notebook is not valid JSON. Open it with a text editor to repair it.')
    );
  }
  if (!isObject(notebook) || notebook.nbformat !== 4 || !Array.isArray(notebook.cells)) {
    throw new Error(
      trans.__(
        "This is no notebook of format 4. Convert it with 'jupyter nbconvert --to notebook'."
      )
    );
  }
  return { ...notebook, cells: notebook.cells.map(cell => mapCell(cell, rejoin)) };
}

/** The text of a notebook as nbformat would write it. */
export function serializeNotebook(notebook: JSONObject): string {
  const { orig_nbformat, orig_nbformat_minor, signature, ...metadata } = object(notebook.metadata);
  void [orig_nbformat, orig_nbformat_minor, signature];
  const cells = Array.isArray(notebook.cells) ? notebook.cells : [];
  const plain = {
    ...notebook,
    metadata,
    cells: cells.map(cell => mapCell(withoutTrust(cell), split))
  };
  return `${JSON.stringify(sorted(plain), null, 1)}\n`;
}

function withoutTrust(cell: JSONValue): JSONValue {
  if (!isObject(cell) || !isObject(cell.metadata)) {
    return cell;
  }
  const { trusted, ...metadata } = cell.metadata;
  void trusted;
  return { ...cell, metadata };
}

function mapCell(cell: JSONValue, change: (value: JSONValue) => JSONValue): JSONValue {
  if (!isObject(cell)) {
    return cell;
  }
  const result: JSONObject = { ...cell };
  if ('source' in result) {
    result.source = change(result.source);
  }
  if (isObject(result.attachments)) {
    result.attachments = mapValues(result.attachments, bundle => mapBundle(bundle, change));
  }
  if (Array.isArray(result.outputs)) {
    result.outputs = result.outputs.map(output => {
      if (!isObject(output)) {
        return output;
      }
      const changed: JSONObject = { ...output };
      if ('text' in changed) {
        changed.text = change(changed.text);
      }
      if ('data' in changed) {
        changed.data = mapBundle(changed.data, change);
      }
      return changed;
    });
  }
  return result;
}

function mapBundle(bundle: JSONValue, change: (value: JSONValue) => JSONValue): JSONValue {
  if (!isObject(bundle)) {
    return bundle;
  }
  return mapValues(bundle, (value, type) =>
    // JSON data are values of their own: a list there is a list.
    type === 'application/json' || (type.startsWith('application/') && type.endsWith('+json'))
      ? value
      : change(value)
  );
}

function mapValues(
  value: JSONObject,
  change: (value: JSONValue, key: string) => JSONValue
): JSONObject {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item, key)]));
}

function rejoin(value: JSONValue): JSONValue {
  return Array.isArray(value) && value.every(line => typeof line === 'string')
    ? value.join('')
    : value;
}

function split(value: JSONValue): JSONValue {
  return typeof value === 'string' ? (value.match(/[^\n]*\n|[^\n]+/g) ?? []) : value;
}

function sorted(value: JSONValue): JSONValue {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (isObject(value)) {
    return Object.fromEntries(
      Object.keys(value)
        .sort()
        .map(key => [key, sorted(value[key])])
    );
  }
  return value;
}

function object(value: JSONValue | undefined): JSONObject {
  return isObject(value) ? value : {};
}

function isObject(value: JSONValue | undefined): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
