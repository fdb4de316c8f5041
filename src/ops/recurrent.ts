/** `recurrent`: one layer of a cell over a whole sequence, and its fused backward. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation, OPAQUE } from '../graph/operation.js';
import { formatShape } from '../graph/shape.js';
import type { Value, ValueSpec } from '../graph/value.js';
import { CELLS, type CellDescription, type CellName } from './cells.js';
import { checkCount, checkRank, checkSameShape, present, typed } from './check.js';

/** Attributes of {@link recurrentOperation} and {@link recurrentBackwardOperation}. */
export interface RecurrentAttributes {
  readonly cell: CellName;
}

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
  /** Gates of the cell. */
  readonly G: number;
}

/** Where the inputs of {@link recurrentOperation} stand; those of its backward begin with the same. */
export const RECURRENT_INPUTS = { x: 0, weightIh: 1, weightHh: 2, biasIh: 3, biasHh: 4, states: 5 } as const;

/** The sizes that the inputs of a `recurrent` or `recurrentBackward` show. */
export function recurrentSizes(inputs: readonly (ValueSpec | null)[], cell: CellName): RecurrentSizes {
  const [T, B, I] = inputs[RECURRENT_INPUTS.x]!.shape as readonly [number, number, number];
  const H = inputs[RECURRENT_INPUTS.weightHh]!.shape[1]!;
  return { T, B, I, H, G: CELLS[cell].gates.length };
}

function describeCell(culprit: string, cell: CellName): CellDescription {
  if (Object.hasOwn(CELLS, cell)) return CELLS[cell];
  throw new ArgumentError({
    culprit,
    problem: `there is no cell "${cell}"`,
    remedy: `pass one of ${Object.keys(CELLS).join(', ')}`,
  });
}

/** Checks the inputs that forward and backward share and tells the sizes. */
function inferSizes(
  inputs: readonly (ValueSpec | null)[],
  { cell }: RecurrentAttributes,
  culprit: string,
): RecurrentSizes & CellDescription {
  const description = describeCell(culprit, cell);
  const G = description.gates.length;
  const x = typed(culprit, inputs, RECURRENT_INPUTS.x, 'x');
  const weightIh = typed(culprit, inputs, RECURRENT_INPUTS.weightIh, 'weightIh');
  const weightHh = typed(culprit, inputs, RECURRENT_INPUTS.weightHh, 'weightHh');
  checkRank(culprit, 'x', x, 3, 'T,B,I');
  checkRank(culprit, 'weightIh', weightIh, 2, 'G·H,I');
  checkRank(culprit, 'weightHh', weightHh, 2, 'G·H,H');
  const H = weightHh.shape[1]!;
  checkSameShape(culprit, 'weightHh', weightHh, [G * H, H], `${G}·H,H`);
  const I = weightIh.shape[1]!;
  checkSameShape(culprit, 'weightIh', weightIh, [G * H, I], `${G}·H,I`);
  const [T, B, features] = x.shape as readonly [number, number, number];
  if (features !== I) {
    throw new ShapeError({
      culprit,
      problem: `x has shape ${formatShape(x.shape)}, so ${features} features, inputSize is ${I}`,
      remedy: `pass [T,B,${I}]`,
    });
  }
  for (const name of ['biasIh', 'biasHh'] as const) {
    const index = RECURRENT_INPUTS[name];
    if (inputs[index]) checkSameShape(culprit, name, typed(culprit, inputs, index, name), [G * H], `${G}·H`);
  }
  description.states.forEach((state, s) => {
    const index = RECURRENT_INPUTS.states + s;
    if (!inputs[index]) return;
    checkSameShape(
      culprit,
      `initial ${state}`,
      typed(culprit, inputs, index, `initial ${state}`),
      [B, H],
      'B,H',
    );
  });
  return { ...description, T, B, I, H, G };
}

/**
 * `[x[T,B,I], weightIh[G·H,I], weightHh[G·H,H], biasIh[G·H]|null, biasHh[G·H]|null, ...initialStates[B,H]|null]
 * → [y[T,B,H], ...finalStates[B,H], residual]`. States stand in the order of {@link CELLS}; an absent one
 * is zeros.
 */
