import type { Conflict, IEntry, IInTheWay } from '../records';
import type { ITask, IUploadItem, IUploadTransport } from './items';
import { modifiedOf } from './measuring';

/** Targets that one request asks about. */
const ASKED = 5000;
/** Milliseconds that two times of the same file may differ: stores round. */
const SAME_TIME = 2;

/** What a person says about a file that exists already. */
export interface IAnswer {
  choice: 'overwrite' | 'skip' | 'newer' | 'both' | 'cancel';
  /** Whether to do the same with all others. */
  all: boolean;
}

/** A file that exists already, as a person is asked about it. */
export interface IQuestion {
  item: IUploadItem;
  existing: IEntry;
  /** Others that exist as well and were not asked about yet. */
  others: number;
}

export type Ask = (question: IQuestion) => Promise<IAnswer>;

/** What is to be sent, and what is not. */
export interface IDecision {
  tasks: ITask[];
  skipped: IUploadItem[];
  cancelled: boolean;
}

/** Decides about targets that exist, as a person wants it. */
export class Conflicts {
  constructor(
    private readonly _transport: IUploadTransport,
    private readonly _directory: string,
    private readonly _ask: Ask,
    /** What to do with files that exist; 'fail' asks. */
    private readonly _policy: Conflict
  ) {}

  /** Ask the server what is there, and the person about it, before anything is sent. */
  async decide(items: readonly IUploadItem[], signal?: AbortSignal): Promise<IDecision> {
    const decision: IDecision = { tasks: [], skipped: [], cancelled: false };
    if (this._policy !== 'fail') {
      decision.tasks = items.map(item => ({ ...item, policy: this._policy }));
      return decision;
    }
    const found = await this.look(items, signal);
    const asked: [IUploadItem, IInTheWay][] = [];
    for (const item of items) {
      const there = found.get(item.path);
      // A directory in the place of a file is for the server to refuse.
      if (!there || !item.blob || there.entry.type === 'directory') {
        decision.tasks.push({ ...item, policy: 'fail' });
      } else if (isSame(item, there.entry)) {
        decision.skipped.push(item);
      } else {
        asked.push([item, there]);
      }
    }
    for (const [i, [item, there]] of asked.entries()) {
      const task = await this.ask(item, there, asked.length - i - 1);
      if (task === 'cancel') {
        return { ...decision, cancelled: true };
      }
      if (task === 'skip') {
        decision.skipped.push(item);
      } else {
        decision.tasks.push(task);
      }
    }
    return decision;
  }

  /** Decide about one that has come into being since. */
  async again(item: ITask): Promise<ITask | 'skip' | 'cancel'> {
    const there = (await this.look([item])).get(item.path);
    return there ? this.ask(item, there, 0) : item;
  }

  /** One question at a time; an answer for all spares the others. */
  private ask(
    item: IUploadItem,
    there: IInTheWay,
    others: number
  ): Promise<ITask | 'skip' | 'cancel'> {
    const answer = this._asking.then(async () => {
      let choice = this._forAll;
      if (!choice) {
        const given = await this._ask({ item, existing: there.entry, others });
        choice = given.choice;
        this._forAll = given.all ? choice : null;
      }
      if (choice === 'both') {
        return { ...item, path: there.free, policy: 'fail' as const };
      }
      return choice === 'skip' || choice === 'cancel' ? choice : { ...item, policy: choice };
    });
    this._asking = answer.catch(() => undefined);
    return answer;
  }

  private async look(
    items: readonly IUploadItem[],
    signal?: AbortSignal
  ): Promise<Map<string, IInTheWay>> {
    const found = new Map<string, IInTheWay>();
    const paths = items.filter(item => item.blob).map(item => item.path);
    for (let i = 0; i < paths.length; i += ASKED) {
      const asked = paths.slice(i, i + ASKED);
      for (const there of await this._transport.inTheWay(this._directory, asked, signal)) {
        found.set(there.path, there);
      }
    }
    return found;
  }

  private _forAll: IAnswer['choice'] | null = null;
  private _asking: Promise<unknown> = Promise.resolve();
}

/** Whether a file is there already: as large, and as old. */
function isSame(item: IUploadItem, there: IEntry): boolean {
  const modified = modifiedOf(item);
  return (
    there.type === 'file' &&
    there.size === item.blob?.size &&
    modified !== null &&
    there.modified !== null &&
    Math.abs(Date.parse(there.modified) - modified.getTime()) <= SAME_TIME
  );
}
