/** The network of a configuration: its layers, the graph of its loss, gradients and update, and its data. */
import { Graph } from '../../../src/graph/graph.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { ForwardContext } from '../../../src/nn/context.js';
import { Embedding } from '../../../src/nn/embedding.js';
import { Linear } from '../../../src/nn/linear.js';
import * as losses from '../../../src/nn/losses.js';
import { GRU, LSTM, RNN, type RecurrentLayer } from '../../../src/nn/recurrent.js';
import type { GRUOptions, LSTMOptions, RNNOptions } from '../../../src/nn/recurrent-options.js';
import { add, mul } from '../../../src/ops/binary.js';
import { gradients } from '../../../src/ops/gradients.js';
import { sum } from '../../../src/ops/reduce-sum.js';
import { Adadelta } from '../../../src/optim/adadelta.js';
import { Adagrad } from '../../../src/optim/adagrad.js';
import { Adam, AdamW } from '../../../src/optim/adam.js';
import { Adamax } from '../../../src/optim/adamax.js';
import { Lion } from '../../../src/optim/lion.js';
import { NAdam } from '../../../src/optim/nadam.js';
import type { Optimizer, OptimizerScalars, OptimizerState } from '../../../src/optim/optimizer.js';
import { RMSprop } from '../../../src/optim/rmsprop.js';
import { SGD } from '../../../src/optim/sgd.js';
import { randomArray, randomNumbers, randomTokens } from '../compare-executors.js';
import type { Configuration } from './configuration.js';
import type { Data } from './sensitive-compare.js';

type States = Readonly<Record<string, Value>>;
type Layer = RecurrentLayer<States>;
type AnyOptions = RNNOptions & LSTMOptions & GRUOptions;

/** A configuration made ready to compile. */
export interface Network {
  /** Forward, backward and one update. Gradients are outputs named `d …`. */
  readonly graph: Graph;
  readonly data: Data;
  readonly optimizer: OptimizerState;
  /** Records the update alone, of gradients that are inputs of the same names. */
  readonly recordUpdate: (graph: Graph) => void;
}

const SETTINGS = { learningRate: 0.01 };

/** Builds layers with their first weights, and records. */
export function createNetwork(configuration: Configuration): Network {
  const { T, B, I, C, vocabulary, batchFirst = false, seed, clipNorm = 0, clipValue = 0 } = configuration;
  const rnn = createLayer(configuration);
  const output = new Linear({ inputSize: rnn.outputSize, outputSize: C, seed: seed + 1 });
  const embedding =
    vocabulary === undefined
      ? null
      : new Embedding({ vocabSize: vocabulary, embeddingSize: I, seed: seed + 2 });
  const modules = new ModuleDict({ ...(embedding && { embedding }), rnn, output });

  const graph = new Graph('random');
  const feeds = new Feeder(graph, seed);
  const sources = new Map<string, Value>();
  const context = new ForwardContext(graph, { training: configuration.training ?? false });
  const [rows, columns] = batchFirst ? [B, T] : [T, B];
  const x = embedding
    ? embedding.forward(feeds.tokens('tokens', [rows, columns], vocabulary!))
    : feeds.numbers('x', [rows, columns, I]);
  if (!embedding) sources.set('x', x);
  const lengths = configuration.sequences === 'lengths' ? feeds.lengths(B, T) : undefined;
  const mask = configuration.sequences === 'mask' ? feeds.tokens('mask', [rows, columns], 3) : undefined;
  let initial: States | undefined;
  if (configuration.initial === 'given') {
    const given = rnn.cell.states.map((name, s) => {
      const width = s === 0 ? (configuration.projection ?? configuration.H) : configuration.H;
      const shape = [(configuration.layers ?? 1) * rnn.numDirections, B, width];
      return [`${name}0`, name, feeds.numbers(`${name}0`, shape)] as const;
    });
    for (const [name, , value] of given) sources.set(name, value);
    initial = Object.fromEntries(given.map(([, name, value]) => [name, value]));
  }
  const result = rnn.forward(x, initial, context, { lengths, mask });
  const prediction = output.forward(result.output);
  let loss = recordLoss(configuration, prediction, feeds, lengths);
  if (configuration.finals) {
    for (const [name, value] of Object.entries(result.state)) {
      graph.output(name, value);
      loss = add(loss, sum(mul(value, feeds.numbers(`upstream ${name}`, value.shape))));
    }
  }
  graph.output('y', result.output);
  graph.output('prediction', prediction);
  graph.output('loss', loss);

  const named = modules.namedParameters();
  const optimizer = createOptimizer(configuration).createState(named);
  const parameters = optimizer.parameters.map((parameter) => graph.read(parameter));
  const all = gradients(loss, [...parameters, ...sources.values()]);
  const names = [...optimizer.namedParameters.keys(), ...sources.keys()].map((name) => `d ${name}`);
  all.forEach((gradient, i) => graph.output(names[i]!, gradient));
  const scalars = (of: Graph): OptimizerScalars => ({
    learningRate: of.scalar('learningRate'),
    clipNorm: of.scalar('clipNorm'),
    clipValue: of.scalar('clipValue'),
  });
  optimizer.record(graph, all.slice(0, parameters.length), scalars(graph));
  return {
    graph,
    data: {
      ...feeds.data,
      ...SETTINGS,
      clipNorm,
      clipValue,
      ...(context.usesSeed && { dropoutSeed: seed }),
    },
    optimizer,
    recordUpdate: (update) => {
      const given = optimizer.parameters.map(({ shape }, i) => update.input(names[i]!, shape));
      optimizer.record(update, given, scalars(update));
    },
  };
}

