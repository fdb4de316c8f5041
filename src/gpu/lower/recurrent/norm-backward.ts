/**
 * `recurrentBackward` with layer normalization on the GPU: two dispatches a step, both directions in each, backwards
 * through time, which leave the gradients of the gates where the gates were, and those of the recurrent products where
 * these were; then everything else over all steps at once.
 */
import type { Node, Value } from '../../../graph/value.js';
import type { CellName } from '../../../ops/cells.js';
import { backwardInputPlaces, DIRECTION_INPUTS, directionGradientBegin } from '../../../ops/recurrent.js';
import type { RecurrentAttributes } from '../../../ops/recurrent-attributes.js';
import { foldWorkgroups, type ParameterValues } from '../../kernels/kernel.js';
import type { View } from '../../memory.js';
import {
  recurrentNormBeforeKernel,
  recurrentNormGruBackwardKernel,
  recurrentNormInputBackwardKernel,
  recurrentNormLstmBackwardKernel,
  recurrentNormRnnBackwardKernel,
} from '../../kernels/recurrent-norm.js';
import type { LoweringContext } from '../context.js';
import {
  allocateCarry,
  emitColumnSums,
  emitInitialGradients,
  emitInputGradient,
  emitInputWeightGradient,
  emitRecurrentWeightGradient,
  spreadOutputs,
  type Carry,
  type Part,
} from './backward.js';
import {
  commonParameters,
  gatesRow,
  perDirection,
  previousStep,
  stackWeights,
  stateNames,
  timeOf,
  windowsOf,
  WORD,
  type Layout,
  type Sequence,
  type Window,
} from './layout.js';
import {
  emitNormalizedSteps,
  emitRecurrentProduct,
  normalizedLayoutOf,
  scalesAt,
  stackInputVectors,
  stackRecurrentVectors,
  type NormalizedMemory,
} from './norm-forward.js';
import { emitReduceSum } from '../reduce-sum.js';
import { emitStridedCopy } from '../strided-copy.js';

/**
 * Gradients that are summed over the steps beside those of the recurrent gains: n's recurrent bias, which the
 * reset gate keeps from being that of the input; gain and bias of c.
 */
const OTHER_SUMS: Readonly<Record<CellName, number>> = { rnn: 0, gru: 1, lstm: 2 };

/** What travels from step to step, and what only a step's two dispatches share: bytes, by direction. */
interface NormalizedCarry extends Carry {
  /** Where the recurrent product goes, `[B,P]`. */
  readonly product: readonly number[];
  /** Gradients of gains and biases by batch row, `[B,slots,P]`. */
  readonly sums: readonly number[];
}

