/** How a recurrent layer lies in memory: padded widths, packed weights, states over time. */
import type { ActivationName } from '../../../ops/cells.js';
import { CELLS } from '../../../ops/cells.js';
import { hasZoneout, type RecurrentAttributes } from '../../../ops/recurrent-attributes.js';
import {
  directionInputs,
  RECURRENT_INPUTS,
  recurrentSizes,
  type DirectionInputs,
  type RecurrentSizes,
} from '../../../ops/recurrent.js';
import type { Node, Value } from '../../../graph/value.js';
import { alignUp, type View } from '../../memory.js';
import { cellKernels, type CellKernels, type StepVariant } from './cells.js';
import type { LoweringContext } from '../context.js';
import { emitStridedCopy } from '../strided-copy.js';
import { tokenTableOf, type TokenTable } from './token-table.js';

/** Bytes of a number. */
export const WORD = 4;

/** The codes of lib/recurrent_activations.wgsl. */
const ACTIVATIONS: Readonly<Record<ActivationName, number>> = {
  tanh: 0,
  sigmoid: 1,
  relu: 2,
  linear: 3,
  hardSigmoid: 4,
  onnxHardSigmoid: 5,
};

/** A layer: its sizes, what it was asked to be, and its inputs. */
export interface Layout extends RecurrentSizes {
  readonly attributes: RecurrentAttributes;
  readonly kernels: CellKernels;
  readonly label: string;
  /** H and R, rounded up to multiples of four. */
  readonly P: number;
  readonly Q: number;
  readonly x: Value;
  /** What to look inputs up in, in place of `x`. */
  readonly tokenTable: TokenTable | null;
  /** The inputs of each direction. */
  readonly parameters: readonly DirectionInputs<Value>[];
  readonly mask: Value | null;
  readonly seed: Value | null;
  readonly projected: boolean;
  readonly hasPeephole: boolean;
  readonly hasBias: boolean;
  /** Whether some direction is given some initial state; those that are not begin with zeros. */
  readonly hasInitial: boolean;
  /** Whether the recurrent product has dropout. */
  readonly dropped: boolean;
  /** Steps whose gates are in memory together. */
  readonly capacity: number;
  /** Which of each step's kernels is enough. */
  readonly variant: StepVariant;
}

/** Reads a node's inputs and attributes. Gates above `recomputeAbove` bytes are kept in segments that fit. */
export function layoutOf(node: Node<RecurrentAttributes>, recomputeAbove: number): Layout {
  const { attributes, inputs, label } = node;
  const sizes = recurrentSizes(inputs, attributes);
  const parameters = attributes.directions.map((_, d) => directionInputs(inputs, d, attributes.cell));
  const some = (present: (direction: DirectionInputs<Value>) => boolean): boolean => parameters.some(present);
  const kernels = cellKernels(attributes);
  const [P, Q] = [alignUp(sizes.H, 4), alignUp(sizes.R, 4)];
  const fitting = fittingSteps({ ...sizes, P, Q, kernels }, recomputeAbove);
  return {
    ...sizes,
    attributes,
    label,
    parameters,
    x: inputs[RECURRENT_INPUTS.x]!,
    tokenTable: tokenTableOf(inputs[RECURRENT_INPUTS.x]!, attributes),
    kernels,
    P,
    Q,
    capacity: Math.min(sizes.T, attributes.segment > 0 ? attributes.segment : fitting),
    mask: inputs[RECURRENT_INPUTS.mask] ?? null,
    seed: inputs[RECURRENT_INPUTS.seed] ?? null,
    projected: some(({ weightHr }) => weightHr !== null),
    hasPeephole: some(({ peephole }) => peephole !== null),
    hasBias: some(({ biasHh }) => biasHh !== null),
    hasInitial: some(({ states }) => states.some((state) => state !== null)),
    dropped: attributes.training && attributes.recurrentDropout > 0,
    variant: variantFor(
      attributes,
      some(({ peephole }) => peephole !== null),
    ),
  };
}

