/** The loop of `Model.fit`: epochs, shuffled batches, validation, callbacks, early stopping, and its place in all that. */
import { ArgumentError, type NonFiniteError } from '../graph/errors.js';
import type { Executor } from '../graph/executor.js';
import { checkFlag, checkNumber, checkOptions, checkSignal, checkWhole } from '../graph/options.js';
import type { Variable } from '../graph/value.js';
import { assign, type CheckpointReader, type CheckpointWriter } from '../io/checkpoint.js';
import {
  checkDataset,
  checkFinite,
  fingerprintOf,
  sampleOrder,
  splitDataset,
  type Dataset,
} from './dataset.js';
import { diverged } from './divergence.js';
import { EarlyStopping, type EarlyStoppingOptions } from './early-stopping.js';
import { GoodWeights } from './good-weights.js';
import type { ExponentialMovingAverage } from './moving-average.js';
import type { StepRecord } from './pacer.js';
import type { Companion, RecoveredSteps } from './recovery.js';
import type { Batch, Trainer } from './trainer.js';
import { WeightSnapshot } from './weight-snapshot.js';

/** What is known of a batch once its numbers have arrived, which is often a few steps later. */
export interface BatchReport {
  /** From 1. */
  readonly epoch: number;
  /** From 1. */
  readonly batch: number;
  /** Batches of an epoch. */
  readonly batches: number;
  /** Steps of the model's trainer, from 1. */
  readonly step: number;
  readonly loss: number;
  /** Of all gradients, before clipping. */
  readonly gradientNorm: number;
  /** Whether the update was skipped, for a gradient norm that was not finite. */
  readonly skipped: boolean;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Called by `Model.fit`; promises are awaited. */
export interface FitCallbacks {
  /** @param epoch from 1 */
  readonly onEpochBegin?: (epoch: number) => void | Promise<void>;
  /** @param measurements the epoch's columns of the history */
  readonly onEpochEnd?: (
    epoch: number,
    measurements: Readonly<Record<string, number>>,
  ) => void | Promise<void>;
  /** Once a batch, in order. */
  readonly onBatchEnd?: (report: BatchReport) => void | Promise<void>;
  /** After each step: wait here for the page to breathe. */
  readonly yield?: () => void | Promise<void>;
  /**
   * When the device was lost and another has taken its place: the fit goes on from its last snapshot. What is made
   * again is not told again. Steps are those of the model's trainer.
   */
  readonly onRecovered?: (steps: RecoveredSteps) => void | Promise<void>;
}

/** Options of `Model.fit`. */
export interface ModelFitOptions {
  /** Times over all samples. Default 1. */
  readonly epochs?: number;
  /** Default 32; the last batch of an epoch has what is left. */
  readonly batchSize?: number;
  /** Whether each epoch has an order of its own. Default `true`. */
  readonly shuffle?: boolean;
  /** Makes the orders repeat. Default 0. */
  readonly seed?: number;
  /** Part of the samples, from their end, that is held out for validation. Default 0. */
  readonly validationSplit?: number;
  /** Samples to validate with after each epoch. */
  readonly validationData?: Dataset;
  readonly callbacks?: FitCallbacks;
  readonly earlyStopping?: EarlyStoppingOptions;
  /**
   * Whether a loss that is not finite ends the fit, as soon as it has been read. The weights (and their averages)
   * are then those that a finite loss last vouched for, of at most some 64 steps before, or those of the begin, and
   * the optimizer begins anew. Data that are not finite are refused. Default `true`.
   */
  readonly stopOnNaN?: boolean;
  /** Ends the fit at a step boundary; it then returns as usual. */
  readonly signal?: AbortSignal;
}

/** What `Model.fit` gives. */
export interface FitHistory {
  /** What ended it before its last epoch, if anything did. */
  readonly stopped: 'signal' | 'earlyStopping' | 'nonFinite' | null;
  /** Epochs finished. */
  readonly epochs: number;
  /** One list a column, one number an epoch: `loss`, the metrics, and of validation `validationLoss`, `validationAccuracy`, … */
  readonly history: Readonly<Record<string, readonly number[]>>;
  /** The epoch of the best measurement, from 1, with early stopping. */
  readonly bestEpoch: number | null;
  /** What was not finite, where `stopped` is `nonFinite`. */
  readonly error: NonFiniteError | null;
  /** Time of the call. */
  readonly seconds: number;
}

/** What the loop needs of its model. */
export interface FitParts {
  readonly executor: Executor;
  readonly trainer: Trainer;
  /** Goes back with the weights. */
  readonly average: ExponentialMovingAverage | null;
  readonly metrics: readonly string[];
  readonly toBatch: (data: Dataset, samples: Int32Array) => Batch;
  /** `null` when the signal ended it. */
  readonly evaluate: (
    data: Dataset,
    batchSize: number,
    signal?: AbortSignal,
  ) => Promise<Readonly<Record<string, number>> | null>;
}

/** What must be the same for a fit to be resumed. */
interface Settings {
  readonly batchSize: number;
  readonly seed: number;
  /** 1 or 0. */
  readonly shuffle: number;
  readonly samples: number;
}

/** Where a fit stands, all that a checkpoint must tell. */
interface FitState {
  readonly settings: Settings;
  readonly fingerprint: () => number;
  /** Epochs finished. */
  epoch: number;
  /** Batches of the next epoch that have been stepped. */
  batch: number;
  /** Samples in `sums`. */
  weight: number;
  /** Measurements of this epoch, times the samples. */
  sums: Record<string, number>;
  readonly columns: Record<string, number[]>;
  early: Pick<EarlyStopping, 'best' | 'bestEpoch' | 'waited'> | null;
  /** Whether it has been restored and not gone on with yet. */
  restored: boolean;
}

/** One call's work. */
interface Work {
  readonly data: Dataset;
  readonly validation: Dataset | null;
  readonly epochs: number;
  readonly batches: number;
  readonly stopOnNaN: boolean;
  readonly callbacks: FitCallbacks;
  readonly signal: AbortSignal | undefined;
}

/** Runs the fits of one model, one after another. */
export class ModelFit implements Companion {
  readonly #parts: FitParts;
  readonly #good: GoodWeights;
  readonly #best: WeightSnapshot;
  #state: FitState | null = null;
  /** The batch and size of steps whose numbers have not arrived. */
  readonly #pending = new Map<number, { readonly batch: number; readonly indices: Int32Array }>();
  /** What waits for a boundary at which nothing is under way. */
  readonly #waiting: (() => Promise<void>)[] = [];
  /** Wakes who waits for a callback that itself waits for a boundary. */
  #wake: (() => void) | null = null;
  /** The callback that has been called and not been done with. */
  #callback: Promise<unknown> | null = null;
  /** Batches that nobody has been told of yet. */
  readonly #reports: BatchReport[] = [];
  /** What callbacks have been told of: the last epoch begun, and ended, and the last step. */
  #told = { epochBegin: 0, epochEnd: 0, step: 0 };
  #running = false;
  #error: NonFiniteError | null = null;

