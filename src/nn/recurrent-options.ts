/** What recurrent layers can be told: their options, checked one by one and against each other. */
import { ArgumentError } from '../graph/errors.js';
import { checkChoice, checkFlag, checkNumber, checkOptions, checkWhole } from '../graph/options.js';
import {
  ACTIVATION_NAMES,
  CELLS,
  type ActivationName,
  type CellDescription,
  type CellName,
} from '../ops/cells.js';
import {
  checkLstmOnly,
  checkRecurrentAttributes,
  DEFAULT_RECURRENT_ATTRIBUTES,
  refuseWithLayerNorm,
  type Direction,
  type RecurrentAttributes,
} from '../ops/recurrent-attributes.js';
import type { InitializerOption } from './initializers.js';
import { randomSeed } from './random.js';

/** How the outputs of two directions become one: side by side, or element by element. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave';

const MERGE_MODES: readonly MergeMode[] = ['concat', 'sum', 'mul', 'ave'];

/** Options of all recurrent layers. */
export interface RecurrentOptions {
  /** I: features of the input. */
  readonly inputSize: number;
  /** H: hidden units. */
  readonly hiddenSize: number;
  /** L: layers, each reading the output of the one below. Default 1. */
  readonly numLayers?: number;
  /** Whether there are biases. Default `true`. */
  readonly bias?: boolean;
  /** Probability of dropout on the output of each layer but the last, while training. Default 0. */
  readonly dropout?: number;
  /** Whether each layer also runs from the last step to the first, with weights of its own. Default `false`. */
  readonly bidirectional?: boolean;
  /** How a layer's two directions become its output. Default `concat`, PyTorch's way; `ave` is the mean. */
  readonly merge?: MergeMode;
  /** Whether input, output and mask have the batch first, `[B,T,·]`. States are `[L·D,B,·]` either way. Default `false`. */
  readonly batchFirst?: boolean;
  /**
   * Whether the output is that of every step. If `false`, it is that of each sequence's last step in the
   * order of processing, `[B,·]`, and those between are not kept where no gradient needs them. Default `true`.
   */
  readonly returnSequences?: boolean;
  /**
   * Whether to run from the last step to the first. The output at `t` still belongs to the input at `t`
   * (Keras turns its output around). Default `false`.
   */
  readonly goBackwards?: boolean;
  /**
   * Whether each run begins with the states in which the one before ended, training and evaluation alike,
   * for each batch size apart; `resetState` sets them to zero. Gradients end where a run begins. Default `false`.
   */
  readonly stateful?: boolean;
  /** Whether the states before the first step are parameters, `initial_h` `[L·D,1,·]` …, begun as zeros. Default `false`. */
  readonly learnedInitialState?: boolean;
  /**
   * Probability of dropout on the h that enters the recurrent product, while training, by one mask for all
   * steps (Gal & Ghahramani, 2016; Keras' `recurrent_dropout`). Default 0.
   */
  readonly recurrentDropout?: number;
  /**
   * Probability of keeping a unit of a state as it was (Krueger et al., "Zoneout", 2017): for all states, or
   * by name, `{ h: 0.05, c: 0.5 }`. When evaluating, each unit becomes the mean of both ways. Default 0.
   */
  readonly zoneout?: number | Readonly<Record<string, number>>;
  /**
   * Whether the cell normalizes its inputs (Ba et al., "Layer normalization", 2016): parameters `norm_ih_l0`
   * and `norm_hh_l0` `[2,G·H]`, and the LSTM's `norm_c_l0` `[2,H]`, rows gain and bias. Default `false`.
   */
  readonly layerNorm?: boolean;
  /** Added to the variance of layer normalization. Default 1e-5. */
  readonly epsilon?: number;
  /** Bound of what enters each activation of a gate (ONNX's `clip`). 0, the default: none. */
  readonly gateClip?: number;
  /**
   * Memory for time: the backward pass computes the steps again in segments of this length instead of
   * keeping all they computed; the results do not change. `auto`: in segments of √T where a layer would
   * keep more than `memoryBudget`. 0, the default: everything is kept.
   */
  readonly segment?: number | 'auto';
  /** Bytes that a layer may keep for its backward pass before `segment: 'auto'` acts. Default 2²⁷, 128 MiB. */
  readonly memoryBudget?: number;
  /** How weights on the input, and those of a projection, begin. Default: U(±1/√H), as in PyTorch. */
  readonly weightInit?: InitializerOption;
  /** How weights on the state begin. Default: U(±1/√H), as in PyTorch. */
  readonly recurrentInit?: InitializerOption;
  /** How biases begin. Default: U(±1/√H), as in PyTorch. */
  readonly biasInit?: InitializerOption;
  /** For messages and listings. */
  readonly name?: string;
  /** Makes the first weights repeat. Default: drawn by chance. */
  readonly seed?: number;
}

