/**
 * `recurrent` and its backward on the GPU: one driver for every cell. Time is unrolled into one dispatch a
 * step; the products with the inputs, and those for the weights' and inputs' gradients, stay outside the loop.
 *
 * Units are padded with zeros to a multiple of four (`P` for `H`), so that kernels load whole vectors. The
 * gates lie as `[T·B, slots, P]`, each slot one gate; the backward pass writes their gradients over them.
 */
import { CELLS, type CellName } from '../../ops/cells.js';
import {
  RECURRENT_INPUTS,
  recurrentBackwardOperation,
  recurrentOperation,
  recurrentSizes,
  type RecurrentAttributes,
  type RecurrentSizes,
} from '../../ops/recurrent.js';
import type { Node, Value } from '../../graph/value.js';
import { foldWorkgroups } from '../kernel.js';
import { alignUp, type View } from '../memory.js';
import { CELL_KERNELS, type CellKernels } from './cells.js';
import { defineLowering, type LoweringContext } from './context.js';
import { emitFill } from './fill.js';
import { emitMatmul } from './matmul.js';
import { emitReduceSum } from './reduce-sum.js';
import { emitStridedCopy } from './strided-copy.js';

/** Bytes of a number. */
const WORD = 4;
/** Up to this many batch rows, an invocation takes one row of them instead of eight. */
const FEW_ROWS = 2;

/** A state's values over time, with the initial one ahead of the first step. */
interface StateSequence {
  readonly view: View;
  /** Where the state after step `t` begins, in bytes; `t = −1` is the initial state. */
  readonly at: (t: number) => number;
  readonly hasInitial: boolean;
}

/** What the forward pass leaves for the backward one. */
interface Residual {
  readonly gates: View;
  readonly states: readonly StateSequence[];
}

/** Sizes of a layer with its padding. */
interface Layout extends RecurrentSizes {
  readonly cell: CellName;
  readonly kernels: CellKernels;
  /** H, rounded up to a multiple of four. */
  readonly P: number;
  readonly label: string;
}

function layoutOf(node: Node<RecurrentAttributes>): Layout {
  const { cell } = node.attributes;
  const sizes = recurrentSizes(node.inputs, cell);
  return { ...sizes, cell, kernels: CELL_KERNELS[cell], P: alignUp(sizes.H, 4), label: node.label };
}

/** `[rows, H]` as `[rows, P]`: the value itself where nothing needs padding. */
function padUnits(context: LoweringContext, layout: Layout, from: View, rows: number, to?: View): View {
  const { H, P, label } = layout;
  if (H === P && !to) return from;
  const target = to ?? context.allocate('padded', rows * P * WORD);
  if (H === P) {
    context.copy(from, target, label);
    return target;
  }
  emitStridedCopy(context, {
    from,
    to: target,
    size: [rows, P],
    fromSize: [rows, H],
    fromStride: [H, 1],
    toStride: [P, 1],
    label,
  });
  return target;
}

/** `[rows, P]` at `from` as the dense value `[rows, H]`. */
function unpadUnits(context: LoweringContext, layout: Layout, value: Value, from: View, rows: number): void {
  const { H, P, label } = layout;
  if (H === P) {
    context.alias(value, from, label);
    return;
  }
  emitStridedCopy(context, {
    from,
    to: context.output(value, 'dense'),
    size: [rows, H],
    fromStride: [P, 1],
    toStride: [H, 1],
    label,
  });
}

/** `[G·H, columns]` with each gate's block of rows padded to P, and rows padded to `stride`. */
function padGates(
  context: LoweringContext,
  layout: Layout,
  weight: Value,
  columns: number,
  stride: number,
): View {
  const { G, H, P, label } = layout;
  if (H === P) return context.view(weight);
  return context.packed(weight, `padded ${stride}`, G * P * stride * WORD, (from, to) => {
    emitStridedCopy(context, {
      from,
      to,
      size: [G, P, stride],
      fromSize: [G, H, columns],
      fromStride: [H * columns, columns, 1],
      toStride: [P * stride, stride, 1],
      label,
    });
  });
}

