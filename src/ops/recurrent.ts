/** `recurrent`: one layer of a cell over a whole sequence, in one direction or both, and its fused backward. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation, OPAQUE } from '../graph/operation.js';
import { formatShape, type Shape } from '../graph/shape.js';
import type { Value, ValueSpec } from '../graph/value.js';
import { CELLS, type CellName } from './cells.js';
import { apply, checkCount, checkRank, checkSameShape, present, typed } from './check.js';
import {
  checkCell,
  checkLstmOnly,
  checkRecurrentAttributes,
  DEFAULT_RECURRENT_ATTRIBUTES,
  drawsMasks,
  refuseWithLayerNorm,
  type Direction,
  type RecurrentAttributes,
} from './recurrent-attributes.js';

/** The sizes of a recurrent layer. */
export interface RecurrentSizes {
  /** Time steps. */
  readonly T: number;
  /** Sequences side by side. */
  readonly B: number;
  /** Input features. */
  readonly I: number;
  /** Hidden units. */
  readonly H: number;
  /** Features of h: H, or the projection's. */
  readonly R: number;
  /** Directions. */
  readonly D: number;
  /** Gates of the cell. */
  readonly G: number;
}

/** Where the inputs of {@link recurrentOperation} stand; those of its backward begin with the same. */
export const RECURRENT_INPUTS = { x: 0, mask: 1, seed: 2, directions: 3 } as const;

/** Where a direction's inputs stand among its own; its gradients stand alike. */
export const DIRECTION_INPUTS = {
  weightIh: 0,
  weightHh: 1,
  biasIh: 2,
  biasHh: 3,
  weightHr: 4,
  peephole: 5,
  normIh: 6,
  normHh: 7,
  normC: 8,
  states: 9,
} as const;

/** Inputs a direction has. */
export function directionInputCount(cell: CellName): number {
  return DIRECTION_INPUTS.states + CELLS[cell].states.length;
}

/** Place of the first input of direction `d`; for `d = D`, of what follows the last direction's. */
export function directionBegin(d: number, cell: CellName): number {
  return RECURRENT_INPUTS.directions + d * directionInputCount(cell);
}

/** The inputs of one direction by name, as values, arrays, or whatever stands in the list. */
export interface DirectionInputs<T> {
  /** `[G·H,I]` */
  readonly weightIh: T;
  /** `[G·H,R]` */
  readonly weightHh: T;
  /** `[G·H]` */
  readonly biasIh: T | null;
  /** `[G·H]` */
  readonly biasHh: T | null;
  /** lstm's projection of h, `[R,H]` */
  readonly weightHr: T | null;
  /** lstm: weights of c in the gates i, f, o, `[3,H]` */
  readonly peephole: T | null;
  /** Gain and bias of the layer normalization of `x·W_ihᵀ`, `[2,G·H]` */
  readonly normIh: T | null;
  /** Gain and bias of that of `h·W_hhᵀ`, `[2,G·H]` */
  readonly normHh: T | null;
  /** lstm: gain and bias of that of c, `[2,H]` */
  readonly normC: T | null;
  /** The initial states, `[B,R]` for h and `[B,H]` for c */
  readonly states: readonly (T | null)[];
}

/** The inputs of direction `d` of a `recurrent` or `recurrentBackward`. */
export function directionInputs<T>(
  inputs: readonly (T | null)[],
  d: number,
  cell: CellName,
): DirectionInputs<T> {
  const begin = directionBegin(d, cell);
  const at = (name: Exclude<keyof typeof DIRECTION_INPUTS, 'states'>): T | null =>
    inputs[begin + DIRECTION_INPUTS[name]] ?? null;
  return {
    weightIh: at('weightIh')!,
    weightHh: at('weightHh')!,
    biasIh: at('biasIh'),
    biasHh: at('biasHh'),
    weightHr: at('weightHr'),
    peephole: at('peephole'),
    normIh: at('normIh'),
    normHh: at('normHh'),
    normC: at('normC'),
    states: CELLS[cell].states.map((_, s) => inputs[begin + DIRECTION_INPUTS.states + s] ?? null),
  };
}