/** Options of an `RNN`. */
export interface RNNOptions extends RecurrentOptions {
  /** What makes the new state. Default `tanh`. */
  readonly nonlinearity?: ActivationName;
}

/** Options of a `GRU`. */
export interface GRUOptions extends RecurrentOptions {
  /**
   * Whether the reset gate acts after the recurrent product, the default and the way of PyTorch, cuDNN and
   * Keras, or before it, as first published (ONNX's `linear_before_reset=0`).
   */
  readonly resetAfter?: boolean;
  /** What makes the new content n. Default `tanh`. */
  readonly activation?: ActivationName;
  /** What makes the gates r and z. Default `sigmoid`. */
  readonly gateActivation?: ActivationName;
}

/** Options of an `LSTM`. */
export interface LSTMOptions extends RecurrentOptions {
  /**
   * R: features of h after a projection inside the recurrence, `h = weight_hr·(o⊙tanh(c))`, fewer than
   * `hiddenSize` (PyTorch's `proj_size`). 0, the default: none.
   */
  readonly projSize?: number;
  /**
   * Whether the gates see the cell state (Gers & Schmidhuber, 2000), i and f the old, o the new one:
   * parameter `peephole_l0` `[3,H]`. Default `false`.
   */
  readonly peephole?: boolean;
  /** Bound of the cell state, which is clipped before it is used or carried. 0, the default: none. */
  readonly cellClip?: number;
  /** Whether the forget gate is `1 − i` (Greff et al., 2017); its rows of weights and biases go unused. Default `false`. */
  readonly coupled?: boolean;
  /**
   * First value of the forget gate's bias: of its part of `bias_ih`, that of `bias_hh` becoming 0. With 1 this
   * is Keras' `unit_forget_bias` (Jozefowicz et al., 2015). By default it begins like the others.
   */
  readonly forgetBias?: number;
  /** What makes the new content g. Default `tanh`. */
  readonly activation?: ActivationName;
  /** What makes the gates i, f and o. Default `sigmoid`. */
  readonly gateActivation?: ActivationName;
  /** `h = o⊙outputActivation(c)`. Default: the same as `activation`, as in Keras. */
  readonly outputActivation?: ActivationName;
}

/** Whatever options some recurrent layer has. */
export type AnyRecurrentOptions = RecurrentOptions &
  Partial<Omit<RNNOptions & GRUOptions & LSTMOptions, keyof RecurrentOptions>>;

const COMMON_NAMES: readonly (keyof RecurrentOptions)[] = [
  'inputSize',
  'hiddenSize',
  'numLayers',
  'bias',
  'dropout',
  'bidirectional',
  'merge',
  'batchFirst',
  'returnSequences',
  'goBackwards',
  'stateful',
  'learnedInitialState',
  'recurrentDropout',
  'zoneout',
  'layerNorm',
  'epsilon',
  'gateClip',
  'segment',
  'memoryBudget',
  'weightInit',
  'recurrentInit',
  'biasInit',
  'name',
  'seed',
];

const LSTM_ONLY = ['projSize', 'peephole', 'cellClip', 'coupled', 'forgetBias'] as const;

const OWN_NAMES: Readonly<Record<CellName, readonly string[]>> = {
  rnn: ['nonlinearity'],
  gru: ['resetAfter', 'activation', 'gateActivation'],
  lstm: [...LSTM_ONLY, 'activation', 'gateActivation', 'outputActivation'],
};

/** More than any network has, and few enough to make. */
const MAX_LAYERS = 1000;

/** The largest binding that every WebGPU device has. */
const DEFAULT_MEMORY_BUDGET = 2 ** 27;

