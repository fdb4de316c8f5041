/** How a recurrent layer can be varied: the attributes of `recurrent`, their defaults and which go together. */
import { ArgumentError } from '../graph/errors.js';
import { checkChoice, checkFlag, checkNumber, checkWhole } from '../graph/options.js';
import { ACTIVATION_NAMES, CELLS, type ActivationName, type CellName } from './cells.js';

/** Which way a layer runs over time. */
export type Direction = 'forward' | 'reverse';

/** Attributes of `recurrentOperation` and `recurrentBackwardOperation`. */
export interface RecurrentAttributes {
  readonly cell: CellName;
  /** One direction or two, those in the order `forward`, `reverse`. Default `['forward']`. */
  readonly directions: readonly Direction[];
  /** What makes the new content: rnn's state, lstm's g, gru's n. Default `tanh`. */
  readonly activation: ActivationName;
  /** What makes the gates: lstm's i, f, o, gru's r, z. Default `sigmoid`. */
  readonly gateActivation: ActivationName;
  /** lstm: `h = o⊙outputActivation(c)`. Default `tanh`. */
  readonly outputActivation: ActivationName;
  /**
   * gru: whether the reset gate acts after the recurrent product, `n = act(a_n + r⊙(h·W_hnᵀ + b_hn))`, the
   * default and PyTorch's way, or before it, `n = act(a_n + (r⊙h)·W_hnᵀ + b_hn)`, as first published.
   */
  readonly resetAfter: boolean;
  /**
   * lstm: `f = 1 − i`; the rows of f in weights and biases go unused, but for the mean and variance that layer
   * normalization takes over all rows. Default `false`.
   */
  readonly coupled: boolean;
  /**
   * What each activation of a gate is given is clamped to `±gateClip` (ONNX's `clip`), and no gradient flows
   * where that changed it. 0, the default: not clamped.
   */
  readonly gateClip: number;
  /** lstm: the new c is clamped to `±cellClip` before it is used or carried. 0, the default: not clamped. */
  readonly cellClip: number;
  /**
   * A probability for each state, in the order of `CELLS`: in training each unit of the state keeps its old
   * value so often, in evaluation it becomes the mean of both ways (Krueger et al., "Zoneout", 2017). Empty,
   * the default: none.
   */
  readonly zoneout: readonly number[];
  /**
   * Probability of dropout, in training, on the h that enters the recurrent product, by one mask for all
   * steps (Gal & Ghahramani, 2016; Keras' `recurrent_dropout`). Default 0.
   */
  readonly recurrentDropout: number;
  /** Whether zoneout and recurrent dropout draw masks. Default `false`. */
  readonly training: boolean;
  /** Tells the masks of one graph apart, as dropout's `stream`: a whole number below 2³². Default 0. */
  readonly stream: number;
  /**
   * Layer normalization (Ba et al., 2016) of `x·W_ihᵀ` and `h·W_hhᵀ`, each over all gates and before the
   * biases, and of lstm's new c, which is carried normalized. Default `false`.
   */
  readonly layerNorm: boolean;
  /** Added to the variance of layer normalization. Default 1e-5. */
  readonly epsilon: number;
  /**
   * Memory for time: the backward pass computes the steps again in segments of this length instead of keeping
   * what they computed. The numbers do not change. 0, the default: everything is kept.
   */
  readonly segment: number;
}

/** The attributes where nothing else is asked for: PyTorch's cells, from begin to end. */
export const DEFAULT_RECURRENT_ATTRIBUTES: Readonly<Omit<RecurrentAttributes, 'cell'>> = {
  directions: ['forward'],
  activation: 'tanh',
  gateActivation: 'sigmoid',
  outputActivation: 'tanh',
  resetAfter: true,
  coupled: false,
  gateClip: 0,
  cellClip: 0,
  zoneout: [],
  recurrentDropout: 0,
  training: false,
  stream: 0,
  layerNorm: false,
  epsilon: 1e-5,
  segment: 0,
};

/** Whether some state is zoned out, by masks or by their expectation. */
export function hasZoneout({ zoneout }: Pick<RecurrentAttributes, 'zoneout'>): boolean {
  return zoneout.some((p) => p > 0);
}

/** Whether masks are drawn, so that a seed is needed. */
export function drawsMasks(attributes: RecurrentAttributes): boolean {
  return attributes.training && (hasZoneout(attributes) || attributes.recurrentDropout > 0);
}

