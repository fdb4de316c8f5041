/** `Model`: a network with a loss and an optimizer, to fit, evaluate and predict with arrays. */
import { ArgumentError, DisposedError, FormatError, guardMemory, ShapeError } from '../graph/errors.js';
import type { Executor } from '../graph/executor.js';
import { Graph } from '../graph/graph.js';
import {
  checkChoice,
  checkFlag,
  checkObject,
  checkOptions,
  checkWhole,
  nameOf,
  show,
} from '../graph/options.js';
import { PlanCache } from '../graph/plan-cache.js';
import { checkShape, formatShape, type Shape } from '../graph/shape.js';
import { DTYPES, Value, type DType } from '../graph/value.js';
import { CheckpointReader, checkSavable, CheckpointWriter } from '../io/checkpoint.js';
import { parseSafetensors, writeSafetensors } from '../io/safetensors.js';
import { ForwardContext } from '../nn/context.js';
import { Module, ownerOf, type TensorData } from '../nn/module.js';
import { add } from '../ops/binary.js';
import { Adam } from '../optim/adam.js';
import type { Optimizer } from '../optim/optimizer.js';
import { checkDataset, checkTensor, gatherBatch, toBatchMajor, type Dataset } from './dataset.js';
import { ModelFit, type FitHistory, type ModelFitOptions } from './model-fit.js';
import { ExponentialMovingAverage } from './moving-average.js';
import { weightPenalty, type WeightPenalty } from './penalties.js';
import { hold, letGo } from './shared-variables.js';
import { Trainer, type Batch } from './trainer.js';

/** From predictions and targets to a scalar: a loss, or a metric. */
export type Measure = (prediction: Value, target: Value) => Value;

/** A network as {@link Model} calls it. */
export type Forward = (x: Value, context: ForwardContext) => Value;

/** Options of a {@link Model}. */
export interface ModelOptions {
  readonly executor: Executor;
  /** What is trained, saved and freed: it holds every layer that `forward` calls. */
  readonly network: Module;
  /** How the network is called. Default: its method `forward(x, context)`. */
  readonly forward?: Forward;
  /** From predictions and targets to a scalar, such as `meanSquaredError` or `crossEntropy`. */
  readonly loss: Measure;
  /** Default: Adam. */
  readonly optimizer?: Optimizer;
  /** Scalars to measure beside the loss, by the names they get in the history. */
  readonly metrics?: Readonly<Record<string, Measure>>;
  /**
   * Whether the network takes `[B,…]`, as the data are; the default, with which recurrent layers need their own
   * `batchFirst: true`. With `false` it takes sequences time-major, `[T,B,…]`, as they do by default: data stay
   * `[N,T,…]`, batches are turned before they go to the device, targets too where the predictions are sequences,
   * and predictions are turned back.
   */
  readonly batchFirst?: boolean;
  /** Gradients are scaled down to this global norm. 0, the default, is no clipping. */
  readonly clipNorm?: number;
  /** Then each element of a gradient is held within ± this. 0, the default, is no bound. */
  readonly clipValue?: number;
  /** Batches an update: the mean of their gradients is applied. Default 1. */
  readonly accumulate?: number;
  /** Added to the loss, in training and evaluation. */
  readonly penalty?: WeightPenalty;
  /** Decay of an average of the weights, see `Model.average`. Default: none is kept. */
  readonly averageDecay?: number;
  /** Makes dropout repeat. Default 0. */
  readonly seed?: number;
  /** For listings and messages. Default `model`. */
  readonly name?: string;
}

/** The loss and each metric, by name. */
export type Measurements = Readonly<Record<string, number>>;

/** Names the trainer and the history use themselves. */
const RESERVED = ['loss', 'gradientNorm'];
/** How many batches of an evaluation or prediction are in flight. */
const DEPTH = 2;

/** A batch of predictions: what kind of input makes it. */
type PredictionKey = { readonly shape: string; readonly dtype: DType };

/** What a network makes of its input. */
interface Layout {
  /** Whether predictions are sequences as long as the input. */
  readonly sequences: boolean;
}

