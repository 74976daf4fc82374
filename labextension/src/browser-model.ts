import { type ISignal, Signal } from '@lumino/signaling';

import { explain } from './errors';
import { formatPath, parentKey, parsePath } from './paths';
import type { IEntry, IFinding, SortKey } from './records';
import type { Requests } from './requests';

/** How far a search is. */
export type ISearch = Omit<IFinding, 'entries'>;

const NO_SEARCH: ISearch = { looked: 0, unlisted: 0, done: false, complete: false };
/** Rows that are fetched for one that is to have the focus. */
const SEEK = 5000;

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
  /** Whether the filter looks in folders below too. */
  below = false;
  /** How a search below goes, or went. */
  search: ISearch = NO_SEARCH;
  /** Whether the path is being typed. */
  typing = false;
  loading = false;
  /** Why the directory cannot be shown. */
  error = '';
  /** Whether there are further pages. */
  more = false;
  /** Index of the row with the focus. */
  active = 0;
  /** Counts the moves of the focus that a person made, so that the view follows those only. */
  focusRequests = 0;
  /** The last of them that came before the person turned to the filter or the path. */
  focusReleased = 0;

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

  /** Whether the rows are what a search found, in this folder and those below. */
  get isSearch(): boolean {
    return this.below && Boolean(this.filter);
  }

  /** Show a directory; with `focus`, the page on which that path is, if it is not too far. */
  async open(tier: string, key = '', focus?: string): Promise<void> {
    this.tier = tier;
    this.key = key;
    this.filter = null;
    this.below = false;
    this.typing = false;
    this.entries = [];
    this._selection.clear();
    this.active = 0;
    await this.load(focus, 0, SEEK);
  }

  /** Show the folder that a path lies in, with the focus on it. */
  async reveal(path: string): Promise<void> {
    const { tier, key } = parsePath(path);
    await this.open(tier, parentKey(key), path);
    this.focusPath(path);
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
    if (this.isSearch) {
      this.arrange(this._found, this.entries[this.active]?.path);
      this._changed.emit();
    } else {
      await this.load();
    }
  }

  /** Show only names with a text in them; null takes the filter away. */
  async setFilter(text: string | null): Promise<void> {
    const before = this.filter ?? '';
    if (this.filter === null) {
      this.focusReleased = this.focusRequests;
    }
    this.filter = text;
    this.below &&= text !== null;
    this._changed.emit();
    if (before !== (text ?? '')) {
      await this.load(this.entries[this.active]?.path);
    }
  }

  /** Open the filter such that it looks in folders below too, or only here. */
  async setBelow(below: boolean): Promise<void> {
    this.below = below;
    await this.setFilter(this.filter ?? '');
    if (this.filter) {
      await this.load();
    }
  }

  /** End a search, and keep what it found. */
  stop(): void {
    if (this.loading && this.isSearch) {
      this._version += 1;
      this._abort.abort();
      this.loading = false;
      this._changed.emit();
    }
  }

  /** Let the person type a path, or give that up. */
  typePath(typing: boolean): void {
    this.typing = typing;
    this.focusReleased = this.focusRequests;
    this._changed.emit();
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
      this.focusRequests += 1;
      this._changed.emit();
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

  private async load(focus?: string, atLeast = 0, seek = 0): Promise<void> {
    const version = ++this._version;
    this._abort.abort();
    this.loading = true;
    this.error = '';
    this._changed.emit();
    try {
      if (this.isSearch) {
        await this.find(version, focus, atLeast > 0);
      } else {
        await this.list(version, focus, atLeast, seek);
      }
    } catch (error) {
      if (version !== this._version) {
        return;
      }
      this.entries = [];
      this.more = false;
      this.error = explain(error);
      this.settle();
    }
    if (version === this._version) {
      this.loading = false;
      this._changed.emit();
    }
  }

  private async list(version: number, focus = '', atLeast: number, seek: number): Promise<void> {
    let page = await this._requests.list(this.path, this.query(null));
    let entries = page.entries;
    const sought = () => focus && entries.length < seek && !entries.some(at => at.path === focus);
    while (page.cursor && (entries.length < atLeast || sought()) && version === this._version) {
      page = await this._requests.list(this.path, this.query(page.cursor));
      entries = [...entries, ...page.entries];
    }
    if (version === this._version) {
      this.entries = entries;
      this._cursor = page.cursor;
      this.more = page.cursor !== null;
      this.settle(focus);
    }
  }

  /** Search; `again` keeps what is shown until the new results are complete. */
  private async find(version: number, focus = '', again: boolean): Promise<void> {
    this._abort = new AbortController();
    this._found = [];
    this.more = false;
    this.search = NO_SEARCH;
    if (!again) {
      this.arrange([]);
    }
    for await (const step of this._requests.search(this.path, this.filter!, this._abort.signal)) {
      if (version !== this._version) {
        return;
      }
      this._found = [...this._found, ...step.entries];
      this.search = step;
      if (step.done || !again) {
        this.arrange(this._found, this.entries[this.active]?.path ?? focus);
        this._changed.emit();
      }
    }
  }

  /** Put what a search found in order; by name is the order in which it comes. */
  private arrange(found: readonly IEntry[], focus?: string): void {
    const { sort } = this;
    const entries = [...found];
    if (sort !== 'name') {
      entries.sort((a, b) => ((a[sort] ?? 0) < (b[sort] ?? 0) ? -1 : 1));
    }
    this.entries = this.descending ? entries.reverse() : entries;
    this.settle(focus);
  }

  /** Keep selection and focus where they are still there. */
  private settle(focus?: string): void {
    this._paths = new Set(this.entries.map(entry => entry.path));
    this._selection = new Set([...this._selection].filter(path => this._paths.has(path)));
    const index = focus ? this.entries.findIndex(entry => entry.path === focus) : -1;
    this.active = index >= 0 ? index : Math.max(0, Math.min(this.active, this.entries.length - 1));
    this._anchor = this.active;
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
  /** What a search found, in the order in which it came. */
  private _found: readonly IEntry[] = [];
  private _abort = new AbortController();
  /** Answers to questions that are no longer asked are dropped. */
  private _version = 0;
}
