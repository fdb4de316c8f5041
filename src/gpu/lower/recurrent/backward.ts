/**
 * `recurrentBackward` on the GPU: one dispatch a step for both directions, backwards through time (two for
 * projections and the GRU with the reset before the product), which leaves the gradients of the gates where the
 * gates were; then the gradients of inputs, weights and biases as products and sums over all steps.
 */
import type { Node, Value } from '../../../graph/value.js';
import { backwardInputPlaces, DIRECTION_INPUTS, directionGradientBegin } from '../../../ops/recurrent.js';
import { CELLS } from '../../../ops/cells.js';
import { hasZoneout, type RecurrentAttributes } from '../../../ops/recurrent-attributes.js';
import { foldWorkgroups } from '../../kernels/kernel.js';
import { alignUp, type View } from '../../memory.js';
import { recurrentOutputBackwardKernel, recurrentProjectBackwardKernel } from '../../kernels/recurrent.js';
import type { BackwardParameters, GateBlock } from './cells.js';
import type { LoweringContext } from '../context.js';
import { emitFill } from '../fill.js';
import { emitTokenSums } from '../embedding.js';
import { emitMatmul } from '../matmul.js';
import {
  commonParameters,
  gatesBegin,
  gatesRow,
  lanesAt,
  layoutOf,
  padGates,
  padRows,
  perLane,
  previousStep,
  projectedBegin,
  rowStep,
  stackVectors,
  stackWeights,
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
  type Steps,
  type Window,
} from './layout.js';
import { emitInputProducts, emitSteps as emitForwardSteps, type RecurrentResidual } from './forward.js';
import { emitReduceSum } from '../reduce-sum.js';
import { emitStridedCopy } from '../strided-copy.js';
import { backwardStepsAtOnce, persistentWorkgroups } from './persistent.js';
import { backwardWorkgroups, emitTiled, type Tile } from './tiles.js';
import { differentiatesByToken, type TokenTable } from './token-table.js';

/** Where the gradients that travel from step to step lie: bytes, by direction. */
export interface Carry {
  readonly view: View;
  readonly h: readonly number[];
  readonly c: readonly number[];
  readonly peephole: readonly number[];
  /** What the caller asked to have room for. */
  readonly others: readonly (readonly number[])[];
  /** Whether the gradients of the final h, and of c, were put there. */
  readonly hasFinal: readonly boolean[];
}

/** Lowers a `recurrentBackward` without layer normalization. */
export function lowerPlainRecurrentBackward(node: Node<RecurrentAttributes>, context: LoweringContext): void {
  const layout = layoutOf(node, context.recomputeAbove);
  const { attributes, parameters } = layout;
  const places = backwardInputPlaces(attributes);
  const residual = context.residual(node.inputs[places.residual]!) as RecurrentResidual;
  const wantsInitialH = parameters.some((_, d) =>
    context.isRead(gradientsOf(node, d)[DIRECTION_INPUTS.states]),
  );

  const carry = allocateCarry(
    context,
    layout,
    parameters.map((_, d) => finalGradients(node, d)),
  );
  const dy = spreadOutputs(context, layout, node.inputs[places.dY] ?? null);
  const directions = parameters.map((_, d) => new DirectionGradients(context, layout, node, d));
  const windows = windowsOf(layout);
  for (const window of windows.toReversed()) {
    if (windows.length > 1) {
      emitInputProducts(context, layout, residual.gates, window);
      emitForwardSteps(context, layout, { ...residual, save: true }, window);
    }
    emitSteps(context, layout, residual, { dy, carry, wantsInitialH }, window);
    if (!directions[0]!.byToken) {
      emitInputGradient(context, layout, node.outputs[0]!, residual.gates, window);
    }
    for (const direction of directions) direction.add(residual, window, window !== windows.at(-1));
  }
  for (const direction of directions) direction.finish(carry);
}