  constructor(parts: FitParts) {
    this.#parts = parts;
    const { namedParameters } = parts.trainer.optimizerState;
    const averages = [...(parts.average?.variables ?? [])].map(
      ([key, value]) => [`average.${key}`, value] as const,
    );
    this.#good = new GoodWeights(parts.trainer, new Map([...namedParameters, ...averages]));
    this.#best = new WeightSnapshot(parts.executor, 'best', namedParameters);
  }

  /** See `Model.fit`. */
  async run(data: Dataset, options: ModelFitOptions): Promise<FitHistory> {
    const began = performance.now();
    checkDataset('fit', data);
    checkOptions('fit', options, OPTIONS);
    const { epochs = 1, batchSize = 32, shuffle = true, seed = 0, stopOnNaN = true } = options;
    const { callbacks = {}, signal } = options;
    checkWhole('fit', 'epochs', epochs, 1);
    checkWhole('fit', 'batchSize', batchSize, 1);
    checkFlag('fit', 'shuffle', shuffle);
    checkWhole('fit', 'seed', seed, 0);
    checkFlag('fit', 'stopOnNaN', stopOnNaN);
    checkSignal('fit', signal);
    checkOptions('fit, callbacks', callbacks, CALLBACKS);
    const { training, validation } = divide(data, options);
    // A device's gates may swallow a NaN, so that no loss would tell of it.
    if (stopOnNaN) checkFinite('fit', training);
    if (stopOnNaN && validation) checkFinite('fit, validation', validation);
    const samples = training.x.shape[0]!;
    const columns = columnsOf(this.#parts.metrics, validation !== null);
    const early = options.earlyStopping ? new EarlyStopping(options.earlyStopping, columns) : null;
    const settings: Settings = { batchSize, seed, shuffle: shuffle ? 1 : 0, samples };
    const begin = (): FitState => this.#begin(settings, training, columns, early);
    let state = begin();
    const batches = Math.ceil(samples / batchSize);
    const work: Work = { data: training, validation, epochs, batches, stopOnNaN, callbacks, signal };
    const { recovery } = this.#parts.trainer;
    this.#pending.clear();
    this.#reports.length = 0;
    this.#callback = null;
    this.#error = null;
    this.#told = { epochBegin: state.epoch + (state.batch > 0 ? 1 : 0), epochEnd: state.epoch, step: 0 };
    let stopped: FitHistory['stopped'];
    this.#running = true;
    try {
      stopped = await recovery.lead(
        this,
        () => this.#run(state, work, early),
        async (steps) => {
          this.#pending.clear();
          this.#error = null;
          state = begin();
          await callbacks.onRecovered?.(steps);
        },
      );
    } catch (error) {
      // What it kept to come back to goes with it.
      this.#good.dispose();
      throw error;
    } finally {
      this.#running = false;
      for (const waiting of this.#waiting.splice(0)) await waiting();
    }
    return {
      stopped,
      epochs: state.epoch,
      history: Object.fromEntries(columns.map((name) => [name, [...state.columns[name]!]])),
      bestEpoch: early && early.bestEpoch > 0 ? early.bestEpoch : null,
      error: this.#error,
      seconds: (performance.now() - began) / 1000,
    };
  }

  /** All epochs that are left, and the weights to end with. */
  async #run(state: FitState, work: Work, early: EarlyStopping | null): Promise<FitHistory['stopped']> {
    const { callbacks, epochs, stopOnNaN } = work;
    let stopped: FitHistory['stopped'] = early?.exhausted ? 'earlyStopping' : null;
    await this.#parts.trainer.recovery.begin();
    if (stopOnNaN && !this.#good.taken) await this.#good.begin();
    while (stopped === null && state.epoch < epochs) stopped = await this.#epoch(state, work, early);
    if (stopped !== 'signal' && stopped !== 'nonFinite' && early?.restoreBest) await this.#best.restore();
    await this.#tell(callbacks);
    return stopped;
  }

  /** The state of a new fit, or the restored one if it is this fit's. */
  #begin(
    settings: Settings,
    data: Dataset,
    columns: readonly string[],
    early: EarlyStopping | null,
  ): FitState {
    let known: number | undefined;
    const fingerprint = (): number => (known ??= fingerprintOf([data.x, data.y]));
    const restored = this.#state?.restored ? this.#state : null;
    if (!restored) {
      this.#good.taken = false;
      this.#best.taken = false;
      this.#state = {
        settings,
        fingerprint,
        epoch: 0,
        batch: 0,
        weight: 0,
        sums: {},
        columns: Object.fromEntries(columns.map((name) => [name, []])),
        early,
        restored: false,
      };
      return this.#state;
    }
    const refuse = (problem: string): never => {
      throw new ArgumentError({
        culprit: 'fit',
        problem,
        remedy: 'give the data and the options of the fit that was interrupted',
      });
    };
    for (const [name, value] of Object.entries(settings)) {
      const saved = restored.settings[name as keyof Settings];
      if (saved !== value) refuse(`${name} is ${value}, the restored checkpoint was made with ${saved}`);
    }
    if (restored.fingerprint() !== fingerprint()) refuse('the data are not those of the restored checkpoint');
    const saved = Object.keys(restored.columns).sort().join(', ');
    const wanted = [...columns].sort().join(', ');
    if (saved !== wanted) refuse(`the history will have ${wanted}, the restored one has ${saved}`);
    if ((restored.early === null) !== (early === null)) {
      refuse(`there is ${early ? 'early' : 'no early'} stopping, unlike in the restored checkpoint`);
    }
    if (early && restored.early) {
      const { best, bestEpoch, waited } = restored.early;
      Object.assign(early, { best, bestEpoch, waited });
    }
    this.#state = { ...restored, fingerprint, early, restored: false };
    return this.#state;
  }