/** Where the inputs that only `recurrentBackward` has stand. */
export interface BackwardInputPlaces {
  readonly y: number;
  readonly residual: number;
  readonly dY: number;
  /** Gradients of the final states, direction by direction. */
  readonly dFinals: number;
}

/** Where the inputs that only `recurrentBackward` has stand. */
export function backwardInputPlaces({
  cell,
  directions,
}: Pick<RecurrentAttributes, 'cell' | 'directions'>): BackwardInputPlaces {
  const y = directionBegin(directions.length, cell);
  return { y, residual: y + 1, dY: y + 2, dFinals: y + 3 };
}

/** Place of the first gradient of direction `d` among the outputs of `recurrentBackward`; `dX` is at 0. */
export function directionGradientBegin(d: number, cell: CellName): number {
  return 1 + d * directionInputCount(cell);
}

/** The sizes that the inputs of a `recurrent` or `recurrentBackward` show. */
export function recurrentSizes(
  inputs: readonly (ValueSpec | null)[],
  { cell, directions }: Pick<RecurrentAttributes, 'cell' | 'directions'>,
): RecurrentSizes {
  const [T, B, I] = inputs[RECURRENT_INPUTS.x]!.shape as readonly [number, number, number];
  const { weightHh, weightHr } = directionInputs(inputs, 0, cell);
  const [R, H] = (weightHr ? weightHr.shape : [weightHh.shape[1], weightHh.shape[1]]) as [number, number];
  return { T, B, I, H, R, D: directions.length, G: CELLS[cell].gates.length };
}

/** Features of each state: R of h, H of c. */
export function stateWidths(cell: CellName, { H, R }: Pick<RecurrentSizes, 'H' | 'R'>): readonly number[] {
  return CELLS[cell].states.map((_, s) => (s === 0 ? R : H));
}

/** A shape and what its dimensions mean. */
type Expected = readonly [shape: Shape, letters: string];

/** Shapes of a direction's inputs and of their gradients, in the order of {@link DIRECTION_INPUTS}. */
function directionShapes(cell: CellName, sizes: RecurrentSizes): readonly Expected[] {
  const { B, I, H, R, G } = sizes;
  return [
    [[G * H, I], `${G}·H,I`],
    [[G * H, R], `${G}·H,${R === H ? 'H' : 'R'}`],
    [[G * H], `${G}·H`],
    [[G * H], `${G}·H`],
    [[R, H], 'R,H'],
    [[3, H], '3,H'],
    [[2, G * H], `2,${G}·H`],
    [[2, G * H], `2,${G}·H`],
    [[2, H], '2,H'],
    ...stateWidths(cell, sizes).map((width, s): Expected => [[B, width], s === 0 && R !== H ? 'B,R' : 'B,H']),
  ];
}

/** Checks the inputs that forward and backward share and tells the sizes. */
function inferSizes(
  inputs: readonly (ValueSpec | null)[],
  attributes: RecurrentAttributes,
  culprit: string,
): RecurrentSizes {
  checkRecurrentAttributes(culprit, attributes);
  const { cell, directions } = attributes;
  const x = typed(culprit, inputs, RECURRENT_INPUTS.x, 'x');
  const first = directionBegin(0, cell);
  const weightIh = typed(culprit, inputs, first + DIRECTION_INPUTS.weightIh, 'weightIh');
  const weightHh = typed(culprit, inputs, first + DIRECTION_INPUTS.weightHh, 'weightHh');
  const weightHr = inputs[first + DIRECTION_INPUTS.weightHr];
  checkRank(culprit, 'x', x, 3, 'T,B,I');
  checkRank(culprit, 'weightIh', weightIh, 2, 'G·H,I');
  checkRank(culprit, 'weightHh', weightHh, 2, weightHr ? 'G·H,R' : 'G·H,H');
  if (weightHr) checkRank(culprit, 'weightHr', weightHr, 2, 'R,H');
  const sizes = recurrentSizes(inputs, attributes);
  const { T, B } = sizes;
  const inputSize = weightIh.shape[1]!;
  directions.forEach((_, d) => checkDirection(culprit, inputs, attributes, { ...sizes, I: inputSize }, d));
  if (sizes.I !== inputSize) {
    throw new ShapeError({
      culprit,
      problem: `x has shape ${formatShape(x.shape)}, so ${sizes.I} features, inputSize is ${inputSize}`,
      remedy: `pass [T,B,${inputSize}]`,
    });
  }
  checkIfPresent(culprit, inputs, RECURRENT_INPUTS.mask, 'mask', [[T, B], 'T,B'], 'int32');
  checkIfPresent(culprit, inputs, RECURRENT_INPUTS.seed, 'seed', [[], ''], 'int32');
  if (drawsMasks(attributes) && !inputs[RECURRENT_INPUTS.seed]) {
    throw new ArgumentError({
      culprit,
      problem: 'zoneout or recurrentDropout draws masks in training, and seed is missing',
      remedy: 'pass an int32 scalar as seed, fed another number each step',
    });
  }
  return sizes;
}