/** `W_hhᵀ` as `[P, G, P]`: row k, gate, unit. */
function transposeRecurrent(context: LoweringContext, layout: Layout, weight: Value): View {
  const { G, H, P, label } = layout;
  return context.packed(weight, 'transposed', P * G * P * WORD, (from, to) => {
    emitStridedCopy(context, {
      from,
      to,
      size: [P, G, P],
      fromSize: [H, G, H],
      fromStride: [1, H * H, H],
      toStride: [G * P, P, 1],
      label,
    });
  });
}

/**
 * Memory for a state's values over time; only the last two where no backward pass will read the others. A
 * layer that is given one initial state takes zeros for those it is not given.
 */
function stateSequence(
  context: LoweringContext,
  layout: Layout,
  name: string,
  initial: Value | null,
  { keepAll, hasInitial }: { readonly keepAll: boolean; readonly hasInitial: boolean },
): StateSequence {
  const { T, B, P, label } = layout;
  const bytes = B * P * WORD;
  let view: View;
  let at: (t: number) => number;
  if (keepAll) {
    // The first step begins on an aligned offset, so that the sequence without the initial state can be bound.
    const lead = hasInitial ? alignUp(bytes) : 0;
    view = context.allocate(`${name} over time`, lead + T * bytes);
    at = (t) => lead + t * bytes;
  } else {
    view = context.allocate(name, 2 * alignUp(bytes));
    at = (t) => ((t + 2) % 2) * alignUp(bytes);
  }
  if (hasInitial) {
    const beginning = { storage: view.storage, offset: at(-1), bytes };
    if (initial) padUnits(context, layout, context.view(initial), B, beginning);
    else context.copy(context.allocate('zeros', bytes, 'zeroed'), beginning, label);
  }
  return { view, at, hasInitial };
}

export const lowerRecurrent = defineLowering({
  operation: recurrentOperation,
  lower(node, context) {
    const layout = layoutOf(node);
    const { T, B, I, G, P, cell, kernels, label } = layout;
    const [x, weightIh, weightHh, biasIh, biasHh] = node.inputs;
    const { states: stateNames } = CELLS[cell];
    const initial = node.inputs.slice(RECURRENT_INPUTS.states);
    const [y] = node.outputs;
    const residual = node.outputs.at(-1)!;
    const save = context.isRead(residual);

    const gates = context.allocate('gates', T * B * kernels.slots * P * WORD);
    emitMatmul(context, {
      m: T * B,
      n: G * P,
      k: I,
      a: { view: context.view(x!), stride: I },
      b: { view: padGates(context, layout, weightIh!, I, I), stride: I, transposed: true },
      bias: biasIh ? padGates(context, layout, biasIh, 1, 1) : null,
      c: { view: gates, offset: kernels.inputSlot * P, stride: kernels.slots * P },
      label,
    });

    const weight = transposeRecurrent(context, layout, weightHh!);
    const bias = biasHh ? padGates(context, layout, biasHh, 1, 1) : context.nothing('read');
    const hasInitial = initial.some((state) => state !== null);
    const states = stateNames.map((name, s) =>
      stateSequence(context, layout, name, initial[s] ?? null, { keepAll: s === 0 || save, hasInitial }),
    );
    const quads = P / 4;
    const quadsAt = (s: number, t: number): number => (states[s] ? states[s].at(t) / 16 : 0);
    const few = B <= FEW_ROWS;
    for (let t = 0; t < T; t++) {
      kernels.forward(context, {
        few,
        buffers: { gates, weight, bias, states: states.map(({ view }) => view) },
        parameters: {
          batch: B,
          hidden_quads: quads,
          gates_row: t * B,
          h_read: t > 0 || hasInitial ? quadsAt(0, t - 1) : 0,
          h_write: quadsAt(0, t),
          c_read: t > 0 || hasInitial ? quadsAt(1, t - 1) : 0,
          c_write: quadsAt(1, t),
          has_bias: biasHh !== null,
          has_previous: t > 0 || hasInitial,
          save,
          activation: cell === 'rnn_relu',
        },
        workgroups: foldWorkgroups(Math.ceil(B / (few ? 1 : 8)) * quads, 32),
        label,
        detail: `t=${t} [${B},${P}]·[${P},${G * P}]`,
        flops: 2 * B * P * G * P + 10 * B * G * P,
      });
    }

    states.forEach((state, s) => {
      const final = node.outputs[1 + s]!;
      if (!context.isRead(final)) return;
      const at: View = { storage: state.view.storage, offset: state.at(T - 1), bytes: B * P * WORD };
      unpadUnits(context, layout, final, at, B);
    });
    if (context.isRead(y)) {
      const { view, at } = states[0]!;
      unpadUnits(
        context,
        layout,
        y!,
        { storage: view.storage, offset: at(0), bytes: T * B * P * WORD },
        T * B,
      );
    }
    if (save) {
      for (const { view } of states) context.pin(view.storage);
      const content: Residual = { gates, states };
      context.setResidual(residual, content);
    }
  },
});