/** Gradients of the inputs of direction `d` of a backward node, in the order of `DIRECTION_INPUTS`. */
export function gradientsOf(
  { outputs, attributes: { cell } }: Node<RecurrentAttributes>,
  d: number,
): Value[] {
  return outputs.slice(directionGradientBegin(d, cell), directionGradientBegin(d + 1, cell));
}

/** The gradients of the final states of direction `d` that a backward node is given. */
export function finalGradients(
  { inputs, attributes }: Node<RecurrentAttributes>,
  d: number,
): (Value | null)[] {
  const { dFinals } = backwardInputPlaces(attributes);
  const { states } = CELLS[attributes.cell];
  return states.map((_, s) => inputs[dFinals + d * states.length + s] ?? null);
}

/** The gradients of one direction's weights, biases and initial states, from those of its gates. */
export class DirectionGradients {
  /** Whether they are summed by token, and those of the embedding with them. */
  readonly byToken: TokenTable | null;
  readonly #context: LoweringContext;
  readonly #layout: Layout;
  readonly #node: Node<RecurrentAttributes>;
  /** Of the layout; of the node it may be another. */
  readonly #d: number;
  readonly #gradients: readonly Value[];
  readonly #tokenSums: View | null;
  readonly #columnSums: View;
  /** Whether the table by token has the column sums: where the slots are the gates of the inputs and nothing else. */
  readonly #sumsTable: boolean;

  /** @param d the direction in the layout, and in the node unless `ofNode` is another */
  constructor(
    context: LoweringContext,
    layout: Layout,
    node: Node<RecurrentAttributes>,
    d: number,
    ofNode = d,
  ) {
    const { G, P, kernels, tokenTable } = layout;
    this.#context = context;
    this.#layout = layout;
    this.#node = node;
    this.#d = d;
    this.#gradients = gradientsOf(node, ofNode);
    this.byToken = tokenTable && differentiatesByToken(node, tokenTable, context) ? tokenTable : null;
    this.#tokenSums =
      this.byToken && context.allocate('gradients by token', this.byToken.vocabulary * G * P * WORD);
    this.#columnSums = context.allocate('column sums', kernels.slots * P * WORD);
    this.#sumsTable = this.byToken !== null && kernels.slots === G;
  }

