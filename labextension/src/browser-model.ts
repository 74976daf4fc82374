import { type ISignal, Signal } from '@lumino/signaling';

import { explain } from './errors';
import { formatPath, parentKey } from './paths';
import type { IEntry, SortKey } from './records';
import type { Requests } from './requests';

/** A directory as it is browsed: pages, order, selection, and the row that has the focus. */
export class BrowserModel {
  constructor(
    private readonly _requests: Requests,
    private readonly _pageSize: number = 500
  ) {}

  /** Anything below has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  tier = '';
  key = '';
  entries: readonly IEntry[] = [];
  sort: SortKey = 'name';
  descending = false;
  /** What names must have in them; null while there is no filter. */
  filter: string | null = null;
  loading = false;
  /** Why the directory cannot be shown. */
  error = '';
  /** Whether there are further pages. */
  more = false;
  /** Index of the row with the focus. */
  active = 0;
  /** Counts the moves of the focus that a person made, so that the view follows those only. */
  focusRequests = 0;

  /** The directory: `tier:key`. */
  get path(): string {
    return formatPath(this.tier, this.key);
  }

  /** The selected entries, in their order on the screen. */
  get selected(): IEntry[] {
    return this.entries.filter(entry => this._selection.has(entry.path));
  }

  /** How many are selected; cheaper than asking which. */
  get selectedCount(): number {
    return this._selection.size;
  }

  isSelected(entry: IEntry): boolean {
    return this._selection.has(entry.path);
  }

  /** Show a directory. */
  async open(tier: string, key = '', focus?: string): Promise<void> {
    this.tier = tier;
    this.key = key;
    this.filter = null;
    this.entries = [];
    this._selection.clear();
    this.active = 0;
    await this.load(focus);
  }

  /** Show the directory above, with the focus on where we came from. */
  async up(): Promise<void> {
    if (this.key) {
      const from = this.path;
      await this.open(this.tier, parentKey(this.key), from);
      this.focusRequests += 1;
      this._changed.emit();
    }
  }

  /** Ask again, and keep selection and focus where they are still there. */
  async refresh(): Promise<void> {
    if (this.tier) {
      await this.load(this.entries[this.active]?.path, this.entries.length);
    }
  }

  /** Order by a column; the same column again turns the order round. */
  async sortBy(sort: SortKey): Promise<void> {
    this.descending = this.sort === sort ? !this.descending : sort !== 'name';
    this.sort = sort;
    await this.load();
  }

  /** Show only names with a text in them; null takes the filter away. */
  async setFilter(text: string | null): Promise<void> {
    const before = this.filter ?? '';
    this.filter = text;
    this._changed.emit();
    if (before !== (text ?? '')) {
      await this.load(this.entries[this.active]?.path);
    }
  }

  /** Fetch the next page, if there is one and it is not on its way. */
  async loadMore(): Promise<void> {
    if (!this.more || this.loading) {
      return;
    }
    const version = this._version;
    this.loading = true;
    this._changed.emit();
    try {
      const page = await this._requests.list(this.path, this.query(this._cursor));
      if (version !== this._version) {
        return;
      }
      // Something made between two pages may come twice: rows must be unique.
      const fresh = page.entries.filter(entry => !this._paths.has(entry.path));
      fresh.forEach(entry => this._paths.add(entry.path));
      this.entries = [...this.entries, ...fresh];
      this._cursor = page.cursor;
      this.more = page.cursor !== null;
    } catch (error) {
      if (version === this._version) {
        this.error = explain(error);
        this.more = false;
      }
    }
    if (version === this._version) {
      this.loading = false;
      this._changed.emit();
    }
  }

  /** Move the focus; `extend` selects up to it, `keep` leaves the selection alone. */
  focus(index: number, how: 'select' | 'extend' | 'keep' = 'select'): void {
    if (this.entries.length === 0) {
      return;
    }
    this.active = Math.max(0, Math.min(index, this.entries.length - 1));
    this.focusRequests += 1;
    if (how === 'select') {
      this._anchor = this.active;
      this._selection = new Set([this.entries[this.active].path]);
    } else if (how === 'extend') {
      const [from, to] = [this._anchor, this.active].sort((a, b) => a - b);
      this._selection = new Set(this.entries.slice(from, to + 1).map(entry => entry.path));
    }
    this._changed.emit();
  }

  /** Move the focus to a path, if it is loaded. */
  focusPath(path: string): void {
    const index = this.entries.findIndex(entry => entry.path === path);
    if (index >= 0) {
      this.focus(index);
    }
  }

  /** Add a row to the selection, or take it out. */
  toggle(index: number): void {
    const entry = this.entries[index];
    if (entry) {
      this.active = index;
      this._anchor = index;
      this.focusRequests += 1;
      if (!this._selection.delete(entry.path)) {
        this._selection.add(entry.path);
      }
      this._changed.emit();
    }
  }

  /** Select everything that is loaded. */
  selectAll(): void {
    this._selection = new Set(this.entries.map(entry => entry.path));
    this._changed.emit();
  }

  clearSelection(): void {
    this._selection.clear();
    this._changed.emit();
  }

  /** Put the focus on the next row whose name begins with the text, after the active one. */
  typeAhead(text: string): void {
    const wanted = text.toLocaleLowerCase();
    const count = this.entries.length;
    // A single letter goes on to the next match; more letters refine the one that has the focus.
    const first = text.length > 1 ? this.active : this.active + 1;
    for (let step = 0; step < count; step++) {
      const index = (first + step) % count;
      if (this.entries[index].name.toLocaleLowerCase().startsWith(wanted)) {
        this.focus(index);
        return;
      }
    }
  }

  private async load(focus?: string, atLeast = 0): Promise<void> {
    const version = ++this._version;
    this.loading = true;
    this.error = '';
    this._changed.emit();
    try {
      let page = await this._requests.list(this.path, this.query(null));
      let entries = page.entries;
      while (page.cursor && entries.length < atLeast && version === this._version) {
        page = await this._requests.list(this.path, this.query(page.cursor));
        entries = [...entries, ...page.entries];
      }
      if (version !== this._version) {
        return;
      }
      this.entries = entries;
      this._cursor = page.cursor;
      this.more = page.cursor !== null;
    } catch (error) {
      if (version !== this._version) {
        return;
      }
      this.entries = [];
      this.more = false;
      this.error = explain(error);
    }
    this.loading = false;
    this._paths = new Set(this.entries.map(entry => entry.path));
    this._selection = new Set([...this._selection].filter(path => this._paths.has(path)));
    const index = focus ? this.entries.findIndex(entry => entry.path === focus) : -1;
    this.active = index >= 0 ? index : Math.max(0, Math.min(this.active, this.entries.length - 1));
    this._anchor = this.active;
    this._changed.emit();
  }

  private query(cursor: string | null) {
    return {
      cursor,
      limit: this._pageSize,
      sort: this.sort,
      descending: this.descending,
      match: this.filter ?? ''
    };
  }

  private readonly _changed = new Signal<this, void>(this);
  private _selection = new Set<string>();
  private _paths = new Set<string>();
  private _anchor = 0;
  private _cursor: string | null = null;
  /** Answers to questions that are no longer asked are dropped. */
  private _version = 0;
}