function checkIfPresent(
  culprit: string,
  inputs: readonly (ValueSpec | null)[],
  index: number,
  name: string,
  [shape, letters]: Expected,
  dtype: 'float32' | 'int32' = 'float32',
): void {
  if (inputs[index])
    checkSameShape(culprit, name, typed(culprit, inputs, index, name, dtype), shape, letters);
}

/** Checks one direction's inputs: those it must have, those it may, and those that exclude each other. */
function checkDirection(
  culprit: string,
  inputs: readonly (ValueSpec | null)[],
  attributes: RecurrentAttributes,
  sizes: RecurrentSizes,
  d: number,
): void {
  const { cell, layerNorm, directions } = attributes;
  const who = directions.length > 1 ? `${culprit}, ${directions[d]!} direction` : culprit;
  const begin = directionBegin(d, cell);
  const required: string[] = ['weightIh', 'weightHh'];
  if (layerNorm) required.push('normIh', 'normHh', ...(cell === 'lstm' ? ['normC'] : []));
  if (sizes.R !== sizes.H || inputs[directionBegin(0, cell) + DIRECTION_INPUTS.weightHr]) {
    required.push('weightHr');
  }
  const states = CELLS[cell].states.map((state) => `initial ${state}`);
  const names = [...Object.keys(DIRECTION_INPUTS).slice(0, DIRECTION_INPUTS.states), ...states];
  // weightHh first: the number of hidden units is read from it, and messages about others rest on that.
  const order = [DIRECTION_INPUTS.weightHh, ...names.keys()];
  const shapes = directionShapes(cell, sizes);
  for (const index of order) {
    const name = names[index]!;
    if (required.includes(name)) present(who, inputs, begin + index, name);
    checkIfPresent(who, inputs, begin + index, name, shapes[index]!);
  }
  for (const name of ['weightHr', 'peephole', 'normC'] as const) {
    if (inputs[begin + DIRECTION_INPUTS[name]]) checkLstmOnly(who, name, cell);
  }
  for (const name of ['weightHr', 'peephole'] as const) {
    if (layerNorm && inputs[begin + DIRECTION_INPUTS[name]]) refuseWithLayerNorm(who, name);
  }
  for (const name of ['normIh', 'normHh', 'normC'] as const) {
    if (layerNorm || !inputs[begin + DIRECTION_INPUTS[name]]) continue;
    throw new ArgumentError({
      culprit: who,
      problem: `${name} is given, but layerNorm is false`,
      remedy: `set layerNorm, or leave ${name} out`,
    });
  }
}

/**
 * `[x[T,B,I], mask int32[T,B]|null, seed int32[]|null, then for each direction weightIh[G·H,I],
 * weightHh[G·H,R], biasIh[G·H]|null, biasHh[G·H]|null, weightHr[R,H]|null, peephole[3,H]|null,
 * normIh[2,G·H]|null, normHh[2,G·H]|null, normC[2,H]|null, ...initialStates|null]
 * → [y[T,B,D·R], then for each direction its final states, residual]`. States stand in the order of
 * {@link CELLS}, h `[B,R]` and c `[B,H]`; an absent one is zeros. Direction d writes the columns of y from
 * d·R on.
 *
 * The direction `reverse` runs from the last step to the first. Where the mask is 0 the states stay as they
 * are and y is 0: with `mask[t,b] = t < lengths[b]` this is PyTorch's packed sequence, and a final state is
 * that of its sequence's own end (forward) or begin (reverse).
 */
