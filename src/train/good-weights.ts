/** The last weights that a finite loss vouches for, kept on the device, to come back to when a training diverges. */
import type { Variable } from '../graph/value.js';
import type { StepRecord } from './pacer.js';
import type { Trainer } from './trainer.js';
import { WeightSnapshot } from './weight-snapshot.js';

/** Steps between two copies: a copy costs about as much as one kernel of a step. */
const KEEP_EVERY = 64;

/**
 * A loss is that of the weights before its step, so the copy made after step k is good once the loss of a later
 * step has arrived and is finite. Until then the copy before it is kept too.
 */
export class GoodWeights {
  readonly #trainer: Trainer;
  #good: WeightSnapshot;
  #next: WeightSnapshot;
  /** Steps made when `#next` was copied; `null` where it is not waiting to be vouched for. */
  #waiting: number | null = null;
  #kept = 0;

  /** @param variables by name: the parameters, and what else goes back with them */
  constructor(trainer: Trainer, variables: ReadonlyMap<string, Variable>) {
    const { executor } = trainer;
    this.#trainer = trainer;
    this.#good = new WeightSnapshot(executor, 'good', variables);
    this.#next = new WeightSnapshot(executor, 'next', variables);
  }

  /** Whether there is something to come back to. */
  get taken(): boolean {
    return this.#good.taken;
  }
  set taken(value: boolean) {
    this.#good.taken = value;
    this.#waiting = null;
  }

  /** The good copies by name, for checkpoints. */
  get variables(): ReadonlyMap<string, Variable> {
    return this.#good.variables;
  }

  /** Takes the weights of the moment for good ones. */
  async begin(): Promise<void> {
    const { steps, disposed } = this.#trainer;
    // A copy would take the weights into use again.
    if (disposed) return;
    await this.#good.take();
    this.#waiting = null;
    this.#kept = steps;
  }

  /** Copies the weights now and then; with `always`, as soon as the copy before is known to be good. */
  async keep(always = false): Promise<void> {
    const { steps, disposed } = this.#trainer;
    if (disposed || this.#waiting !== null || (!always && steps - this.#kept < KEEP_EVERY)) return;
    await this.#next.take();
    this.#waiting = steps;
    this.#kept = steps;
  }

  /** Takes in the losses of steps, in order. @returns the first that is not finite, if there is one */
  examine(records: readonly StepRecord[]): StepRecord | null {
    for (const record of records) {
      if (!Number.isFinite(record.loss)) return record;
      this.confirm(record.step);
    }
    return null;
  }

  /** The loss of this step, from 1, was finite. */
  confirm(step: number): void {
    if (this.#waiting === null || step <= this.#waiting) return;
    [this.#good, this.#next] = [this.#next, this.#good];
    this.#waiting = null;
  }

  /** Gives the weights the values of the good copy. */
  async restore(): Promise<void> {
    await this.#good.restore();
    this.#waiting = null;
  }

  /** Frees the copies. */
  dispose(): void {
    this.#good.dispose();
    this.#next.dispose();
  }
}