/** Steps whose gates fit into `bytes`, at least one. */
export function fittingSteps(
  { B, D, P, Q, kernels }: Pick<Layout, 'B' | 'D' | 'P' | 'Q' | 'kernels'>,
  bytes: number,
): number {
  return Math.max(1, Math.floor(bytes / (D * B * (kernels.slots * P + Q) * WORD)));
}

/** Whether the layer asks for anything that lib/recurrent_plain.wgsl does not do. */
function variantFor(attributes: RecurrentAttributes, hasPeephole: boolean): StepVariant {
  const { activation, gateActivation, outputActivation, gateClip, cellClip, coupled } = attributes;
  const usual = activation === 'tanh' && gateActivation === 'sigmoid' && outputActivation === 'tanh';
  const clips = gateClip > 0 || cellClip > 0;
  const drops = attributes.training && attributes.recurrentDropout > 0;
  const varied = hasPeephole || coupled || clips || drops || hasZoneout(attributes);
  return usual && !varied ? 'plain' : 'general';
}

/** The step before step `t` of direction `d`; that of the first is where the initial state lies. */
export function previousStep({ attributes }: Layout, d: number, t: number): number {
  return attributes.directions[d] === 'reverse' ? t + 1 : t - 1;
}

/** The time of the `i`-th step that direction `d` runs. */
export function timeOf({ attributes, T }: Layout, d: number, i: number): number {
  return attributes.directions[d] === 'reverse' ? T - 1 - i : i;
}

/** Rows of `[T·B]` from the step that each direction runs to the one it runs next. */
export function rowStep(layout: Layout): readonly [number, number] {
  const { B, attributes } = layout;
  return perDirection(layout, (d) => (attributes.directions[d] === 'reverse' ? -B : B));
}

/** Some steps, counted in the order in which a direction runs them. */
export interface Steps {
  readonly begin: number;
  readonly end: number;
}

/**
 * Steps whose gates are in memory together: all of them, or a segment, where the backward pass computes the
 * steps again segment by segment.
 */
export interface Window extends Steps {
  /** Steps that there is memory for. */
  readonly capacity: number;
}

/** One step of one direction, or of one of two layers that run side by side. */
export interface Lane {
  readonly d: number;
  /** Which step, in the order in which the direction runs them. */
  readonly i: number;
  /** The window that holds it. */
  readonly window: Window;
}

/** The `i`-th step of every direction. */
export function lanesAt({ attributes }: Layout, window: Window, i: number): Lane[] {
  return attributes.directions.map((_, d) => ({ d, i, window }));
}

/** One number a direction, as the kernels take them; 0 for a direction that does not run. */
export function perLane(lanes: readonly Lane[], of: (lane: Lane) => number): readonly [number, number] {
  const numbers: [number, number] = [0, 0];
  for (const lane of lanes) numbers[lane.d] = of(lane);
  return numbers;
}

/** The times of the steps and of those `last` steps behind them, for people. */
export function timesOf(layout: Layout, lanes: readonly Lane[], last = 0): string {
  const times = lanes.map(({ d, i }) => {
    const [from, to] = [timeOf(layout, d, i), timeOf(layout, d, i + last)];
    return from === to ? from : `${from}…${to}`;
  });
  return times.join(',');
}

/** The windows of a layer, in the order of the forward pass. */
export function windowsOf({ capacity, T }: Layout): Window[] {
  return Array.from({ length: Math.ceil(T / capacity) }, (_, i) => ({
    begin: i * capacity,
    end: Math.min(T, (i + 1) * capacity),
    capacity,
  }));
}

/** The earliest time in a window or other steps, for direction `d`. */
export function windowStart(layout: Layout, d: number, { begin, end }: Steps): number {
  return Math.min(timeOf(layout, d, begin), timeOf(layout, d, end - 1));
}

/** Row of the gates of time `t`, in a window that holds it. */
export function gatesRow(layout: Layout, window: Window, d: number, t: number): number {
  return (d * window.capacity + t - windowStart(layout, d, window)) * layout.B;
}

