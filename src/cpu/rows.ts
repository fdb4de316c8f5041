/** Walking an array of any rank row by row, with places in other arrays told by their strides. */
import { stridesOf, type Shape } from '../graph/shape.js';

/** A row: the elements along the last dimension. */
export interface Rows {
  readonly count: number;
  readonly length: number;
}

/** Number and length of the rows of `shape`; a scalar is one row of one element. */
export function rowsOf(shape: Shape): Rows {
  const length = shape.at(-1) ?? 1;
  return { count: shape.slice(0, -1).reduce((product, d) => product * d, 1), length };
}

/** Strides by which an array of shape `from` is read as if it were broadcast to `to`: 0 where it is stretched. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const strides = stridesOf(from);
  const offset = to.length - from.length;
  return to.map((_, axis) => (axis < offset || from[axis - offset] === 1 ? 0 : strides[axis - offset]!));
}

/** The stride of the last dimension, 0 for a scalar. */
export function innerStride(strides: readonly number[]): number {
  return strides.at(-1) ?? 0;
}

/**
 * Calls `visit` for each row of `shape` in row-major order, with the place of its first element in the array
 * itself and in two others that are walked with the strides `first` and `second`.
 */
export function forEachRow(
  shape: Shape,
  first: readonly number[],
  second: readonly number[],
  visit: (index: number, a: number, b: number) => void,
): void {
  const outer = shape.length - 1;
  const { count, length } = rowsOf(shape);
  const position = new Array<number>(Math.max(outer, 0)).fill(0);
  let a = 0;
  let b = 0;
  for (let row = 0; row < count; row++) {
    visit(row * length, a, b);
    for (let axis = outer - 1; axis >= 0; axis--) {
      a += first[axis]!;
      b += second[axis]!;
      if (++position[axis]! < shape[axis]!) break;
      a -= first[axis]! * shape[axis]!;
      b -= second[axis]! * shape[axis]!;
      position[axis] = 0;
    }
  }
}
