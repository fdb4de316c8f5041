/** Paces steps: keeps the device busy and the queue short, and brings losses home every few steps. */
import { DisposedError, OutOfMemoryError } from '../graph/errors.js';
import type { Feeds, Plan, RunResult } from '../graph/executor.js';

/** What is known of a step once its numbers have arrived. */
export interface StepRecord {
  /** Number of the step, from 1. */
  readonly step: number;
  /** The loss before the step's update. */
  readonly loss: number;
  /** The norm of all gradients before clipping; while gradients accumulate, of those gathered so far. */
  readonly gradientNorm: number;
  /** Whether the update is skipped, for a gradient norm that is not finite. */
  readonly skipped: boolean;
  /** The other scalars that the recording names, such as metrics. */
  readonly scalars: Readonly<Record<string, number>>;
}

/** How long steps between two readings may take, in milliseconds: twice that may be in flight. */
const READING_PERIOD = 120;
/** Steps between two readings, at most: what histories surely hold. */
const MAX_INTERVAL = 16;
/** Plans with steps that nobody has read, at most: fewer than are kept. */
const MAX_PLANS = 8;

/** What the steps of a plan have left, on its way. */
type Reading = readonly [plan: Plan, history: Promise<RunResult['history']>, steps: readonly number[]];

const NOTHING: RunResult = { outputs: {}, history: {} };

/**
 * Runs steps so that each reading is awaited only when the next one is due. The first steps are read one
 * by one; from then on as many go between two readings as fit in {@link READING_PERIOD}.
 */
export class Pacer {
  /** Steps of each plan whose numbers are still on the device, oldest first. */
  readonly #unread = new Map<Plan, number[]>();
  #reading: Promise<unknown> | null = null;
  #records: StepRecord[] = [];
  #interval = 1;
  #sinceReading = 0;
  /** Steps whose numbers are under way. */
  #arriving = 0;
  #begin = 0;
  #arrived = 0;
  #milliseconds = 0;

  /** Milliseconds a step takes, lately. */
  get millisecondsPerStep(): number {
    return this.#milliseconds;
  }

  /** Steps whose records have not been taken yet. */
  get unreported(): number {
    return this.#records.length + this.underway;
  }

  /** Steps whose numbers have not arrived yet. */
  get underway(): number {
    let count = this.#arriving;
    for (const steps of this.#unread.values()) count += steps.length;
    return count;
  }

  /** Records that have arrived since the last call, oldest first. */
  takeRecords(): StepRecord[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }

  /**
   * Lets steps go unreported that a restored state has undone.
   * @param after those later than this
   */
  async forget(after: number): Promise<void> {
    // Whether their numbers arrive or their device is lost, nobody wants them.
    await this.settle().catch(() => undefined);
    this.#records = this.#records.filter(({ step }) => step <= after);
    // Numbers that are still on a device are older than those of the next steps, and go unread.
    this.#unread.clear();
    this.#sinceReading = 0;
  }

  /** Resolves when the reading under way has arrived. */
  async settle(): Promise<void> {
    const reading = this.#reading;
    this.#reading = null;
    await reading;
  }

  /**
   * Queues one run. Resolves when it is queued, which may have to wait for the reading before this one.
   * @returns `arrival`, which resolves when what was asked for has arrived: at once when nothing was
   */
  async run(
    plan: Plan,
    feeds: Feeds,
    step: number,
    options: { readonly read?: readonly string[]; readonly flush?: boolean },
  ): Promise<{ readonly arrival: Promise<RunResult> }> {
    const { read = [], flush = false } = options;
    const wanted = flush || read.length > 0;
    const due = wanted || this.#sinceReading + 1 >= this.#interval || this.#unread.size >= MAX_PLANS;
    // One reading at a time: its records must be sorted in before the next are.
    if (due) await this.settle();
    if (this.#sinceReading === 0) this.#begin = performance.now();
    // What does not fit is thrown here, before anything is counted.
    const running = plan.run(feeds, due ? { read, history: true } : {});
    const steps = this.#unread.get(plan) ?? [];
    this.#unread.set(plan, steps);
    steps.push(step);
    this.#sinceReading++;
    if (!due) {
      await running;
      return { arrival: Promise.resolve(NOTHING) };
    }
    const count = this.#sinceReading;
    this.#sinceReading = 0;
    const readings = [...this.#unread].map(([of, unread]): Reading => {
      return [of, of === plan ? running.then(({ history }) => history) : historyOf(of), unread];
    });
    this.#unread.clear();
    const reading = this.#receive(running, readings, count);
    // An error goes to whoever waits for the reading: this caller, or the next one that needs it done.
    const settled = reading.catch(() => undefined);
    this.#reading = wanted ? settled : reading;
    return { arrival: wanted ? reading : Promise.resolve(NOTHING) };
  }

  /** Sorts in what the steps of each plan have left, and measures. */
  async #receive(
    running: Promise<RunResult>,
    readings: readonly Reading[],
    count: number,
  ): Promise<RunResult> {
    const begin = this.#begin;
    const arriving = readings.reduce((sum, [, , steps]) => sum + steps.length, 0);
    this.#arriving += arriving;
    try {
      const first = this.#records.length;
      const errors: unknown[] = [];
      const results = await Promise.allSettled(readings.map(([, history]) => history));
      readings.forEach(([plan, , steps], i) => {
        const result = results[i]!;
        if (result.status === 'fulfilled') {
          this.#collect(steps, result.value);
          return;
        }
        errors.push(result.reason);
        // The steps have been made, and the plan still knows their numbers: its next reading brings them.
        if (result.reason instanceof OutOfMemoryError) {
          this.#unread.set(plan, [...steps, ...(this.#unread.get(plan) ?? [])]);
        }
      });
      if (readings.length > 1) {
        this.#records.push(...this.#records.splice(first).sort((a, b) => a.step - b.step));
      }
      if (errors.length > 0) throw errors[0];
      this.#measure(count, begin);
      return await running;
    } finally {
      this.#arriving -= arriving;
    }
  }

  #collect(steps: readonly number[], history: RunResult['history']): void {
    const { loss: losses = [], gradientNorm: norms = [], ...others } = history;
    // The newest is last; should a history have dropped its oldest numbers, those steps go unreported.
    const known = steps.slice(Math.max(0, steps.length - losses.length));
    known.forEach((step, i) => {
      const at = (numbers: ArrayLike<number>): number => numbers[numbers.length - known.length + i]!;
      const gradientNorm = at(norms);
      const scalars = Object.fromEntries(
        Object.entries(others).map(([name, numbers]) => [name, at(numbers)]),
      );
      this.#records.push({
        step,
        loss: at(losses),
        gradientNorm,
        skipped: !Number.isFinite(gradientNorm),
        scalars,
      });
    });
  }

  #measure(count: number, begin: number): void {
    const now = performance.now();
    const each = (now - Math.max(begin, this.#arrived)) / count;
    this.#arrived = now;
    this.#milliseconds = this.#milliseconds === 0 ? each : 0.7 * this.#milliseconds + 0.3 * each;
    const fitting = Math.floor(READING_PERIOD / Math.max(this.#milliseconds, 0.01));
    this.#interval = Math.min(MAX_INTERVAL, Math.max(1, fitting));
  }
}

/** What a plan's steps have left; nothing where it has been disposed of, as its steps then cannot be read. */
async function historyOf(plan: Plan): Promise<RunResult['history']> {
  try {
    return await plan.readHistory();
  } catch (error) {
    if (error instanceof DisposedError) return {};
    throw error;
  }
}