/** What a layer's options come to. */
export interface RecurrentConfig {
  readonly cell: CellDescription;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  readonly dropout: number;
  readonly merge: MergeMode;
  readonly batchFirst: boolean;
  readonly returnSequences: boolean;
  readonly stateful: boolean;
  readonly learnedInitialState: boolean;
  readonly segment: number | 'auto';
  readonly memoryBudget: number;
  readonly projSize: number;
  readonly peephole: boolean;
  readonly forgetBias: number | null;
  readonly inits: {
    readonly weightInit: InitializerOption | null;
    readonly recurrentInit: InitializerOption | null;
    readonly biasInit: InitializerOption | null;
  };
  readonly seed: number;
  /** What every run of the cell is told; `training`, `stream` and `segment` are of each run. */
  readonly attributes: RecurrentAttributes;
  /** Features of each state: R of h, H of c. */
  readonly stateWidths: readonly number[];
  /** Features of a layer's output. */
  readonly outputSize: number;
}

/**
 * Checks the options and fills in the defaults.
 * @throws ArgumentError for an option out of range or unknown, or options that do not go together
 */
export function resolveRecurrentOptions(
  culprit: string,
  cellName: CellName,
  options: AnyRecurrentOptions,
): RecurrentConfig {
  const cell = CELLS[cellName];
  for (const name of LSTM_ONLY) {
    if (options[name]) checkLstmOnly(culprit, name, cellName);
  }
  checkOptions(culprit, options, [...COMMON_NAMES, ...OWN_NAMES[cellName]]);
  const { inputSize, hiddenSize, numLayers = 1, bias = true, dropout = 0, seed = randomSeed() } = options;
  const { bidirectional = false, goBackwards = false, batchFirst = false, returnSequences = true } = options;
  const { stateful = false, learnedInitialState = false, segment = 0, memoryBudget } = options;
  const { projSize = 0, peephole = false, forgetBias = null } = options;
  checkWhole(culprit, 'inputSize', inputSize, 1);
  checkWhole(culprit, 'hiddenSize', hiddenSize, 1);
  checkWhole(culprit, 'numLayers', numLayers, 1, MAX_LAYERS);
  checkNumber(culprit, 'dropout', dropout, { min: 0, below: 1 });
  checkWhole(culprit, 'seed', seed, 0);
  checkWhole(culprit, 'projSize', projSize, 0);
  checkFlags(culprit, {
    bias,
    bidirectional,
    goBackwards,
    batchFirst,
    returnSequences,
    stateful,
    learnedInitialState,
    peephole,
  });
  if (forgetBias !== null) checkNumber(culprit, 'forgetBias', forgetBias);
  if (segment !== 'auto') checkWhole(culprit, 'segment', segment, 0);
  if (memoryBudget !== undefined) checkWhole(culprit, 'memoryBudget', memoryBudget, 0);
  const directions: readonly Direction[] = bidirectional
    ? ['forward', 'reverse']
    : [goBackwards ? 'reverse' : 'forward'];
  const attributes = resolveAttributes(culprit, cell, options, directions);
  checkTogether(culprit, options, attributes);
  const { merge = 'concat' } = options;
  checkChoice(culprit, 'merge', merge, MERGE_MODES);
  const outputWidth = projSize || hiddenSize;
  return {
    cell,
    inputSize,
    hiddenSize,
    numLayers,
    bias,
    dropout,
    merge,
    batchFirst,
    returnSequences,
    stateful,
    learnedInitialState,
    segment,
    memoryBudget: memoryBudget ?? DEFAULT_MEMORY_BUDGET,
    projSize,
    peephole,
    forgetBias,
    inits: {
      weightInit: options.weightInit ?? null,
      recurrentInit: options.recurrentInit ?? null,
      biasInit: options.biasInit ?? null,
    },
    seed,
    attributes,
    stateWidths: cell.states.map((_, s) => (s === 0 ? outputWidth : hiddenSize)),
    outputSize: bidirectional && merge === 'concat' ? 2 * outputWidth : outputWidth,
  };
}

function checkFlags(culprit: string, flags: Readonly<Record<string, boolean>>): void {
  for (const [name, value] of Object.entries(flags)) checkFlag(culprit, name, value);
}