/** Lowers a `recurrentBackward` with `layerNorm`. */
export function lowerNormalizedRecurrentBackward(
  node: Node<RecurrentAttributes>,
  context: LoweringContext,
): void {
  const layout = normalizedLayoutOf(node, context);
  const { B, G, P, attributes, parameters } = layout;
  const { cell } = attributes;
  const places = backwardInputPlaces(attributes);
  const memory = context.residual(node.inputs[places.residual]!) as NormalizedMemory;
  const { length: stateCount } = stateNames(layout);
  const dFinals = parameters.map((_, d) =>
    Array.from(
      { length: stateCount },
      (_state, s) => node.inputs[places.dFinals + d * stateCount + s] ?? null,
    ),
  );
  const gradientsOf = parameters.map((_, d) => {
    const begin = directionGradientBegin(d, cell);
    return node.outputs.slice(begin, begin + DIRECTION_INPUTS.states + stateCount);
  });
  const gradient = (d: number, name: keyof typeof DIRECTION_INPUTS): Value =>
    gradientsOf[d]![DIRECTION_INPUTS[name]]!;
  const someRead = (...names: (keyof typeof DIRECTION_INPUTS)[]): boolean =>
    parameters.some((_, d) => names.some((name) => context.isRead(gradient(d, name))));
  const dX = node.outputs[0]!;
  const wantsSums = someRead('biasIh', 'normIh', 'biasHh', 'normHh');
  const wantsGains = someRead('normIh');
  const wantsInputs = wantsGains || someRead('weightIh') || context.isRead(dX);

  const sumSlots = G + OTHER_SUMS[cell];
  const plain = allocateCarry(context, layout, dFinals, [B * P * WORD, B * sumSlots * P * WORD]);
  const [product, sums] = plain.others as [readonly number[], readonly number[]];
  const carry: NormalizedCarry = { ...plain, product, sums };
  const dy = spreadOutputs(context, layout, node.inputs[places.dY] ?? null);
  const slots = (label: string): View[] => parameters.map(() => context.allocate(label, G * P * WORD));
  const biasSums = slots('column sums');
  const gainSums = slots("gains' column sums");
  const windows = windowsOf(layout);
  for (const window of windows.toReversed()) {
    if (windows.length > 1) emitNormalizedSteps(context, layout, memory, { window, save: true });
    const wantsInitialH = someRead('states');
    emitSteps(context, layout, memory, { dy, carry, wantsInitialH, window });
    const partOf = (d: number): Part => ({ d, window, accumulate: window !== windows.at(-1) });
    parameters.forEach((_, d) => {
      if (wantsSums) emitColumnSums(context, layout, memory.gates, biasSums[d]!, partOf(d));
    });
    if (wantsInputs) emitInputBackward(context, layout, memory, window);
    emitInputGradient(context, layout, dX, memory.inputRows, window);
    parameters.forEach((_, d) => {
      if (wantsGains) emitColumnSums(context, layout, memory.gates, gainSums[d]!, partOf(d));
      emitInputWeightGradient(context, layout, gradient(d, 'weightIh'), memory.inputRows, partOf(d));
      emitRecurrentWeightGradient(
        context,
        layout,
        gradient(d, 'weightHh'),
        { ...memory, gates: memory.recurrentRows },
        partOf(d),
      );
    });
  }
  parameters.forEach((_, d) => {
    emitInitialGradients(context, layout, gradientsOf[d]!.slice(DIRECTION_INPUTS.states), carry, d);
    const column: ColumnSums = {
      bias: biasSums[d]!,
      gain: gainSums[d]!,
      steps: someRead('biasHh', 'normHh', 'normC') ? emitStepSums(context, layout, carry, sumSlots, d) : null,
    };
    emitVectorGradients(context, layout, (name) => gradient(d, name), column);
  });
}

