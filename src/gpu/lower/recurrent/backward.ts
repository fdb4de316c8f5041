/**
 * `recurrentBackward` on the GPU: one dispatch a step for both directions, backwards through time (two for
 * projections and the GRU with the reset before the product), which leaves the gradients of the gates where the
 * gates were; then the gradients of inputs, weights and biases as products and sums over all steps.
 */
import type { Node, Value } from '../../../graph/value.js';
import { backwardInputPlaces, DIRECTION_INPUTS, directionGradientBegin } from '../../../ops/recurrent.js';
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
  layoutOf,
  padGates,
  padRows,
  perDirection,
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
  type Layout,
  type Sequence,
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
  const { P, attributes, parameters } = layout;
  const { cell } = attributes;
  const places = backwardInputPlaces(attributes);
  const residual = context.residual(node.inputs[places.residual]!) as RecurrentResidual;
  const names = stateNames(layout);
  const dY = node.inputs[places.dY] ?? null;
  const dFinals = parameters.map((_, d) =>
    names.map((_name, s) => node.inputs[places.dFinals + d * names.length + s] ?? null),
  );
  /** Gradients of a direction's inputs, in the order of `DIRECTION_INPUTS`. */
  const gradientsOf = (d: number): Value[] => {
    const begin = directionGradientBegin(d, cell);
    return node.outputs.slice(begin, begin + DIRECTION_INPUTS.states + names.length);
  };
  const wantsInitialH = parameters.some((_, d) => context.isRead(gradientsOf(d)[DIRECTION_INPUTS.states]));

  const carry = allocateCarry(context, layout, dFinals);
  const dy = spreadOutputs(context, layout, dY);
  const byToken =
    layout.tokenTable && differentiatesByToken(node, layout.tokenTable, context) ? layout.tokenTable : null;
  const tokenSums = parameters.map(
    () => byToken && context.allocate('gradients by token', byToken.vocabulary * layout.G * P * WORD),
  );
  const columnSums = parameters.map(() => context.allocate('column sums', layout.kernels.slots * P * WORD));
  // Where the slots are the gates of the inputs and nothing else, the table has their sums.
  const sumsTable = byToken !== null && layout.kernels.slots === layout.G;
  const windows = windowsOf(layout);
  for (const window of windows.toReversed()) {
    if (windows.length > 1) {
      emitInputProducts(context, layout, residual.gates, window);
      emitForwardSteps(context, layout, { ...residual, save: true }, window);
    }
    emitSteps(context, layout, residual, { dy, carry, wantsInitialH }, window);
    if (!byToken) emitInputGradient(context, layout, node.outputs[0]!, residual.gates, window);
    parameters.forEach((direction, d) => {
      const gradients = gradientsOf(d);
      const of = (name: keyof typeof DIRECTION_INPUTS): Value => gradients[DIRECTION_INPUTS[name]]!;
      const part: Part = { d, window, accumulate: window !== windows.at(-1) };
      if (byToken) emitSumsByToken(context, layout, byToken, residual.gates, tokenSums[d]!, part);
      else emitInputWeightGradient(context, layout, of('weightIh'), residual.gates, part);
      emitRecurrentWeightGradient(context, layout, of('weightHh'), residual, part);
      if (!sumsTable && (context.isRead(of('biasIh')) || context.isRead(of('biasHh')))) {
        emitColumnSums(context, layout, residual.gates, columnSums[d]!, part);
      }
      if (direction.weightHr) emitProjectionGradient(context, layout, of('weightHr'), residual, part);
    });
  }
  parameters.forEach((direction, d) => {
    const gradients = gradientsOf(d);
    const of = (name: keyof typeof DIRECTION_INPUTS): Value => gradients[DIRECTION_INPUTS[name]]!;
    if (byToken) {
      const table = tokenSums[d]!;
      emitTokenWeightGradient(context, layout, byToken, of('weightIh'), table);
      emitEmbeddingGradient(context, layout, byToken, node.outputs[0]!, table, d);
      if (sumsTable && (context.isRead(of('biasIh')) || context.isRead(of('biasHh')))) {
        emitReduceSum(context, {
          x: table,
          y: columnSums[d]!,
          outer: 1,
          reduced: byToken.vocabulary,
          inner: layout.G * P,
          label: layout.label,
        });
      }
    }
    emitInitialGradients(context, layout, gradients.slice(DIRECTION_INPUTS.states), carry, d);
    emitBiasGradients(context, layout, of('biasIh'), of('biasHh'), columnSums[d]!);
    if (direction.peephole) emitPeepholeGradient(context, layout, d, of('peephole'), carry);
  });
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
  { gates, states, sequences }: RecurrentResidual,
  run: { readonly dy: View | null; readonly carry: Carry; readonly wantsInitialH: boolean },
  window: Window,
): void {
  const { T, B, D, H, R, G, P, Q, attributes, parameters, kernels, hasInitial, projected, variant, label } =
    layout;
  const { dy, carry, wantsInitialH } = run;
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
  const stepFlops = D * (2 * B * G * P * Q + 20 * B * G * P);
  const keepCarry = kernels.carriesH || layout.mask !== null || hasZoneout(attributes);
  const quadsAt = (bytes: readonly number[]): readonly [number, number] =>
    perDirection(layout, (d) => bytes[d]! / 16);
  const projectedAt = (d: number, t: number): number =>
    (projectedBegin(layout, window, d) + (t - windowStart(layout, d, window)) * B * Q) / 4;
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
   * The `i`-th step in the order of the forward pass or, with `onlyBefore`, what it hands to the one before it.
   * Of a persistent kernel, `count` steps down from it and then, with `onlyBefore`, that.
   */
  const emit = (i: number, tile: Tile, onlyBefore = false, count = 1): void => {
    const { rows, persistent } = tile;
    const isLast = i === T - 1;
    const isWindowLast = i === window.end - 1;
    const hasPrevious = i > 0 || hasInitial;
    const t = (d: number): number => timeOf(layout, d, i);
    const noStep = onlyBefore && !persistent;
    const sourceStep = noStep ? i : i + 1;
    const hasNext = noStep || !isWindowLast;
    // Between windows the carry holds everything; within one, only what travels beside the product.
    const hasCarryH = noStep ? keepCarry : isLast ? carry.hasFinal[0]! : isWindowLast || keepCarry;
    const before = (sequence: Sequence): readonly [number, number] =>
      hasPrevious ? perDirection(layout, (d) => sequence.at(d, previousStep(layout, d, t(d))) / 16) : [0, 0];
    const base: BackwardParameters = {
      ...common,
      source_read: perDirection(layout, (d) =>
        hasNext || persistent
          ? (gatesRow(layout, window, d, timeOf(layout, d, sourceStep)) * slots * P) / 4
          : 0,
      ),
      gates_row: perDirection(layout, (d) => gatesRow(layout, window, d, t(d))),
      h_read: before(sequences.h),
      product_read: before(sequences.product),
      c_read: before(sequences.c),
      dy_row: perDirection(layout, (d) => (d * T + t(d)) * B),
      mask_row: perDirection(layout, (d) => t(d) * B),
      carry_h: quadsAt(carry.h),
      carry_c: quadsAt(carry.c),
      peephole_sums: quadsAt(carry.peephole),
      target_write: perDirection(layout, (d) => projectedAt(d, t(d))),
      row_step: perDirection(layout, (d) => -rowStep(layout)[d]!),
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
    const times = timesOf(layout, i, i + 1 - count);
    const detail = noStep ? `before t=${times}` : `t=${times} [${B},${G * H}]·[${G * H},${R}]`;
    if (!projection) {
      kernels.backward(context, {
        variant,
        ...tile,
        buffers,
        parameters: base,
        workgroups: persistent ? persistentWorkgroups(layout, rows) : backwardWorkgroups(layout, Q, tile),
        label,
        detail,
        flops: count * stepFlops,
      });
      return;
    }
    context.dispatch(recurrentProjectBackwardKernel[rows][variant], {
      buffers: { gates, weight, dy: buffers.dy, carry: carry.view, mask, seed },
      parameters: base,
      workgroups: backwardWorkgroups(layout, Q, tile),
      label,
      detail,
      flops: stepFlops,
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
      workgroups: backwardWorkgroups(layout, P, tile),
      label,
      detail: `t=${times} [${B},${R}]·[${R},${H}]`,
      flops: D * (2 * B * P * Q + 20 * B * G * P),
    });
  };
  emitTiled(context, layout, { family: 'recurrent_backward', steps: window.end - window.begin }, (tile) => {
    const wantsBefore = window.begin > 0 || wantsInitialH;
    if (tile.persistent) {
      const atOnce = backwardStepsAtOnce(layout, tile.rows, stepFlops);
      for (let end = window.end; end > window.begin; end -= atOnce) {
        const count = Math.min(atOnce, end - window.begin);
        emit(end - 1, tile, wantsBefore && end - count === window.begin, count);
      }
      return;
    }
    for (let i = window.end - 1; i >= window.begin; i--) emit(i, tile);
    if (wantsBefore) emit(window.begin, tile, true);
  });
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
  const { T, B, I, D, G, P, kernels, parameters, label } = layout;
  const view = context.destination(dX, 'dx');
  // Two directions meet in different windows: whichever comes first must find zeros.
  const meets = D > 1 && window.capacity < T;
  if (meets && window.end === T) emitFill(context, view, dX.size, 0, label);
  parameters.forEach(({ weightIh }, d) => {
    emitMatmul(context, {
      m: (window.end - window.begin) * B,
      n: I,
      k: G * P,
      a: {
        view: gates,
        offset: gatesBegin(layout, window, d) + kernels.inputSlot * P,
        stride: kernels.slots * P,
      },
      b: { view: padGates(context, layout, weightIh, { gates: G, columns: I, stride: I }), stride: I },
      c: { view, offset: windowStart(layout, d, window) * B * I, stride: I },
      accumulate: meets || d > 0,
      label,
    });
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
