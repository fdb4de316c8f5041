/**
 * `recurrent` on the GPU: one driver for every cell. Time is unrolled into one dispatch a step for both
 * directions (two for projections and the GRU with the reset before the product); the products with the
 * inputs stay outside the loop.
 *
 * Widths are padded with zeros to multiples of four (`P` for `H`, `Q` for `R`), so that kernels load whole
 * vectors. The gates lie as `[D, T·B, slots, P]`, each slot one gate.
 */
import type { Node, Value } from '../../../graph/value.js';
import type { RecurrentAttributes } from '../../../ops/recurrent-attributes.js';
import { foldWorkgroups } from '../../kernels/kernel.js';
import type { View } from '../../memory.js';
import { recurrentOutputKernel, recurrentProjectKernel } from '../../kernels/recurrent.js';
import type { LoweringContext } from '../context.js';
import { emitDropout } from '../dropout.js';
import { emitLookup } from '../embedding.js';
import { emitMatmul } from '../matmul.js';
import {
  allocateSequences,
  commonParameters,
  gatesRow,
  lanesAt,
  layoutOf,
  padGates,
  padRows,
  perLane,
  placeInitialStates,
  previousStep,
  rowStep,
  stackTransposed,
  stackVectors,
  stateNames,
  timeOf,
  timesOf,
  unpadRows,
  windowsOf,
  windowStart,
  WORD,
  type Lane,
  type Layout,
  type Sequence,
  type SequenceDescription,
  type Steps,
  type Window,
} from './layout.js';
import { forwardStepsAtOnce, persistentWorkgroups } from './persistent.js';
import { emitTiled, forwardWorkgroups, type Tile } from './tiles.js';
import type { TokenTable } from './token-table.js';

/** What the forward pass leaves for the backward one. */
export interface RecurrentResidual {
  /** The gates; behind them, with a projection, room for the gradients of h. */
  readonly gates: View;
  /** h and c over time, each with what lies in its storage. */
  readonly states: readonly View[];
  readonly sequences: RecurrentSequences;
}

/** The arrays that run through time. */
export interface RecurrentSequences {
  readonly h: Sequence;
  /** c; h where the cell has none. */
  readonly c: Sequence;
  /** What enters the recurrent product: h, or h with dropout. */
  readonly product: Sequence;
  /** What enters the projection. */
  readonly unprojected: Sequence;
  /** What enters the product of a GRU's candidate, where the reset comes before it. */
  readonly reset: Sequence;
}

/** Lowers a `recurrent` without layer normalization. */
export function lowerPlainRecurrent(node: Node<RecurrentAttributes>, context: LoweringContext): void {
  const layout = layoutOf(node, context.recomputeAbove);
  const { B, D, P, Q, kernels, capacity } = layout;
  const y = node.outputs[0]!;
  const residual = node.outputs.at(-1)!;
  const save = context.isRead(residual);

  const windows = windowsOf(layout);
  const recomputes = windows.length > 1;
  const gateWords = D * capacity * B * (kernels.slots * P + (layout.projected ? Q : 0));
  const gates = context.allocate('gates', gateWords * WORD);
  const { states, sequences } = allocateStates(context, layout, {
    keepOutputs: save || context.isRead(y),
    save,
    recomputes,
  });
  // What will be computed again need not be kept.
  const memory = { gates, states, sequences, save: save && !recomputes };
  for (const window of windows) {
    emitInputProducts(context, layout, gates, window);
    emitSteps(context, layout, memory, window);
  }

  emitFinalStates(context, layout, node, states, sequences);
  if (context.isRead(y)) emitOutput(context, layout, y, states[0]!, sequences.h);
  if (save) {
    for (const { storage } of states) context.pin(storage);
    const content: RecurrentResidual = { gates, states, sequences };
    context.setResidual(residual, content);
  }
}

/** `x·W_ihᵀ + b_ih` of all steps of a window at once, computed or looked up, into the slots of each direction. */
export function emitInputProducts(
  context: LoweringContext,
  layout: Layout,
  gates: View,
  window: Window,
): void {
  layout.parameters.forEach((_, d) => {
    emitInputProduct(context, layout, gates, window, d);
  });
}