export const recurrentOperation = defineOperation<RecurrentAttributes>({
  name: 'recurrent',
  infer(inputs, attributes, culprit) {
    const { states, T, B, H } = inferSizes(inputs, attributes, culprit);
    checkCount(culprit, inputs, RECURRENT_INPUTS.states + states.length);
    return [
      { shape: [T, B, H], dtype: 'float32' },
      ...states.map((): ValueSpec => ({ shape: [B, H], dtype: 'float32' })),
      OPAQUE,
    ];
  },
  gradient(node, dOutputs, wanted) {
    const stateCount = CELLS[node.attributes.cell].states.length;
    const y = node.outputs[0]!;
    const residual = node.outputs[1 + stateCount]!;
    const inputs = [...node.inputs, y, residual, ...dOutputs.slice(0, 1 + stateCount)];
    const dInputs = y.graph.record(recurrentBackwardOperation, inputs, node.attributes, node.label);
    return dInputs.map((dInput, i) => (wanted[i] ? dInput : null));
  },
});

/**
 * `[x, weightIh, weightHh, biasIh, biasHh, ...initialStates, y, residual, dY|null, ...dFinalStates|null]
 * → [dX, dWeightIh, dWeightHh, dBiasIh, dBiasHh, ...dInitialStates]`. The outputs have shapes even where
 * the input they belong to is absent; executors compute only those that something reads.
 */
export const recurrentBackwardOperation = defineOperation<RecurrentAttributes>({
  name: 'recurrentBackward',
  infer(inputs, attributes, culprit) {
    const { states, T, B, I, H, G } = inferSizes(inputs, attributes, culprit);
    const first = RECURRENT_INPUTS.states + states.length;
    checkCount(culprit, inputs, first + 3 + states.length);
    checkSameShape(culprit, 'y', typed(culprit, inputs, first, 'y'), [T, B, H], 'T,B,H');
    present(culprit, inputs, first + 1, 'residual');
    if (inputs[first + 2]) {
      checkSameShape(culprit, 'dY', typed(culprit, inputs, first + 2, 'dY'), [T, B, H], 'T,B,H');
    }
    states.forEach((state, s) => {
      const index = first + 3 + s;
      if (!inputs[index]) return;
      checkSameShape(culprit, `d ${state}`, typed(culprit, inputs, index, `d ${state}`), [B, H], 'B,H');
    });
    return [[T, B, I], [G * H, I], [G * H, H], [G * H], [G * H], ...states.map(() => [B, H])].map(
      (shape): ValueSpec => ({ shape, dtype: 'float32' }),
    );
  },
  gradient: null,
});

/** What {@link recurrent} takes. */
export interface RecurrentInputs {
  readonly cell: CellName;
  /** `[T,B,I]` */
  readonly x: Value;
  /** `[G·H,I]`, the gates' row blocks in the order of {@link CELLS} */
  readonly weightIh: Value;
  /** `[G·H,H]` */
  readonly weightHh: Value;
  /** `[G·H]`; none by default */
  readonly biasIh?: Value | null;
  /** `[G·H]`; none by default */
  readonly biasHh?: Value | null;
  /** `[B,H]` each, in the order of {@link CELLS}; zeros where absent */
  readonly initialStates?: readonly (Value | null)[];
  /** Names the layer in messages and listings. */
  readonly label?: string;
}

/**
 * One recurrent layer over a whole sequence, with the equations given at {@link CELLS}.
 * @returns `output` `[T,B,H]` and the states `[B,H]` after the last step, in the order of {@link CELLS}
 * @throws ShapeError where sizes do not fit, ArgumentError for an unknown cell or too many states
 */
export function recurrent(inputs: RecurrentInputs): { output: Value; finalStates: Value[] } {
  const {
    cell,
    x,
    weightIh,
    weightHh,
    biasIh = null,
    biasHh = null,
    initialStates = [],
    label = '',
  } = inputs;
  const culprit = label ? `recurrent "${label}"` : 'recurrent';
  const { states } = describeCell(culprit, cell);
  if (initialStates.length > states.length) {
    throw new ArgumentError({
      culprit,
      problem: `got ${initialStates.length} initial states, a cell "${cell}" carries ${states.length}`,
      remedy: `pass ${states.join(', ')}`,
    });
  }
  const initial = states.map((_, s) => initialStates[s] ?? null);
  const outputs = x.graph.record(
    recurrentOperation,
    [x, weightIh, weightHh, biasIh, biasHh, ...initial],
    { cell },
    label,
  );
  return { output: outputs[0]!, finalStates: outputs.slice(1, 1 + states.length) };
}