export const recurrentOperation = defineOperation<RecurrentAttributes>({
  name: 'recurrent',
  infer(inputs, attributes, culprit) {
    const { cell, directions } = attributes;
    const sizes = inferSizes(inputs, attributes, culprit);
    const { T, B, D, R } = sizes;
    checkCount(culprit, inputs, directionBegin(D, cell));
    const widths = stateWidths(cell, sizes);
    return [
      { shape: [T, B, D * R], dtype: 'float32' },
      ...directions.flatMap(() =>
        widths.map((width): ValueSpec => ({ shape: [B, width], dtype: 'float32' })),
      ),
      OPAQUE,
    ];
  },
  gradient(node, dOutputs, wanted) {
    const y = node.outputs[0]!;
    const residual = node.outputs.at(-1)!;
    const inputs = [...node.inputs, y, residual, ...dOutputs.slice(0, -1)];
    const [dX, ...dOthers] = apply(recurrentBackwardOperation, inputs, node.attributes, node.label);
    const dInputs = [dX!, null, null, ...dOthers];
    return dInputs.map((dInput, i) => (wanted[i] ? dInput : null));
  },
});

/**
 * `[...inputs of recurrent, y, residual, dY|null, then for each direction its dFinalStates|null]
 * → [dX, then for each direction the gradients of its inputs]`. The outputs have shapes even where the input
 * they belong to is absent; executors compute only those that something reads.
 */
export const recurrentBackwardOperation = defineOperation<RecurrentAttributes>({
  name: 'recurrentBackward',
  infer(inputs, attributes, culprit) {
    const { cell, directions } = attributes;
    const sizes = inferSizes(inputs, attributes, culprit);
    const { T, B, I, R, D } = sizes;
    const places = backwardInputPlaces(attributes);
    const widths = stateWidths(cell, sizes);
    checkCount(culprit, inputs, places.dFinals + D * widths.length);
    const output: Expected = [[T, B, D * R], D === 1 ? 'T,B,R' : 'T,B,2·R'];
    present(culprit, inputs, places.y, 'y');
    checkIfPresent(culprit, inputs, places.y, 'y', output);
    present(culprit, inputs, places.residual, 'residual');
    checkIfPresent(culprit, inputs, places.dY, 'dY', output);
    directions.forEach((_, d) =>
      widths.forEach((width, s) => {
        const index = places.dFinals + d * widths.length + s;
        checkIfPresent(culprit, inputs, index, `d ${CELLS[cell].states[s]!}`, [[B, width], '']);
      }),
    );
    const gradients = directionShapes(cell, sizes).map(([shape]) => shape);
    return [[T, B, I], ...directions.flatMap(() => gradients)].map((shape): ValueSpec => ({
      shape,
      dtype: 'float32',
    }));
  },
  gradient: null,
});

/** What one direction of {@link recurrent} takes, with the shapes that {@link DirectionInputs} gives. */
export interface RecurrentParameters {
  /** `[G·H,I]`, the gates' row blocks in the order of {@link CELLS} */
  readonly weightIh: Value;
  /** `[G·H,R]`, R being H unless there is a projection */
  readonly weightHh: Value;
  /** `[G·H]`; none by default */
  readonly biasIh?: Value | null;
  /** `[G·H]`; none by default */
  readonly biasHh?: Value | null;
  /** lstm: `[R,H]`, so that `h = (o⊙tanh(c))·weightHrᵀ` (PyTorch's `proj_size`); none by default */
  readonly weightHr?: Value | null;
  /** lstm: `[3,H]`, weights of c in i, f, o: of the old c in i and f, of the new in o; none by default */
  readonly peephole?: Value | null;
  /** `[2,G·H]`, gain and bias; with `layerNorm` */
  readonly normIh?: Value | null;
  /** `[2,G·H]`, gain and bias; with `layerNorm` */
  readonly normHh?: Value | null;
  /** lstm: `[2,H]`, gain and bias; with `layerNorm` */
  readonly normC?: Value | null;
  /** `[B,R]` for h, `[B,H]` for c, in the order of {@link CELLS}; zeros where absent */
  readonly initialStates?: readonly (Value | null)[];
}