/** Backwards through the steps of a window, as without normalization; the carry keeps h's gradient too. */
function emitSteps(
  context: LoweringContext,
  layout: Layout,
  { gates, states, sequences, recurrentRows }: NormalizedMemory,
  run: {
    readonly dy: View | null;
    readonly carry: NormalizedCarry;
    readonly wantsInitialH: boolean;
    readonly window: Window;
  },
): void {
  const { T, B, D, H, R, G, P, Q, attributes, parameters, hasInitial, label } = layout;
  const { dy, carry, wantsInitialH, window } = run;
  const { cell } = attributes;
  const nothing = context.nothing('read');
  const weight = stackWeights(
    context,
    layout,
    parameters.map(({ weightHh }) => weightHh),
    { blocks: G, rows: H, columns: R, paddedRows: P, paddedColumns: Q },
  );
  const vectors = stackRecurrentVectors(context, layout);
  const mask = layout.mask ? context.view(layout.mask) : nothing;
  const seed = layout.seed ? context.view(layout.seed) : nothing;
  const common = commonParameters(layout);
  const quadsAt = (bytes: readonly number[]): readonly [number, number] =>
    perDirection(layout, (d) => bytes[d]! / 16);
  const rowsAt = (i: number): readonly [number, number] =>
    perDirection(layout, (d) => gatesRow(layout, window, d, timeOf(layout, d, i)));
  const timesAt = (i: number): string => attributes.directions.map((_, d) => timeOf(layout, d, i)).join(',');
  /** What the `i`-th step hands to the one before it, through W_hh. */
  const emitProduct = (i: number): void => {
    emitRecurrentProduct(context, layout, {
      source: recurrentRows,
      weight,
      result: carry.view,
      sourceRead: perDirection(layout, (d) => (rowsAt(i)[d]! * G * P) / 4),
      resultWrite: quadsAt(carry.product),
      sourceWidth: G * P,
      resultWidth: Q,
      weightStride: (G * P * Q) / 4,
      detail: `t=${timesAt(i)} [${B},${G * H}]·[${G * H},${R}]`,
    });
  };

  for (let i = window.end - 1; i >= window.begin; i--) {
    const isLast = i === T - 1;
    const hasNext = i < window.end - 1;
    const hasPrevious = i > 0 || hasInitial;
    const before = (sequence: Sequence): readonly [number, number] =>
      hasPrevious
        ? perDirection(layout, (d) => sequence.at(d, previousStep(layout, d, timeOf(layout, d, i))) / 16)
        : [0, 0];
    if (hasNext) emitProduct(i + 1);
    dispatchBackward(context, layout, {
      buffers: {
        gates,
        rows: recurrentRows,
        vectors: vectors.view,
        states,
        dy: dy ?? nothing,
        carry: carry.view,
        mask,
        seed,
      },
      parameters: {
        ...common,
        gates_row: rowsAt(i),
        rows_row: rowsAt(i),
        h_read: before(sequences.h),
        c_read: before(sequences.c),
        dy_row: perDirection(layout, (d) => (d * T + timeOf(layout, d, i)) * B),
        mask_row: perDirection(layout, (d) => timeOf(layout, d, i) * B),
        carry_h: quadsAt(carry.h),
        carry_c: quadsAt(carry.c),
        product: quadsAt(carry.product),
        sums: quadsAt(carry.sums),
        slots: G,
        sum_slots: G + OTHER_SUMS[cell],
        split_slot: cell === 'gru' ? 2 : G,
        hidden_quads: P / 4,
        vector_stride: vectors.stride,
        scales_at: scalesAt(layout),
        first_step: isLast,
        has_next: hasNext,
        has_previous: hasPrevious,
        has_dy: dy !== null,
        has_carry_h: !isLast || carry.hasFinal[0]!,
        has_carry_c: !isLast || (carry.hasFinal[1] ?? false),
      },
      workgroups: [B, 1, D],
      label,
      detail: `t=${timesAt(i)} [${B},${G * H}]`,
      flops: 40 * D * B * G * P,
    });
  }
  if (window.begin === 0 && !wantsInitialH) return;
  emitProduct(window.begin);
  context.dispatch(recurrentNormBeforeKernel, {
    buffers: { carry: carry.view, mask: nothing, seed },
    parameters: {
      ...common,
      carry_h: quadsAt(carry.h),
      product: quadsAt(carry.product),
      mask_row: [0, 0],
      hidden_quads: P / 4,
    },
    workgroups: [Math.ceil((B * P) / 4 / 64), 1, D],
    label,
    detail: `before t=${timesAt(window.begin)} [${B},${R}]`,
  });
}

/** What every dispatch of a backward step passes on. */
interface BackwardStep {
  readonly buffers: {
    readonly gates: View;
    readonly rows: View;
    readonly vectors: View;
    readonly states: readonly View[];
    readonly dy: View;
    readonly carry: View;
    readonly mask: View;
    readonly seed: View;
  };
  readonly parameters: ParameterValues<typeof recurrentNormLstmBackwardKernel.plain.parameters>;
  readonly workgroups: readonly [number, number, number];
  readonly label: string;
  readonly detail: string;
  readonly flops: number;
}

function dispatchBackward(
  context: LoweringContext,
  { attributes, variant }: Layout,
  { buffers, ...step }: BackwardStep,
): void {
  const { states, ...bound } = buffers;
  switch (attributes.cell) {
    case 'rnn': {
      context.dispatch(recurrentNormRnnBackwardKernel[variant], { ...step, buffers: bound });
      return;
    }
    case 'gru': {
      context.dispatch(recurrentNormGruBackwardKernel[variant], {
        ...step,
        buffers: { ...bound, h: states[0]! },
      });
      return;
    }
    case 'lstm': {
      context.dispatch(recurrentNormLstmBackwardKernel[variant], {
        ...step,
        buffers: { ...bound, c: states[1]! },
      });
      return;
    }
  }
}

