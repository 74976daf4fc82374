import { type ISignal, Signal } from '@lumino/signaling';

import type { BrowserModel } from './browser-model';
import { explain } from './errors';
import type { IEntry, IPreview } from './records';
import type { Requests } from './requests';

/** Pause on a row before its file is looked into, in milliseconds: arrow keys pass over many. */
const PAUSE = 120;

/** What the file with the focus looks like; it follows the focus while it is open. */
export class PreviewModel {
  constructor(
    private readonly _browser: BrowserModel,
    private readonly _requests: Requests
  ) {
    _browser.changed.connect(() => this.follow());
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether it is open. */
  shown = false;
  entry: IEntry | null = null;
  /** Of `entry`; null until it is there. */
  preview: IPreview | null = null;
  /** Address of an image's bytes, in this page. */
  image = '';
  error = '';

  open(): void {
    this.shown = true;
    this.follow();
    this._changed.emit();
  }

  /** Close it; false where it was not open. */
  close(): boolean {
    const { shown } = this;
    this.shown = false;
    this.show(null);
    return shown;
  }

  /** Go to the next or the previous row. */
  step(by: number): void {
    this._browser.focus(this._browser.active + by);
  }

  /** Look again. */
  retry(): void {
    this.show(this.entry);
  }

  private follow(): void {
    const entry = this._browser.entries[this._browser.active] ?? null;
    // While a folder is loading, what was shown stays.
    if (this.shown && entry && !same(entry, this.entry)) {
      this.show(entry);
    }
  }

  private show(entry: IEntry | null): void {
    window.clearTimeout(this._timer);
    this._abort.abort();
    URL.revokeObjectURL(this.image);
    this.entry = entry;
    this.preview = null;
    this.image = '';
    this.error = '';
    if (entry) {
      this._abort = new AbortController();
      const { signal } = this._abort;
      this._timer = window.setTimeout(() => void this.load(entry.path, signal), PAUSE);
    }
    this._changed.emit();
  }

  private async load(path: string, signal: AbortSignal): Promise<void> {
    try {
      const preview = await this._requests.preview(path, signal);
      let image = '';
      if (preview.kind === 'image') {
        const bytes = await this._requests.read(path, signal);
        // Only ever as an image: what is in it runs nowhere.
        image = URL.createObjectURL(new Blob([bytes], { type: preview.media_type! }));
      }
      if (signal.aborted) {
        URL.revokeObjectURL(image);
        return;
      }
      this.preview = preview;
      this.image = image;
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      this.error = explain(error);
    }
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _abort = new AbortController();
  private _timer = 0;
}

function same(a: IEntry, b: IEntry | null): boolean {
  return a.path === b?.path && a.modified === b.modified && a.size === b.size;
}