/** What {@link recurrent} takes. */
export interface RecurrentInputs
  extends RecurrentParameters, Partial<Omit<RecurrentAttributes, 'cell' | 'directions'>> {
  readonly cell: CellName;
  /** `[T,B,I]` */
  readonly x: Value;
  /** int32 `[T,B]`: not 0 where a step counts, as {@link sequenceMask} makes it; all count by default */
  readonly mask?: Value | null;
  /** int32 scalar, fed another number each step; needed to draw masks of zoneout or recurrent dropout */
  readonly seed?: Value | null;
  /** Which way the parameters given here run; `forward` by default, and always with `reverse`. */
  readonly direction?: Direction;
  /** The parameters of a second direction, from the last step to the first. */
  readonly reverse?: RecurrentParameters;
  /** Names the layer in messages and listings. */
  readonly label?: string;
}

/** The inputs of one direction in the operation's order. */
function listParameters(culprit: string, cell: CellName, parameters: RecurrentParameters): (Value | null)[] {
  const { states } = CELLS[cell];
  const { initialStates = [] } = parameters;
  if (initialStates.length > states.length) {
    throw new ArgumentError({
      culprit,
      problem: `got ${initialStates.length} initial states, a cell "${cell}" carries ${states.length}`,
      remedy: `pass ${states.join(', ')}`,
    });
  }
  return [
    parameters.weightIh,
    parameters.weightHh,
    parameters.biasIh ?? null,
    parameters.biasHh ?? null,
    parameters.weightHr ?? null,
    parameters.peephole ?? null,
    parameters.normIh ?? null,
    parameters.normHh ?? null,
    parameters.normC ?? null,
    ...states.map((_, s) => initialStates[s] ?? null),
  ];
}

/**
 * One recurrent layer over a whole sequence, with the equations given at {@link CELLS} and the variations of
 * {@link RecurrentAttributes}.
 * @returns `output` `[T,B,D·R]` and the states after the last step, `[B,R]` for h and `[B,H]` for c: those of
 * the first direction in the order of {@link CELLS}, then those of the second
 * @throws ShapeError where sizes do not fit, ArgumentError for an unknown cell, too many states, or options
 * that do not go together
 */
export function recurrent(inputs: RecurrentInputs): { output: Value; finalStates: Value[] } {
  const { cell, x, mask = null, seed = null, direction = 'forward', reverse, label = '' } = inputs;
  const culprit = label ? `recurrent "${label}"` : 'recurrent';
  checkCell(culprit, cell);
  if (reverse && direction !== 'forward') {
    throw new ArgumentError({
      culprit,
      problem: `direction is "${direction}" although parameters of the reverse direction are given`,
      remedy: 'leave direction out',
    });
  }
  const directions: Direction[] = reverse ? ['forward', 'reverse'] : [direction];
  const lists = (reverse ? [inputs, reverse] : [inputs]).flatMap((parameters) =>
    listParameters(culprit, cell, parameters),
  );
  const attributes = { ...pickAttributes(inputs), cell, directions };
  const outputs = apply(recurrentOperation, [x, mask, seed, ...lists], attributes, label);
  return { output: outputs[0]!, finalStates: outputs.slice(1, -1) };
}

/** The attributes among `inputs`, the defaults for the others. */
function pickAttributes(inputs: RecurrentInputs): Omit<RecurrentAttributes, 'cell'> {
  const names = Object.keys(DEFAULT_RECURRENT_ATTRIBUTES) as (keyof RecurrentInputs)[];
  const given = names.filter((name) => inputs[name] !== undefined).map((name) => [name, inputs[name]]);
  return { ...DEFAULT_RECURRENT_ATTRIBUTES, ...(Object.fromEntries(given) as Partial<RecurrentAttributes>) };
}
