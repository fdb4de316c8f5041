/** Runs one golden file through the public API and compares every tensor; bytes in, report out, in any environment. */
import {
  Adam,
  AdamW,
  CharacterNetwork,
  Graph,
  GRU,
  LSTM,
  parseSafetensors,
  RMSprop,
  RNN,
  SGD,
  Trainer,
  vectorJacobian,
  crossEntropy,
  ctcLoss,
  gradients,
  sum,
  type CharacterState,
  type Executor,
  type HiddenState,
  type HostArray,
  type LSTMState,
  type Optimizer,
  type RecurrentLayer,
  type SafetensorsTensor,
  type TensorData,
} from '../../src/index.js';
import { compare } from '../support/compare.js';
import { TOLERANCES } from '../support/tolerances.js';
import { GoldenConfig } from './golden-config.js';

/** What became of one file. */
export interface GoldenReport {
  readonly name: string;
  readonly passed: boolean;
  /** What the file needs that is not built yet; null when nothing. A file with such a need does not pass. */
  readonly unsupported: string | null;
  /** For people: the worst tensor with its error and tolerance, or why the file could not be run. */
  readonly text: string;
}

/** A need of a file that this library cannot meet yet. */
class Unsupported extends Error {}

/** One tensor compared. */
interface Check {
  readonly tensor: string;
  readonly error: number;
  readonly tolerance: number;
  readonly detail: string;
}

interface GoldenFile {
  readonly config: GoldenConfig;
  readonly tensors: GoldenTensors;
  /** Whether its weights are so large that tolerances are wider; the format says so in the name. */
  readonly saturated: boolean;
}

/** Runs one file on `executor`; whatever goes wrong is in the report. */
export async function runGolden(name: string, bytes: Uint8Array, executor: Executor): Promise<GoldenReport> {
  try {
    const { tensors, metadata } = parseSafetensors(bytes);
    const file: GoldenFile = {
      config: GoldenConfig.parse(metadata),
      tensors: new GoldenTensors(tensors),
      saturated: name.includes('saturated'),
    };
    return summarize(name, await run(file, executor));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { name, passed: false, unsupported: error instanceof Unsupported ? text : null, text };
  }
}

/** `pass` or `FAIL`, the file and what there is to say, as one line. */
export function formatReport(report: GoldenReport): string {
  return `${report.passed ? 'pass' : 'FAIL'}  ${report.name}  ${report.text}`;
}

async function run(file: GoldenFile, executor: Executor): Promise<Check[]> {
  const { kind } = file.config;
  switch (kind) {
    case 'layer':
      return runLayer(file, executor);
    case 'train':
      return runTraining(file, executor);
    case 'ctc':
      return runCtc(file, executor);
    default:
      throw new Unsupported(`needs kind "${kind}", which is not built`);
  }
}

function summarize(name: string, checks: readonly Check[]): GoldenReport {
  const worst = checks.reduce((a, b) => (b.error / b.tolerance > a.error / a.tolerance ? b : a));
  const failed = checks.filter(({ error, tolerance }) => !(error <= tolerance));
  const text =
    `worst ${worst.tensor}: error ${worst.error.toExponential(2)}, tolerance ${worst.tolerance.toExponential(2)}` +
    (failed.length > 0
      ? `, ${worst.detail}; ${failed.length} of ${checks.length} tensors fail`
      : `, ${checks.length} tensors`);
  return { name, passed: failed.length === 0, unsupported: null, text };
}

/** Tensors by name; remembers which were asked for, so that none is left unchecked. */
class GoldenTensors {
  readonly #tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly #used = new Set<string>();