/** Element at which slot 0 of direction `d` begins. */
export function gatesBegin({ B, P, kernels }: Layout, { capacity }: Window, d: number): number {
  return d * capacity * B * kernels.slots * P;
}

/** Element, behind the gates, at which the gradients of direction `d`'s projected states begin. */
export function projectedBegin({ B, D, P, Q, kernels }: Layout, { capacity }: Window, d: number): number {
  return D * capacity * B * kernels.slots * P + d * capacity * B * Q;
}

/** One number a direction, as the kernels take them. */
export function perDirection({ D }: Layout, of: (d: number) => number): readonly [number, number] {
  return [of(0), D > 1 ? of(1) : 0];
}

/** Parameters that the forward and the backward kernels share. */
export function commonParameters(layout: Layout): {
  batch: number;
  has_mask: boolean;
  has_peephole: boolean;
  activation: number;
  gate_activation: number;
  output_activation: number;
  coupled: boolean;
  gate_clip: number;
  cell_clip: number;
  training: boolean;
  stream: number;
  hidden_width: number;
  state_width: number;
  dropout_threshold: number;
  dropout_scale: number;
  zoneout: readonly [number, number];
  zoneout_threshold: readonly [number, number];
} {
  const { attributes, B, H, R, mask, hasPeephole, dropped } = layout;
  const { zoneout, recurrentDropout } = attributes;
  // Compared as whole numbers of 24 bits; the reference compares with the probability in float32.
  const threshold = (p: number): number => Math.ceil(Math.fround(p) * 2 ** 24);
  const [ofH = 0, ofC = 0] = zoneout;
  return {
    batch: B,
    has_mask: mask !== null,
    has_peephole: hasPeephole,
    activation: ACTIVATIONS[attributes.activation],
    gate_activation: ACTIVATIONS[attributes.gateActivation],
    output_activation: ACTIVATIONS[attributes.outputActivation],
    coupled: attributes.coupled,
    gate_clip: attributes.gateClip,
    cell_clip: attributes.cellClip,
    training: attributes.training,
    stream: attributes.stream,
    hidden_width: H,
    state_width: R,
    dropout_threshold: dropped ? threshold(recurrentDropout) : 0,
    dropout_scale: dropped ? 1 / (1 - recurrentDropout) : 0,
    zoneout: [ofH, ofC],
    zoneout_threshold: [threshold(ofH), threshold(ofC)],
  };
}

/** `[rows, width]` with rows padded to `padded`: the view itself where nothing needs padding. */
export function padRows(
  context: LoweringContext,
  from: View,
  { rows, width, padded, label }: { rows: number; width: number; padded: number; label: string },
  to?: View,
): View {
  if (width === padded && !to) return from;
  const target = to ?? context.allocate('padded', rows * padded * WORD);
  if (width === padded) {
    context.copy({ ...from, bytes: rows * width * WORD }, target, label);
    return target;
  }
  emitStridedCopy(context, {
    from,
    to: target,
    size: [rows, padded],
    fromSize: [rows, width],
    fromStride: [width, 1],
    toStride: [padded, 1],
    label,
  });
  return target;
}

/** Rows of `padded` numbers at `from` as the dense value, rows of `width`. */
export function unpadRows(
  context: LoweringContext,
  value: Value,
  from: View,
  { rows, width, padded, label }: { rows: number; width: number; padded: number; label: string },
): void {
  if (width === padded) {
    context.alias(value, from, label);
    return;
  }
  emitStridedCopy(context, {
    from,
    to: context.output(value, 'dense'),
    size: [rows, width],
    fromStride: [padded, 1],
    toStride: [width, 1],
    label,
  });
}

