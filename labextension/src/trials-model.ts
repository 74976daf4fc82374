import { type ISignal, Signal } from '@lumino/signaling';

import { explain } from './errors';
import type { IExperiment, IJudgement, ITrial, ITrialDetails } from './records';
import type { Requests } from './requests';

/** Trials that are asked for at a time. */
const PAGE = 200;
/** Trials whose curves are remembered. */
const REMEMBERED = 500;

/** The trials of one experiment, the best first, page by page. */
export class TrialsModel {
  /** The trial that the keyboard is on. */
  active = 0;
  /** The ID of the one whose details are shown. */
  chosen: string | null = null;
  trials: ITrial[] = [];
  total: number | null = null;
  metric: string | null = null;
  metrics: string[];
  mode: 'min' | 'max' = 'max';
  loading = false;
  error = '';

  constructor(
    readonly experiment: IExperiment,
    private readonly requests: Requests
  ) {
    this.metrics = experiment.metrics;
  }

  /** Emitted when there is something else to show. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether there are more than those that are loaded. */
  get more(): boolean {
    return this.total === null || this.trials.length < this.total;
  }

  /** Begin anew with another metric, or the other way round. */
  async judge(judgement: IJudgement): Promise<void> {
    this.judgement = judgement;
    this.trials = [];
    this.total = this.cursor = null;
    this.active = 0;
    this.details.clear();
    this.epoch += 1;
    this.loading = false;
    await this.loadMore();
  }

  /** Load the next page. */
  async loadMore(): Promise<void> {
    if (this.loading || !this.more) {
      return;
    }
    const { epoch } = this;
    this.loading = true;
    this._changed.emit();
    try {
      const { path } = this.experiment;
      const page = await this.requests.trials(path, {
        ...this.judgement,
        cursor: this.cursor ?? undefined,
        limit: PAGE
      });
      // What is too large to be read for a list has its metrics told when it is opened.
      const metrics =
        this.experiment.trials === null && this.metrics.length === 0
          ? (await this.requests.experiment(path)).metrics
          : this.metrics;
      if (epoch !== this.epoch) {
        return;
      }
      this.trials = [...this.trials, ...page.trials];
      this.metrics = metrics;
      this.cursor = page.cursor;
      this.total = page.cursor === null ? this.trials.length : page.total;
      this.metric = page.metric;
      this.mode = page.mode;
      this.error = '';
    } catch (error) {
      if (epoch === this.epoch) {
        this.error = explain(error);
        this.total = this.trials.length;
      }
    }
    if (epoch === this.epoch) {
      this.loading = false;
      this._changed.emit();
    }
  }

  /** Put the keyboard on a trial. */
  focus(index: number): void {
    this.active = Math.max(0, Math.min(this.trials.length - 1, index));
    this._changed.emit();
  }

  /** Show the details of a trial, or of none. */
  choose(trial: ITrial | null): void {
    this.chosen = trial?.id ?? null;
    this._changed.emit();
  }

  /** A trial with its curve and its checkpoints, asked for once. */
  lookAt(trial: ITrial): Promise<ITrialDetails> {
    let details = this.details.get(trial.id);
    if (!details) {
      const judgement = { metric: this.metric ?? undefined, mode: this.mode };
      details = this.requests.trial(this.experiment.path, trial.id, judgement);
      details.catch(() => this.details.delete(trial.id));
      this.details.set(trial.id, details);
      for (const id of this.details.keys()) {
        if (this.details.size <= REMEMBERED) {
          break;
        }
        this.details.delete(id);
      }
    }
    return details;
  }

  private readonly _changed = new Signal<this, void>(this);
  private judgement: IJudgement = {};
  private cursor: string | null = null;
  private epoch = 0;
  private readonly details = new Map<string, Promise<ITrialDetails>>();
}
