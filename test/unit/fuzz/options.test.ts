/** Every public constructor and call with options refuses what is no option, by an error of the library's own, at once. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  activityPenalty,
  Adadelta,
  Adagrad,
  Adam,
  Adamax,
  AdamW,
  CharacterModel,
  CharacterNetwork,
  CharacterTokenizer,
  cosineSchedule,
  CpuExecutor,
  createExecutor,
  ctcBeamDecode,
  ctcGreedyDecode,
  Dropout,
  Embedding,
  ExponentialMovingAverage,
  exponentialSchedule,
  ForwardContext,
  GpuExecutor,
  Graph,
  GRU,
  GRUCell,
  LaneBatches,
  Linear,
  Lion,
  LSTM,
  LSTMCell,
  meanSquaredError,
  Model,
  ModuleDict,
  NAdam,
  oneCycleSchedule,
  Random,
  ReduceOnPlateau,
  RMSprop,
  RNN,
  RNNCell,
  RnnError,
  sampleToken,
  Sequential,
  sequentialSchedule,
  SGD,
  square,
  stepSchedule,
  topKAccuracy,
  Trainer,
  Variable,
  warmupSchedule,
  weightPenalty,
  type DeviceLike,
  type Executor,
} from '../../../src/index.js';
import { loadTextGenerator } from '../../../src/inference.js';
import { SimulatedDevice, WEBGPU_CONSTANTS } from '../../support/simulated-device.js';
import { hostileValues, Trap, trapped } from '../../fuzz/hostile.js';

type Options = Readonly<Record<string, unknown>>;

interface Case {
  /** What is called, with these options in the place of its own. */
  readonly call: (options: never) => unknown;
  /** Options that it takes, one of a kind for each name. */
  readonly good: Options;
  /** Names that take more than one type, or any function. */
  readonly loose?: readonly string[];
  /** Whether the options are arguments by themselves. */
  readonly positional?: true;
}

beforeAll(() => {
  for (const [name, value] of Object.entries(WEBGPU_CONSTANTS)) vi.stubGlobal(name, value);
});

afterAll(() => vi.unstubAllGlobals());

const executor: Executor = new CpuExecutor();
const layer = { inputSize: 2, hiddenSize: 3, numLayers: 2, bias: true, dropout: 0.1, name: 'x', seed: 1 };
const recurrent = {
  ...layer,
  bidirectional: false,
  batchFirst: true,
  returnSequences: true,
  goBackwards: false,
  stateful: false,
  learnedInitialState: false,
  recurrentDropout: 0.1,
  zoneout: 0.1,
  layerNorm: false,
  gateClip: 1,
  segment: 0,
  weightInit: 'normal',
  recurrentInit: 'uniform',
  biasInit: 'zeros',
};
const cell = { inputSize: 2, hiddenSize: 3, bias: true, name: 'x', seed: 1, gateClip: 1, layerNorm: false };
const optimizer = { learningRate: 0.1, groups: [], weightDecay: 0 };
const moments = { betas: [0.9, 0.99], epsilon: 1e-8 };
const sizes = {
  cell: 'rnn',
  nonlinearity: 'tanh',
  embeddingSize: 2,
  hiddenSize: 2,
  numLayers: 1,
  dropout: 0,
};
const LOOSE = [
  'read',
  'learningRate',
  'groups',
  'betas',
  'zoneout',
  'weightInit',
  'recurrentInit',
  'biasInit',
];
const scores = { shape: [2, 1, 3], data: new Float32Array(6) };
const text = 'to be or not to be, that is the question';

const network = (): Linear => new Linear({ inputSize: 1, outputSize: 1, seed: 1 });
const model = (options: object): Model =>
  new Model({ executor, network: network(), loss: meanSquaredError, ...options });
const data = {
  x: { shape: [2, 1], data: new Float32Array(2) },
  y: { shape: [2, 1], data: new Float32Array(2) },
};
const trained = network();
const trainer = new Trainer({
  executor,
  parameters: trained,
  optimizer: new SGD({ learningRate: 0.1 }),
  record: (_, { x, y }) => meanSquaredError(trained.forward(x!), y!),
});
const squares = new Graph('squares');
squares.output('y', square(squares.scalar('x')), { history: true });
const characters = CharacterModel.create({ executor, text, ...sizes, cell: 'rnn', nonlinearity: 'tanh' });

