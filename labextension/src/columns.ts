import { type ISignal, Signal } from '@lumino/signaling';

export type Column = 'modified' | 'size';

/** Pixels. */
const WIDEST = 240;
const NARROWEST = 40;

/** How wide the columns are; the name has what is left. */
export class Columns {
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  readonly narrowest = NARROWEST;
  readonly widest = WIDEST;

  get widths(): Readonly<Record<Column, number>> {
    return this._widths;
  }

  set(column: Column, width: number): void {
    const bounded = Math.round(Math.max(NARROWEST, Math.min(WIDEST, width)));
    if (bounded !== this._widths[column]) {
      this._widths[column] = bounded;
      this._changed.emit();
    }
  }

  /** For the style sheet. */
  get style(): Record<string, string> {
    return {
      '--jp-storage-modified': `${this._widths.modified}px`,
      '--jp-storage-size': `${this._widths.size}px`
    };
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _widths: Record<Column, number> = { modified: 76, size: 56 };
}