  /** One epoch, or the rest of one. @returns what ends the fit, if something does */
  async #epoch(state: FitState, work: Work, early: EarlyStopping | null): Promise<FitHistory['stopped']> {
    const { callbacks, validation, signal, stopOnNaN } = work;
    const { trainer, evaluate } = this.#parts;
    const { recovery } = trainer;
    if (signal?.aborted) return 'signal';
    await this.#serve(callbacks);
    const epoch = state.epoch + 1;
    if (this.#told.epochBegin < epoch) {
      this.#told.epochBegin = epoch;
      await this.#call(() => callbacks.onEpochBegin?.(epoch));
    }
    const stopped = await this.#batches(state, work);
    if (stopped) return stopped;
    const measured: Record<string, number> = {};
    for (const [name, sum] of Object.entries(state.sums)) measured[name] = sum / state.weight;
    if (validation) {
      const results = await evaluate(validation, state.settings.batchSize, signal);
      recovery.check();
      if (!results) return 'signal';
      for (const [name, value] of Object.entries(results)) measured[validationName(name)] = value;
    }
    state.epoch++;
    state.batch = 0;
    state.weight = 0;
    state.sums = {};
    for (const [name, list] of Object.entries(state.columns)) list.push(measured[name] ?? NaN);
    const { loss = NaN, validationLoss = loss } = measured;
    if (stopOnNaN && !Number.isFinite(validationLoss)) {
      await this.#comeBack(`the validation loss of epoch ${state.epoch}`, validationLoss);
      return 'nonFinite';
    }
    if (stopOnNaN) {
      await this.#good.keep(true);
      if (validation) this.#good.confirm(trainer.steps + 1);
    }
    const verdict = early?.observe(state.epoch, measured[early.monitor]!);
    if (verdict === 'best' && early?.restoreBest) await this.#best.take();
    trainer.optimizer.adaptiveSchedule?.observe(validationLoss);
    if (this.#told.epochEnd < epoch) {
      this.#told.epochEnd = epoch;
      await this.#call(() => callbacks.onEpochEnd?.(epoch, { ...measured }));
    }
    recovery.check();
    return verdict === 'stop' ? 'earlyStopping' : null;
  }