/** Declares inputs, and keeps what they are to be fed. */
class Feeder {
  readonly data: Record<string, HostArray | number> = {};
  readonly #graph: Graph;
  #seed: number;

  constructor(graph: Graph, seed: number) {
    this.#graph = graph;
    this.#seed = 7 * seed;
  }

  numbers(name: string, shape: readonly number[], low = -1, high = 1): Value {
    const value = this.#graph.input(name, shape);
    this.data[name] = randomArray(value.size, this.#seed++, low, high);
    return value;
  }

  tokens(name: string, shape: readonly number[], below: number, from = 0): Value {
    const value = this.#graph.input(name, shape, 'int32');
    this.data[name] = randomTokens(value.size, below - from, this.#seed++).map((token) => token + from);
    return value;
  }

  /** Whole numbers from 1 to `most`; the longest sequence is not always there. */
  lengths(B: number, most: number, name = 'lengths'): Value {
    return this.tokens(name, [B], most + 1, 1);
  }

  /** Zeros and ones. */
  weights(name: string, shape: readonly number[]): Value {
    const value = this.#graph.input(name, shape);
    const random = randomNumbers(this.#seed++);
    this.data[name] = Float32Array.from({ length: value.size }, () => (random() < 0.6 ? 1 : 0));
    return value;
  }
}

function createLayer(c: Configuration): Layer {
  const options = {
    inputSize: c.I,
    hiddenSize: c.H,
    numLayers: c.layers,
    bias: c.noBias ? false : undefined,
    dropout: c.dropout,
    bidirectional: c.bidirectional,
    merge: c.merge,
    batchFirst: c.batchFirst,
    returnSequences: c.last ? false : undefined,
    goBackwards: c.backwards,
    stateful: c.initial === 'stateful' ? true : undefined,
    learnedInitialState: c.initial === 'learned' ? true : undefined,
    recurrentDropout: c.recurrentDropout,
    zoneout: c.zoneout,
    layerNorm: c.layerNorm,
    gateClip: c.gateClip,
    segment: c.segment,
    ...(c.cell === 'rnn' ? { nonlinearity: c.activation } : { activation: c.activation }),
    gateActivation: c.gateActivation,
    outputActivation: c.outputActivation,
    resetAfter: c.before ? false : undefined,
    projSize: c.projection,
    peephole: c.peephole,
    cellClip: c.cellClip,
    coupled: c.coupled,
    forgetBias: c.forgetBias,
    seed: c.seed,
  };
  // Each layer refuses options that are not its own.
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as AnyOptions;
  const Cell = { rnn: RNN, lstm: LSTM, gru: GRU }[c.cell];
  return new Cell(given) as unknown as Layer;
}

function recordLoss(c: Configuration, prediction: Value, feeds: Feeder, lengths: Value | undefined): Value {
  const { T, B, C } = c;
  const { shape } = prediction;
  const leading = shape.slice(0, -1);
  const reduction = c.mean ? ('mean' as const) : ('sum' as const);
  const weights = (of: readonly number[]): Value | null => (c.masked ? feeds.weights('loss mask', of) : null);
  const pointwise = { reduction, mask: c.loss === 'crossEntropy' ? null : weights([...leading, 1]) };
  switch (c.loss) {
    case 'squared':
      return losses.meanSquaredError(prediction, feeds.numbers('target', shape), pointwise);
    case 'absolute':
      return losses.meanAbsoluteError(prediction, feeds.numbers('target', shape), pointwise);
    case 'huber':
      return losses.huber(prediction, feeds.numbers('target', shape, -2, 2), { ...pointwise, delta: 0.7 });
    case 'binary':
      return losses.binaryCrossEntropyWithLogits(prediction, feeds.numbers('target', shape, 0, 1), pointwise);
    case 'crossEntropy':
      return losses.crossEntropy(prediction, feeds.tokens('target', leading, C), {
        reduction,
        ignoreIndex: C > 2 ? 1 : null,
        mask: weights(leading),
        ...(c.labelSmoothing !== undefined && { labelSmoothing: c.labelSmoothing }),
      });
    case 'ctc': {
      const S = Math.max(1, T >> 1);
      const steps = lengths ?? feeds.lengths(B, T, 'steps');
      const labels = feeds.tokens('labels', [B, S], C, 1);
      const counts = feeds.tokens('counts', [B], S + 1);
      return losses.ctcLoss(prediction, labels, steps, counts, {
        fromLogits: true,
        reduction,
        zeroInfinity: true,
      });
    }
  }
}

function createOptimizer(c: Configuration): Optimizer {
  const options = {
    ...SETTINGS,
    ...(c.weightDecay !== undefined && { weightDecay: c.weightDecay }),
    ...(c.groups && { groups: [{ match: /bias/, weightDecay: 0, learningRateFactor: 0.5 }] }),
  };
  const { momentum } = c;
  switch (c.optimizer) {
    case 'SGD':
      return new SGD({ ...options, ...(momentum !== undefined && { momentum, nesterov: true }) });
    case 'Adam':
      return new Adam(options);
    case 'AdamW':
      return new AdamW(options);
    case 'RMSprop':
      return new RMSprop({ ...options, ...(momentum !== undefined && { momentum, centered: true }) });
    case 'Adagrad':
      return new Adagrad(options);
    case 'Adadelta':
      return new Adadelta(options);
    case 'Adamax':
      return new Adamax(options);
    case 'NAdam':
      return new NAdam(options);
    case 'Lion':
      return new Lion(options);
  }
}