/** The same for one direction; of `steps` only, with `x` where the inputs lie. */
export function emitInputProduct(
  context: LoweringContext,
  layout: Layout,
  gates: View,
  window: Window,
  d: number,
  { steps = window, x }: { readonly steps?: Steps; readonly x?: View } = {},
): void {
  const { B, I, G, P, kernels, parameters, tokenTable, label } = layout;
  const start = windowStart(layout, d, steps);
  const rows = (steps.end - steps.begin) * B;
  const [offset, stride] = [
    (gatesRow(layout, window, d, start) * kernels.slots + kernels.inputSlot) * P,
    kernels.slots * P,
  ];
  if (tokenTable) {
    emitLookup(context, {
      table: tokenProducts(context, layout, tokenTable, d),
      vocabulary: tokenTable.vocabulary,
      width: G * P,
      tokens: context.view(tokenTable.tokens),
      tokenOffset: start * B,
      rows,
      y: gates,
      yOffset: offset,
      yStride: stride,
      label,
    });
    return;
  }
  const { weightIh, biasIh } = parameters[d]!;
  const weight = padGates(context, layout, weightIh, { gates: G, columns: I, stride: I });
  emitMatmul(context, {
    m: rows,
    n: G * P,
    k: I,
    a: { view: x ?? context.view(layout.x), offset: start * B * I, stride: I },
    b: { view: weight, stride: I, transposed: true },
    bias: biasIh ? padGates(context, layout, biasIh, { gates: G, columns: 1, stride: 1 }) : null,
    c: { view: gates, offset, stride },
    label,
  });
}

/** `E·W_ihᵀ + b_ih` of one direction, `[V, G·P]`; made again only when one of them has changed. */
function tokenProducts(
  context: LoweringContext,
  layout: Layout,
  { embedding, vocabulary }: TokenTable,
  d: number,
): View {
  const { I, G, P, label } = layout;
  const { weightIh, biasIh } = layout.parameters[d]!;
  const b = padGates(context, layout, weightIh, { gates: G, columns: I, stride: I });
  const bias = biasIh ? padGates(context, layout, biasIh, { gates: G, columns: 1, stride: 1 }) : null;
  const sources = [embedding, weightIh, ...(biasIh ? [biasIh] : [])];
  return context.packed(sources, 'by token', vocabulary * G * P * WORD, ([a], to) => {
    emitMatmul(context, {
      m: vocabulary,
      n: G * P,
      k: I,
      a: { view: a!, stride: I },
      b: { view: b, stride: I, transposed: true },
      bias,
      c: { view: to, stride: G * P },
      label,
    });
  });
}

/** Memory for what runs through time, with the initial states in their places. */
export function allocateStates(
  context: LoweringContext,
  layout: Layout,
  {
    keepOutputs,
    save,
    recomputes,
  }: { readonly keepOutputs: boolean; readonly save: boolean; readonly recomputes: boolean },
): { states: readonly View[]; sequences: RecurrentSequences } {
  const { P, Q, kernels, hasInitial, dropped, projected } = layout;
  const names = stateNames(layout);
  const kept = save ? 'all' : 'two';
  // Read only in the step that writes it, or by products over a whole window.
  const passing = save ? 'window' : 'two';
  const ofH = allocateSequences(context, layout, 'h over time', {
    h: { width: Q, keep: keepOutputs ? 'all' : 'two', hasInitial },
    ...(dropped && { product: { width: Q, keep: kept, hasInitial } }),
    ...(projected && { unprojected: { width: P, keep: passing, hasInitial: false } }),
    ...(kernels.resetGate !== null && { reset: { width: P, keep: passing, hasInitial: false } }),
  } as Record<keyof RecurrentSequences, SequenceDescription>);
  const ofC =
    names.length > 1
      ? allocateSequences(context, layout, 'c over time', {
          c: { width: P, keep: save && recomputes ? 'window and ends' : kept, hasInitial },
        })
      : null;
  const {
    h,
    product = h,
    unprojected = h,
    reset = h,
  } = ofH.sequences as Partial<RecurrentSequences> & Pick<RecurrentSequences, 'h'>;
  const sequences = { h, product, unprojected, reset, c: ofC?.sequences.c ?? h };
  if (hasInitial) {
    placeInitialStates(context, layout, 0, ofH.view, h);
    if (ofC) placeInitialStates(context, layout, 1, ofC.view, sequences.c);
    if (dropped) emitInitialDropout(context, layout, ofH.view, sequences);
  }
  return { states: ofC ? [ofH.view, ofC.view] : [ofH.view], sequences };
}

/** The initial h with recurrent dropout: what enters the first product. */
function emitInitialDropout(
  context: LoweringContext,
  layout: Layout,
  storage: View,
  { product }: RecurrentSequences,
): void {
  const { B, R, Q, parameters, attributes, label } = layout;
  const bytes = B * Q * WORD;
  parameters.forEach(({ states: [initial] }, d) => {
    const first = previousStep(layout, d, timeOf(layout, d, 0));
    const place: View = { storage: storage.storage, offset: product.at(d, first), bytes };
    if (!initial) {
      context.copy(context.allocate('zeros', bytes, 'zeroed'), place, label);
      return;
    }
    const y = context.allocate('initial h with dropout', B * R * WORD);
    emitDropout(context, {
      x: context.view(initial),
      seed: context.view(layout.seed!),
      y,
      count: B * R,
      p: attributes.recurrentDropout,
      stream: attributes.stream,
      purpose: 8 + d,
      label,
    });
    padRows(context, y, { rows: B, width: R, padded: Q, label }, place);
  });
}

