/** Learning-rate schedules: functions of the step, which combine, and one that watches a measurement. */
import { ArgumentError, FormatError } from '../graph/errors.js';
import { checkChoice, checkNumber, checkOptions, checkWhole, show } from '../graph/options.js';

/** A learning rate by step, counted from 1: equal steps give equal rates, so that a resumed run repeats. */
export type Schedule = (step: number) => number;

/** A schedule that also follows what is measured, such as {@link ReduceOnPlateau}. */
export interface AdaptiveSchedule {
  /** The learning rate of a step, counted from 1. */
  rateAt(step: number): number;
  /** Takes a measurement, such as a validation loss. */
  observe(value: number): void;
  /** All it has learned, for checkpoints. */
  state(): Readonly<Record<string, number>>;
  /** Goes on from a state. @throws FormatError when it is not one; nothing has changed then */
  restore(state: Readonly<Record<string, number>>): void;
}

/** Wherever a learning rate is asked for: a number, a function of the step, or an adaptive schedule. */
export type LearningRate = number | Schedule | AdaptiveSchedule;

/** Whether this schedule follows measurements. */
export function isAdaptive(rate: unknown): rate is AdaptiveSchedule {
  if (typeof rate !== 'object' || rate === null) return false;
  const { rateAt, observe, state, restore } = rate as Partial<AdaptiveSchedule>;
  return [rateAt, observe, state, restore].every((method) => typeof method === 'function');
}

/** The number for one step. @throws ArgumentError when it is none, or below 0 */
export function learningRateAt(culprit: string, rate: LearningRate, step: number): number {
  const value: unknown =
    typeof rate === 'function' ? rate(step) : isAdaptive(rate) ? rate.rateAt(step) : rate;
  checkNumber(culprit, 'learningRate', value, { min: 0 });
  return value as number;
}

/** `initial·factorᵏ`, one more factor after every `every` steps; as PyTorch's `StepLR`. */
export function stepSchedule(options: {
  readonly initial: number;
  /** Steps between two changes. */
  readonly every: number;
  /** Default 0.1. */
  readonly factor?: number;
}): Schedule {
  const culprit = 'stepSchedule';
  checkOptions(culprit, options, ['initial', 'every', 'factor']);
  const { initial, every, factor = 0.1 } = options;
  checkNumber(culprit, 'initial', initial, { min: 0 });
  checkWhole(culprit, 'every', every, 1);
  checkNumber(culprit, 'factor', factor, { min: 0 });
  return (step) => initial * factor ** Math.floor((step - 1) / every);
}

/** `initial·factor^((step − 1)/every)`, a factor every `every` steps, without stairs; as PyTorch's `ExponentialLR`. */
export function exponentialSchedule(options: {
  readonly initial: number;
  /** What `every` steps multiply the rate with. */
  readonly factor: number;
  /** Default 1. */
  readonly every?: number;
}): Schedule {
  const culprit = 'exponentialSchedule';
  checkOptions(culprit, options, ['initial', 'factor', 'every']);
  const { initial, factor, every = 1 } = options;
  checkNumber(culprit, 'initial', initial, { min: 0 });
  checkNumber(culprit, 'factor', factor, { above: 0 });
  checkNumber(culprit, 'every', every, { above: 0 });
  return (step) => initial * factor ** ((step - 1) / every);
}

/**
 * Half a cosine from `initial` to `final` over `steps` steps, then `final`; as PyTorch's `CosineAnnealingLR`
 * (Loshchilov & Hutter, arXiv 1608.03983).
 */
export function cosineSchedule(options: {
  readonly initial: number;
  /** Steps until `final` is reached. */
  readonly steps: number;
  /** Default 0. */
  readonly final?: number;
}): Schedule {
  const culprit = 'cosineSchedule';
  checkOptions(culprit, options, ['initial', 'steps', 'final']);
  const { initial, steps, final = 0 } = options;
  checkNumber(culprit, 'initial', initial, { min: 0 });
  checkWhole(culprit, 'steps', steps, 1);
  checkNumber(culprit, 'final', final, { min: 0 });
  return (step) => cosine(initial, final, Math.min(1, (step - 1) / steps));
}

/**
 * Grows over the first `steps` steps, in a line, from `from` times the schedule's first rate to that rate;
 * then the schedule runs, from its own step 1.
 */