function resolveAttributes(
  culprit: string,
  cell: CellDescription,
  options: AnyRecurrentOptions,
  directions: readonly Direction[],
): RecurrentAttributes {
  const { nonlinearity, zoneout = 0 } = options;
  if (nonlinearity !== undefined) checkChoice(culprit, 'nonlinearity', nonlinearity, ACTIVATION_NAMES);
  const activation = nonlinearity ?? options.activation ?? DEFAULT_RECURRENT_ATTRIBUTES.activation;
  const probabilities = resolveZoneout(culprit, cell, zoneout);
  const defaults = DEFAULT_RECURRENT_ATTRIBUTES;
  const attributes: RecurrentAttributes = {
    ...defaults,
    cell: cell.name,
    directions,
    activation,
    gateActivation: options.gateActivation ?? defaults.gateActivation,
    outputActivation: options.outputActivation ?? activation,
    resetAfter: options.resetAfter ?? defaults.resetAfter,
    coupled: options.coupled ?? defaults.coupled,
    gateClip: options.gateClip ?? defaults.gateClip,
    cellClip: options.cellClip ?? defaults.cellClip,
    zoneout: probabilities,
    recurrentDropout: options.recurrentDropout ?? defaults.recurrentDropout,
    layerNorm: options.layerNorm ?? defaults.layerNorm,
    epsilon: options.epsilon ?? defaults.epsilon,
  };
  checkRecurrentAttributes(culprit, attributes);
  return attributes;
}

/** A probability a state; none where all are 0, so that nothing is drawn. */
function resolveZoneout(
  culprit: string,
  { states }: CellDescription,
  zoneout: number | Readonly<Record<string, number>>,
): readonly number[] {
  if (typeof zoneout === 'number') {
    checkNumber(culprit, 'zoneout', zoneout, { min: 0, below: 1 });
    return zoneout === 0 ? [] : states.map(() => zoneout);
  }
  checkOptions(`${culprit}, zoneout`, zoneout, states);
  const probabilities = states.map((state) => zoneout[state] ?? 0);
  return probabilities.every((p) => p === 0) ? [] : probabilities;
}

function checkTogether(
  culprit: string,
  options: AnyRecurrentOptions,
  { layerNorm, coupled }: RecurrentAttributes,
): void {
  const { bidirectional = false, bias = true, projSize = 0, hiddenSize } = options;
  if (layerNorm && projSize > 0) refuseWithLayerNorm(culprit, 'projSize');
  if (layerNorm && options.peephole) refuseWithLayerNorm(culprit, 'peephole');
  const wrong: readonly (readonly [boolean, problem: string, remedy: string])[] = [
    [
      bidirectional && (options.goBackwards ?? false),
      'goBackwards is set, but a bidirectional layer runs both ways as it is',
      'leave one of them out',
    ],
    [
      !bidirectional && options.merge !== undefined,
      'merge is given, but there is one direction',
      'set bidirectional, or leave merge out',
    ],
    [
      projSize >= hiddenSize,
      `projSize is ${projSize}, hiddenSize ${hiddenSize}`,
      'project to fewer features than hiddenSize, or leave projSize out',
    ],
    [
      (options.stateful ?? false) && (options.learnedInitialState ?? false),
      'stateful and learnedInitialState both say how a run begins',
      'leave one of them out',
    ],
    [
      !bias && options.forgetBias !== undefined,
      'forgetBias is given, but there are no biases',
      'set bias, or leave forgetBias out',
    ],
    [
      !bias && options.biasInit !== undefined,
      'biasInit is given, but there are no biases',
      'set bias, or leave biasInit out',
    ],
    [
      coupled && options.forgetBias !== undefined,
      'forgetBias is given, but a coupled cell has no forget gate of its own',
      'leave one of them out',
    ],
    [
      options.memoryBudget !== undefined && options.segment !== 'auto',
      "memoryBudget is given, but segment is not 'auto'",
      "set segment: 'auto', or leave memoryBudget out",
    ],
    [
      options.epsilon !== undefined && !layerNorm,
      'epsilon is given, but layerNorm is not set',
      'set layerNorm, or leave epsilon out',
    ],
  ];
  for (const [applies, problem, remedy] of wrong) {
    if (applies) throw new ArgumentError({ culprit, problem, remedy });
  }
}