/**
 * Through the normalization of `x·W_ihᵀ`: leaves its gradient in the normalized rows' place, and what the gain's
 * gradient is the sum of in the gates'.
 */
function emitInputBackward(
  context: LoweringContext,
  layout: Layout,
  { gates, inputRows }: NormalizedMemory,
  window: Window,
): void {
  const { B, D, H, G, P, label } = layout;
  const rowCount = (window.end - window.begin) * B;
  const vectors = stackInputVectors(context, layout);
  context.dispatch(recurrentNormInputBackwardKernel, {
    buffers: { rows: inputRows, gates, vectors: vectors.view },
    parameters: {
      row_count: rowCount,
      per_direction: window.capacity * B,
      directions: D,
      slots: G,
      hidden_quads: P / 4,
      hidden_width: H,
      vector_stride: vectors.stride,
      scales_at: scalesAt(layout),
    },
    workgroups: foldWorkgroups(D * rowCount, 1),
    label,
    detail: `[${D * rowCount},${G * H}]`,
    flops: 10 * D * rowCount * G * P,
  });
}

/** Gradients of one direction by column: `[slots,P]`. */
interface ColumnSums {
  /** Of what is added to the gates. */
  readonly bias: View;
  /** Of the gains of `x·W_ihᵀ`. */
  readonly gain: View;
  /** Of the gains of `h·W_hhᵀ`, and behind them {@link OTHER_SUMS}; `null` where nothing reads them. */
  readonly steps: View | null;
}

/** What was summed over the steps is summed over the batch. */
function emitStepSums(
  context: LoweringContext,
  { B, P, label }: Layout,
  carry: NormalizedCarry,
  sumSlots: number,
  d: number,
): View {
  const sums = context.allocate('step sums', sumSlots * P * WORD);
  emitReduceSum(context, {
    x: carry.view,
    xOffset: carry.sums[d]! / WORD,
    y: sums,
    outer: 1,
    reduced: B,
    inner: sumSlots * P,
    label,
  });
  return sums;
}

/** Gradients of biases and normalizations, dealt out of the sums. */
function emitVectorGradients(
  context: LoweringContext,
  { G, H, P, attributes, label }: Layout,
  gradient: (name: keyof typeof DIRECTION_INPUTS) => Value,
  { bias, gain, steps }: ColumnSums,
): void {
  const { cell } = attributes;
  /** The sums of `count` gates from one of `slot` on. */
  interface Piece {
    readonly from: View;
    readonly slot: number;
    readonly count: number;
  }
  const deal = (value: Value, pieces: () => readonly Piece[]): void => {
    if (!context.isRead(value)) return;
    const to = context.output(value, 'd vectors');
    let toOffset = 0;
    for (const { from, slot, count } of pieces()) {
      emitStridedCopy(context, {
        from,
        to,
        size: [count, H],
        fromStride: [P, 1],
        toStride: [H, 1],
        fromOffset: slot * P,
        toOffset,
        label,
      });
      toOffset += count * H;
    }
  };
  const ofInput: Piece = { from: bias, slot: 0, count: G };
  const ofRecurrent = (): readonly Piece[] =>
    cell === 'gru'
      ? [
          { from: bias, slot: 0, count: 2 },
          { from: steps!, slot: G, count: 1 },
        ]
      : [ofInput];
  deal(gradient('biasIh'), () => [ofInput]);
  deal(gradient('normIh'), () => [{ from: gain, slot: 0, count: G }, ofInput]);
  deal(gradient('biasHh'), ofRecurrent);
  deal(gradient('normHh'), () => [{ from: steps!, slot: 0, count: G }, ...ofRecurrent()]);
  if (cell === 'lstm') deal(gradient('normC'), () => [{ from: steps!, slot: G, count: 2 }]);
}