export function warmupSchedule(options: {
  readonly steps: number;
  /** What comes after: a rate or another schedule. */
  readonly then: number | Schedule;
  /** Where the line begins, at step 0, as a part of the first rate. Default 0. */
  readonly from?: number;
}): Schedule {
  const culprit = 'warmupSchedule';
  checkOptions(culprit, options, ['steps', 'then', 'from']);
  const { steps, from = 0 } = options;
  const then = asSchedule(culprit, 'then', options.then);
  checkWhole(culprit, 'steps', steps, 1);
  checkNumber(culprit, 'from', from, { min: 0, max: 1 });
  return (step) => (step > steps ? then(step - steps) : then(1) * (from + ((1 - from) * step) / steps));
}

/**
 * Up to `max` and down again, once; as PyTorch's `OneCycleLR` with its defaults (Smith & Topin, arXiv
 * 1708.07120): from `max/divisor` up to `max`, then down to `max/divisor/finalDivisor`, where it stays.
 */
export function oneCycleSchedule(options: {
  readonly max: number;
  /** Steps of the whole cycle. */
  readonly steps: number;
  /** Part of the steps in which the rate grows. Default 0.3. */
  readonly warmupFraction?: number;
  /** Default 25. */
  readonly divisor?: number;
  /** Default 1e4. */
  readonly finalDivisor?: number;
  /** Default `cosine`. */
  readonly shape?: 'cosine' | 'linear';
}): Schedule {
  const culprit = 'oneCycleSchedule';
  checkOptions(culprit, options, ['max', 'steps', 'warmupFraction', 'divisor', 'finalDivisor', 'shape']);
  const { max, steps, warmupFraction = 0.3, divisor = 25, finalDivisor = 1e4, shape = 'cosine' } = options;
  checkNumber(culprit, 'max', max, { min: 0 });
  checkWhole(culprit, 'steps', steps, 2);
  checkNumber(culprit, 'warmupFraction', warmupFraction, { min: 0, max: 1 });
  checkNumber(culprit, 'divisor', divisor, { above: 0 });
  checkNumber(culprit, 'finalDivisor', finalDivisor, { above: 0 });
  checkChoice(culprit, 'shape', shape, ['cosine', 'linear']);
  const between = shape === 'cosine' ? cosine : linear;
  const initial = max / divisor;
  const final = initial / finalDivisor;
  const top = warmupFraction * steps - 1;
  const last = steps - 1;
  return (step) => {
    const index = Math.min(step - 1, last);
    // A rise of no steps is none: the first step is at the top.
    if (index <= top) return top > 0 ? between(initial, max, index / top) : max;
    return last > top ? between(max, final, (index - Math.max(0, top)) / (last - Math.max(0, top))) : final;
  };
}

/** Schedules one after another, each from its own step 1; the last one goes on for ever. */
export function sequentialSchedule(
  ...parts: readonly { readonly steps?: number; readonly schedule: number | Schedule }[]
): Schedule {
  const culprit = 'sequentialSchedule';
  if (parts.length === 0) {
    throw new ArgumentError({ culprit, problem: 'there are no parts', remedy: 'pass at least one' });
  }
  const checked = parts.map((part, i) => {
    checkOptions(`${culprit}, part ${i}`, part, ['steps', 'schedule']);
    const { steps = Infinity } = part;
    if (i < parts.length - 1) checkWhole(`${culprit}, part ${i}`, 'steps', steps, 1);
    return { steps, schedule: asSchedule(`${culprit}, part ${i}`, 'schedule', part.schedule) };
  });
  return (step) => {
    let rest = step;
    for (const { steps, schedule } of checked.slice(0, -1)) {
      if (rest <= steps) return schedule(rest);
      rest -= steps;
    }
    return checked.at(-1)!.schedule(rest);
  };
}

/** Options of {@link ReduceOnPlateau}, with PyTorch's defaults. */
export interface ReduceOnPlateauOptions {
  /** The rate to begin with: a number, or a schedule whose rates are scaled. */
  readonly initial: number | Schedule;
  /** What the rate is multiplied with. Default 0.1. */
  readonly factor?: number;
  /** Measurements without improvement that are put up with. Default 10. */
  readonly patience?: number;
  /** Measurements after a reduction that count for nothing. Default 0. */
  readonly cooldown?: number;
  /** Relative change that counts as an improvement. Default 1e-4. */
  readonly threshold?: number;
  /** Rates are never below this. Default 0. */
  readonly min?: number;
  /** Whether smaller (`min`, the default) or larger (`max`) measurements are better. */
  readonly mode?: 'min' | 'max';
}