const CASES: Readonly<Record<string, Case>> = {
  LSTM: {
    call: (o) => new LSTM(o),
    good: {
      ...recurrent,
      projSize: 2,
      peephole: false,
      cellClip: 1,
      coupled: false,
      activation: 'tanh',
      gateActivation: 'sigmoid',
      outputActivation: 'tanh',
    },
  },
  GRU: { call: (o) => new GRU(o), good: { ...recurrent, resetAfter: true, activation: 'tanh' } },
  RNN: { call: (o) => new RNN(o), good: { ...recurrent, nonlinearity: 'relu' } },
  LSTMCell: { call: (o) => new LSTMCell(o), good: { ...cell, forgetBias: 1 } },
  GRUCell: { call: (o) => new GRUCell(o), good: { ...cell, resetAfter: true } },
  RNNCell: { call: (o) => new RNNCell(o), good: { ...cell, nonlinearity: 'tanh' } },
  Linear: {
    call: (o) => new Linear(o),
    good: { inputSize: 2, outputSize: 2, bias: true, weightInit: 'orthogonal', name: 'x', seed: 1 },
  },
  Embedding: {
    call: (o) => new Embedding(o),
    good: { vocabSize: 2, embeddingSize: 2, weightInit: 'normal', name: 'x', seed: 1 },
  },
  Dropout: { call: (o) => new Dropout(o), good: { p: 0.5, name: 'x' } },
  initializer: {
    call: (o) => new Linear({ inputSize: 1, outputSize: 1, weightInit: o }),
    good: { name: 'normal', deviation: 1 },
  },
  ModuleDict: { call: (o) => new ModuleDict(o), good: { a: network() }, loose: ['a'] },
  Sequential: {
    positional: true,
    call: ({ part }: { part: Linear }) => new Sequential(part),
    good: { part: network() },
    loose: ['part'],
  },
  Variable: {
    call: (o) => new Variable(o),
    good: { name: 'x', shape: [1], dtype: 'float32', initial: () => new Float32Array(1) },
    loose: ['initial', 'shape'],
  },
  ForwardContext: {
    call: (o) => new ForwardContext(new Graph(), o),
    good: { training: true, seedName: 'x' },
    // The graph refuses a wrong one when it is first used.
    loose: ['seedName'],
  },
  'Graph.input': {
    positional: true,
    call: ({ name, shape, dtype }: { name: string; shape: number[]; dtype: 'int32' }) =>
      new Graph().input(name, shape, dtype),
    good: { name: 'x', shape: [1], dtype: 'int32' },
    loose: ['shape'],
  },
  SGD: {
    call: (o) => new SGD(o),
    good: { ...optimizer, momentum: 0.9, dampening: 0, nesterov: false },
  },
  Adam: { call: (o) => new Adam(o), good: { ...optimizer, ...moments } },
  AdamW: { call: (o) => new AdamW(o), good: { ...optimizer, ...moments } },
  Adamax: { call: (o) => new Adamax(o), good: { ...optimizer, ...moments } },
  NAdam: {
    call: (o) => new NAdam(o),
    good: { ...optimizer, ...moments, momentumDecay: 0.1, decoupledWeightDecay: true },
  },
  Adagrad: {
    call: (o) => new Adagrad(o),
    good: { ...optimizer, learningRateDecay: 0, initialAccumulatorValue: 0, epsilon: 1e-8 },
  },
  Adadelta: { call: (o) => new Adadelta(o), good: { ...optimizer, rho: 0.9, epsilon: 1e-8 } },
  RMSprop: {
    call: (o) => new RMSprop(o),
    good: { ...optimizer, alpha: 0.9, epsilon: 1e-8, momentum: 0, centered: true },
  },
  Lion: { call: (o) => new Lion(o), good: { ...optimizer, betas: [0.9, 0.99] } },
  'a group': {
    call: (o) => new SGD({ groups: [o] }).createState(network().namedParameters()),
    good: { match: 'weight', learningRateFactor: 1, weightDecay: 0 },
    loose: ['match'],
  },
  stepSchedule: { call: (o) => stepSchedule(o), good: { initial: 1, every: 2, factor: 0.1 } },
  exponentialSchedule: { call: (o) => exponentialSchedule(o), good: { initial: 1, every: 2, factor: 0.1 } },
  cosineSchedule: { call: (o) => cosineSchedule(o), good: { initial: 1, steps: 2, final: 0 } },
  warmupSchedule: { call: (o) => warmupSchedule(o), good: { steps: 2, then: 1, from: 0 }, loose: ['then'] },
  oneCycleSchedule: {
    call: (o) => oneCycleSchedule(o),
    good: { max: 1, steps: 9, warmupFraction: 0.3, divisor: 25, finalDivisor: 1e4, shape: 'linear' },
  },
  sequentialSchedule: {
    call: (o) => sequentialSchedule(o, { schedule: 1 }),
    good: { steps: 2, schedule: 1 },
    loose: ['schedule'],
  },
  ReduceOnPlateau: {
    call: (o) => new ReduceOnPlateau(o),
    good: { initial: 1, factor: 0.1, patience: 1, cooldown: 1, threshold: 0.1, min: 0, mode: 'max' },
    loose: ['initial'],
  },
  CharacterNetwork: { call: (o) => new CharacterNetwork(o), good: { ...sizes, vocabSize: 3, seed: 1 } },
  'CharacterModel.create': {
    call: (o) => CharacterModel.create(o),
    good: { executor, text: 'abc', ...sizes, seed: 1 },
  },
  'CharacterModel.create, characters': {
    call: (o) => CharacterModel.create(o),
    good: { executor, characters: 'abc' },
    loose: ['characters'],
  },
  'CharacterModel.create, tokenizer': {
    call: (o) => CharacterModel.create(o),
    good: { executor, tokenizer: CharacterTokenizer.fromText('abc') },
  },
  'CharacterModel.fit': {
    call: (o) => characters.fit(text, o),
    good: {
      steps: 1,
      batchSize: 2,
      sequenceLength: 2,
      learningRate: 0.1,
      clipNorm: 1,
      clipValue: 1,
      validationFraction: 0.2,
      validateEvery: 1,
      optimizer: new Adam(),
      onProgress: () => undefined,
      signal: AbortSignal.abort(),
    },
    loose: ['onProgress'],
  },
  'CharacterModel.generate': {
    call: async (o) => characters.generate(o).next(),
    good: { prompt: 'to', length: 1, temperature: 1, topK: 2, topP: 0.9, seed: 1 },
  },
  'CharacterModel.generateBatch': {
    call: async (o) => characters.generateBatch(o).next(),
    good: { prompt: 'to', length: 1, temperature: 1, topK: 2, topP: 0.9, seed: 1, samples: 2 },
  },
  'CharacterModel.describe': {
    call: (o) => characters.describe(o),
    good: { batchSize: 2, sequenceLength: 2, training: true },
  },
  'CharacterModel.load': {
    call: async (o) => CharacterModel.load(new Uint8Array(8), o),
    good: { executor, seed: 1 },
  },
  'CharacterModel.restore': {
    call: (o) => CharacterModel.restore(new Uint8Array(8), o),
    good: { executor, optimizer: new Adam() },
  },
  loadTextGenerator: {
    call: (o) => loadTextGenerator(new Uint8Array(8), o),
    good: { backend: 'cpu', weightPrecision: 'float16' },
  },
  CharacterTokenizer: {
    positional: true,
    call: ({ characters }: { characters: string }) => CharacterTokenizer.fromCharacters(characters),
    good: { characters: 'abc' },
    loose: ['characters'],
  },
  'CharacterTokenizer.fromText': {
    positional: true,
    call: ({ text }: { text: string }) => CharacterTokenizer.fromText(text),
    good: { text: 'abc' },
  },
  'CharacterTokenizer.encode': {
    positional: true,
    call: ({ text }: { text: string }) => characters.tokenizer.encode(text),
    good: { text: 'to be' },
  },
  'CharacterTokenizer.decode': {
    positional: true,
    call: ({ tokens }: { tokens: Int32Array }) => characters.tokenizer.decode(tokens),
    good: { tokens: Int32Array.of(1) },
    loose: ['tokens'],
  },
  LaneBatches: {
    call: (o) => new LaneBatches(new Int32Array(9), o),
    good: { batchSize: 2, sequenceLength: 2 },
  },
  Random: {
    positional: true,
    call: ({ seed, stream }: { seed: number; stream: number }) => new Random(seed, stream),
    good: { seed: 1, stream: 2 },
  },
  Model: {
    call: (o) => model(o),
    good: {
      executor,
      network: network(),
      forward: (x: never) => x,
      loss: meanSquaredError,
      optimizer: new Adam(),
      metrics: {},
      batchFirst: true,
      clipNorm: 1,
      clipValue: 1,
      accumulate: 2,
      averageDecay: 0.9,
      seed: 1,
      name: 'x',
    },
    loose: ['forward', 'loss', 'metrics'],
  },
  'Model.fit': {
    call: (o) => model({}).fit(data, o),
    good: {
      epochs: 1,
      batchSize: 2,
      shuffle: true,
      seed: 1,
      validationSplit: 0.5,
      callbacks: {},
      earlyStopping: {},
      stopOnNaN: true,
      signal: AbortSignal.abort(),
    },
    loose: ['callbacks', 'earlyStopping'],
  },
  'Model.fit, data': {
    call: (o) => model({}).fit(o, { signal: AbortSignal.abort() }),
    good: data,
  },
  'Model.fit, earlyStopping': {
    call: (o) => model({}).fit(data, { earlyStopping: o, signal: AbortSignal.abort() }),
    good: { monitor: 'loss', patience: 1, minDelta: 0, mode: 'min', restoreBest: true },
  },
  'Model.evaluate': { call: (o) => model({}).evaluate(data, o), good: { batchSize: 2 } },
  'Model.predict': { call: (o) => model({}).predict(data.x, o), good: { batchSize: 2 } },
  'Model.summary': { call: (o) => model({}).summary(o), good: { inputShape: [1], dtype: 'float32' } },
  Trainer: {
    call: (o) =>
      new Trainer({
        executor,
        parameters: network(),
        optimizer: new SGD(),
        record: () => [] as never,
        ...(o as object),
      }),
    good: {
      executor,
      parameters: network(),
      optimizer: new Adam(),
      record: () => undefined,
      clipNorm: 1,
      clipValue: 1,
      accumulate: 2,
      average: new ExponentialMovingAverage({ executor, parameters: network() }),
      variables: new Map(),
      seed: 1,
      name: 'x',
    },
    loose: ['record'],
  },
  'Trainer.step': {
    call: (o) => trainer.step(data, o),
    good: { read: ['loss'], flush: true, learningRate: 0.1 },
  },
  'Trainer.evaluate': { call: (o) => trainer.evaluate(data, o), good: { read: ['loss'] } },
  'Trainer.plan': { call: (o) => trainer.plan(data, o), good: { training: false } },
  'Plan.run': {
    call: async (o) => (await executor.compile(squares)).run({ x: 2 }, o),
    good: { read: ['y'], history: true },
  },
  'Graph.output': {
    call: (o) => {
      const graph = new Graph();
      graph.output('y', graph.scalar('x'), o);
    },
    good: { history: true },
  },
  'LSTM.forward, sequences': {
    call: (o) => {
      const x = new Graph().input('x', [4, 2, 2]);
      new LSTM({ inputSize: 2, hiddenSize: 3, seed: 1 }).forward(x, undefined, undefined, o);
    },
    good: {},
  },
  'GpuExecutor.create': {
    call: async (o: object) =>
      (await GpuExecutor.create({ device: new SimulatedDevice() as unknown as DeviceLike, ...o })).dispose(),
    good: {
      recomputeAbove: 1,
      timestamps: true,
      tuning: 'off',
      tuningBudget: 1,
      recovery: {},
      weightPrecision: 'float16',
    },
    loose: ['recovery'],
  },
  ExponentialMovingAverage: {
    call: (o) => new ExponentialMovingAverage(o),
    good: { executor, parameters: network(), decay: 0.9 },
  },
  weightPenalty: {
    call: (o) => weightPenalty(new Graph(), network(), o),
    good: { l1: 1, l2: 1, match: 'weight' },
    loose: ['match'],
  },
  activityPenalty: {
    call: (o) => activityPenalty(new Graph().input('x', [2, 3]), o),
    good: { l1: 1, l2: 1, batchAxis: 0 },
  },
  CpuExecutor: { call: (o) => new CpuExecutor(o), good: { precision: 'float64' } },
  createExecutor: { call: (o) => createExecutor(o), good: { backend: 'cpu', precision: 'float64' } },
  ctcGreedyDecode: {
    call: (o) => ctcGreedyDecode(scores, o),
    good: { blank: 0, inputLengths: [2], fromLogits: true },
  },
  ctcBeamDecode: {
    call: (o) => ctcBeamDecode(scores, o),
    good: { blank: 0, inputLengths: [2], fromLogits: true, beamWidth: 2 },
  },
  topKAccuracy: {
    call: (o) => topKAccuracy([1, 2], [1], o),
    good: { k: 1, ignoreIndex: -1 },
    loose: ['ignoreIndex'],
  },
  sampleToken: {
    call: (o) => sampleToken([1, 2], o),
    good: { temperature: 1, topK: 1, topP: 1, random: new Random(1) },
  },
};