/** Where forward steps find what they need, and whether they leave what the backward pass needs. */
export interface ForwardMemory extends RecurrentResidual {
  readonly save: boolean;
}

/** The steps of a window: one dispatch each, or two where the cell needs them, or one for many. */
export function emitSteps(
  context: LoweringContext,
  layout: Layout,
  memory: ForwardMemory,
  window: Window,
): void {
  const { begin, end } = window;
  const emit = forwardSteps(context, layout, memory);
  emitTiled(context, layout, { family: 'recurrent_forward', steps: end - begin }, (tile) => {
    const atOnce = tile.persistent ? forwardStepsAtOnce(layout, tile.rows, forwardFlops(layout)) : 1;
    for (let i = begin; i < end; i += atOnce) {
      emit(lanesAt(layout, window, i), tile, Math.min(atOnce, end - i));
    }
  });
}

/** Floating-point operations of one step of all directions. */
export function forwardFlops({ B, D, G, P, Q }: Layout): number {
  return D * (2 * B * Q * G * P + 10 * B * G * P);
}

/**
 * Gets ready for the steps of a layer. What is returned appends some steps and, in the same dispatch, those behind
 * them: `count` in all. Lanes that run together all have a step before them, or none has.
 */
export function forwardSteps(
  context: LoweringContext,
  layout: Layout,
  memory: ForwardMemory,
): (lanes: readonly Lane[], tile: Tile, count: number) => void {
  const { B, D, H, R, G, P, Q, parameters, kernels, hasInitial, hasBias, projected, variant, label } = layout;
  const { gates, states, sequences, save } = memory;
  const blocks = { blocks: G, rows: H, columns: R, paddedRows: P, paddedColumns: Q };
  const weights = parameters.map(({ weightHh }) => weightHh);
  const weight = stackTransposed(context, layout, weights, blocks);
  const vectors = stackVectors(context, layout);
  const projection = projected
    ? stackTransposed(
        context,
        layout,
        parameters.map(({ weightHr }) => weightHr!),
        { blocks: 1, rows: R, columns: H, paddedRows: Q, paddedColumns: P },
      )
    : null;
  const mask = layout.mask ? context.view(layout.mask) : context.nothing('read');
  const seed = layout.seed ? context.view(layout.seed) : context.nothing('read');
  const common = commonParameters(layout);
  const stepFlops = forwardFlops(layout) / D;

  return (lanes, tile, count) => {
    const { rows, persistent } = tile;
    const hasPrevious = lanes[0]!.i > 0 || hasInitial;
    const running = { B, D: lanes.length };
    const now = (sequence: Sequence): readonly [number, number] =>
      perLane(lanes, ({ d, i }) => sequence.at(d, timeOf(layout, d, i)) / 16);
    const next = (sequence: Sequence): readonly [number, number] =>
      perLane(lanes, ({ d, i }) => sequence.at(d, timeOf(layout, d, i + 1)) / 16);
    const before = (sequence: Sequence): readonly [number, number] =>
      hasPrevious
        ? perLane(lanes, ({ d, i }) => sequence.at(d, previousStep(layout, d, timeOf(layout, d, i))) / 16)
        : [0, 0];
    /** How far the next step is from this one. */
    const move = (sequence: Sequence): readonly [number, number] => {
      const [from, to] = [now(sequence), next(sequence)];
      return [to[0] - from[0], to[1] - from[1]];
    };
    const step = {
      ...common,
      gates_row: perLane(lanes, ({ d, i, window }) => gatesRow(layout, window, d, timeOf(layout, d, i))),
      h_read: before(sequences.h),
      h_write: now(sequences.h),
      product_read: before(sequences.product),
      dropped_write: now(sequences.product),
      c_read: before(sequences.c),
      c_write: now(sequences.c),
      mask_row: perLane(lanes, ({ d, i }) => timeOf(layout, d, i) * B),
      row_step: rowStep(layout),
      h_step: move(sequences.h),
      c_step: move(sequences.c),
      first_direction: Math.min(...lanes.map(({ d }) => d)),
      steps: count,
      h_places: placesOf(sequences.h),
      c_places: placesOf(sequences.c),
      hidden_quads: P / 4,
      product_quads: Q / 4,
      weight_stride: (Q * G * P) / 4,
      vector_stride: vectors.stride,
      has_bias: hasBias,
      has_previous: hasPrevious,
      has_product: hasPrevious,
      save,
      projected,
    };
    const times = timesOf(layout, lanes, count - 1);
    kernels.forward(context, {
      variant,
      ...tile,
      buffers: { gates, weight, vectors: vectors.view, states, mask, seed },
      parameters: projected ? { ...step, h_write: now(sequences.unprojected) } : step,
      reset: now(sequences.reset),
      workgroups: persistent ? persistentWorkgroups(running, rows) : forwardWorkgroups(running, P, tile),
      label,
      detail: `t=${times} [${B},${R}]·[${R},${G * H}]`,
      flops: count * lanes.length * stepFlops,
    });
    if (!projection) return;
    context.dispatch(recurrentProjectKernel[rows][variant], {
      buffers: { weight: projection, h: states[0]!, mask, seed },
      parameters: {
        ...step,
        product_read: now(sequences.unprojected),
        has_product: true,
        hidden_quads: Q / 4,
        product_quads: P / 4,
        weight_stride: (P * Q) / 4,
      },
      workgroups: forwardWorkgroups(running, Q, tile),
      label,
      detail: `t=${times} [${B},${H}]·[${H},${R}]`,
      flops: lanes.length * 2 * B * P * Q,
    });
  };
}

