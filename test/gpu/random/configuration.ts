/** A random network, loss and optimizer as data: drawn from a seed, made smaller, and told in one line. */
import { ACTIVATION_NAMES, CELLS, type ActivationName, type CellName } from '../../../src/ops/cells.js';
import type { MergeMode } from '../../../src/nn/recurrent-options.js';
import { randomNumbers } from '../compare-executors.js';

export const LOSSES = ['squared', 'absolute', 'huber', 'binary', 'crossEntropy', 'ctc'] as const;
export const OPTIMIZERS = [
  'SGD',
  'Adam',
  'AdamW',
  'RMSprop',
  'Adagrad',
  'Adadelta',
  'Adamax',
  'NAdam',
  'Lion',
] as const;

/** One network and one update of it. What is left out is not there, or as by default. */
export interface Configuration {
  readonly cell: CellName;
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
  /** Features of the output layer. */
  readonly C: number;
  readonly layers?: number;
  /** Tokens, if the input is an embedding of some. */
  readonly vocabulary?: number;
  readonly bidirectional?: boolean;
  readonly merge?: MergeMode;
  readonly backwards?: boolean;
  readonly batchFirst?: boolean;
  /** Only the last step's output is read. */
  readonly last?: boolean;
  readonly noBias?: boolean;
  readonly initial?: 'given' | 'learned' | 'stateful';
  readonly sequences?: 'lengths' | 'mask';
  /** Whether the final states are part of the loss. */
  readonly finals?: boolean;
  readonly activation?: ActivationName;
  readonly gateActivation?: ActivationName;
  readonly outputActivation?: ActivationName;
  /** gru: the reset gate acts before the product. */
  readonly before?: boolean;
  readonly projection?: number;
  readonly peephole?: boolean;
  readonly coupled?: boolean;
  readonly forgetBias?: number;
  readonly cellClip?: number;
  readonly gateClip?: number;
  readonly layerNorm?: boolean;
  readonly zoneout?: number;
  readonly recurrentDropout?: number;
  readonly dropout?: number;
  /** Whether dropouts and zoneout draw masks. */
  readonly training?: boolean;
  readonly segment?: number;
  readonly loss: (typeof LOSSES)[number];
  /** Instead of a sum. */
  readonly mean?: boolean;
  readonly masked?: boolean;
  readonly labelSmoothing?: number;
  readonly optimizer: (typeof OPTIMIZERS)[number];
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly clipNorm?: number;
  readonly clipValue?: number;
  /** Biases are a group of their own. */
  readonly groups?: boolean;
  /** The kernels that are meant for this kind of adapter, whatever the adapter is. */
  readonly kernels?: 'gpu' | 'software';
  /** With `kernels`: seed of a choice among the variants of each, instead of the defaults. */
  readonly variants?: number;
  /** Of weights and data. */
  readonly seed: number;
}

/** What may be left out. */
type Option = {
  [K in keyof Configuration]-?: undefined extends Configuration[K] ? K : never;
}[keyof Configuration];
type Draft = { -readonly [K in keyof Configuration]: Configuration[K] };

const NEEDED = ['cell', 'T', 'B', 'I', 'H', 'C', 'loss', 'optimizer', 'seed'];
/** Around the sizes of tiles and workgroups. */
const EDGES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70];
/** Multiply-adds of a forward pass at most: of most configurations, and of one in eight. */
const [SMALL, LARGE] = [4e5, 4e6];