export const lowerRecurrentBackward = defineLowering({
  operation: recurrentBackwardOperation,
  lower(node, context) {
    const layout = layoutOf(node);
    const { T, B, H, P, G, cell, kernels, label } = layout;
    const stateCount = CELLS[cell].states.length;
    const first = RECURRENT_INPUTS.states + stateCount;
    const { gates, states } = context.residual(node.inputs[first + 1]!) as Residual;
    const dY = node.inputs[first + 2] ?? null;
    const dFinal = Array.from({ length: stateCount }, (_, s) => node.inputs[first + 3 + s] ?? null);
    const dInitial = node.outputs.slice(RECURRENT_INPUTS.states);

    const nothing = context.nothing('read');
    const weight = padGates(context, layout, node.inputs[RECURRENT_INPUTS.weightHh]!, H, P);
    const dy = dY ? padUnits(context, layout, context.view(dY), T * B) : nothing;
    const dhFinal = dFinal[0] ? padUnits(context, layout, context.view(dFinal[0]), B) : nothing;
    const stateBytes = B * P * WORD;
    const carry = kernels.hasCarry ? context.allocate('carried gradient', stateBytes) : null;
    if (carry && dFinal[1]) padUnits(context, layout, context.view(dFinal[1]), B, carry);
    const wantsInitial = context.isRead(dInitial[0]);
    const dhInitial = wantsInitial
      ? context.allocate('d initial h', stateBytes)
      : context.nothing('read_write');

    const quads = P / 4;
    const step = (t: number): void => {
      const onlyInitial = t < 0;
      const hasPrevious = t > 0 || states[0]!.hasInitial;
      const at = (s: number, time: number): number => (states[s] ? states[s].at(time) / 16 : 0);
      const readAt = (s: number): number => (hasPrevious ? at(s, t - 1) : 0);
      kernels.backward(context, {
        buffers: { gates, weight, states: states.map(({ view }) => view), dy, carry, dhFinal, dhInitial },
        parameters: {
          batch: B,
          hidden_quads: quads,
          gates_row: Math.max(t, 0) * B,
          next_row: (t + 1) * B,
          h_read: onlyInitial ? 0 : kernels.backwardReads === 'now' ? at(0, t) : readAt(0),
          c_read: onlyInitial ? 0 : readAt(1),
          c_now: onlyInitial ? 0 : at(1, t),
          has_next: t < T - 1,
          has_previous: hasPrevious,
          has_dy: dY !== null,
          has_dh_final: t === T - 1 && dFinal[0] !== null,
          has_carry: t < T - 1 || (dFinal[1] ?? null) !== null,
          only_initial: onlyInitial,
          activation: cell === 'rnn_relu',
        },
        workgroups: foldWorkgroups(Math.ceil(B / 8) * Math.ceil(quads / 2), 16),
        label,
        detail: onlyInitial ? 'initial state' : `t=${t} [${B},${G * P}]·[${G * P},${P}]`,
        flops: 2 * B * P * G * P + 20 * B * G * P,
      });
    };
    for (let t = T - 1; t >= 0; t--) step(t);
    if (wantsInitial) {
      step(-1);
      unpadUnits(context, layout, dInitial[0]!, dhInitial, B);
    }
    if (carry && dInitial[1] && context.isRead(dInitial[1]))
      unpadUnits(context, layout, dInitial[1], carry, B);

    emitInputGradient(context, layout, node, gates);
    emitInputWeightGradient(context, layout, node, gates);
    emitRecurrentWeightGradient(context, layout, node, gates, states[0]!);
    emitBiasGradients(context, layout, node, gates);
  },
});