/** For `h_places` and `c_places` of the kernels. */
function placesOf({ alternates }: Sequence): number {
  return alternates ? 1 : 0xffffffff;
}

/** The states after the last step, where they lie or as dense copies. */
export function emitFinalStates(
  context: LoweringContext,
  layout: Layout,
  node: Node<RecurrentAttributes>,
  states: readonly View[],
  sequences: RecurrentSequences,
): void {
  layout.parameters.forEach((_, d) => {
    const values = node.outputs.slice(1 + d * states.length);
    emitFinalStatesOf(context, layout, values, states, sequences, d);
  });
}

/** The same for one direction, whose final states `values` begins with. */
export function emitFinalStatesOf(
  context: LoweringContext,
  layout: Layout,
  values: readonly Value[],
  states: readonly View[],
  sequences: RecurrentSequences,
  d: number,
): void {
  const { T, B, R, H, label } = layout;
  states.forEach(({ storage }, s) => {
    const value = values[s]!;
    if (!context.isRead(value)) return;
    const { at, width } = s === 0 ? sequences.h : sequences.c;
    const place: View = { storage, offset: at(d, timeOf(layout, d, T - 1)), bytes: B * width * WORD };
    unpadRows(context, value, place, { rows: B, width: s === 0 ? R : H, padded: width, label });
  });
}

/** y: h over time where it lies, or a copy of both directions side by side, zero where sequences have ended. */
export function emitOutput(
  context: LoweringContext,
  layout: Layout,
  y: Value,
  storage: View,
  h: Sequence,
): void {
  const { T, B, D, R, Q, mask, label } = layout;
  if (D === 1 && !mask) {
    unpadRows(context, y, outputPlace(layout, storage, h, 0), { rows: T * B, width: R, padded: Q, label });
    return;
  }
  const directions = layout.attributes.directions.map((_, d) => d);
  emitOutputRows(context, layout, context.output(y, 'outputs'), storage, h, { directions });
}

/** Where h of all steps of a direction lies, if all of it is kept. */
export function outputPlace({ T, B, Q }: Layout, { storage }: View, h: Sequence, d: number): View {
  return { storage, offset: h.at(d, 0), bytes: T * B * Q * WORD };
}

/** Copies h of some directions side by side, zero where sequences have ended: at all times, or some. */
export function emitOutputRows(
  context: LoweringContext,
  { T, B, R, Q, mask, label }: Layout,
  y: View,
  storage: View,
  h: Sequence,
  {
    directions,
    start = 0,
    steps = T,
  }: { readonly directions: readonly number[]; readonly start?: number; readonly steps?: number },
): void {
  const { length: D } = directions;
  const [first, second = first] = directions.map((d) => h.at(d, 0) / WORD);
  const rows = steps * B;
  context.dispatch(recurrentOutputKernel, {
    buffers: { h: storage, mask: mask ? context.view(mask) : context.nothing('read'), y },
    parameters: {
      first_row: start * B,
      rows,
      width: R,
      directions: D,
      h_offset: [first!, second!],
      h_stride: Q,
      has_mask: mask !== null,
    },
    workgroups: foldWorkgroups(rows * D * R, 64),
    label,
    detail: `[${rows},${D * R}]`,
  });
}
