/**
 * `recurrent` with layer normalization on the GPU. Rows must be whole before they can be normalized, so that a
 * step takes two dispatches, both directions in each: the recurrent product, and the rest, one workgroup a row.
 * The normalization of the products with the inputs stays outside the loop.
 *
 * Memory is laid out as without normalization, with one slot a gate, and for a backward pass two more arrays of
 * the gates' size: the products, normalized.
 */
import type { Node } from '../../../graph/value.js';
import type { RecurrentAttributes } from '../../../ops/recurrent-attributes.js';
import { foldWorkgroups, type ParameterValues } from '../../kernels/kernel.js';
import type { View } from '../../memory.js';
import {
  recurrentNormGruForwardKernel,
  recurrentNormInputKernel,
  recurrentNormLstmForwardKernel,
  recurrentNormProductKernel,
  recurrentNormRnnForwardKernel,
} from '../../kernels/recurrent-norm.js';
import type { LoweringContext } from '../context.js';
import { emitMatmul } from '../matmul.js';
import {
  commonParameters,
  gatesBegin,
  gatesRow,
  layoutOf,
  padGates,
  perDirection,
  previousStep,
  stackTransposed,
  timeOf,
  windowsOf,
  windowStart,
  WORD,
  type Layout,
  type Sequence,
  type Window,
} from './layout.js';
import { allocateStates, emitFinalStates, emitOutput, type RecurrentResidual } from './forward.js';
import { emitStridedCopy } from '../strided-copy.js';

/** Up to this many batch rows, an invocation of a product takes one row of them instead of eight. */
const FEW_ROWS = 2;

/** What the forward pass works with, and leaves for the backward one. */
export interface NormalizedMemory extends RecurrentResidual {
  /** Of `x·W_ihᵀ`, what the normalization gives before gain and bias; the gates' own where nothing is kept. */
  readonly inputRows: View;
  /** The same of `h·W_hhᵀ`; of one step where nothing is kept. */
  readonly recurrentRows: View;
}

/** Reads a node's inputs and attributes: the gates lie one after the other, those of the inputs alone. */
export function normalizedLayoutOf(node: Node<RecurrentAttributes>, context: LoweringContext): Layout {
  const layout = layoutOf(node, context.recomputeAbove);
  const { G, kernels } = layout;
  const recurrentBlocks = [{ slot: 0, gate: 0, count: G }];
  return { ...layout, kernels: { ...kernels, slots: G, inputSlot: 0, recurrentBlocks, resetGate: null } };
}

/** Lowers a `recurrent` with `layerNorm`. */
export function lowerNormalizedRecurrent(node: Node<RecurrentAttributes>, context: LoweringContext): void {
  const layout = normalizedLayoutOf(node, context);
  const { B, D, G, P, capacity } = layout;
  const y = node.outputs[0]!;
  const residual = node.outputs.at(-1)!;
  const save = context.isRead(residual);
  const windows = windowsOf(layout);
  const recomputes = windows.length > 1;
  const gates = context.allocate('gates', D * capacity * B * G * P * WORD);
  const { states, sequences } = allocateStates(context, layout, {
    keepOutputs: save || context.isRead(y),
    save,
    recomputes,
  });
  const rows = (label: string): View =>
    context.allocate(label, (scalesAt(layout) * 4 + 4 * D * capacity * B) * WORD);
  const kept: NormalizedMemory = {
    gates,
    states,
    sequences,
    inputRows: rows('normalized input products'),
    recurrentRows: rows('normalized recurrent products'),
  };
  const passing: NormalizedMemory = {
    ...kept,
    inputRows: gates,
    recurrentRows: context.allocate('recurrent products', D * B * G * P * WORD),
  };
  const keeps = save && !recomputes;
  for (const window of windows) {
    emitNormalizedSteps(context, layout, keeps ? kept : passing, { window, save: keeps });
  }
  emitFinalStates(context, layout, node, states, sequences);
  if (context.isRead(y)) emitOutput(context, layout, y, states[0]!, sequences.h);
  if (save) {
    for (const { storage } of states) context.pin(storage);
    context.setResidual(residual, kept);
  }
}

/** Where, behind kept rows, the numbers begin that tell their scale: one vec4 a row; in vec4. */
export function scalesAt({ B, D, G, P, capacity }: Layout): number {
  return (D * capacity * B * G * P) / 4;
}

/** All of a window's forward steps, with what comes before them. */
export function emitNormalizedSteps(
  context: LoweringContext,
  layout: Layout,
  memory: NormalizedMemory,
  run: { readonly window: Window; readonly save: boolean },
): void {
  emitInputs(context, layout, memory, run);
  emitSteps(context, layout, memory, run);
}

