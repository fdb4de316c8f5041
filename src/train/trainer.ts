/** `Trainer`: an executor, parameters, an optimizer and a recording of the loss, run step by step. */
import { ArgumentError, DisposedError, ShapeError, type RnnError } from '../graph/errors.js';
import {
  checkExecutor,
  checkRunOptions,
  type Executor,
  type Feed,
  type Feeds,
  type Plan,
} from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import {
  checkFlag,
  checkNumber,
  checkObject,
  checkOptions,
  checkWhole,
  nameOf,
  show,
} from '../graph/options.js';
import { PlanCache } from '../graph/plan-cache.js';
import { formatShape, sizeOf, type Shape } from '../graph/shape.js';
import { checkValue, PASS_VALUE, Value, type DType, type HostArray, type Variable } from '../graph/value.js';
import { assign, CheckpointReader, CheckpointWriter, type Assignment } from '../io/checkpoint.js';
import { ForwardContext } from '../nn/context.js';
import { namedVariables, type Module } from '../nn/module.js';
import { threefry2x32 } from '../nn/random.js';
import { fill } from '../ops/fill.js';
import { globalNorm } from '../ops/global-norm.js';
import { checkOptimizer, type Optimizer, type OptimizerState } from '../optim/optimizer.js';
import type { AdaptiveSchedule, LearningRate } from '../optim/schedules.js';
import { differentiateLoss } from './differentiate-loss.js';
import { GradientAccumulator } from './gradient-accumulator.js';
import { ExponentialMovingAverage } from './moving-average.js';
import { Pacer, type StepRecord } from './pacer.js';
import { Recovery, type Companion, type Rates } from './recovery.js';

/** Shape and type of one input of a batch. */
export interface BatchSpec {
  readonly shape: Shape;
  /** Default: int32 for an Int32Array, else float32. A GPU buffer of whole numbers must say so. */
  readonly dtype?: DType;
}

/** One input of a batch. */
export interface BatchInput extends BatchSpec {
  /** Numbers on the host, a number for a scalar, or a buffer on the executor's device. */
  readonly data: Feed;
}

/** A batch: inputs by name. Arrays must not be changed until the call that takes them has resolved. */
export type Batch = Readonly<Record<string, BatchInput>>;

/** What a recording gives: the loss, or the loss and further outputs by name. */
export type Recorded = Value | ({ readonly loss: Value } & Readonly<Record<string, Value>>);

/** Options of a {@link Trainer}. */
export interface TrainerOptions {
  readonly executor: Executor;
  /** What is trained. */
  readonly parameters: Module | ReadonlyMap<string, Variable>;
  readonly optimizer: Optimizer;
  /**
   * Records the loss of one batch: a scalar. Called once for each set of input shapes, and for training
   * and evaluation apart (`context.training`). Give `context` to the layers, so that dropout acts.
   */
  readonly record: (
    graph: Graph,
    inputs: Readonly<Record<string, Value>>,
    context: ForwardContext,
  ) => Recorded;
  /** Gradients are scaled down to this global norm. 0, the default, is no clipping. */
  readonly clipNorm?: number;
  /** Then each element of a gradient is held within ± this. 0, the default, is no bound. */
  readonly clipValue?: number;
  /**
   * Batches an update: each `step` takes one batch, and every `accumulate`th applies the mean of their
   * gradients, as if they were one batch (of batches of equal size and losses that are means). Default 1.
   */
  readonly accumulate?: number;
  /** Averages that take in the weights after each update. */
  readonly average?: ExponentialMovingAverage;
  /** Further variables that steps change, such as carried states: they belong to checkpoints. */
  readonly variables?: ReadonlyMap<string, Variable>;
  /** Makes dropout repeat. Default 0. */
  readonly seed?: number;
  /** For listings and messages. Default `trainer`. */
  readonly name?: string;
}

/** Options of {@link Trainer.step}. */
export interface StepOptions {
  /** Outputs to bring to the host: `loss`, `gradientNorm` and those the recording named. The step is then waited for. */
  readonly read?: readonly string[];
  /** Wait for this step, so that all losses up to it are reported. */
  readonly flush?: boolean;
  /** For this step, instead of the optimizer's own rate or schedule. */
  readonly learningRate?: LearningRate;
}

