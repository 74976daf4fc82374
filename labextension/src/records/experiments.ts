/** Experiments of Ray. */

/** An experiment of Ray Tune, or a run of Ray Train. */
export interface IExperiment {
  path: string;
  name: string;
  kind: 'tune' | 'train';
  /** When its state was last written. */
  modified: string | null;
  /** null where the state has not been read. */
  trials: number | null;
  /** Ray's words for states, and how many trials are in each. */
  states: Record<string, number>;
  metric: string | null;
  metrics: string[];
}

/** Experiments, newest first. */
export interface IExperimentPage {
  experiments: IExperiment[];
  cursor: string | null;
  /** Whether everything was looked at. */
  complete: boolean;
}

/** One trial of an experiment. */
export interface ITrial {
  id: string;
  path: string | null;
  state: string;
  parameters: Record<string, unknown>;
  /** What was reported last. */
  metrics: Record<string, unknown>;
  /** Best value of the metric that was asked for. */
  best: number | null;
  iterations: number | null;
}

/** By what trials are judged; what is not said is the experiment's own. */
export interface IJudgement {
  metric?: string;
  mode?: 'min' | 'max';
}

/** Trials, the best first. */
export interface ITrialPage {
  trials: ITrial[];
  metric: string | null;
  mode: 'min' | 'max';
  total: number;
  cursor: string | null;
}

/** A checkpoint that is there. */
export interface ICheckpoint {
  path: string;
  name: string;
  trial: string;
  metrics: Record<string, unknown>;
  size: number | null;
}

/** A metric over iterations; null where a value is no number. */
export interface ICurve {
  metric: string;
  steps: number[];
  values: (number | null)[];
}

/** A trial with what lies in its directory. */
export interface ITrialDetails {
  trial: ITrial;
  metric: string | null;
  mode: 'min' | 'max';
  curve: ICurve | null;
  /** The best first. */
  checkpoints: ICheckpoint[];
  files: number;
  size: number;
}