/** The configuration at a place in the endless list of one seed. */
export function drawConfiguration(seed: number, index: number): Configuration {
  const random = randomNumbers(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  // Seeds that lie close together begin alike.
  for (let i = 0; i < 4; i++) random();
  const below = (n: number): number => Math.floor(random() * n);
  const chance = (p: number): boolean => random() < p;
  const pick = <V>(values: readonly V[]): V => values[below(values.length)]!;
  const size = (): number =>
    chance(0.35) ? 1 + below(8) : chance(0.4) ? 1 + below(24) : chance(0.6) ? pick(EDGES) : 1 + below(70);
  const maybe = <V>(p: number, value: () => V): V | undefined => (chance(p) ? value() : undefined);

  const cell = pick(Object.keys(CELLS) as CellName[]);
  const drawn: Record<string, unknown> = {
    cell,
    T: chance(0.5) ? 1 + below(6) : chance(0.6) ? 1 + below(15) : 1 + below(40),
    B: chance(0.2) ? 1 + below(2) : size(),
    I: size(),
    H: size(),
    C: 1 + below(chance(0.8) ? 6 : 20),
    layers: maybe(0.3, () => 2 + below(2)),
    vocabulary: maybe(0.25, () => 1 + below(40)),
    bidirectional: maybe(0.3, () => true),
    merge: maybe(0.5, () => pick(['concat', 'sum', 'mul', 'ave'] as const)),
    backwards: maybe(0.15, () => true),
    batchFirst: maybe(0.25, () => true),
    last: maybe(0.2, () => true),
    noBias: maybe(0.15, () => true),
    initial: maybe(0.5, () => pick(['given', 'given', 'learned', 'stateful'] as const)),
    sequences: maybe(0.35, () => pick(['lengths', 'mask'] as const)),
    finals: maybe(0.4, () => true),
    activation: maybe(cell === 'rnn' ? 0.5 : 0.12, () =>
      cell === 'rnn' ? pick(['relu', 'relu', 'sigmoid'] as const) : pick(ACTIVATION_NAMES),
    ),
    gateActivation: maybe(0.1, () => pick(['hardSigmoid', 'onnxHardSigmoid', 'tanh'] as const)),
    outputActivation: maybe(0.08, () => pick(ACTIVATION_NAMES)),
    before: maybe(0.3, () => true),
    projection: maybe(0.2, () => 1 + below(40)),
    peephole: maybe(0.15, () => true),
    coupled: maybe(0.12, () => true),
    forgetBias: maybe(0.1, () => 1),
    cellClip: maybe(0.1, () => pick([0.1, 0.5])),
    gateClip: maybe(0.1, () => pick([0.3, 2])),
    layerNorm: maybe(0.12, () => true),
    zoneout: maybe(0.12, () => pick([0.1, 0.5])),
    recurrentDropout: maybe(0.12, () => pick([0.2, 0.5])),
    dropout: maybe(0.2, () => pick([0.2, 0.5])),
    training: maybe(0.8, () => true),
    segment: maybe(0.12, () => 1 + below(8)),
    loss: pick(LOSSES),
    mean: maybe(0.25, () => true),
    masked: maybe(0.2, () => true),
    labelSmoothing: maybe(0.2, () => 0.1),
    optimizer: pick(OPTIMIZERS),
    momentum: maybe(0.5, () => 0.9),
    weightDecay: maybe(0.3, () => 0.05),
    clipNorm: maybe(0.4, () => pick([0.1, 1])),
    clipValue: maybe(0.2, () => pick([0.01, 0.3])),
    groups: maybe(0.2, () => true),
    kernels: maybe(0.7, () => pick(['gpu', 'software'] as const)),
    variants: maybe(0.8, () => 1 + below(1000)),
    seed: 1 + below(100_000),
  };
  return affordable(settle(drawn as unknown as Configuration), chance(0.125) ? LARGE : SMALL);
}

/** Leaves out what does not go with the rest. */
export function settle(configuration: Configuration): Configuration {
  const c: { -readonly [K in keyof Configuration]: Configuration[K] | undefined } = { ...configuration };
  const without = (...names: readonly Option[]): void => {
    for (const name of names) c[name] = undefined;
  };
  if (c.bidirectional) without('backwards');
  else without('merge');
  if (c.cell === 'rnn') without('gateActivation');
  if (c.cell !== 'gru') without('before');
  if (c.cell !== 'lstm') {
    without('projection', 'peephole', 'coupled', 'forgetBias', 'cellClip', 'outputActivation');
  }
  if (c.layerNorm) without('projection', 'peephole', 'cellClip', 'before');
  if (c.noBias || c.coupled) without('forgetBias');
  if (c.H === 1) without('projection');
  if (c.projection !== undefined) c.projection = Math.min(c.projection, configuration.H - 1);
  if (c.layers === undefined) without('dropout');
  if (!(c.dropout ?? c.recurrentDropout ?? c.zoneout)) without('training');
  if (c.loss === 'ctc') {
    // Its scores are of all steps, in time-major order.
    without('last', 'batchFirst');
    c.C = Math.max(2, c.C ?? 0);
  }
  if (c.loss === 'ctc') without('masked');
  if (c.loss !== 'crossEntropy') without('labelSmoothing');
  if (c.optimizer !== 'SGD' && c.optimizer !== 'RMSprop') without('momentum');
  if (c.kernels === undefined) without('variants');
  if (c.sequences === 'mask' && c.loss === 'ctc') c.sequences = 'lengths';
  return Object.fromEntries(
    Object.entries(c).filter(([, value]) => value !== undefined),
  ) as unknown as Configuration;
}

/** Multiply-adds of a forward pass. */
function workOf({ cell, T, B, I, H, layers = 1, bidirectional = false }: Configuration): number {
  const directions = bidirectional ? 2 : 1;
  const below = I + (layers - 1) * H * directions;
  return T * B * H * CELLS[cell].gates.length * directions * (below + layers * H);
}

/** Halves the largest size until the work is within bounds, which leaves the others as they are. */
function affordable(configuration: Configuration, most: number): Configuration {
  const c: Draft = { ...configuration };
  while (workOf(c) > most) {
    const largest = (['T', 'B', 'I', 'H'] as const).reduce((a, b) => (c[b] > c[a] ? b : a));
    // Not to a power of two: odd sizes are what this is about.
    c[largest] = Math.max(1, Math.floor(c[largest] * 0.6));
  }
  return settle(c);
}

/** Configurations that are a little simpler, the boldest first. */
export function* simplerThan(configuration: Configuration): Generator<Configuration> {
  const tried = new Set([describeConfiguration(configuration)]);
  for (const candidate of candidates(configuration)) {
    const settled = settle(candidate);
    const told = describeConfiguration(settled);
    if (tried.has(told)) continue;
    tried.add(told);
    yield settled;
  }
}

function* candidates(c: Configuration): Generator<Configuration> {
  for (const name of ['T', 'B', 'I', 'H', 'C'] as const) if (c[name] > 1) yield { ...c, [name]: 1 };
  for (const name of Object.keys(c)) {
    if (!NEEDED.includes(name)) yield { ...c, [name]: undefined };
  }
  yield { ...c, loss: 'squared' };
  yield { ...c, optimizer: 'SGD' };
  yield { ...c, cell: 'rnn' };
  for (const name of ['T', 'B', 'I', 'H', 'C', 'layers', 'vocabulary', 'projection', 'segment'] as const) {
    const size = c[name];
    if (size === undefined || size === 1) continue;
    for (const smaller of new Set([Math.ceil(size / 2), size - 1])) yield { ...c, [name]: smaller };
  }
  yield { ...c, seed: 1 };
}

/** One line that {@link parseConfiguration} reads. */
export function describeConfiguration(configuration: Configuration): string {
  return JSON.stringify(configuration);
}

/** @throws Error when it is no configuration */
export function parseConfiguration(text: string): Configuration {
  const parsed = JSON.parse(text) as Partial<Configuration> | null;
  for (const name of NEEDED) {
    if (parsed?.[name as keyof Configuration] === undefined)
      throw new Error(`the configuration has no ${name}`);
  }
  return settle(parsed as Configuration);
}