  constructor(tensors: ReadonlyMap<string, SafetensorsTensor>) {
    this.#tensors = tensors;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** The size of one dimension, for those that the config does not give. */
  dimension(name: string, axis: number): number {
    const size = this.#tensors.get(name)?.shape[axis];
    if (size === undefined) throw new Error(`tensor "${name}" is missing, or has no dimension ${axis}`);
    return size;
  }

  get(name: string, shape: readonly number[]): HostArray {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`tensor "${name}" is missing`);
    if (tensor.shape.join() !== shape.join()) {
      throw new Error(
        `tensor "${name}" has shape [${tensor.shape.join()}], its config wants [${shape.join()}]`,
      );
    }
    this.#used.add(name);
    return tensor.data;
  }

  getTokens(name: string, shape: readonly number[]): Int32Array {
    const data = this.get(name, shape);
    if (data instanceof Int32Array) return data;
    throw new Error(`tensor "${name}" holds real numbers, not int32`);
  }

  /** All tensors whose name begins with `prefix`, by the rest of the name. */
  under(prefix: string): Map<string, TensorData> {
    const found = new Map<string, TensorData>();
    for (const [name, { shape, data }] of this.#tensors) {
      if (!name.startsWith(prefix)) continue;
      this.#used.add(name);
      found.set(name.slice(prefix.length), { shape, data });
    }
    return found;
  }