/** Lowers the rate when a measurement no longer improves, as PyTorch's `ReduceLROnPlateau` (`threshold_mode` `rel`). */
export class ReduceOnPlateau implements AdaptiveSchedule {
  readonly #options: Required<Omit<ReduceOnPlateauOptions, 'initial'>>;
  readonly #initial: Schedule;
  #scale = 1;
  #best: number | null = null;
  #waited = 0;
  #cooling = 0;

  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: ReduceOnPlateauOptions) {
    const culprit = 'ReduceOnPlateau';
    checkOptions(culprit, options, ['initial', 'factor', 'patience', 'cooldown', 'threshold', 'min', 'mode']);
    const { factor = 0.1, patience = 10, cooldown = 0, threshold = 1e-4, min = 0, mode = 'min' } = options;
    this.#initial = asSchedule(culprit, 'initial', options.initial);
    checkNumber(culprit, 'factor', factor, { above: 0, below: 1 });
    checkWhole(culprit, 'patience', patience, 0);
    checkWhole(culprit, 'cooldown', cooldown, 0);
    checkNumber(culprit, 'threshold', threshold, { min: 0 });
    checkNumber(culprit, 'min', min, { min: 0 });
    checkChoice(culprit, 'mode', mode, ['min', 'max']);
    this.#options = { factor, patience, cooldown, threshold, min, mode };
  }

  /** The rate of a step, counted from 1. */
  rateAt(step: number): number {
    const initial = this.#initial(step);
    return Math.max(initial * this.#scale, Math.min(this.#options.min, initial));
  }

  /** Takes one measurement; one that is not a number counts as no improvement. */
  observe(value: number): void {
    const { factor, patience, cooldown } = this.#options;
    if (this.#improves(value)) {
      this.#best = value;
      this.#waited = 0;
    } else {
      this.#waited++;
    }
    if (this.#cooling > 0) {
      this.#cooling--;
      this.#waited = 0;
    }
    if (this.#waited <= patience) return;
    this.#scale *= factor;
    this.#cooling = cooldown;
    this.#waited = 0;
  }

  #improves(value: number): boolean {
    if (!Number.isFinite(value)) return false;
    if (this.#best === null) return true;
    const { threshold, mode } = this.#options;
    return mode === 'min' ? value < this.#best * (1 - threshold) : value > this.#best * (1 + threshold);
  }

  /** What it has seen so far, for checkpoints. */
  state(): Readonly<Record<string, number>> {
    return {
      scale: this.#scale,
      waited: this.#waited,
      cooling: this.#cooling,
      ...(this.#best === null ? {} : { best: this.#best }),
    };
  }

  /** Goes on from a state. @throws FormatError when it is not one; nothing has changed then */
  restore(state: Readonly<Record<string, number>>): void {
    const { scale, waited, cooling, best } = Object(state) as typeof state;
    const whole = (value: number | undefined): value is number =>
      Number.isSafeInteger(value) && (value as number) >= 0;
    const valid =
      typeof scale === 'number' &&
      scale >= 0 &&
      scale <= 1 &&
      whole(waited) &&
      whole(cooling) &&
      (best === undefined || Number.isFinite(best)) &&
      Object.keys(state).every((key) => ['scale', 'waited', 'cooling', 'best'].includes(key));
    if (!valid) {
      throw new FormatError({
        culprit: 'ReduceOnPlateau, state',
        problem: `has scale ${show(scale)}, waited ${show(waited)}, cooling ${show(cooling)}, best ${show(best)}`,
        remedy: 'restore what state() gave',
      });
    }
    this.#scale = scale;
    this.#waited = waited;
    this.#cooling = cooling;
    this.#best = best ?? null;
  }
}

function cosine(from: number, to: number, fraction: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * fraction))) / 2;
}

function linear(from: number, to: number, fraction: number): number {
  return from + (to - from) * fraction;
}

function asSchedule(culprit: string, name: string, rate: unknown): Schedule {
  if (typeof rate === 'function') return rate as Schedule;
  checkNumber(culprit, name, rate, { min: 0 });
  return () => rate as number;
}