/** Calls; resolves to what it threw, or to `null`. */
async function thrownBy({ call }: Case, options: unknown): Promise<unknown> {
  try {
    await call(options as never);
    return null;
  } catch (error) {
    return error;
  }
}

/** What a throw of the library's own, or of the hostile object itself, is. */
function isFair(error: unknown): boolean {
  return error instanceof RnnError || error instanceof Trap;
}

/** Good options for calls that have bytes to read and get none: they are refused for their bytes. */
const WITHOUT_BYTES = ['CharacterModel.load', 'CharacterModel.restore', 'loadTextGenerator'];

describe.each(Object.entries(CASES))('%s', (name, one) => {
  const { good, positional } = one;
  const loose = [...LOOSE, ...(one.loose ?? [])];

  it('takes good options', async () => {
    const error = await thrownBy(one, good);
    if (WITHOUT_BYTES.includes(name)) expect(error).toHaveProperty('name', 'FormatError');
    else expect(error).toBeNull();
  });

  if (!positional) {
    it('refuses what are no options', async () => {
      const wrong: string[] = [];
      for (const [what, value] of [...hostileValues(), ['options that throw', trapped()] as const]) {
        const error = await thrownBy(one, value);
        if (error !== null && !isFair(error)) wrong.push(`${what}: ${inspect(error)}`);
      }
      expect(wrong.join('\n')).toBe('');
    });
  }

  it.each(Object.keys(good))('refuses %s of a wrong type or out of range', async (key) => {
    const wrong: string[] = [];
    for (const [what, value] of hostileValues()) {
      const error = await thrownBy(one, { ...good, [key]: value });
      const sameKind =
        loose.includes(key) ||
        // Where a default stands in for what is missing, null counts as missing.
        value === null ||
        (typeof value === typeof good[key] && typeof value !== 'object' && !Number.isNaN(value));
      if (error === null ? !sameKind : !isFair(error)) {
        wrong.push(
          `${what}: ${error instanceof Error ? (error.stack ?? '').split('\n').slice(0, 3).join(' ') : 'taken'}`,
        );
      }
    }
    expect(wrong.join('\n')).toBe('');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('refuses an option that it does not know, and passes on what a getter throws', async () => {
    if (!positional && name !== 'ModuleDict' && name !== 'Model.fit, data') {
      expect(await thrownBy(one, { ...good, misspelt: 1 })).toMatchObject({
        name: 'ArgumentError',
        message: expect.stringContaining('there is no option "misspelt"') as string,
      });
    }
    const known = Object.keys(good)[0]!;
    const trap = Object.defineProperty({ ...good }, known, {
      enumerable: true,
      get: () => {
        throw new Trap('a getter');
      },
    });
    const error = await thrownBy(one, trap);
    if (error !== null) expect(error).toSatisfy(isFair);
  });
});
