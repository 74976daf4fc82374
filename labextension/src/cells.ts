/** What is dropped on a code cell of a notebook: code that reads the file, or its path. */

import type { Widget } from '@lumino/widgets';

import { codeFor } from './code';
import { addressOf } from './paths';
import type { IEntry, ITier } from './records';

interface IPosition {
  line: number;
  column: number;
}

/** A cell of JupyterLab, as far as it matters here. */
export interface ICell extends Widget {
  readonly editor: {
    readonly model: {
      sharedModel: {
        getSource(): string;
        updateSource(start: number, end: number, value: string): void;
      };
    };
    getPositionForCoordinate(coordinate: DOMRect): IPosition | null;
    getOffsetAt(position: IPosition): number;
    getPositionAt(offset: number): IPosition | undefined;
    setCursorPosition(position: IPosition): void;
    focus(): void;
  } | null;
}

/**
 * The text for a drop on code.
 *
 * @param before - What stands before the place of the drop.
 * @param isEmpty - Whether the cell holds nothing else.
 */
export function textFor(
  entries: readonly IEntry[],
  tiers: readonly ITier[],
  before: string,
  isEmpty: boolean
): string {
  const [entry] = entries;
  if (isEmpty && entries.length === 1) {
    const code = codeFor(entry, 'pandas') ?? codeFor(entry, 'python');
    if (code) {
      return code;
    }
  }
  const paths = entries.map(({ path }) => addressOf(path, tiers, 'path'));
  // In a string that is open already, quotes would end it.
  return /["']$/.test(before)
    ? paths.join(' ')
    : paths.map(path => JSON.stringify(path)).join(', ');
}

/** Put text where the pointer is, and the cursor behind it. */
export function insertAt(
  { editor }: ICell,
  { clientX, clientY }: MouseEvent,
  makeText: (before: string, isEmpty: boolean) => string
): void {
  if (!editor) {
    return;
  }
  const place = editor.getPositionForCoordinate(new DOMRect(clientX, clientY));
  const { sharedModel } = editor.model;
  const source = sharedModel.getSource();
  const offset = place ? editor.getOffsetAt(place) : source.length;
  const text = makeText(source.slice(0, offset), source.trim() === '');
  sharedModel.updateSource(offset, offset, text);
  const behind = editor.getPositionAt(offset + text.length);
  if (behind) {
    editor.setCursorPosition(behind);
  }
  editor.focus();
}