/** `LN(x·W_ihᵀ) + b_ih` of all steps of a window, into the gates. */
function emitInputs(
  context: LoweringContext,
  layout: Layout,
  { gates, inputRows }: NormalizedMemory,
  { window, save }: { readonly window: Window; readonly save: boolean },
): void {
  const { B, D, I, H, G, P, attributes, parameters, label } = layout;
  const x = context.view(layout.x);
  const rowCount = (window.end - window.begin) * B;
  parameters.forEach(({ weightIh }, d) => {
    emitMatmul(context, {
      m: rowCount,
      n: G * P,
      k: I,
      a: { view: x, offset: windowStart(layout, d, window) * B * I, stride: I },
      b: {
        view: padGates(context, layout, weightIh, { gates: G, columns: I, stride: I }),
        stride: I,
        transposed: true,
      },
      c: { view: inputRows, offset: gatesBegin(layout, window, d), stride: G * P },
      label,
    });
  });
  const vectors = stackInputVectors(context, layout);
  context.dispatch(recurrentNormInputKernel, {
    buffers: {
      rows: inputRows,
      gates: save ? gates : context.nothing('read_write'),
      vectors: vectors.view,
    },
    parameters: {
      row_count: rowCount,
      per_direction: window.capacity * B,
      directions: D,
      slots: G,
      hidden_quads: P / 4,
      hidden_width: H,
      vector_stride: vectors.stride,
      scales_at: scalesAt(layout),
      save,
      epsilon: attributes.epsilon,
    },
    workgroups: foldWorkgroups(D * rowCount, 1),
    label,
    detail: `[${D * rowCount},${G * H}]`,
    flops: 10 * D * rowCount * G * P,
  });
}

/** Forward in time: two dispatches a step. */
function emitSteps(
  context: LoweringContext,
  layout: Layout,
  { gates, states, sequences, recurrentRows }: NormalizedMemory,
  { window, save }: { readonly window: Window; readonly save: boolean },
): void {
  const { B, D, H, R, G, P, Q, attributes, parameters, hasInitial, label } = layout;
  const blocks = { blocks: G, rows: H, columns: R, paddedRows: P, paddedColumns: Q };
  const weight = stackTransposed(
    context,
    layout,
    parameters.map(({ weightHh }) => weightHh),
    blocks,
  );
  const vectors = stackRecurrentVectors(context, layout);
  const mask = layout.mask ? context.view(layout.mask) : context.nothing('read');
  const seed = layout.seed ? context.view(layout.seed) : context.nothing('read');
  const common = commonParameters(layout);

  for (let i = window.begin; i < window.end; i++) {
    const hasPrevious = i > 0 || hasInitial;
    const now = (sequence: Sequence): readonly [number, number] =>
      perDirection(layout, (d) => sequence.at(d, timeOf(layout, d, i)) / 16);
    const before = (sequence: Sequence): readonly [number, number] =>
      hasPrevious
        ? perDirection(layout, (d) => sequence.at(d, previousStep(layout, d, timeOf(layout, d, i))) / 16)
        : [0, 0];
    const ofGates = perDirection(layout, (d) => gatesRow(layout, window, d, timeOf(layout, d, i)));
    const ofRows = save ? ofGates : perDirection(layout, (d) => d * B);
    const times = attributes.directions.map((_, d) => timeOf(layout, d, i)).join(',');
    emitRecurrentProduct(context, layout, {
      source: states[0]!,
      weight,
      result: recurrentRows,
      sourceRead: before(sequences.product),
      resultWrite: perDirection(layout, (d) => (ofRows[d]! * G * P) / 4),
      sourceWidth: hasPrevious ? Q : 0,
      resultWidth: G * P,
      weightStride: (Q * G * P) / 4,
      detail: `t=${times} [${B},${R}]·[${R},${G * H}]`,
    });
    dispatchForward(context, layout, {
      buffers: { gates, rows: recurrentRows, vectors: vectors.view, states, mask, seed },
      parameters: {
        ...common,
        gates_row: ofGates,
        rows_row: ofRows,
        h_read: before(sequences.h),
        h_write: now(sequences.h),
        dropped_write: now(sequences.product),
        c_read: before(sequences.c),
        c_write: now(sequences.c),
        mask_row: perDirection(layout, (d) => timeOf(layout, d, i) * B),
        slots: G,
        hidden_quads: P / 4,
        vector_stride: vectors.stride,
        scales_at: scalesAt(layout),
        has_previous: hasPrevious,
        save,
        epsilon: attributes.epsilon,
      },
      workgroups: [B, 1, D],
      label,
      detail: `t=${times} [${B},${G * H}]`,
      flops: 20 * D * B * G * P,
    });
  }
}