/** What a step gives. */
export interface StepResult {
  /** Number of this step, from 1. */
  readonly step: number;
  /** Losses and gradient norms that have arrived since the last call, oldest first; often of earlier steps. */
  readonly records: readonly StepRecord[];
  /** The outputs that were asked for. */
  readonly outputs: Readonly<Record<string, HostArray>>;
}

/** What an evaluation gives. */
export interface EvaluationResult {
  readonly loss: number;
  /** The outputs that were asked for. */
  readonly outputs: Readonly<Record<string, HostArray>>;
}

const CHECKPOINT_KIND = 'trainer';
const STATEFUL = 'stateful.';

/** Feeds that the trainer adds to those of the batch. */
const RESERVED = ['learningRate', 'clipNorm', 'clipValue', 'dropoutSeed'];

/** Whether a plan updates the parameters, only gathers gradients, or only measures the loss or all gradients. */
type Mode = 'update' | 'accumulate' | 'evaluate' | 'gradients';

type Key = { readonly mode: Mode; readonly inputs: string };

/**
 * Trains parameters, one step a call. A step is one run of a plan compiled once for its input shapes:
 * loss, gradients, clipping and update, all or nothing. Losses are read back every few steps, so that
 * the device is never waited for; at most about 250 ms of steps are in flight.
 */