/** `dx = dgates·W_ih`, over all steps at once. */
function emitInputGradient(
  context: LoweringContext,
  layout: Layout,
  node: Node<RecurrentAttributes>,
  gates: View,
): void {
  const { T, B, I, G, P, kernels, label } = layout;
  const [dX] = node.outputs;
  if (!context.isRead(dX)) return;
  const weight = padGates(context, layout, node.inputs[RECURRENT_INPUTS.weightIh]!, I, I);
  emitMatmul(context, {
    m: T * B,
    n: I,
    k: G * P,
    a: { view: gates, offset: kernels.inputSlot * P, stride: kernels.slots * P },
    b: { view: weight, stride: I },
    c: { view: context.output(dX!, 'dx'), stride: I },
    label,
  });
}

/** `dW_ih = dgatesᵀ·x`: one product, or one a gate where units are padded between the gates. */
function emitInputWeightGradient(
  context: LoweringContext,
  layout: Layout,
  node: Node<RecurrentAttributes>,
  gates: View,
): void {
  const { T, B, I, H, P, G, kernels, label } = layout;
  const dWeight = node.outputs[1];
  if (!context.isRead(dWeight)) return;
  const x = context.view(node.inputs[RECURRENT_INPUTS.x]!);
  const c = context.output(dWeight!, 'dW_ih');
  for (const { slot, gate, count } of blocks([{ slot: kernels.inputSlot, gate: 0, count: G }], H === P)) {
    emitMatmul(context, {
      m: count * H,
      n: I,
      k: T * B,
      a: { view: gates, offset: slot * P, stride: kernels.slots * P, transposed: true },
      b: { view: x, stride: I },
      c: { view: c, offset: gate * H * I, stride: I },
      label,
    });
  }
}

/** `dW_hh = dgatesᵀ·h(t−1)`; without an initial state the first step adds nothing. */
function emitRecurrentWeightGradient(
  context: LoweringContext,
  layout: Layout,
  node: Node<RecurrentAttributes>,
  gates: View,
  h: StateSequence,
): void {
  const { T, B, H, P, kernels, label } = layout;
  const dWeight = node.outputs[2];
  if (!context.isRead(dWeight)) return;
  const c = context.output(dWeight!, 'dW_hh');
  const skipped = h.hasInitial ? 0 : 1;
  if (T === skipped) {
    emitFill(context, c, dWeight!.size, 0, label);
    return;
  }
  for (const { slot, gate, count } of blocks(kernels.recurrentBlocks, H === P)) {
    emitMatmul(context, {
      m: count * H,
      n: H,
      k: (T - skipped) * B,
      a: {
        view: gates,
        offset: skipped * B * kernels.slots * P + slot * P,
        stride: kernels.slots * P,
        transposed: true,
      },
      b: { view: { ...h.view, offset: 0 }, offset: h.at(skipped - 1) / WORD, stride: P },
      c: { view: c, offset: gate * H * H, stride: H },
      label,
    });
  }
}

/** Gradients of both biases: one column sum over all gates, dealt out. */
function emitBiasGradients(
  context: LoweringContext,
  layout: Layout,
  node: Node<RecurrentAttributes>,
  gates: View,
): void {
  const { T, B, H, P, G, kernels, label } = layout;
  const dealt = [
    { value: node.outputs[3]!, parts: [{ slot: kernels.inputSlot, gate: 0, count: G }] },
    { value: node.outputs[4]!, parts: kernels.recurrentBlocks },
  ].filter(({ value }) => context.isRead(value));
  if (dealt.length === 0) return;
  const sums = context.allocate('column sums', kernels.slots * P * WORD);
  emitReduceSum(context, { x: gates, y: sums, outer: 1, reduced: T * B, inner: kernels.slots * P, label });
  for (const { value, parts } of dealt) {
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

/** Consecutive gates, one by one unless they are contiguous. */
function blocks(
  parts: CellKernels['recurrentBlocks'],
  contiguous: boolean,
): { slot: number; gate: number; count: number }[] {
  if (contiguous) return [...parts];
  return parts.flatMap(({ slot, gate, count }) =>
    Array.from({ length: count }, (_, i) => ({ slot: slot + i, gate: gate + i, count: 1 })),
  );
}