/** Trains a network on arrays, whole epochs at a time. For full control of each step, use a `Trainer`. */
export class Model {
  readonly executor: Executor;
  readonly network: Module;
  readonly optimizer: Optimizer;
  /** Steps and their plans. */
  readonly trainer: Trainer;
  /** The averages of the weights: `model.average.during(() => model.evaluate(data))` measures with them. */
  readonly average: ExponentialMovingAverage | null;
  readonly #name: string;
  readonly #forward: Forward;
  readonly #metrics: readonly string[];
  readonly #batchFirst: boolean;
  readonly #predictions: PlanCache<PredictionKey>;
  /** Shapes of predictions by those of batches, as JSON. */
  readonly #predicted = new Map<string, Shape>();
  /** By shape and type of a sample. */
  readonly #layouts = new Map<string, Layout>();
  #fit: ModelFit | null = null;
  #fitting = false;
  #disposed = false;
  /** Shape of a sample and type of its numbers, for the summary. */
  #sample: { readonly shape: Shape; readonly dtype: DType } | null = null;

  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: ModelOptions) {
    const name = nameOf('model', options) || 'model';
    const { executor, network, loss, optimizer = new Adam(), metrics = {} } = options;
    const { batchFirst = true, clipNorm = 0, clipValue = 0, accumulate = 1, seed = 0 } = options;
    const { penalty, averageDecay } = options;
    checkOptions(name, options, MODEL_OPTIONS);
    checkFlag(name, 'batchFirst', batchFirst);
    checkNetwork(name, network);
    checkMeasure(name, 'loss', loss);
    checkObject(`${name}, metrics`, metrics);
    for (const [metric, measure] of Object.entries(metrics)) {
      checkMeasure(name, `metric "${metric}"`, measure, RESERVED.includes(metric));
    }
    this.executor = executor;
    this.network = network;
    this.optimizer = optimizer;
    this.#name = name;
    this.#batchFirst = batchFirst;
    this.#metrics = Object.keys(metrics);
    this.#forward = forwardOf(name, network, options.forward);
    this.average =
      averageDecay === undefined
        ? null
        : new ExponentialMovingAverage({ executor, parameters: network, decay: averageDecay });
    this.trainer = new Trainer({
      executor,
      parameters: network,
      optimizer,
      clipNorm,
      clipValue,
      accumulate,
      ...(this.average && { average: this.average }),
      seed,
      name,
      record: (graph, { x, y }, context) => {
        const prediction = this.#predict(x!, context);
        const measured = Object.entries(metrics).map(([metric, measure]) => [
          metric,
          checkScalar(`${name}, metric "${metric}"`, measure(prediction, y!), graph),
        ]);
        const plain = loss(prediction, y!);
        const total = penalty ? add(plain, weightPenalty(graph, network, penalty)) : plain;
        return { ...(Object.fromEntries(measured) as Record<string, Value>), loss: total };
      },
    });
    hold(executor, network.parameters());
    this.#predictions = new PlanCache<PredictionKey>({
      executor,
      name: `${name}, prediction`,
      record: (graph, { shape, dtype }) => {
        const x = graph.input('x', JSON.parse(shape) as number[], dtype);
        const prediction = this.#predict(x, new ForwardContext(graph, { training: false }));
        this.trainer.noteUpdates(graph);
        this.#predicted.set(shape, prediction.shape);
        graph.output('prediction', prediction);
      },
    });
  }

  #predict(x: Value, context: ForwardContext): Value {
    const prediction: unknown = this.#forward(x, context);
    if (!(prediction instanceof Value)) {
      throw new ArgumentError({
        culprit: this.#name,
        problem: 'its network gives something else than one value',
        remedy: 'pass `forward: (x, context) => …` that returns the predictions',
      });
    }
    this.#checkHeld(x.graph);
    return prediction;
  }

  /** Throws where a layer was called that the network does not hold: nobody would train, save or free it. */
  #checkHeld({ reads }: Graph): void {
    const held = new Set(this.network.parameters());
    for (const variable of reads.keys()) {
      const layer = held.has(variable) ? undefined : ownerOf(variable);
      if (!layer) continue;
      throw new ArgumentError({
        culprit: this.#name,
        problem: `forward uses "${variable.name}" of ${layer.culprit}, which its network does not hold`,
        remedy:
          'pass a network of all layers, such as new ModuleDict({ … }); to leave some as they are, give the optimizer groups with learningRateFactor 0',
      });
    }
  }

  /**
   * Trains on samples, `epochs` times over all of them.
   * @throws ShapeError or ArgumentError for data and options that do not fit; when `stopOnNaN` ends the fit,
   * that is no error: the history says so
   */
  async fit(data: Dataset, options: ModelFitOptions = {}): Promise<FitHistory> {
    this.#checkAlive();
    if (this.#fitting) {
      throw new ArgumentError({
        culprit: 'fit',
        problem: 'this model is already being trained',
        remedy: 'wait for the other call, or abort it',
      });
    }
    this.#fitting = true;
    try {
      this.#fit ??= this.#createFit();
      return await this.#fit.run(data, options);
    } finally {
      this.#fitting = false;
    }
  }

  #createFit(): ModelFit {
    return new ModelFit({
      executor: this.executor,
      trainer: this.trainer,
      average: this.average,
      metrics: this.#metrics,
      toBatch: (dataset, samples) => this.#toBatch(dataset, samples),
      evaluate: (dataset, batchSize, signal) => this.#evaluate(dataset, batchSize, signal),
    });
  }

  /** The loss and all metrics over the data, without dropout: means over the samples. */
  async evaluate(data: Dataset, options: { readonly batchSize?: number } = {}): Promise<Measurements> {
    this.#checkAlive();
    checkOptions('evaluate', options, ['batchSize']);
    const { batchSize = 32 } = options;
    checkWhole('evaluate', 'batchSize', batchSize, 1);
    checkDataset('evaluate', data);
    return (await this.trainer.recovery.attempt(() => this.#evaluate(data, batchSize)))!;
  }

  /** `null` when the signal ended it. */
  async #evaluate(data: Dataset, batchSize: number, signal?: AbortSignal): Promise<Measurements | null> {
    const samples = data.x.shape[0]!;
    const read = ['loss', ...this.#metrics];
    const totals = new Map(read.map((name) => [name, 0]));
    const stopping = (): boolean => signal?.aborted ?? false;
    let stopped = false;
    await inOrder(batchesOf(samples, batchSize), async (indices) => {
      stopped ||= stopping();
      if (stopped) return null;
      const { outputs } = await this.trainer.evaluate(this.#toBatch(data, indices), { read });
      return () => {
        for (const [name, total] of totals) totals.set(name, total + outputs[name]![0]! * indices.length);
      };
    });
    // Set by the batches above.
    if (stopped as boolean) return null;
    return Object.fromEntries(read.map((name) => [name, totals.get(name)! / samples]));
  }

  /** The predictions for `x` `[N,…]`, one a sample, without dropout. */
  async predict(x: TensorData, options: { readonly batchSize?: number } = {}): Promise<TensorData> {
    this.#checkAlive();
    checkOptions('predict', options, ['batchSize']);
    const { batchSize = 32 } = options;
    checkWhole('predict', 'batchSize', batchSize, 1);
    checkTensor('predict, x', x);
    return this.trainer.recovery.attempt(() => this.#predictAll(x, batchSize));
  }

  async #predictAll(x: TensorData, batchSize: number): Promise<TensorData> {
    const { sequences } = this.#layoutOf(x);
    const samples = x.shape[0]!;
    const parts: TensorData[] = [];
    await inOrder(batchesOf(samples, batchSize), async (indices) => {
      const { shape, data } = gatherBatch(x, indices, !this.#batchFirst);
      const key = JSON.stringify(shape);
      const plan = await this.#predictions.get({ shape: key, dtype: dtypeOf(x) });
      this.#checkAlive();
      const { outputs } = await plan.run({ x: data }, { read: ['prediction'] });
      const prediction = outputs['prediction']!;
      return () => {
        const part = { shape: this.#predicted.get(key)!, data: prediction };
        parts.push(sequences && !this.#batchFirst ? toBatchMajor(part) : part);
      };
    });
    const size = parts.reduce((sum, { data }) => sum + data.length, 0);
    const first = parts[0]!;
    const Numbers = first.data.constructor as Float32ArrayConstructor;
    const data = guardMemory(`${this.#name}, prediction`, () => new Numbers(size));
    let at = 0;
    for (const part of parts) {
      data.set(part.data, at);
      at += part.data.length;
    }
    return { shape: [samples, ...first.shape.slice(1)], data };
  }

  #toBatch({ x, y }: Dataset, samples: Int32Array): Batch {
    const turned = !this.#batchFirst;
    const { sequences } = this.#layoutOf(x);
    const targetsTurned = turned && sequences && y.shape[1] === x.shape[1];
    return { x: gatherBatch(x, samples, turned), y: gatherBatch(y, samples, targetsTurned) };
  }

  /** Whether predictions are sequences: found by recording once, with a batch that no other dimension is like. */
  #layoutOf(x: TensorData): Layout {
    const sample = { shape: x.shape.slice(1), dtype: dtypeOf(x) };
    const key = JSON.stringify(sample);
    let layout = this.#layouts.get(key);
    if (layout) return layout;
    const [steps] = sample.shape;
    if (!this.#batchFirst && steps === undefined) {
      throw new ShapeError({
        culprit: this.#name,
        problem: `batchFirst is false, but x has shape ${formatShape(x.shape)}`,
        remedy: 'pass sequences [N,T,…], or leave batchFirst out',
      });
    }
    const batch = (steps ?? 0) + 2;
    const shape = this.#batchFirst ? [batch, ...sample.shape] : [steps!, batch, ...sample.shape.slice(1)];
    const graph = new Graph(`${this.#name}, shapes`);
    const input = graph.input('x', shape, sample.dtype);
    const predicted = this.#predict(input, new ForwardContext(graph, { training: false })).shape;
    this.#checkTime(graph, batch);
    const [a, b] = predicted;
    layout = { sequences: this.#batchFirst ? b === steps : a === steps && b === batch };
    if (!layout.sequences && a !== batch) {
      throw new ShapeError({
        culprit: this.#name,
        problem: `its network makes ${formatShape(predicted)} of ${formatShape(shape)}, a batch of ${batch}`,
        remedy: this.#batchFirst
          ? 'let it return [B,…], or set batchFirst: false if it takes [T,B,…]'
          : 'let it return [B,…] or [T,B,…]',
      });
    }
    this.#layouts.set(key, layout);
    this.#sample = sample;
    return layout;
  }

  /** Throws where a recurrent layer goes from sample to sample, as if a batch were a sequence. */
  #checkTime({ nodes }: Graph, batch: number): void {
    const wrong = nodes.find(({ operation, inputs }) => {
      if (operation.name !== 'recurrent') return false;
      const [steps, samples] = inputs[0]!.shape;
      return steps === batch && samples !== batch;
    });
    if (!wrong) return;
    throw new ArgumentError({
      culprit: this.#name,
      problem: `recurrent layer "${wrong.label}" takes the samples of a batch for the steps of a sequence`,
      remedy: this.#batchFirst
        ? 'give it batchFirst: true, or the model batchFirst: false if its network takes [T,B,…]'
        : 'leave batchFirst: true of the layer out, or batchFirst: false of the model',
    });
  }

  /**
   * Layers with the shapes they give and parameters with their counts, for people.
   * @param options.inputShape of one sample, without the batch. Default: that of the data seen last
   * @param options.dtype of its numbers. Default `float32`
   */
  summary(options: { readonly inputShape?: Shape; readonly dtype?: DType } = {}): string {
    checkOptions('summary', options, ['inputShape', 'dtype']);
    const { inputShape, dtype = 'float32' } = options;
    if (inputShape !== undefined) checkShape('summary, inputShape', inputShape);
    checkChoice('summary', 'dtype', dtype, DTYPES);
    const sample = inputShape ? { shape: inputShape, dtype } : this.#sample;
    const parameters = [...this.network.namedParameters()].map(([name, { shape, size }]) => [
      name,
      formatShape(shape),
      String(size),
    ]);
    const lines = [
      `${this.#name}: ${this.network.culprit}`,
      ...(sample ? ['', ...table([['layer', 'output'], ...this.#layers(sample)])] : []),
      '',
      ...table([['parameter', 'shape', 'count'], ...parameters]),
      '',
      `${this.network.parameterCount} parameters, ${this.optimizer.name}, on ${this.executor.description}`,
    ];
    return lines.join('\n');
  }

  /** Each labelled operation with the shape it gives, a letter for the batch. */
  #layers(sample: { readonly shape: Shape; readonly dtype: DType }): string[][] {
    const graph = new Graph(`${this.#name}, summary`);
    // A prime larger than most sizes stands for the batch, and is shown as B.
    const batch = 7919;
    const [steps, ...rest] = sample.shape;
    const shape = this.#batchFirst ? [batch, ...sample.shape] : [steps!, batch, ...rest];
    const show = (given: Shape): string => `[${given.map((n) => (n === batch ? 'B' : n)).join(',')}]`;
    const x = graph.input('x', shape, sample.dtype);
    const prediction = this.#predict(x, new ForwardContext(graph, { training: false }));
    const rows = new Map<string, string>([['input', show(shape)]]);
    for (const { label, outputs } of graph.nodes) if (label) rows.set(label, show(outputs[0]!.shape));
    return [...rows, ['prediction', show(prediction.shape)]];
  }

  /**
   * The parameters as a safetensors file, under PyTorch's names.
   * @throws NonFiniteError where one holds a number that is not finite
   */
  async save(): Promise<Uint8Array> {
    this.#checkAlive();
    const state = await this.trainer.recovery.attempt(() => this.network.state(this.executor));
    for (const [name, { data }] of state) checkSavable(`${this.#name}, parameter "${name}"`, data);
    return writeSafetensors(state);
  }

  /**
   * Sets all parameters from a safetensors file.
   * @throws FormatError, ArgumentError, ShapeError or NonFiniteError naming what does not fit; nothing has changed then
   */
  load(bytes: Uint8Array | ArrayBuffer): void {
    this.#checkAlive();
    const { tensors, metadata } = parseSafetensors(bytes);
    const kind = metadata.get('kind');
    if (kind !== undefined) {
      throw new FormatError({
        culprit: `${this.#name}, load`,
        problem: `the file is a checkpoint of a ${kind}`,
        remedy: 'restore() takes it; load() takes what save() gave',
      });
    }
    this.network.loadState(this.executor, tensors);
  }

  /**
   * The whole training as a safetensors file: what a `Trainer`'s checkpoint holds, and epoch, place in the
   * data, history, and the state of early stopping. While `fit` runs, it is made at the next boundary between
   * two steps at which no loss is under way. It may be asked for and awaited in callbacks too. Once a loss that was
   * not finite has been seen, it is that of the last good weights.
   * @throws NonFiniteError where it would hold a number that is not finite
   */
  async checkpoint(): Promise<Uint8Array> {
    this.#checkAlive();
    const capture = async (): Promise<Uint8Array> => {
      const writer = new CheckpointWriter(CHECKPOINT_KIND);
      await this.trainer.capture(writer, (into) => this.#fit?.capture(into) ?? new Map());
      return writer.toBytes();
    };
    return this.trainer.recovery.attempt(() =>
      this.#fitting && this.#fit ? this.#fit.atBoundary(capture) : capture(),
    );
  }

  /**
   * Goes on from a checkpoint: the next `fit`, called with the data and options of the one that was
   * interrupted, begins with the step after it and gives the same losses to the last bit, on the same kind of
   * executor, and the whole history.
   * @throws FormatError, ShapeError or NonFiniteError naming what does not fit; nothing has changed then
   */
  async restore(bytes: Uint8Array | ArrayBuffer): Promise<void> {
    this.#checkAlive();
    if (this.#fitting) {
      throw new ArgumentError({
        culprit: this.#name,
        problem: 'is being trained',
        remedy: 'wait for fit to end, or abort it, before restoring',
      });
    }
    const reader = new CheckpointReader(bytes, CHECKPOINT_KIND);
    const commit = this.trainer.prepareRestore(reader);
    const fit = this.#createFit();
    const commitFit = fit.prepareRestore(reader);
    reader.finish();
    await commit();
    commitFit();
    this.#fit?.dispose();
    this.#fit = fit;
  }

  /**
   * Frees everything this model holds on the executor, which lives on; the parameters too, where no other model
   * has this network.
   */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#fit?.dispose();
    this.trainer.dispose();
    this.average?.dispose();
    this.#predictions.dispose();
    const unused = letGo(this.executor, this.network.parameters());
    if (!this.executor.disposed) this.executor.release(unused);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkAlive(): void {
    if (!this.#disposed) return;
    throw new DisposedError({ culprit: this.#name, problem: 'was disposed', remedy: 'create a new one' });
  }
}

const CHECKPOINT_KIND = 'model';

const MODEL_OPTIONS = [
  'executor',
  'network',
  'forward',
  'loss',
  'optimizer',
  'metrics',
  'batchFirst',
  'clipNorm',
  'clipValue',
  'accumulate',
  'penalty',
  'averageDecay',
  'seed',
  'name',
];

function checkNetwork(name: string, network: unknown): void {
  if (network instanceof Module) return;
  throw new ArgumentError({
    culprit: name,
    problem: 'network is not a Module',
    remedy: 'pass a layer, a Sequential, a ModuleDict with `forward`, or a Module of your own',
  });
}

function checkMeasure(name: string, what: string, measure: unknown, reserved = false): void {
  if (typeof measure === 'function' && !reserved) return;
  throw new ArgumentError({
    culprit: name,
    problem: reserved ? `${what} has a name the model uses itself` : `${what} is a ${typeof measure}`,
    remedy: reserved ? 'rename it' : 'pass a function of prediction and target that returns a scalar',
  });
}

/** What a metric has given: one number of the recording. */
function checkScalar(culprit: string, value: unknown, graph: Graph): Value {
  if (!(value instanceof Value) || value.graph !== graph) {
    throw new ArgumentError({
      culprit,
      problem: value instanceof Value ? 'gives a value of another graph' : `gives ${show(value)}`,
      remedy:
        'return a value computed of prediction and target, such as mean(correctTopK(prediction, target))',
    });
  }
  if (value.size === 1 && value.dtype === 'float32') return value;
  throw new ShapeError({
    culprit,
    problem: `is ${value.dtype}${formatShape(value.shape)}`,
    remedy: 'return one real number, for instance the mean(…) of these',
  });
}

function forwardOf(name: string, network: Module, given: Forward | undefined): Forward {
  if (given) return given;
  const own = (network as Module & { forward?: Forward }).forward;
  if (typeof own === 'function') return own.bind(network);
  throw new ArgumentError({
    culprit: name,
    problem: `its network, a ${network.kind}, has no method forward`,
    remedy: 'pass `forward: (x, context) => …` that returns the predictions',
  });
}

function dtypeOf({ data }: TensorData): DType {
  return data instanceof Int32Array ? 'int32' : 'float32';
}

/** The samples in their order, `batchSize` at a time, the last batch shorter where there are fewer left. */
function* batchesOf(samples: number, batchSize: number): Generator<Int32Array> {
  for (let begin = 0; begin < samples; begin += batchSize) {
    yield Int32Array.from({ length: Math.min(batchSize, samples - begin) }, (_, i) => begin + i);
  }
}

/** Starts work for each item, a few at a time, and applies the results in the order of the items. */
async function inOrder<I>(
  items: Iterable<I>,
  start: (item: I) => Promise<(() => void) | null>,
): Promise<void> {
  const pending: Promise<(() => void) | null>[] = [];
  try {
    for (const item of items) {
      if (pending.length >= DEPTH) (await pending.shift())?.();
      const work = start(item);
      // What goes wrong is thrown where it is waited for.
      work.catch(() => undefined);
      pending.push(work);
    }
    while (pending.length > 0) (await pending.shift())?.();
  } finally {
    await Promise.allSettled(pending);
  }
}

/** Columns side by side, the last one to the right where it holds numbers. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const numbers = rows.slice(1).every((row) => /^\d+$/.test(row.at(-1)!));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        numbers && column === row.length - 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}
