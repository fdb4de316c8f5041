/** `Trainer`: an executor, parameters, an optimizer and a recording of the loss, run step by step. */
import { ArgumentError, DisposedError, ShapeError } from '../graph/errors.js';
import type { Executor, Feed, Feeds, Plan } from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import { checkNumber, checkOptions, checkWhole } from '../graph/options.js';
import { PlanCache } from '../graph/plan-cache.js';
import { formatShape, sizeOf, type Shape } from '../graph/shape.js';
import { Value, type DType, type HostArray, type Variable } from '../graph/value.js';
import { ForwardContext } from '../nn/context.js';
import { Module } from '../nn/module.js';
import { threefry2x32 } from '../nn/random.js';
import type { Optimizer, OptimizerState } from '../optim/optimizer.js';
import { differentiateLoss } from './differentiate-loss.js';
import { Pacer, type StepRecord } from './pacer.js';

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

/** Feeds that the trainer adds to those of the batch. */
const RESERVED = ['learningRate', 'clipNorm', 'dropoutSeed'];

type Key = { readonly training: boolean; readonly inputs: string };

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
  readonly #seed: number;
  readonly #record: TrainerOptions['record'];
  readonly #plans: PlanCache<Key>;
  readonly #pacer = new Pacer();
  /** Which plans want a dropout seed, by key. */
  readonly #seeded = new Set<string>();
  #clipNorm: number;
  #steps = 0;
  #disposed = false;
  #queue: Promise<unknown> = Promise.resolve();

  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: TrainerOptions) {
    const { executor, parameters, optimizer, record, clipNorm = 0, seed = 0, name = 'trainer' } = options;
    checkOptions(name, options, [
      'executor',
      'parameters',
      'optimizer',
      'record',
      'clipNorm',
      'seed',
      'name',
    ]);
    checkNumber(name, 'clipNorm', clipNorm, { min: 0 });
    checkWhole(name, 'seed', seed, 0);
    const named = parameters instanceof Module ? parameters.namedParameters() : parameters;
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
    this.#plans = new PlanCache<Key>({
      executor,
      name,
      record: (graph, key) => this.#recordPlan(graph, key),
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

  /** Steps begun so far. */
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
    return this.#plans.get(this.#key(inputs, options.training ?? true));
  }

  /**
   * Trains on one batch. Steps take effect in the order of their calls.
   * @throws ShapeError when an input does not fit; nothing has changed then
   */
  async step(batch: Batch, options: StepOptions = {}): Promise<StepResult> {
    const key = this.#key(batch, true);
    const { step, arrival } = await this.#enqueue(async () => {
      const plan = await this.#plans.get(key);
      this.#checkAlive();
      const step = this.#steps + 1;
      const feeds = {
        ...this.#feeds(batch, key, step),
        learningRate: this.optimizer.learningRate,
        clipNorm: this.#clipNorm,
      };
      const { arrival } = await this.#pacer.run(plan, feeds, step, options);
      this.#steps = step;
      return { step, arrival };
    });
    const { outputs } = await arrival;
    return { step, records: this.#pacer.takeRecords(), outputs };
  }

  /**
   * Waits for the losses that are under way and gives them. Those of later steps come with the next
   * `step`; see {@link unreported}.
   */
  async settle(): Promise<readonly StepRecord[]> {
    this.#checkAlive();
    await this.#queue;
    await this.#pacer.settle();
    return this.#pacer.takeRecords();
  }

  /** The loss of one batch, without dropout and without learning. */
  async evaluate(
    batch: Batch,
    options: { readonly read?: readonly string[] } = {},
  ): Promise<EvaluationResult> {
    const key = this.#key(batch, false);
    const read = [...new Set(['loss', ...(options.read ?? [])])];
    const { arrival } = await this.#enqueue(async () => {
      const plan = await this.#plans.get(key);
      this.#checkAlive();
      return { arrival: plan.run(this.#feeds(batch, key, 0), { read }) };
    });
    const { outputs } = await arrival;
    return { loss: outputs['loss']![0]!, outputs };
  }

  /** Frees plans and the optimizer's variables. The parameters live on. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#plans.dispose();
    if (!this.executor.disposed) this.executor.release(this.optimizerState.variables.values());
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

  #key(batch: Readonly<Record<string, BatchSpec | BatchInput>>, training: boolean): Key {
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
    return { training, inputs: JSON.stringify(inputs) };
  }

  #feeds(batch: Batch, key: Key, step: number): Feeds {
    const feeds: Record<string, Feed> = {};
    for (const [name, { data }] of Object.entries(batch)) feeds[name] = data;
    if (this.#seeded.has(idOf(key))) {
      const words = [this.#seed >>> 0, Math.floor(this.#seed / 2 ** 32)] as const;
      feeds['dropoutSeed'] = threefry2x32(words, [step, 0])[0] | 0;
    }
    return feeds;
  }

  #recordPlan(graph: Graph, key: Key): void {
    const inputs: Record<string, Value> = {};
    for (const [name, dtype, shape] of JSON.parse(key.inputs) as [string, DType, number[]][]) {
      inputs[name] = graph.input(name, shape, dtype);
    }
    const context = new ForwardContext(graph, { training: key.training });
    const recorded = this.#record(graph, inputs, context);
    const outputs = recorded instanceof Value ? { loss: recorded } : recorded;
    const loss = outputs.loss as Value | undefined;
    if (loss?.size !== 1 || loss.dtype !== 'float32') {
      throw new ShapeError({
        culprit: `${this.#name}, loss`,
        problem: loss ? `is ${loss.dtype}${formatShape(loss.shape)}` : 'is missing',
        remedy: 'let the recording return one real number, or an object that has it as `loss`',
      });
    }
    if (key.training) {
      const gradients = differentiateLoss(this.#name, graph, loss, this.optimizerState.parameters);
      const { gradientNorm } = this.optimizerState.record(graph, gradients, {
        learningRate: graph.scalar('learningRate'),
        clipNorm: graph.scalar('clipNorm'),
      });
      graph.output('gradientNorm', gradientNorm, { history: true });
    }
    for (const [name, value] of Object.entries(outputs)) {
      graph.output(name, value, { history: key.training && name === 'loss' });
    }
    if (context.usesSeed) this.#seeded.add(idOf(key));
  }
}

function idOf(key: Key): string {
  return `${key.training} ${key.inputs}`;
}

function checkInput(culprit: string, input: BatchSpec | BatchInput): void {
  if (!Array.isArray(input.shape)) {
    throw new ShapeError({ culprit, problem: 'has no shape', remedy: 'pass { shape, data }' });
  }
  const shape = input.shape as Shape;
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