  /** The batches of an epoch that are left. */
  async #batches(state: FitState, work: Work): Promise<'signal' | 'nonFinite' | null> {
    const { trainer, toBatch } = this.#parts;
    const { data, batches, callbacks, signal } = work;
    const { batchSize, samples, seed, shuffle } = state.settings;
    const order = sampleOrder(samples, shuffle ? { seed, epoch: state.epoch } : null);
    while (state.batch < batches) {
      const stopping = signal?.aborted ?? false;
      let flush = stopping || this.#waiting.length > 0;
      if (flush) {
        await this.#report(state, work, await trainer.settle());
        if (this.#error) return 'nonFinite';
        if (trainer.unreported === 0) {
          await this.#serve(callbacks);
          if (stopping) return 'signal';
          flush = false;
        }
      }
      if (work.stopOnNaN) await this.#good.keep();
      // Where losses are still on the device, another step of the same plan brings them.
      const keeps = trainer.recovery.due;
      flush ||= keeps || lastOfItsPlan(state, trainer, batches);
      const indices = order.subarray(state.batch * batchSize, (state.batch + 1) * batchSize);
      const { step, records } = await trainer.step(toBatch(data, indices), { flush });
      state.batch++;
      this.#pending.set(step, { batch: state.batch, indices });
      await this.#report(state, work, records);
      if (this.#error) return 'nonFinite';
      await this.#call(() => callbacks.yield?.());
      trainer.recovery.check();
      if (keeps && trainer.unreported === 0) void trainer.recovery.keep();
    }
    return null;
  }

  /** After a loss that is not finite: says where it comes from, and puts the last good weights in place. */
  async #comeBack(what: string, loss: number, batch?: Batch): Promise<void> {
    const { trainer } = this.#parts;
    this.#error = await diverged(trainer, what, loss, batch);
    await this.#good.restore();
    await trainer.resetOptimizer();
    // There is nothing to go on from.
    this.#state = null;
  }

