/** Early stopping: watches one measurement an epoch, and says when it no longer improves. */
import { ArgumentError } from '../graph/errors.js';
import { checkChoice, checkFlag, checkNumber, checkOptions, checkWhole, show } from '../graph/options.js';

/** Options of early stopping, as Keras' `EarlyStopping`. */
export interface EarlyStoppingOptions {
  /** A column of the history. Default: `validationLoss` where there is validation, else `loss`. */
  readonly monitor?: string;
  /** Stop after so many epochs without improvement; 0, the default, is as 1. */
  readonly patience?: number;
  /** An improvement is more than this. Default 0. */
  readonly minDelta?: number;
  /** Whether smaller (`min`, the default) or larger (`max`) is better. */
  readonly mode?: 'min' | 'max';
  /** Whether the weights of the best epoch are restored when the fit ends. Default `true`. */
  readonly restoreBest?: boolean;
}

/** Follows one fit. */
export class EarlyStopping {
  readonly monitor: string;
  readonly restoreBest: boolean;
  readonly #patience: number;
  readonly #minDelta: number;
  readonly #sign: 1 | -1;
  best: number | null = null;
  /** The epoch of `best`, from 1; 0 for none yet. */
  bestEpoch = 0;
  waited = 0;

  /** @throws ArgumentError for an option out of range, or a column that the history will not have */
  constructor(options: EarlyStoppingOptions, columns: readonly string[]) {
    const culprit = 'fit, earlyStopping';
    checkOptions(culprit, options, ['monitor', 'patience', 'minDelta', 'mode', 'restoreBest']);
    const { patience = 0, minDelta = 0, mode = 'min', restoreBest = true } = options;
    const { monitor = columns.includes('validationLoss') ? 'validationLoss' : 'loss' } = options;
    checkWhole(culprit, 'patience', patience, 0);
    checkNumber(culprit, 'minDelta', minDelta, { min: 0 });
    checkChoice(culprit, 'mode', mode, ['min', 'max']);
    checkFlag(culprit, 'restoreBest', restoreBest);
    if (!columns.includes(monitor)) {
      throw new ArgumentError({
        culprit,
        problem: `monitor is ${show(monitor)}`,
        remedy: `the history will have ${columns.join(', ')}`,
      });
    }
    this.monitor = monitor;
    this.restoreBest = restoreBest;
    this.#patience = patience;
    this.#minDelta = minDelta;
    this.#sign = mode === 'min' ? 1 : -1;
  }

  /** Whether it has waited long enough. */
  get exhausted(): boolean {
    return this.waited >= Math.max(1, this.#patience);
  }

  /** Takes an epoch's measurement. */
  observe(epoch: number, value: number): 'best' | 'wait' | 'stop' {
    const improves =
      Number.isFinite(value) && (this.best === null || this.#sign * (this.best - value) > this.#minDelta);
    if (improves) {
      this.best = value;
      this.bestEpoch = epoch;
      this.waited = 0;
      return 'best';
    }
    this.waited++;
    return this.exhausted ? 'stop' : 'wait';
  }
}