export class Trainer {
  readonly executor: Executor;
  readonly optimizer: Optimizer;
  readonly optimizerState: OptimizerState;
  readonly #name: string;
  readonly #average: ExponentialMovingAverage | null;
  readonly #accumulator: GradientAccumulator | null;
  readonly #extra: ReadonlyMap<string, Variable>;
  /** What plans change besides, such as the states of stateful layers: snapshots hold it too. */
  readonly #stateful = new Set<Variable>();
  readonly #record: TrainerOptions['record'];
  readonly #plans: PlanCache<Key>;
  readonly #pacer = new Pacer();
  /** @internal */
  readonly recovery: Recovery;
  /** Which plans want a dropout seed, by key. */
  readonly #seeded = new Set<string>();
  #seed: number;
  #clipNorm: number;
  #clipValue: number;
  #steps = 0;
  #disposed = false;
  #queue: Promise<unknown> = Promise.resolve();

  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: TrainerOptions) {
    const name = nameOf('trainer', options) || 'trainer';
    const { executor, parameters, optimizer, record, average = null } = options;
    const { clipNorm = 0, clipValue = 0, accumulate = 1, variables = new Map(), seed = 0 } = options;
    checkOptions(name, options, [
      'executor',
      'parameters',
      'optimizer',
      'record',
      'clipNorm',
      'clipValue',
      'accumulate',
      'average',
      'variables',
      'seed',
      'name',
    ]);
    checkNumber(name, 'clipNorm', clipNorm, { min: 0 });
    checkNumber(name, 'clipValue', clipValue, { min: 0 });
    checkWhole(name, 'accumulate', accumulate, 1);
    checkWhole(name, 'seed', seed, 0);
    checkExecutor(name, executor);
    checkOptimizer(name, optimizer);
    if (typeof record !== 'function') {
      throw new ArgumentError({
        culprit: name,
        problem: `record is ${show(record)}`,
        remedy: 'pass a function',
      });
    }
    if (average !== null && !(average instanceof ExponentialMovingAverage)) {
      throw new ArgumentError({
        culprit: name,
        problem: `average is ${show(average)}`,
        remedy: 'pass a new ExponentialMovingAverage(…)',
      });
    }
    namedVariables(`${name}, variables`, variables);
    const named = namedVariables(name, parameters);
    if (named.size === 0) {
      throw new ArgumentError({
        culprit: name,
        problem: 'there are no parameters',
        remedy: 'pass at least one',
      });
    }
    this.executor = executor;
    this.optimizer = optimizer;
    this.optimizerState = optimizer.createState(named);
    this.#name = name;
    this.#seed = seed;
    this.#record = record;
    this.#clipNorm = clipNorm;
    this.#clipValue = clipValue;
    this.#average = average;
    this.#extra = variables;
    this.#accumulator =
      accumulate > 1 ? new GradientAccumulator(this.optimizerState.namedParameters, accumulate) : null;
    this.#plans = new PlanCache<Key>({
      executor,
      name,
      record: (graph, key) => this.#recordPlan(graph, key),
    });
    const rates = (): Rates => [this.optimizer.learningRate, this.#clipNorm, this.#clipValue];
    const setRates = ([learningRate, ...clips]: Rates): void => {
      this.optimizer.resume(learningRate);
      [this.#clipNorm, this.#clipValue] = clips;
    };
    this.recovery = new Recovery({
      executor,
      gather: (writer, more, keep) => this.#gather(writer, more, keep),
      prepareRestore: (reader) => this.#prepareRestore(reader),
      steps: () => this.#steps,
      get rates() {
        return rates();
      },
      set rates(values) {
        setRates(values);
      },
    });
  }

  /** Gradients are scaled down to this global norm; 0 is no clipping. May be changed between steps. */
  get clipNorm(): number {
    return this.#clipNorm;
  }
  set clipNorm(value: number) {
    checkNumber(this.#name, 'clipNorm', value, { min: 0 });
    this.#clipNorm = value;
  }

  /** Elements of gradients are held within ± this, after `clipNorm`; 0 is no bound. May be changed between steps. */
  get clipValue(): number {
    return this.#clipValue;
  }
  set clipValue(value: number) {
    checkNumber(this.#name, 'clipValue', value, { min: 0 });
    this.#clipValue = value;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Batches an update. */
  get accumulate(): number {
    return this.#accumulator?.count ?? 1;
  }

  /** Steps begun so far: batches, where gradients accumulate. */
  get steps(): number {
    return this.#steps;
  }

  /** Steps whose losses have not been reported yet. */
  get unreported(): number {
    return this.#pacer.unreported;
  }

  /** Milliseconds a step takes, lately; 0 before the first is known. */
  get millisecondsPerStep(): number {
    return this.#pacer.millisecondsPerStep;
  }

  /**
   * The plan for inputs of these shapes, compiled at its first call.
   * @param options.training whether with gradients and update (the default) or the loss alone
   */
  async plan(
    inputs: Readonly<Record<string, BatchSpec>>,
    options: { readonly training?: boolean } = {},
  ): Promise<Plan> {
    const culprit = `${this.#name}, plan`;
    checkOptions(culprit, options, ['training']);
    const { training = true } = options;
    checkFlag(culprit, 'training', training);
    const mode = training ? 'update' : 'evaluate';
    return this.#plans.get({ mode, inputs: this.#describe(inputs) });
  }

  /**
   * Trains on one batch. Steps take effect in the order of their calls. Where the norm of the gradients is not
   * finite the update is skipped, and the record says so; whether a loss that is not finite ends the training is
   * the caller's to decide: {@link gradientNorms} names the gradient to blame.
   *
   * Where the executor may lose its device, the training is kept on the host every so often (its
   * {@link Executor.snapshotPeriod}), in as much memory as its variables have, and twice that while the next snapshot
   * is taken; one that finds none is tried again later. When the device is lost, this throws: the trainer is then as it was after the step that the error names, and goes on from there when it is given the
   * batches after that step again. Losses up to that step have all been reported.
   * @throws ShapeError when an input does not fit; nothing has changed then
   * @throws DeviceLostError when the device was lost, with the step that the trainer has gone back to
   */
  step(batch: Batch, options: StepOptions = {}): Promise<StepResult> {
    return this.#orBack(() => this.#step(batch, options));
  }

  async #step(batch: Batch, options: StepOptions): Promise<StepResult> {
    const { recovery } = this;
    checkRunOptions(`${this.#name}, step`, options, ['read', 'flush', 'learningRate']);
    checkFlag(`${this.#name}, step`, 'flush', options.flush ?? false);
    const inputs = this.#describe(batch);
    const { step, arrival } = await this.#enqueue(async () => {
      recovery.check();
      const step = this.#steps + 1;
      const updates = step % this.accumulate === 0;
      const key: Key = { mode: updates ? 'update' : 'accumulate', inputs };
      const plan = await this.#plans.get(key);
      this.#checkAlive();
      this.#checkWeightsInPlace('trained');
      await recovery.begin();
      const rate = this.optimizer.prepare(Math.ceil(step / this.accumulate), options.learningRate);
      const keeps = recovery.due && !recovery.accompanied;
      const flush = keeps || options.flush === true;
      const feeds = this.#feeds(batch, key, step, rate);
      const { arrival } = await this.#pacer.run(plan, feeds, step, { ...options, flush });
      this.#steps = step;
      if (updates) await this.#average?.update();
      if (keeps) {
        await arrival;
        // What has not arrived would never be reported after a return to this step.
        if (this.#pacer.underway === 0) void recovery.keep();
      }
      return { step, arrival };
    });
    const { outputs } = await arrival;
    return { step, records: this.#pacer.takeRecords(), outputs };
  }

  /** Does its work; when the device is lost, goes back and tells, unless a loop of its own does. */
  async #orBack<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      throw this.recovery.accompanied ? error : (await this.recovery.recover(error)).error;
    }
  }

  /**
   * Waits for the losses that are under way and gives them. Those of later steps come with the next
   * `step`; see {@link unreported}.
   */
  settle(): Promise<readonly StepRecord[]> {
    this.#checkAlive();
    return this.#orBack(async () => {
      await this.#queue;
      await this.#pacer.settle();
      return this.#pacer.takeRecords();
    });
  }

  /** The loss of one batch, without dropout and without learning. */
  evaluate(batch: Batch, options: { readonly read?: readonly string[] } = {}): Promise<EvaluationResult> {
    return this.#orBack(() => this.#evaluate(batch, options));
  }

  async #evaluate(batch: Batch, options: { readonly read?: readonly string[] }): Promise<EvaluationResult> {
    checkRunOptions(`${this.#name}, evaluate`, options, ['read']);
    const key: Key = { mode: 'evaluate', inputs: this.#describe(batch) };
    const read = [...new Set(['loss', ...(options.read ?? [])])];
    const { arrival } = await this.#enqueue(async () => {
      const plan = await this.#plans.get(key);
      this.#checkAlive();
      return { arrival: plan.run(this.#feeds(batch, key, 0), { read }) };
    });
    const { outputs } = await arrival;
    return { loss: outputs['loss']![0]!, outputs };
  }

  /**
   * The norm of each parameter's gradient by the loss of one batch, as a training step would see it, without
   * learning: to find out where a loss that is not finite comes from. States that the recording carries on go on.
   */
  async gradientNorms(batch: Batch): Promise<ReadonlyMap<string, number>> {
    const key: Key = { mode: 'gradients', inputs: this.#describe(batch) };
    const names = [...this.optimizerState.namedParameters.keys()];
    const { arrival } = await this.#enqueue(async () => {
      const plan = await this.#plans.get(key);
      this.#checkAlive();
      return { arrival: plan.run(this.#feeds(batch, key, this.#steps), { read: names }) };
    });
    const { outputs } = await arrival;
    return new Map(names.map((name) => [name, outputs[name]![0]!]));
  }

  /**
   * Lets the optimizer begin anew: its moments and counters, and gathered gradients, take their first values. The
   * parameters, the learning rate and the number of steps stay.
   */
  resetOptimizer(): Promise<void> {
    return this.#enqueue(async () => {
      this.#checkAlive();
      const variables = [
        this.optimizerState.variables,
        this.#accumulator?.variables ?? new Map<string, Variable>(),
      ];
      for (const variable of variables.flatMap((map) => [...map.values()])) {
        this.executor.write(variable, variable.initialValue());
      }
      return Promise.resolve();
    });
  }

  /**
   * All that later steps depend on, as a safetensors file: parameters, the optimizer's variables, gathered
   * gradients, averages and the further `variables`, learning rate and clipping, and the number of steps,
   * from which dropout and schedules follow. It is of one step boundary: after the steps called so far.
   * @throws NonFiniteError where it would hold a number that is not finite: nothing good is written over then
   */
  async checkpoint(): Promise<Uint8Array> {
    return this.recovery.attempt(async () => {
      const writer = new CheckpointWriter(CHECKPOINT_KIND);
      await this.capture(writer);
      return writer.toBytes();
    });
  }

  /**
   * Goes on from a checkpoint as if nothing had come between: the next steps give the same numbers to the
   * last bit, on the same kind of executor. The trainer must be set up as the one that was saved. Losses that
   * were still under way are dropped.
   * @throws FormatError, ShapeError or NonFiniteError naming what does not fit; nothing has changed then
   */
  async restore(bytes: Uint8Array | ArrayBuffer): Promise<void> {
    const reader = new CheckpointReader(bytes, CHECKPOINT_KIND);
    const commit = this.prepareRestore(reader);
    reader.finish();
    await commit();
  }

  /**
   * Adds this trainer to a checkpoint of something larger.
   * @param more called at the step boundary that is saved: may add fields, and gives further variables by full name
   */
  async capture(writer: CheckpointWriter, more?: Companion['capture']): Promise<void> {
    const { reading } = await this.#enqueue(() => {
      this.#checkAlive();
      this.#checkWeightsInPlace('saved');
      // Values that the device may be given again must not hide that numbers of their steps have not arrived.
      return Promise.resolve({ reading: this.#gather(writer, more, this.#pacer.underway === 0) });
    });
    await reading;
  }

  /** Adds the present state; asks for the variables at once. */
  #gather(writer: CheckpointWriter, more: Companion['capture'] | undefined, keep: boolean): Promise<void> {
    const { optimizer } = this;
    writer.field('step', this.#steps);
    writer.field('seed', this.#seed);
    writer.field('clipNorm', this.#clipNorm);
    writer.field('clipValue', this.#clipValue);
    writer.field('accumulate', this.accumulate);
    writer.field('optimizer', this.optimizerState.description);
    writer.field('learningRate', optimizer.learningRate);
    if (optimizer.adaptiveSchedule) writer.field('schedule', optimizer.adaptiveSchedule.state());
    const further = more?.(writer) ?? new Map<string, Variable>();
    const all = new Map([...this.#variables(), ...further]);
    if (writer.trusted) {
      const theirs = new Set(further.values());
      [...this.#stateful].forEach((variable, i) => {
        if (!theirs.has(variable)) all.set(`${STATEFUL}${i}`, variable);
      });
    }
    return writer.variables(this.executor, all, keep);
  }

  /**
   * Takes this trainer's part of a checkpoint and checks it.
   * @returns what carries it out, once all other parts have been found to fit too
   */
  prepareRestore(reader: CheckpointReader): () => Promise<void> {
    const commit = this.#prepareRestore(reader);
    return async () => {
      await commit(0);
      this.recovery.forget();
    };
  }

  #prepareRestore(reader: CheckpointReader): (after: number) => Promise<void> {
    this.#checkAlive();
    const { optimizer, optimizerState } = this;
    const description = reader.text('optimizer');
    if (description !== optimizerState.description) {
      reader.fail('optimizer', `is ${description}, this one is ${optimizerState.description}`);
    }
    const accumulate = reader.whole('accumulate', 1);
    if (accumulate !== this.accumulate) {
      reader.fail('accumulate', `is ${accumulate}, this trainer's is ${this.accumulate}`);
    }
    const step = reader.whole('step');
    const seed = reader.whole('seed');
    const clipNorm = reader.number('clipNorm');
    const clipValue = reader.number('clipValue');
    const learningRate = reader.number('learningRate');
    const schedule = optimizer.adaptiveSchedule;
    if (schedule === null && reader.has('schedule')) {
      reader.fail('schedule', 'is there, but the optimizer has no schedule that follows measurements');
    }
    const scheduleState = schedule && reader.numbers('schedule');
    const assignments: Assignment[] = reader.variables('', this.#variables());
    const kept = new Set(reader.names(STATEFUL));
    [...(reader.trusted ? this.#stateful : [])].forEach((variable, i) => {
      // What no run had changed by then has its first value.
      const now: Assignment[] = kept.has(`${i}`)
        ? reader.variables(STATEFUL, new Map([[`${i}`, variable]]))
        : [[variable, variable.initialValue()]];
      assignments.push(...now);
    });
    if (schedule && scheduleState) checkScheduleState(schedule, scheduleState);
    return (after) =>
      this.#enqueue(async () => {
        await this.#pacer.forget(after);
        this.#checkAlive();
        assign(this.executor, assignments);
        this.#average?.restored();
        this.#steps = step;
        this.#seed = seed;
        this.#clipNorm = clipNorm;
        this.#clipValue = clipValue;
        optimizer.resume(learningRate);
        if (schedule && scheduleState) schedule.restore(scheduleState);
      });
  }

  /** Everything that steps change, by its name in checkpoints. */
  #variables(): Map<string, Variable> {
    const parts: [string, ReadonlyMap<string, Variable>][] = [
      ['model.', this.optimizerState.namedParameters],
      ['optimizer.', this.optimizerState.variables],
      ['accumulated.', this.#accumulator?.variables ?? new Map<string, Variable>()],
      ['average.', this.#average?.variables ?? new Map<string, Variable>()],
      ['variable.', this.#extra],
    ];
    return new Map(
      parts.flatMap(([prefix, variables]) =>
        [...variables].map(([name, variable]): [string, Variable] => [prefix + name, variable]),
      ),
    );
  }

  /** Frees plans and the optimizer's variables. The parameters live on. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.recovery.forget();
    this.#plans.dispose();
    if (this.executor.disposed) return;
    this.executor.release(this.optimizerState.variables.values());
    if (this.#accumulator) this.executor.release(this.#accumulator.variables.values());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** One run after another, in the order of the calls, even while plans are being compiled. */
  #enqueue<R>(work: () => Promise<R>): Promise<R> {
    this.#checkAlive();
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  #checkAlive(): void {
    if (!this.#disposed) return;
    throw new DisposedError({ culprit: this.#name, problem: 'was disposed', remedy: 'create a new one' });
  }

  #checkWeightsInPlace(what: string): void {
    if (!this.#average?.swapped) return;
    throw new ArgumentError({
      culprit: this.#name,
      problem: `is to be ${what} while averages are in the place of its weights`,
      remedy: 'swap back first',
    });
  }

  /** Names, types and shapes of a batch, as a key of plans. */
  #describe(batch: Readonly<Record<string, BatchSpec | BatchInput>>): string {
    checkObject(`${this.#name}, batch`, batch);
    const inputs = Object.entries(batch).map(([name, input]) => {
      const culprit = `${this.#name}, input "${name}"`;
      if (RESERVED.includes(name)) {
        throw new ArgumentError({
          culprit,
          problem: 'has a name the trainer uses itself',
          remedy: 'rename it',
        });
      }
      checkInput(culprit, input);
      return [name, dtypeOf(culprit, input), input.shape] as const;
    });
    return JSON.stringify(inputs);
  }

  /** @param rate the learning rate, where there is an update */
  #feeds(batch: Batch, key: Key, step: number, rate = 0): Feeds {
    const feeds: Record<string, Feed> = {};
    for (const [name, { data }] of Object.entries(batch)) feeds[name] = data;
    if (this.#seeded.has(idOf(key))) {
      const words = [this.#seed >>> 0, Math.floor(this.#seed / 2 ** 32)] as const;
      feeds['dropoutSeed'] = threefry2x32(words, [step, 0])[0] | 0;
    }
    if (key.mode !== 'update') return feeds;
    const [learningRate, clipNorm, clipValue] = this.recovery.ratesOf(step, rate);
    return { ...feeds, learningRate, clipNorm, clipValue };
  }

  /** @internal Snapshots hold from now on what this graph changes, and what goes back goes back with it. */
  noteUpdates(graph: Graph): void {
    const known = new Set(this.#variables().values());
    for (const { variable } of graph.updates) if (!known.has(variable)) this.#stateful.add(variable);
  }

  #recordPlan(graph: Graph, key: Key): void {
    const inputs: Record<string, Value> = {};
    for (const [name, dtype, shape] of JSON.parse(key.inputs) as [string, DType, number[]][]) {
      inputs[name] = graph.input(name, shape, dtype);
    }
    const context = new ForwardContext(graph, { training: key.mode !== 'evaluate' });
    const recorded: unknown = this.#recordBatch(graph, inputs, context);
    this.noteUpdates(graph);
    const outputs = (recorded instanceof Value ? { loss: recorded } : Object(recorded)) as Recorded & object;
    const loss: unknown = 'loss' in outputs ? outputs.loss : recorded;
    if (!(loss instanceof Value) || loss.size !== 1 || loss.dtype !== 'float32') {
      throw new ShapeError({
        culprit: `${this.#name}, loss`,
        problem: `is ${loss instanceof Value ? `${loss.dtype}${formatShape(loss.shape)}` : show(loss)}`,
        remedy: 'return one real number, or { loss }',
      });
    }
    if (context.usesSeed) this.#seeded.add(idOf(key));
    if (key.mode === 'gradients') {
      const { namedParameters, parameters } = this.optimizerState;
      const gradients = differentiateLoss(this.#name, graph, loss, parameters);
      [...namedParameters.keys()].forEach((name, i) => {
        const gradient = gradients[i];
        graph.output(name, gradient ? globalNorm([gradient]) : fill(graph, [], 0));
      });
      return;
    }
    if (key.mode !== 'evaluate') this.#recordUpdate(graph, loss, key.mode);
    for (const [name, value] of Object.entries(outputs)) {
      checkValue(this.#name, `output "${name}"`, value);
      const scalar = value.size === 1 && value.dtype === 'float32';
      graph.output(name, value, { history: key.mode !== 'evaluate' && scalar });
    }
  }

  /** Calls the recording; where it fails for an input that the batch lacks, that is what is said. */
  #recordBatch(graph: Graph, inputs: Readonly<Record<string, Value>>, context: ForwardContext): unknown {
    const missing = new Set<string>();
    const watched = new Proxy(inputs, {
      get: (all, name) => all[name as string] ?? void missing.add(show(name)),
    });
    try {
      return this.#record(graph, watched, context);
    } catch (cause) {
      // Inputs may be left out on purpose: they are to blame only where one was taken for a Value.
      const slip = cause instanceof TypeError || (cause as Partial<RnnError>).remedy === PASS_VALUE;
      if (missing.size === 0 || !slip) throw cause;
      throw new ArgumentError({
        culprit: `${this.#name}, record`,
        problem: `the batch has no ${[...missing].join()}`,
        remedy: `it has ${Object.keys(inputs).map(show).join()}`,
        cause,
      });
    }
  }

  #recordUpdate(graph: Graph, loss: Value, mode: Mode): void {
    const own = differentiateLoss(this.#name, graph, loss, this.optimizerState.parameters);
    const gathered = this.#accumulator?.record(graph, own, { applies: mode === 'update' }) ?? own;
    if (mode === 'accumulate') {
      const used = gathered.filter((gradient) => gradient !== null);
      graph.output('gradientNorm', globalNorm(used), { history: true });
      return;
    }
    const { gradientNorm } = this.optimizerState.record(graph, gathered, {
      learningRate: graph.scalar('learningRate'),
      clipNorm: graph.scalar('clipNorm'),
      clipValue: graph.scalar('clipValue'),
    });
    graph.output('gradientNorm', gradientNorm, { history: true });
  }
}

/** Throws when a schedule refuses a state, and leaves it as it was. */
function checkScheduleState(schedule: AdaptiveSchedule, state: Readonly<Record<string, number>>): void {
  const before = schedule.state();
  schedule.restore(state);
  schedule.restore(before);
}

function idOf(key: Key): string {
  return `${key.mode} ${key.inputs}`;
}

function checkInput(culprit: string, input: BatchSpec | BatchInput): void {
  if (!Array.isArray((input as BatchSpec | undefined)?.shape)) {
    throw new ShapeError({ culprit, problem: 'has no shape', remedy: 'pass { shape, data }' });
  }
  const shape = input.shape;
  const data = 'data' in input ? input.data : undefined;
  const length = typeof data === 'number' ? 1 : ArrayBuffer.isView(data) ? data.length : undefined;
  if (length === undefined || length === sizeOf(shape)) return;
  throw new ShapeError({
    culprit,
    problem: `has ${length} numbers, its shape ${formatShape(shape)} holds ${sizeOf(shape)}`,
    remedy: 'pass one number an element',
  });
}

function dtypeOf(culprit: string, input: BatchSpec | BatchInput): DType {
  const data = 'data' in input ? input.data : undefined;
  const natural: DType | undefined =
    data instanceof Int32Array
      ? 'int32'
      : data instanceof Float32Array || data instanceof Float64Array
        ? 'float32'
        : undefined;
  const { dtype = natural ?? 'float32' } = input;
  if (natural === undefined || natural === dtype) return dtype;
  throw new ShapeError({
    culprit,
    problem: `is declared ${dtype}, its data is ${natural}`,
    remedy: 'pass an Int32Array for int32, a Float32Array for float32',
  });
}