/**
 * Second word of the counter that draws the zoneout mask of state `state` in direction `direction`; the first
 * is the element's index in `[T,B,width]`. A unit keeps its old value where `(u >>> 8)·2⁻²⁴ < p`.
 */
export function zoneoutCounter(state: number, direction: number): number {
  return 1 + 2 * (state + 2 * direction);
}

/** The same for the recurrent dropout of direction `direction`; the first word is the index in `[B,R]`. */
export function recurrentDropoutCounter(direction: number): number {
  return 8 + direction;
}

/** Throws unless `cell` exists. */
export function checkCell(culprit: string, cell: CellName): void {
  if (Object.hasOwn(CELLS, cell)) return;
  throw new ArgumentError({
    culprit,
    problem: `there is no cell "${cell}"`,
    remedy: `pass one of ${Object.keys(CELLS).join(', ')}`,
  });
}

/** Throws unless each attribute is within its range and fits the cell and the others. */
export function checkRecurrentAttributes(culprit: string, attributes: RecurrentAttributes): void {
  const { cell, directions, stream } = attributes;
  checkCell(culprit, cell);
  if (!['forward', 'reverse', 'forward,reverse'].includes(directions.join())) {
    throw new ArgumentError({
      culprit,
      problem: `directions are [${directions.join()}]`,
      remedy: "pass ['forward'], ['reverse'] or ['forward', 'reverse']",
    });
  }
  for (const name of ['activation', 'gateActivation', 'outputActivation'] as const) {
    checkChoice(culprit, name, attributes[name], ACTIVATION_NAMES);
  }
  for (const name of ['resetAfter', 'coupled', 'training', 'layerNorm'] as const) {
    checkFlag(culprit, name, attributes[name]);
  }
  for (const name of ['gateClip', 'cellClip'] as const) {
    checkNumber(culprit, name, attributes[name], { min: 0 });
  }
  checkNumber(culprit, 'epsilon', attributes.epsilon, { above: 0 });
  checkNumber(culprit, 'recurrentDropout', attributes.recurrentDropout, { min: 0, below: 1 });
  checkZoneout(culprit, attributes);
  checkWhole(culprit, 'segment', attributes.segment, 0);
  if (!Number.isInteger(stream) || stream < 0 || stream > 0xffffffff) {
    throw new ArgumentError({
      culprit,
      problem: `stream is ${stream}`,
      remedy: 'pass a whole number from 0 to 4294967295',
    });
  }
  if (attributes.coupled) checkLstmOnly(culprit, 'coupled', cell);
  if (attributes.cellClip > 0) checkLstmOnly(culprit, 'cellClip', cell);
  if (!attributes.resetAfter && cell !== 'gru') {
    throw new ArgumentError({
      culprit,
      problem: `resetAfter is false, but a cell "${cell}" has no reset gate`,
      remedy: "leave resetAfter out, or use the cell 'gru'",
    });
  }
  if (!attributes.layerNorm) return;
  if (!attributes.resetAfter) refuseWithLayerNorm(culprit, 'resetAfter: false');
  if (attributes.cellClip > 0) refuseWithLayerNorm(culprit, 'cellClip');
}

function checkZoneout(culprit: string, { zoneout, cell }: RecurrentAttributes): void {
  const { states } = CELLS[cell];
  if (zoneout.length > 0 && zoneout.length !== states.length) {
    throw new ArgumentError({
      culprit,
      problem: `zoneout holds ${zoneout.length} probabilities, a cell "${cell}" carries ${states.length} states`,
      remedy: `pass one for each of ${states.join(', ')}`,
    });
  }
  zoneout.forEach((p, s) => checkNumber(culprit, `zoneout of ${states[s]!}`, p, { min: 0, below: 1 }));
}

/** Throws unless the cell is an lstm; `what` is what only that one has. */
export function checkLstmOnly(culprit: string, what: string, cell: CellName): void {
  if (cell === 'lstm') return;
  throw new ArgumentError({
    culprit,
    problem: `${what} is not for a cell "${cell}"`,
    remedy: `leave ${what} out, or use the cell 'lstm'`,
  });
}

/** Throws: `what` does not go with layer normalization. */
export function refuseWithLayerNorm(culprit: string, what: string): never {
  throw new ArgumentError({
    culprit,
    problem: `${what} does not go with layerNorm`,
    remedy: `leave one of them out`,
  });
}