/** A weight `[gates·H, columns]` with each gate's block of rows padded to P, and rows to `stride`. */
export function padGates(
  context: LoweringContext,
  { H, P, label }: Layout,
  weight: Value,
  { gates, columns, stride }: { gates: number; columns: number; stride: number },
): View {
  if (H === P && columns === stride) return context.view(weight);
  return context.packed([weight], `padded to ${stride}`, gates * P * stride * WORD, ([from], to) => {
    emitStridedCopy(context, {
      from: from!,
      to,
      size: [gates, P, stride],
      fromSize: [gates, H, columns],
      fromStride: [H * columns, columns, 1],
      toStride: [P * stride, stride, 1],
      label,
    });
  });
}

/** A matrix of one direction, as blocks of rows to be padded: `[blocks, rows, columns]`. */
interface Blocks {
  readonly blocks: number;
  readonly rows: number;
  readonly columns: number;
  readonly paddedRows: number;
  readonly paddedColumns: number;
}

/**
 * The same weight of every direction, one behind the other, as the backward product reads it: rows as they
 * are. The weight itself where there is one direction and nothing needs padding.
 */
export function stackWeights(
  context: LoweringContext,
  layout: Layout,
  weights: readonly Value[],
  { blocks, rows, columns, paddedRows, paddedColumns }: Blocks,
): View {
  if (weights.length === 1 && rows === paddedRows && columns === paddedColumns)
    return context.view(weights[0]!);
  const size = blocks * paddedRows * paddedColumns;
  return context.packed(weights, `padded to ${paddedColumns}`, weights.length * size * WORD, (from, to) => {
    from.forEach((view, d) => {
      emitStridedCopy(context, {
        from: view,
        to,
        size: [blocks, paddedRows, paddedColumns],
        fromSize: [blocks, rows, columns],
        fromStride: [rows * columns, columns, 1],
        toStride: [paddedRows * paddedColumns, paddedColumns, 1],
        toOffset: d * size,
        label: layout.label,
      });
    });
  });
}

/** The same weight of every direction transposed, as the forward product reads it: row k, block, unit. */
export function stackTransposed(
  context: LoweringContext,
  layout: Layout,
  weights: readonly Value[],
  { blocks, rows, columns, paddedRows, paddedColumns }: Blocks,
): View {
  const size = blocks * paddedRows * paddedColumns;
  return context.packed(weights, 'transposed', weights.length * size * WORD, (from, to) => {
    from.forEach((view, d) => {
      emitStridedCopy(context, {
        from: view,
        to,
        size: [paddedColumns, blocks, paddedRows],
        fromSize: [columns, blocks, rows],
        fromStride: [1, rows * columns, columns],
        toStride: [blocks * paddedRows, paddedRows, 1],
        toOffset: d * size,
        label: layout.label,
      });
    });
  });
}

/** Biases b_hh of every direction, and peepholes behind them; how far apart directions are, in vec4. */
export function stackVectors(context: LoweringContext, layout: Layout): { view: View; stride: number } {
  const { parameters, hasBias, hasPeephole, G, H, P, D, label } = layout;
  const rows = G + (hasPeephole ? 3 : 0);
  const stride = (rows * P) / 4;
  if (!hasBias && !hasPeephole) return { view: context.nothing('read'), stride };
  const [first] = parameters;
  if (D === 1 && H === P && !hasPeephole) return { view: context.view(first!.biasHh!), stride };
  const parts = parameters.flatMap(({ biasHh, peephole }, d) => [
    ...(biasHh ? [{ value: biasHh, count: G, at: d * rows }] : []),
    ...(peephole ? [{ value: peephole, count: 3, at: d * rows + G }] : []),
  ]);
  const view = context.packed(
    parts.map(({ value }) => value),
    'vectors',
    D * rows * P * WORD,
    (from, to) => {
      from.forEach((part, i) => {
        const { count, at } = parts[i]!;
        emitStridedCopy(context, {
          from: part,
          to,
          size: [count, H],
          fromStride: [H, 1],
          toStride: [P, 1],
          toOffset: at * P,
          label,
        });
      });
    },
  );
  return { view, stride };
}