  /** Adds what has arrived to the epoch's sums, then tells of it. */
  async #report(state: FitState, work: Work, records: readonly StepRecord[]): Promise<void> {
    const { callbacks, batches, stopOnNaN } = work;
    for (const { step, loss, gradientNorm, skipped, scalars: metrics } of records) {
      const pending = this.#pending.get(step);
      // Left over from a fit that failed.
      if (!pending) continue;
      this.#pending.delete(step);
      const { batch, indices } = pending;
      const size = indices.length;
      state.weight += size;
      for (const [name, value] of Object.entries({ loss, ...metrics })) {
        state.sums[name] = (state.sums[name] ?? 0) + size * value;
      }
      const epoch = state.epoch + 1;
      if (step > this.#told.step) {
        this.#told.step = step;
        this.#reports.push({ epoch, batch, batches, step, loss, gradientNorm, skipped, metrics });
      }
      if (Number.isFinite(loss)) this.#good.confirm(step);
      if (!stopOnNaN || Number.isFinite(loss)) continue;
      // Before anyone is told, who might save what there is.
      const what = `the loss of epoch ${epoch}, batch ${batch} (step ${step})`;
      await this.#comeBack(what, loss, this.#parts.toBatch(work.data, indices));
      break;
    }
    await this.#tell(callbacks);
  }

  /** Tells of batches, one after the other. */
  async #tell({ onBatchEnd }: FitCallbacks): Promise<void> {
    await this.#await();
    while (this.#reports.length > 0 && !this.#callback) {
      const report = this.#reports.shift()!;
      await this.#call(() => onBatchEnd?.(report));
    }
  }

  /** Calls back once the callback before is done; so none begins while that one waits for a boundary. */
  async #call(callback: () => unknown): Promise<void> {
    await this.#await();
    if (this.#callback) return;
    this.#callback = (async () => callback())();
    // What it throws is thrown where it is waited for.
    this.#callback.catch(() => undefined);
    await this.#await();
  }

  /**
   * Waits for the callback, if there is one, and meanwhile serves what it or anyone asks for. Returns early
   * where only more steps can bring what it waits for.
   */
  async #await(): Promise<void> {
    while (this.#callback) {
      const asked = new Promise<void>((resolve) => (this.#wake = resolve));
      if (this.#waiting.length === 0) await Promise.race([this.#callback, asked]);
      if (this.#waiting.length === 0) {
        const callback = this.#callback;
        this.#callback = null;
        await callback;
        return;
      }
      if (this.#parts.trainer.unreported > 0 && !this.#error) return;
      for (const work of this.#waiting.splice(0)) await work();
    }
  }

  /** Runs `work` between two steps, when no loss is under way. */
  atBoundary<R>(work: () => Promise<R>): Promise<R> {
    if (!this.#running) return work();
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => work().then(resolve, reject));
      this.#wake?.();
    });
  }

  /** At a boundary: does all that waits for one, and lets callbacks catch up. */
  async #serve(callbacks: FitCallbacks): Promise<void> {
    for (const work of this.#waiting.splice(0)) await work();
    await this.#tell(callbacks);
  }

  /** Adds the place of the fit to a checkpoint. */
  capture(writer: CheckpointWriter): ReadonlyMap<string, Variable> {
    const state = this.#state;
    if (!state) return new Map();
    const { settings, epoch, batch, weight, early } = state;
    writer.field('fit', { ...settings, fingerprint: state.fingerprint(), epoch, batch, weight });
    if (early) {
      const { best, bestEpoch, waited } = early;
      writer.field('earlyStopping', { bestEpoch, waited, ...(best === null ? {} : { best }) });
    }
    const list = (name: string, numbers: readonly number[]): void =>
      writer.tensor(name, { shape: [numbers.length], data: Float64Array.from(numbers) });
    for (const [name, numbers] of Object.entries(state.columns)) list(`history.${name}`, numbers);
    for (const [name, sum] of Object.entries(state.sums)) list(`sum.${name}`, [sum]);
    const snapshots = [
      ['good.', this.#good],
      ['best.', this.#best],
    ] as const;
    return new Map(
      snapshots.flatMap(([prefix, { taken, variables }]) =>
        taken ? [...variables].map(([name, variable]): [string, Variable] => [prefix + name, variable]) : [],
      ),
    );
  }

  /**
   * Takes the fit's part of a checkpoint and checks it.
   * @returns what carries it out; the next `run` then goes on where the saved one was
   */
  prepareRestore(reader: CheckpointReader): () => void {
    if (!reader.has('fit')) return () => undefined;
    const fit = reader.numbers('fit');
    const whole = (source: Record<string, number>, name: string, min = 0): number => {
      const value = source[name];
      if (Number.isSafeInteger(value) && value! >= min) return value!;
      return reader.fail(`fit, ${name}`, `is ${value}, not a whole number of at least ${min}`);
    };
    const settings: Settings = {
      batchSize: whole(fit, 'batchSize', 1),
      seed: whole(fit, 'seed'),
      shuffle: whole(fit, 'shuffle'),
      samples: whole(fit, 'samples', 1),
    };
    const early = reader.has('earlyStopping') ? reader.numbers('earlyStopping') : null;
    const epoch = whole(fit, 'epoch');
    const batch = whole(fit, 'batch');
    const weight = whole(fit, 'weight');
    const { batchSize, samples } = settings;
    if (batch > Math.ceil(samples / batchSize) || weight > Math.min(samples, batch * batchSize)) {
      reader.fail('fit', `has ${weight} samples after batch ${batch}, of ${batchSize} of ${samples}`);
    }
    const names = ['loss', ...this.#parts.metrics];
    const lists = (prefix: string, known: readonly string[], length: number, after: string) =>
      reader.names(prefix).map((name): [string, number[]] => {
        const list = reader.list(prefix + name);
        if (!known.includes(name)) reader.fail(prefix + name, 'is no measurement of this model');
        if (list.length !== length) reader.fail(prefix + name, `has ${list.length} numbers ${after}`);
        return [name, list];
      });
    const known = columnsOf(this.#parts.metrics, true);
    const columns = Object.fromEntries(lists('history.', known, epoch, `after ${epoch} epochs`));
    const sums = Object.fromEntries(lists('sum.', names, 1, 'for one').map(([name, [sum]]) => [name, sum!]));
    if (weight > 0 && names.some((name) => !Object.hasOwn(sums, name))) {
      reader.fail('sum', `of ${names.join(' or ')} is missing`);
    }
    const fingerprint = whole(fit, 'fingerprint');
    const state: FitState = {
      settings,
      fingerprint: () => fingerprint,
      epoch,
      batch,
      weight,
      sums,
      columns,
      early: early && {
        best: early['best'] ?? null,
        bestEpoch: whole(early, 'bestEpoch'),
        waited: whole(early, 'waited'),
      },
      restored: true,
    };
    const snapshots = [
      ['good.', this.#good],
      ['best.', this.#best],
    ] as const;
    const found = snapshots.map(([prefix, snapshot]) => {
      const taken = reader.names(prefix).length > 0;
      return { snapshot, assignments: taken ? reader.variables(prefix, snapshot.variables) : null };
    });
    return () => {
      this.#state = state;
      for (const { snapshot, assignments } of found) {
        snapshot.taken = assignments !== null;
        if (assignments) assign(this.#parts.executor, assignments);
      }
    };
  }

  /** Frees the snapshots. */
  dispose(): void {
    this.#good.dispose();
    this.#best.dispose();
  }
}

const CALLBACKS = ['onEpochBegin', 'onEpochEnd', 'onBatchEnd', 'yield', 'onRecovered'];

const OPTIONS = [
  'epochs',
  'batchSize',
  'shuffle',
  'seed',
  'validationSplit',
  'validationData',
  'callbacks',
  'earlyStopping',
  'stopOnNaN',
  'signal',
];

function divide(
  data: Dataset,
  { validationSplit = 0, validationData }: ModelFitOptions,
): { training: Dataset; validation: Dataset | null } {
  checkNumber('fit', 'validationSplit', validationSplit, { min: 0, below: 1 });
  if (validationData) {
    checkDataset('fit, validationData', validationData);
    if (validationSplit === 0) return { training: data, validation: validationData };
    throw new ArgumentError({
      culprit: 'fit',
      problem: 'validationSplit and validationData are both given',
      remedy: 'give one of them',
    });
  }
  if (validationSplit === 0) return { training: data, validation: null };
  const { training, heldOut } = splitDataset(data, validationSplit);
  return { training, validation: heldOut };
}

/** `validationAccuracy` of `accuracy`. */
function validationName(name: string): string {
  return `validation${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function columnsOf(metrics: readonly string[], validated: boolean): string[] {
  const names = ['loss', ...metrics];
  return validated ? [...names, ...names.map(validationName)] : names;
}

/** Whether no later batch of the epoch runs on the plan of the next one, so that none would bring its losses home. */
function lastOfItsPlan({ batch, settings }: FitState, trainer: Trainer, batches: number): boolean {
  const { batchSize, samples } = settings;
  const plan = (index: number): string => {
    const size = Math.min(batchSize, samples - index * batchSize);
    const updates = (trainer.steps + 1 + index - batch) % trainer.accumulate === 0;
    return `${size} ${updates}`;
  };
  const own = plan(batch);
  for (let index = batch + 1; index < batches; index++) if (plan(index) === own) return false;
  return true;
}
