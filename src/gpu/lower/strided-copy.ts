/** Rearrangements as strided copies: what slices, transposes, concatenations, paddings and broadcasts share. */
import { sizeOf, stridesOf, type Shape } from '../../graph/shape.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { stridedCopyKernel } from '../kernels/general.js';
import type { View } from '../memory.js';
import type { LoweringContext } from './context.js';
import { ArgumentError } from '../../graph/errors.js';

/** A copy of up to four dimensions, in elements. */
export interface StridedCopy {
  readonly from: View;
  readonly to: View;
  readonly size: Shape;
  /** Indices that exist in the source; beyond them zeros are written. `size` by default. */
  readonly fromSize?: Shape;
  readonly fromStride: readonly number[];
  readonly toStride: readonly number[];
  readonly fromOffset?: number;
  readonly toOffset?: number;
  /** Another kernel with the same bindings and parameters. */
  readonly kernel?: typeof stridedCopyKernel;
  readonly label: string;
}

/** Appends one strided copy. */
export function emitStridedCopy(context: LoweringContext, copy: StridedCopy): void {
  const { from, to, size, fromSize = size, fromStride, toStride, fromOffset = 0, toOffset = 0, label } = copy;
  const { kernel = stridedCopyKernel } = copy;
  // Bound from the storage's beginning, so that offsets need no alignment.
  const whole = ({ storage }: View): View => ({ storage, offset: 0, bytes: storage.bytes });
  context.dispatch(kernel, {
    buffers: { x: whole(from), y: whole(to) },
    parameters: {
      size: toFour(size, 1),
      x_size: toFour(fromSize, 1),
      x_stride: toFour(fromStride, 0),
      y_stride: toFour(toStride, 0),
      x_offset: from.offset / 4 + fromOffset,
      y_offset: to.offset / 4 + toOffset,
    },
    workgroups: foldWorkgroups(sizeOf(size), 64),
    label,
    detail: `[${size.join(',')}]`,
  });
}

/** Pads a list of at most four dimensions in front. */
export function toFour(values: readonly number[], filler: number): number[] {
  if (values.length > 4) {
    throw new ArgumentError({
      culprit: 'webgpu',
      problem: `an operation on ${values.length} dimensions that do not merge into four`,
      remedy: 'reshape to fewer dimensions first',
    });
  }
  return [...new Array<number>(4 - values.length).fill(filler), ...values];
}

/** One dimension of a copy: how many, and how far apart in each of the arrays. */
interface Axis {
  size: number;
  strides: number[];
}

/**
 * Drops dimensions of size 1 and merges neighbours that lie one behind the other in every array, so that
 * copies of many dimensions fit into four.
 */
export function mergeAxes(
  size: Shape,
  ...strides: readonly (readonly number[])[]
): { size: number[]; strides: number[][] } {
  const merged: Axis[] = [];
  size.forEach((count, axis) => {
    if (count === 1) return;
    const here = strides.map((list) => list[axis]!);
    const last = merged.at(-1);
    if (last?.strides.every((stride, i) => stride === here[i]! * count)) {
      last.size *= count;
      last.strides = here;
    } else {
      merged.push({ size: count, strides: here });
    }
  });
  if (merged.length === 0) merged.push({ size: 1, strides: strides.map(() => 1) });
  return {
    size: merged.map((axis) => axis.size),
    strides: strides.map((_, i) => merged.map((axis) => axis.strides[i]!)),
  };
}

/** Strides of `shape` broadcast to `target`: 0 along the dimensions it is repeated over. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const own = stridesOf(shape);
  const missing = target.length - shape.length;
  return target.map((_, axis) => {
    const i = axis - missing;
    return i < 0 || shape[i] === 1 ? 0 : own[i]!;
  });
}