/** What every dispatch of a forward step passes on. */
interface ForwardStep {
  readonly buffers: {
    readonly gates: View;
    readonly rows: View;
    readonly vectors: View;
    readonly states: readonly View[];
    readonly mask: View;
    readonly seed: View;
  };
  readonly parameters: ParameterValues<typeof recurrentNormLstmForwardKernel.plain.parameters>;
  readonly workgroups: readonly [number, number, number];
  readonly label: string;
  readonly detail: string;
  readonly flops: number;
}

function dispatchForward(
  context: LoweringContext,
  { attributes, variant }: Layout,
  { buffers, ...step }: ForwardStep,
): void {
  const { states, ...others } = buffers;
  const bound = { ...others, h: states[0]! };
  switch (attributes.cell) {
    case 'rnn': {
      context.dispatch(recurrentNormRnnForwardKernel[variant], { ...step, buffers: bound });
      return;
    }
    case 'gru': {
      context.dispatch(recurrentNormGruForwardKernel[variant], { ...step, buffers: bound });
      return;
    }
    case 'lstm': {
      context.dispatch(recurrentNormLstmForwardKernel[variant], {
        ...step,
        buffers: { ...bound, c: states[1]! },
      });
      return;
    }
  }
}

/** `result = source·weight` for one step of every direction; places in vec4, widths in elements. */
export function emitRecurrentProduct(
  context: LoweringContext,
  { B, D, label }: Layout,
  product: {
    readonly source: View;
    readonly weight: View;
    readonly result: View;
    readonly sourceRead: readonly [number, number];
    readonly resultWrite: readonly [number, number];
    readonly sourceWidth: number;
    readonly resultWidth: number;
    readonly weightStride: number;
    readonly detail: string;
  },
): void {
  const { source, weight, result, sourceWidth, resultWidth } = product;
  const tileRows = B <= FEW_ROWS ? 1 : 8;
  const invocations = (Math.ceil(B / tileRows) * resultWidth) / 4;
  context.dispatch(recurrentNormProductKernel, {
    buffers: { source, weight, result },
    parameters: {
      source_read: product.sourceRead,
      result_write: product.resultWrite,
      batch: B,
      source_quads: sourceWidth / 4,
      result_quads: resultWidth / 4,
      weight_stride: product.weightStride,
      tile_rows: tileRows,
    },
    workgroups: [Math.ceil(invocations / 32), 1, D],
    label,
    detail: product.detail,
    flops: D * 2 * B * sourceWidth * resultWidth,
  });
}

/** Vectors of every direction, units padded, and how far apart directions are, in vec4. */
export interface StackedVectors {
  readonly view: View;
  readonly stride: number;
}

/** Gain, bias and b_ih, `[D,3,G,P]`. */
export function stackInputVectors(context: LoweringContext, layout: Layout): StackedVectors {
  const { G, parameters } = layout;
  return stackNormVectors(
    context,
    layout,
    3 * G,
    parameters.map(({ normIh, biasIh }) => [
      { value: normIh, blocks: 2 * G, at: 0 },
      { value: biasIh, blocks: G, at: 2 * G },
    ]),
  );
}

/** Gain, bias and b_hh, `[D,3,G,P]`; with an LSTM gain and bias of c behind each direction's. */
export function stackRecurrentVectors(context: LoweringContext, layout: Layout): StackedVectors {
  const { G, attributes, parameters } = layout;
  return stackNormVectors(
    context,
    layout,
    3 * G + (attributes.cell === 'lstm' ? 2 : 0),
    parameters.map(({ normHh, biasHh, normC }) => [
      { value: normHh, blocks: 2 * G, at: 0 },
      { value: biasHh, blocks: G, at: 2 * G },
      { value: normC, blocks: 2, at: 3 * G },
    ]),
  );
}

/** Packs vectors of H units each, some blocks to a value; zeros where a value is absent. */
function stackNormVectors(
  context: LoweringContext,
  { D, H, P, label }: Layout,
  blocks: number,
  directions: readonly (readonly {
    readonly value: Layout['x'] | null;
    readonly blocks: number;
    readonly at: number;
  }[])[],
): StackedVectors {
  const parts = directions.flatMap((vectors, d) =>
    vectors.flatMap(({ value, ...part }) => (value ? [{ ...part, value, at: d * blocks + part.at }] : [])),
  );
  const view = context.packed(
    parts.map(({ value }) => value),
    `${blocks} vectors`,
    D * blocks * P * WORD,
    (from, to) => {
      from.forEach((part, i) => {
        const { blocks: count, at } = parts[i]!;
        emitStridedCopy(context, {
          from: part,
          to,
          size: [count, P],
          fromSize: [count, H],
          fromStride: [H, 1],
          toStride: [P, 1],
          toOffset: at * P,
          label,
        });
      });
    },
  );
  return { view, stride: (blocks * P) / 4 };
}