/** Arrays `[B, width]` of each step and direction, in one storage with others. */
export interface Sequence {
  /** Where the array of step `t` of direction `d` begins, in bytes. */
  readonly at: (d: number, t: number) => number;
  readonly width: number;
  /** Whether two places alternate. */
  readonly alternates: boolean;
}

/** What a sequence is to hold. */
export interface SequenceDescription {
  readonly width: number;
  /**
   * Which steps: every one; the last two; those of a window; or those of a window and, for good, the last of
   * each window, from which the next one can be run again.
   */
  readonly keep: 'all' | 'two' | 'window' | 'window and ends';
  /** Whether there is a place for what came before the first step. */
  readonly hasInitial: boolean;
}

/** One storage with several sequences, each beginning on an aligned offset. */
export function allocateSequences<K extends string>(
  context: LoweringContext,
  layout: Layout,
  label: string,
  descriptions: Readonly<Record<K, SequenceDescription>>,
): { view: View; sequences: Record<K, Sequence> } {
  const { T, B, attributes } = layout;
  const windows = windowsOf(layout);
  const { capacity } = layout;
  /** Place of time `t` in its window, and which window that is. */
  const within = (d: number, t: number): { place: number; window: number; isEnd: boolean } => {
    const i = timeOf(layout, d, t);
    const window = Math.floor(i / capacity);
    const place = t - windowStart(layout, d, windows[window]!);
    return { place, window, isEnd: i === windows[window]!.end - 1 };
  };
  let end = 0;
  const sequences = {} as Record<K, Sequence>;
  for (const [name, description] of Object.entries(descriptions) as [K, SequenceDescription][]) {
    const { width, keep, hasInitial } = description;
    const bytes = B * width * WORD;
    const steps = { all: T, two: 2, window: capacity, 'window and ends': capacity + windows.length + 1 }[
      keep
    ];
    const begins = attributes.directions.map((direction) => {
      const begin = end;
      if (keep !== 'all') {
        end += steps * alignUp(bytes);
        return begin;
      }
      // The first step in time begins on an aligned offset, so that the steps alone can be bound.
      const lead = hasInitial && direction === 'forward' ? alignUp(bytes) : 0;
      const trail = hasInitial && direction === 'reverse' ? bytes : 0;
      end += alignUp(lead + T * bytes + trail);
      return begin + lead;
    });
    const at: Record<typeof keep, Sequence['at']> = {
      all: (d, t) => begins[d]! + t * bytes,
      two: (d, t) => begins[d]! + ((t + 2) % 2) * alignUp(bytes),
      window: (d, t) => begins[d]! + within(d, t).place * bytes,
      'window and ends': (d, t) => {
        const slot = (index: number): number => begins[d]! + (capacity + index) * alignUp(bytes);
        if (t < 0 || t >= T) return slot(windows.length);
        const { place, window, isEnd } = within(d, t);
        return isEnd ? slot(window) : begins[d]! + place * alignUp(bytes);
      },
    };
    sequences[name] = { width, at: at[keep], alternates: keep === 'two' };
  }
  return { view: context.allocate(label, end), sequences };
}

/** Puts the initial states of every direction ahead of the first step; zeros for those not given. */
export function placeInitialStates(
  context: LoweringContext,
  layout: Layout,
  s: number,
  storage: View,
  sequence: Sequence,
): void {
  const { B, R, H, parameters, label } = layout;
  const width = s === 0 ? R : H;
  const bytes = B * sequence.width * WORD;
  parameters.forEach(({ states }, d) => {
    const initial = states[s];
    const t = previousStep(layout, d, timeOf(layout, d, 0));
    const place: View = { storage: storage.storage, offset: sequence.at(d, t), bytes };
    if (initial) {
      padRows(context, context.view(initial), { rows: B, width, padded: sequence.width, label }, place);
    } else {
      context.copy(context.allocate('zeros', bytes, 'zeroed'), place, label);
    }
  });
}

/** The name of each state of the layer's cell. */
export function stateNames({ attributes }: Layout): readonly string[] {
  return CELLS[attributes.cell].states;
}