  #of(name: keyof typeof DIRECTION_INPUTS): Value {
    return this.#gradients[DIRECTION_INPUTS[name]]!;
  }

  get #wantsColumnSums(): boolean {
    return this.#context.isRead(this.#of('biasIh')) || this.#context.isRead(this.#of('biasHh'));
  }

  /** Adds the products over the steps of a window, or begins with them. */
  add(residual: RecurrentResidual, window: Window, accumulate: boolean): void {
    const [context, layout, { byToken }] = [this.#context, this.#layout, this];
    const part: Part = { d: this.#d, window, accumulate };
    if (byToken) emitSumsByToken(context, layout, byToken, residual.gates, this.#tokenSums!, part);
    else emitInputWeightGradient(context, layout, this.#of('weightIh'), residual.gates, part);
    emitRecurrentWeightGradient(context, layout, this.#of('weightHh'), residual, part);
    if (!this.#sumsTable && this.#wantsColumnSums) {
      emitColumnSums(context, layout, residual.gates, this.#columnSums, part);
    }
    if (layout.parameters[this.#d]!.weightHr) {
      emitProjectionGradient(context, layout, this.#of('weightHr'), residual, part);
    }
  }

  /** What is left to do when all windows have been added. */
  finish(carry: Carry): void {
    const [context, layout, d, { byToken }] = [this.#context, this.#layout, this.#d, this];
    if (byToken) {
      const table = this.#tokenSums!;
      emitTokenWeightGradient(context, layout, byToken, this.#of('weightIh'), table);
      emitEmbeddingGradient(context, layout, byToken, this.#node.outputs[0]!, table, d);
      if (this.#sumsTable && this.#wantsColumnSums) {
        emitReduceSum(context, {
          x: table,
          y: this.#columnSums,
          outer: 1,
          reduced: byToken.vocabulary,
          inner: layout.G * layout.P,
          label: layout.label,
        });
      }
    }
    emitInitialGradients(context, layout, this.#gradients.slice(DIRECTION_INPUTS.states), carry, d);
    emitBiasGradients(context, layout, this.#of('biasIh'), this.#of('biasHh'), this.#columnSums);
    if (layout.parameters[d]!.peephole) {
      emitPeepholeGradient(context, layout, d, this.#of('peephole'), carry);
    }
  }
}

/**
 * Memory for what travels from step to step, begun with the gradients of the final states.
 * @param otherBytes what else there should be room for, for each direction
 */
export function allocateCarry(
  context: LoweringContext,
  layout: Layout,
  dFinals: readonly (readonly (Value | null)[])[],
  otherBytes: readonly number[] = [],
): Carry {
  const { B, D, R, H, P, Q, hasPeephole, label } = layout;
  let end = 0;
  const regions = (bytes: number): number[] =>
    Array.from({ length: D }, () => {
      const begin = end;
      end += alignUp(bytes);
      return begin;
    });
  const names = stateNames(layout);
  const h = regions(B * Q * WORD);
  const c = names.length > 1 ? regions(B * P * WORD) : h;
  const peephole = hasPeephole ? regions(3 * B * P * WORD) : h;
  const others = otherBytes.map(regions);
  const view = context.allocate('carried gradients', end);
  const hasFinal = names.map((_, s) => dFinals.some((states) => states[s] !== null));
  dFinals.forEach((states, d) => {
    states.forEach((gradient, s) => {
      if (!hasFinal[s]) return;
      const [width, padded] = s === 0 ? [R, Q] : [H, P];
      const place: View = {
        storage: view.storage,
        offset: (s === 0 ? h : c)[d]!,
        bytes: B * padded * WORD,
      };
      if (gradient) padRows(context, context.view(gradient), { rows: B, width, padded, label }, place);
      else emitFill(context, place, B * padded, 0, label);
    });
  });
  return { view, h, c, peephole, others, hasFinal };
}

/** The gradients of direction `d`'s initial states, which is what the carry holds at the end. */
export function emitInitialGradients(
  context: LoweringContext,
  { B, R, H, P, Q, label }: Layout,
  gradients: readonly Value[],
  carry: Carry,
  d: number,
): void {
  gradients.forEach((value, s) => {
    if (!context.isRead(value)) return;
    const [width, padded] = s === 0 ? [R, Q] : [H, P];
    const offset = (s === 0 ? carry.h : carry.c)[d]!;
    const place: View = { storage: carry.view.storage, offset, bytes: B * padded * WORD };
    unpadRows(context, value, place, { rows: B, width, padded, label });
  });
}

/** The gradient of the outputs by direction, rows padded: `[D, T·B, Q]`. */
export function spreadOutputs(context: LoweringContext, layout: Layout, dY: Value | null): View | null {
  const { T, B, D, R, Q, label } = layout;
  if (!dY) return null;
  if (D === 1 && R === Q) return context.view(dY);
  const dh = context.allocate('gradient of outputs', D * T * B * Q * WORD);
  context.dispatch(recurrentOutputBackwardKernel, {
    buffers: { dy: context.view(dY), dh },
    parameters: { rows: T * B, width: R, padded: Q, directions: D },
    workgroups: foldWorkgroups(D * T * B * Q, 64),
    label,
    detail: `[${T * B},${D * R}]`,
  });
  return dh;
}

/**
 * Backwards through the steps of a window. What its first step hands to the one before it, through the product
 * and beside it, is left in the carry, where it is the gradient of the initial state or where the next window
 * begins.
 */
function emitSteps(
  context: LoweringContext,
  layout: Layout,
  residual: RecurrentResidual,
  { dy, carry, wantsInitialH }: BackwardMemory & { readonly wantsInitialH: boolean },
  window: Window,
): void {
  const { begin, end } = window;
  const emit = backwardSteps(context, layout, residual, { dy, carry });
  emitTiled(context, layout, { family: 'recurrent_backward', steps: end - begin }, (tile) => {
    const wantsBefore = begin > 0 || wantsInitialH;
    const atOnce = tile.persistent ? backwardStepsAtOnce(layout, tile.rows, backwardFlops(layout)) : 1;
    for (let last = end; last > begin; last -= atOnce) {
      const count = Math.min(atOnce, last - begin);
      emit(lanesAt(layout, window, last - 1), tile, count, wantsBefore && last - count === begin);
    }
  });
}

/** What backward steps need beside what the forward pass has left. */
export interface BackwardMemory {
  /** The gradient of the outputs by direction, rows padded. */
  readonly dy: View | null;
  /** Where that of each direction begins, in rows; one behind the other by default. */
  readonly dyRows?: readonly number[];
  readonly carry: Carry;
}

/** Floating-point operations of one step of all directions. */
export function backwardFlops({ B, D, G, P, Q }: Layout): number {
  return D * (2 * B * G * P * Q + 20 * B * G * P);
}

/**
 * Gets ready for the backward steps of a layer. What is returned appends some steps and `count − 1` before them, in
 * one dispatch if `tile` is persistent and else `count` must be 1, and with `thenBefore` what they hand to the step
 * before them. Of lanes that run together all are the first of their window, or none, and all have a step before
 * them, or none.
 */
export function backwardSteps(
  context: LoweringContext,
  layout: Layout,
  { gates, states, sequences }: RecurrentResidual,
  { dy, dyRows, carry }: BackwardMemory,
): (lanes: readonly Lane[], tile: Tile, count: number, thenBefore: boolean) => void {
  const { T, B, D, H, R, G, P, Q, attributes, parameters, kernels, hasInitial, projected, variant, label } =
    layout;
  const { slots } = kernels;
  const nothing = context.nothing('read');
  const weight = stackWeights(
    context,
    layout,
    parameters.map(({ weightHh }) => weightHh),
    { blocks: G, rows: H, columns: R, paddedRows: P, paddedColumns: Q },
  );
  const projection = projected
    ? stackWeights(
        context,
        layout,
        parameters.map(({ weightHr }) => weightHr!),
        { blocks: 1, rows: R, columns: H, paddedRows: Q, paddedColumns: P },
      )
    : null;
  const vectors = layout.hasPeephole ? stackVectors(context, layout) : { view: nothing, stride: 0 };
  const mask = layout.mask ? context.view(layout.mask) : nothing;
  const seed = layout.seed ? context.view(layout.seed) : nothing;
  const common = commonParameters(layout);
  const stepFlops = backwardFlops(layout) / D;
  const keepCarry = kernels.carriesH || layout.mask !== null || hasZoneout(attributes);
  const projectedAt = ({ d, i, window }: Lane): number =>
    (projectedBegin(layout, window, d) + (timeOf(layout, d, i) - windowStart(layout, d, window)) * B * Q) / 4;
  const buffers = {
    gates,
    weight,
    vectors: vectors.view,
    states,
    dy: dy ?? nothing,
    carry: carry.view,
    mask,
    seed,
  };

  /**
   * Some steps or, with `onlyBefore`, what they hand to those before them. Of a persistent kernel, `count` steps
   * down from them and then, with `onlyBefore`, that.
   */
  const emit = (lanes: readonly Lane[], tile: Tile, count: number, onlyBefore: boolean): void => {
    const { rows, persistent } = tile;
    const { i, window } = lanes[0]!;
    const running = { B, D: lanes.length };
    const quadsAt = (bytes: readonly number[]): readonly [number, number] =>
      perLane(lanes, ({ d }) => bytes[d]! / 16);
    const isLast = i === T - 1;
    const isWindowLast = i === window.end - 1;
    const hasPrevious = i > 0 || hasInitial;
    const t = (lane: Lane): number => timeOf(layout, lane.d, lane.i);
    const noStep = onlyBefore && !persistent;
    const sourceBehind = noStep ? 0 : 1;
    const hasNext = noStep || !isWindowLast;
    // Between windows the carry holds everything; within one, only what travels beside the product.
    const hasCarryH = noStep ? keepCarry : isLast ? carry.hasFinal[0]! : isWindowLast || keepCarry;
    const before = (sequence: Sequence): readonly [number, number] =>
      hasPrevious
        ? perLane(lanes, (lane) => sequence.at(lane.d, previousStep(layout, lane.d, t(lane))) / 16)
        : [0, 0];
    const base: BackwardParameters = {
      ...common,
      source_read: perLane(lanes, (lane) =>
        hasNext || persistent
          ? (gatesRow(layout, lane.window, lane.d, timeOf(layout, lane.d, lane.i + sourceBehind)) *
              slots *
              P) /
            4
          : 0,
      ),
      gates_row: perLane(lanes, (lane) => gatesRow(layout, lane.window, lane.d, t(lane))),
      h_read: before(sequences.h),
      product_read: before(sequences.product),
      c_read: before(sequences.c),
      dy_row: perLane(lanes, (lane) => (dyRows?.[lane.d] ?? lane.d * T * B) + t(lane) * B),
      mask_row: perLane(lanes, (lane) => t(lane) * B),
      carry_h: quadsAt(carry.h),
      carry_c: quadsAt(carry.c),
      peephole_sums: quadsAt(carry.peephole),
      target_write: perLane(lanes, projectedAt),
      row_step: perLane(lanes, ({ d }) => -rowStep(layout)[d]!),
      first_direction: Math.min(...lanes.map(({ d }) => d)),
      steps: count,
      hidden_quads: P / 4,
      unit_quads: Q / 4,
      source_quads: (kernels.source.slots * P) / 4,
      source_stride: (slots * P) / 4,
      weight_stride: (G * P * Q) / 4,
      weight_offset: 0,
      weight_shift: (kernels.source.shift * P) / 4,
      vector_stride: vectors.stride,
      first_step: isLast,
      has_next: hasNext,
      // Of many steps, the one that runs last; those before it have one before them.
      has_previous: i + 1 - count > 0 || hasInitial,
      has_dy: dy !== null && !noStep,
      has_carry_h: hasCarryH,
      has_carry_c: !isLast || (carry.hasFinal[1] ?? false),
      keep_carry_h: keepCarry,
      only_initial: onlyBefore,
    };
    const times = timesOf(layout, lanes, 1 - count);
    const detail = noStep ? `before t=${times}` : `t=${times} [${B},${G * H}]·[${G * H},${R}]`;
    if (!projection) {
      kernels.backward(context, {
        variant,
        ...tile,
        buffers,
        parameters: base,
        workgroups: persistent ? persistentWorkgroups(running, rows) : backwardWorkgroups(running, Q, tile),
        label,
        detail,
        flops: count * lanes.length * stepFlops,
      });
      return;
    }
    context.dispatch(recurrentProjectBackwardKernel[rows][variant], {
      buffers: { gates, weight, dy: buffers.dy, carry: carry.view, mask, seed },
      parameters: base,
      workgroups: backwardWorkgroups(running, Q, tile),
      label,
      detail,
      flops: lanes.length * stepFlops,
    });
    if (onlyBefore) return;
    kernels.backward(context, {
      variant,
      ...tile,
      buffers: { ...buffers, weight: projection, dy: nothing },
      parameters: {
        ...base,
        source_read: base.target_write,
        unit_quads: P / 4,
        source_quads: Q / 4,
        source_stride: Q / 4,
        weight_stride: (P * Q) / 4,
        weight_shift: 0,
        has_next: true,
        has_dy: false,
        has_carry_h: false,
        keep_carry_h: false,
        // What of these concerns h has been done before the projection.
        zoneout: [0, base.zoneout[1]!],
        dropout_scale: 0,
      },
      workgroups: backwardWorkgroups(running, P, tile),
      label,
      detail: `t=${times} [${B},${R}]·[${R},${H}]`,
      flops: lanes.length * (2 * B * P * Q + 20 * B * G * P),
    });
  };
  return (lanes, tile, count, thenBefore) => {
    emit(lanes, tile, count, thenBefore && tile.persistent);
    if (thenBefore && !tile.persistent) emit(lanes, tile, 1, true);
  };
}

/** What a product over the steps of one window belongs to. */
export interface Part {
  readonly d: number;
  readonly window: Window;
  /** Whether windows that ran before have left a sum to add to. */
  readonly accumulate: boolean;
}

/** `dx = Σ dgates·W_ih`, over all steps of a window at once, each direction added. */
export function emitInputGradient(
  context: LoweringContext,
  layout: Layout,
  dX: Value,
  gates: View,
  window: Window,
): void {
  if (!context.isRead(dX)) return;
  const { T, D, parameters, label } = layout;
  const view = context.destination(dX, 'dx');
  // Two directions meet in different windows: whichever comes first must find zeros.
  const meets = D > 1 && window.capacity < T;
  if (meets && window.end === T) emitFill(context, view, dX.size, 0, label);
  parameters.forEach((_, d) => {
    emitInputGradientOf(context, layout, view, gates, { d, window, accumulate: meets || d > 0 });
  });
}

/** The same for one direction; of `steps` only. */
export function emitInputGradientOf(
  context: LoweringContext,
  layout: Layout,
  dX: View,
  gates: View,
  { d, window, accumulate }: Part,
  steps: Steps = window,
): void {
  const { B, I, G, P, kernels, parameters, label } = layout;
  const { weightIh } = parameters[d]!;
  const start = windowStart(layout, d, steps);
  emitMatmul(context, {
    m: (steps.end - steps.begin) * B,
    n: I,
    k: G * P,
    a: {
      view: gates,
      offset: (gatesRow(layout, window, d, start) * kernels.slots + kernels.inputSlot) * P,
      stride: kernels.slots * P,
    },
    b: { view: padGates(context, layout, weightIh, { gates: G, columns: I, stride: I }), stride: I },
    c: { view: dX, offset: start * B * I, stride: I },
    accumulate,
    label,
  });
}

/** `dW_ih = dgatesᵀ·x`: one product, or one a gate where units are padded between the gates. */
export function emitInputWeightGradient(
  context: LoweringContext,
  layout: Layout,
  dWeight: Value,
  gates: View,
  { d, window, accumulate }: Part,
): void {
  if (!context.isRead(dWeight)) return;
  const { B, I, H, P, G, kernels, label } = layout;
  const x = context.view(layout.x);
  const c = context.destination(dWeight, 'dW_ih');
  for (const { slot, gate, count } of split([{ slot: kernels.inputSlot, gate: 0, count: G }], H === P)) {
    emitMatmul(context, {
      m: count * H,
      n: I,
      k: (window.end - window.begin) * B,
      a: {
        view: gates,
        offset: gatesBegin(layout, window, d) + slot * P,
        stride: kernels.slots * P,
        transposed: true,
      },
      b: { view: x, offset: windowStart(layout, d, window) * B * I, stride: I },
      c: { view: c, offset: gate * H * I, stride: I },
      accumulate,
      label,
    });
  }
}

/** The gates' gradients of a window, summed by token: the gradient of the table of {@link TokenTable}. */
function emitSumsByToken(
  context: LoweringContext,
  layout: Layout,
  { tokens, vocabulary }: TokenTable,
  gates: View,
  sums: View,
  { d, window, accumulate }: Part,
): void {
  const { B, G, P, kernels, label } = layout;
  emitTokenSums(context, {
    dy: gates,
    dyOffset: gatesBegin(layout, window, d) + kernels.inputSlot * P,
    dyStride: kernels.slots * P,
    tokens: context.view(tokens),
    tokenOffset: windowStart(layout, d, window) * B,
    rows: (window.end - window.begin) * B,
    width: G * P,
    vocabulary,
    dTable: sums,
    accumulate,
    label,
  });
}

/** `dW_ih = dTableᵀ·E`. */
function emitTokenWeightGradient(
  context: LoweringContext,
  layout: Layout,
  { embedding, vocabulary }: TokenTable,
  dWeight: Value,
  table: View,
): void {
  if (!context.isRead(dWeight)) return;
  const { I, H, P, G, label } = layout;
  const c = context.destination(dWeight, 'dW_ih');
  for (const { slot, gate, count } of split([{ slot: 0, gate: 0, count: G }], H === P)) {
    emitMatmul(context, {
      m: count * H,
      n: I,
      k: vocabulary,
      a: { view: table, offset: slot * P, stride: G * P, transposed: true },
      b: { view: context.view(embedding), stride: I },
      c: { view: c, offset: gate * H * I, stride: I },
      label,
    });
  }
}

/** `dE = dTable·W_ih`, each direction added: what the lookup's own backward operations would have computed. */
function emitEmbeddingGradient(
  context: LoweringContext,
  layout: Layout,
  { vocabulary }: TokenTable,
  dX: Value,
  table: View,
  d: number,
): void {
  const { I, G, P, parameters, label } = layout;
  const weight = padGates(context, layout, parameters[d]!.weightIh, { gates: G, columns: I, stride: I });
  for (const { outputs } of context.consumers(dX)) {
    if (!context.isRead(outputs[0])) continue;
    emitMatmul(context, {
      m: vocabulary,
      n: I,
      k: G * P,
      a: { view: table, stride: G * P },
      b: { view: weight, stride: I },
      c: { view: context.destination(outputs[0]!, 'd table'), stride: I },
      accumulate: d > 0,
      label,
    });
  }
}

/**
 * `dW_hh = dgatesᵀ·(what entered the product)`. Without an initial state the first step adds nothing. The gate
 * that multiplies r⊙h has its own right side.
 */
export function emitRecurrentWeightGradient(
  context: LoweringContext,
  layout: Layout,
  dWeight: Value,
  { gates, states, sequences }: RecurrentResidual,
  { d, window, accumulate }: Part,
): void {
  if (!context.isRead(dWeight)) return;
  const { B, H, R, P, Q, G, kernels, hasInitial, attributes, label } = layout;
  const c = context.destination(dWeight, 'dW_hh');
  const skipped = window.begin > 0 || hasInitial ? 0 : 1;
  const steps = window.end - window.begin - skipped;
  if (steps === 0) {
    if (!accumulate) emitFill(context, c, G * H * R, 0, label);
    return;
  }
  const start = windowStart(layout, d, window);
  const firstTime = attributes.directions[d] === 'reverse' ? start : start + skipped;
  const { resetGate } = kernels;
  const parts = kernels.recurrentBlocks.flatMap((block): (GateBlock & { readonly reset: boolean })[] =>
    resetGate === null
      ? [{ ...block, reset: false }]
      : [
          { ...block, count: resetGate - block.gate, reset: false },
          { slot: block.slot + resetGate - block.gate, gate: resetGate, count: 1, reset: true },
        ],
  );
  for (const part of parts) {
    const offset = part.reset
      ? sequences.reset.at(d, firstTime)
      : sequences.product.at(d, previousStep(layout, d, firstTime));
    for (const { slot, gate, count } of split([part], H === P)) {
      emitMatmul(context, {
        m: count * H,
        n: R,
        k: steps * B,
        a: {
          view: gates,
          offset: gatesRow(layout, window, d, firstTime) * kernels.slots * P + slot * P,
          stride: kernels.slots * P,
          transposed: true,
        },
        b: { view: states[0]!, offset: offset / WORD, stride: part.reset ? P : Q },
        c: { view: c, offset: gate * H * R, stride: R },
        accumulate,
        label,
      });
    }
  }
}

/** `dW_hr = dhᵀ·m`, m being what entered the projection. */
function emitProjectionGradient(
  context: LoweringContext,
  layout: Layout,
  dWeight: Value,
  { gates, states, sequences }: RecurrentResidual,
  { d, window, accumulate }: Part,
): void {
  if (!context.isRead(dWeight)) return;
  const { B, H, R, P, Q, label } = layout;
  const start = windowStart(layout, d, window);
  emitMatmul(context, {
    m: R,
    n: H,
    k: (window.end - window.begin) * B,
    a: { view: gates, offset: projectedBegin(layout, window, d), stride: Q, transposed: true },
    b: { view: states[0]!, offset: sequences.unprojected.at(d, start) / WORD, stride: P },
    c: { view: context.destination(dWeight, 'dW_hr'), stride: H },
    accumulate,
    label,
  });
}

/** The peepholes' gradients, summed over the steps, are summed over the batch. */
function emitPeepholeGradient(
  context: LoweringContext,
  layout: Layout,
  d: number,
  dPeephole: Value,
  carry: Carry,
): void {
  if (!context.isRead(dPeephole)) return;
  const { B, H, P, label } = layout;
  const sums = context.allocate('peephole sums', 3 * P * WORD);
  emitReduceSum(context, {
    x: carry.view,
    xOffset: carry.peephole[d]! / WORD,
    y: sums,
    outer: 3,
    reduced: B,
    inner: P,
    label,
  });
  unpadRows(context, dPeephole, sums, { rows: 3, width: H, padded: P, label });
}

/** Sums of the gates' gradients over the rows of a window. */
export function emitColumnSums(
  context: LoweringContext,
  layout: Layout,
  gates: View,
  sums: View,
  { d, window, accumulate }: Part,
): void {
  const { B, P, kernels, label } = layout;
  emitReduceSum(context, {
    x: gates,
    xOffset: gatesBegin(layout, window, d),
    y: sums,
    outer: 1,
    reduced: (window.end - window.begin) * B,
    inner: kernels.slots * P,
    accumulate,
    label,
  });
}

/** Gradients of both biases, dealt out of the column sums. */
function emitBiasGradients(
  context: LoweringContext,
  layout: Layout,
  dBiasIh: Value,
  dBiasHh: Value,
  sums: View,
): void {
  const { H, P, G, kernels, label } = layout;
  const dealt = [
    { value: dBiasIh, parts: [{ slot: kernels.inputSlot, gate: 0, count: G }] },
    { value: dBiasHh, parts: kernels.recurrentBlocks },
  ];
  for (const { value, parts } of dealt) {
    if (!context.isRead(value)) continue;
    const to = context.output(value, 'd bias');
    for (const { slot, gate, count } of parts) {
      emitStridedCopy(context, {
        from: sums,
        to,
        size: [count, H],
        fromStride: [P, 1],
        toStride: [H, 1],
        fromOffset: slot * P,
        toOffset: gate * H,
        label,
      });
    }
  }
}

/** Gates that lie side by side, one by one unless they are contiguous in memory. */
function split(parts: readonly GateBlock[], contiguous: boolean): GateBlock[] {
  if (contiguous) return [...parts];
  return parts.flatMap(({ slot, gate, count }) =>
    Array.from({ length: count }, (_, i) => ({ slot: slot + i, gate: gate + i, count: 1 })),
  );
}