  /** Throws when some tensor was neither used nor checked: it asks for something unknown here. */
  finish(): void {
    const unused = [...this.#tensors.keys()].filter((name) => !this.#used.has(name));
    if (unused.length > 0) throw new Unsupported(`needs tensors that are not built: ${unused.join(', ')}`);
  }
}

async function runLayer({ config, tensors, saturated }: GoldenFile, executor: Executor): Promise<Check[]> {
  const [T, B] = [config.count('T'), config.count('B')];
  const hiddenSize = config.count('hiddenSize');
  const inputSize = config.count('inputSize');
  const numLayers = config.count('numLayers');
  const bidirectional = config.flag('bidirectional');
  const bias = config.flag('bias');
  const layer = createLayer(config, { inputSize, hiddenSize, numLayers, bias, bidirectional });
  layer.loadState(executor, tensors.under('param.'));

  const graph = new Graph('golden layer');
  const feeds: Record<string, HostArray> = {};
  const feed = (name: string, shape: readonly number[]) => {
    const data = tensors.get(name, shape);
    feeds[name] = data;
    return graph.input(name, shape, data instanceof Int32Array ? 'int32' : 'float32');
  };
  const stateNames = layer.cell.states;
  const directions = bidirectional ? 2 : 1;
  const width = config.count('projSize', 0) || hiddenSize;
  const stateShapes = stateNames.map((_, s) => [numLayers * directions, B, s === 0 ? width : hiddenSize]);
  const x = feed('x', [T, B, inputSize]);
  const given = stateNames.filter((state) => tensors.has(`${state}0`));
  if (given.length > 0 && given.length < stateNames.length) {
    throw new Error(`has an initial ${given.join()}, but not all of ${stateNames.join(', ')}`);
  }
  const initial = given.map((state, s) => [state, feed(`${state}0`, stateShapes[s]!)] as const);
  const state = initial.length > 0 ? Object.fromEntries(initial) : undefined;
  const lengths = tensors.has('lengths') ? feed('lengths', [B]) : undefined;
  const result = layer.forward(x, state, undefined, { lengths });

  const targets = [
    ['y', result.output, [T, B, directions * width]] as const,
    ...stateNames.map((state, s) => [`${state}n`, result.state[state]!, stateShapes[s]!] as const),
  ];
  const parameters = [...layer.namedParameters()].map(
    ([name, variable]) => [name, graph.read(variable)] as const,
  );
  const sources = [
    ['x', x] as const,
    ...initial.map(([state, value]) => [`${state}0`, value] as const),
    ...parameters,
  ];
  const derived = vectorJacobian(
    targets.map(([, value]) => value),
    targets.map(([name, , shape]) => feed(`upstream.${name}`, shape)),
    sources.map(([, value]) => value),
  );
  for (const [name, value] of targets) graph.output(name, value);
  sources.forEach(([name], i) => graph.output(`grad.${name}`, derived[i]!));

  const plan = await executor.compile(graph);
  const { outputs } = await plan.run(feeds, { read: graph.outputs.map(({ name }) => name) });
  plan.dispose();
  executor.release(layer.parameters());

  const forResult = saturated ? TOLERANCES.saturatedResult : TOLERANCES.result;
  const forGradient = saturated ? TOLERANCES.saturatedGradient : TOLERANCES.gradient;
  const checks = graph.outputs.map(({ name, value }) =>
    check(
      name,
      outputs[name]!,
      tensors.get(name, value.shape),
      (name.startsWith('grad.') ? forGradient : forResult).value,
    ),
  );
  tensors.finish();
  return checks;
}

type AnyState = Readonly<Record<string, LSTMState['h']>>;

function createLayer(
  config: GoldenConfig,
  sizes: {
    inputSize: number;
    hiddenSize: number;
    numLayers: number;
    bias: boolean;
    bidirectional: boolean;
  },
): RecurrentLayer<AnyState> {
  const cell = config.text('cell');
  const projSize = config.count('projSize', 0);
  if (projSize > 0 && cell !== 'LSTM') {
    throw new Error(`its config has projSize ${projSize}, which a cell "${cell}" has not`);
  }
  // The three differ only in the names of their states, which the file gives.
  const widen = (layer: RecurrentLayer<HiddenState> | RecurrentLayer<LSTMState>) =>
    layer as unknown as RecurrentLayer<AnyState>;
  switch (cell) {
    case 'LSTM':
      return widen(new LSTM({ ...sizes, projSize }));
    case 'GRU':
      return widen(new GRU(sizes));
    case 'RNN':
      return widen(new RNN({ ...sizes, nonlinearity: nonlinearityOf(config) }));
    default:
      throw new Unsupported(`needs cell "${cell}", which is not built`);
  }
}

function nonlinearityOf(config: GoldenConfig): 'tanh' | 'relu' {
  const name = config.text('nonlinearity', 'tanh');
  if (name === 'tanh' || name === 'relu') return name;
  throw new Unsupported(`needs nonlinearity "${name}", which is not built`);
}

async function runTraining({ config, tensors }: GoldenFile, executor: Executor): Promise<Check[]> {
  const [T, B, steps] = [config.count('T'), config.count('B'), config.count('steps')];
  const cell = config.text('cell').toLowerCase();
  if (cell !== 'lstm' && cell !== 'gru' && cell !== 'rnn') {
    throw new Unsupported(`needs cell "${config.text('cell')}", which is not built`);
  }
  const network = new CharacterNetwork({
    cell,
    ...(cell === 'rnn' && { nonlinearity: nonlinearityOf(config) }),
    vocabSize: config.count('vocabSize'),
    embeddingSize: config.count('embeddingSize'),
    hiddenSize: config.count('hiddenSize'),
    numLayers: config.count('numLayers'),
  });
  network.loadState(executor, tensors.under('param.'));
  const carried = config.flag('carryState') ? network.rnn.createState(B) : null;
  const trainer = new Trainer({
    executor,
    parameters: network,
    optimizer: createOptimizer(config),
    clipNorm: config.number('clipNorm', 0),
    record(graph, inputs) {
      const before: CharacterState | undefined = carried?.read(graph);
      const { logits, state } = network.forward(inputs['tokens']!, before);
      carried?.update(graph, state);
      return crossEntropy(logits, inputs['targets']!);
    },
  });

  const tokens = tensors.getTokens('inputs', [steps, T, B]);
  const targets = tensors.getTokens('targets', [steps, T, B]);
  const losses = new Float64Array(steps);
  const norms = new Float64Array(steps);
  for (let step = 0; step < steps; step++) {
    const [begin, end] = [step * T * B, (step + 1) * T * B];
    const { outputs } = await trainer.step(
      {
        tokens: { shape: [T, B], data: tokens.slice(begin, end) },
        targets: { shape: [T, B], data: targets.slice(begin, end) },
      },
      { read: ['loss', 'gradientNorm'] },
    );
    losses[step] = outputs['loss']![0]!;
    norms[step] = outputs['gradientNorm']![0]!;
  }
  const final = await network.state(executor);
  trainer.dispose();
  executor.release([...network.parameters(), ...(carried?.variables.values() ?? [])]);

  const checks = [
    checkAbsolute('losses', losses, tensors.get('losses', [steps])),
    checkAbsolute('gradNorms', norms, tensors.get('gradNorms', [steps])),
    ...[...final].map(([name, { shape, data }]) =>
      check(`final.${name}`, data, tensors.get(`final.${name}`, shape), TOLERANCES.finalParameter.value),
    ),
  ];
  tensors.finish();
  return checks;
}

async function runCtc({ config, tensors }: GoldenFile, executor: Executor): Promise<Check[]> {
  const [T, B, C] = [config.count('T'), config.count('B'), config.count('classes')];
  const S = tensors.dimension('targets', 1);
  const graph = new Graph('golden CTC');
  const logits = graph.input('logits', [T, B, C]);
  const loss = ctcLoss(
    logits,
    graph.input('targets', [B, S], 'int32'),
    graph.input('inputLengths', [B], 'int32'),
    graph.input('targetLengths', [B], 'int32'),
    {
      fromLogits: true,
      reduction: 'none',
      blank: config.count('blank', 0),
      zeroInfinity: config.flag('zeroInfinity'),
    },
  );
  graph.output('loss', loss);
  graph.output('grad.logits', gradients(sum(loss), [logits])[0]!);
  const plan = await executor.compile(graph);
  const { outputs } = await plan.run(
    {
      logits: tensors.get('logits', [T, B, C]),
      targets: tensors.getTokens('targets', [B, S]),
      inputLengths: tensors.getTokens('inputLengths', [B]),
      targetLengths: tensors.getTokens('targetLengths', [B]),
    },
    { read: ['loss', 'grad.logits'] },
  );
  plan.dispose();
  const checks = [
    check('loss', outputs['loss']!, tensors.get('loss', [B]), TOLERANCES.result.value),
    check(
      'grad.logits',
      outputs['grad.logits']!,
      tensors.get('grad.logits', [T, B, C]),
      TOLERANCES.gradient.value,
    ),
  ];
  tensors.finish();
  return checks;
}

function createOptimizer(config: GoldenConfig): Optimizer {
  const learningRate = config.number('learningRate');
  const name = config.text('optimizer');
  switch (name) {
    case 'sgd':
      return new SGD({ learningRate });
    case 'momentum':
      return new SGD({ learningRate, momentum: 0.9, nesterov: true });
    case 'adam':
      return new Adam({ learningRate });
    case 'adamw':
      return new AdamW({ learningRate, weightDecay: 0.01 });
    case 'rmsprop':
      return new RMSprop({ learningRate });
    default:
      throw new Unsupported(`needs optimizer "${name}", which is not built`);
  }
}

function check(tensor: string, actual: HostArray, expected: HostArray, tolerance: number): Check {
  const { error, index, actual: got, expected: wanted } = compare(actual, expected);
  return { tensor, error, tolerance, detail: `at index ${index}: got ${got}, expected ${wanted}` };
}

/** As {@link check}, with the greatest difference itself as the error. */
function checkAbsolute(tensor: string, actual: HostArray, expected: HostArray): Check {
  const { absoluteError, index, actual: got, expected: wanted } = compare(actual, expected);
  const detail = `at index ${index}: got ${got}, expected ${wanted}`;
  return { tensor, error: absoluteError, tolerance: TOLERANCES.trainingLoss.value, detail };
}
