/** Shapes: arithmetic on lists of dimensions, always row-major. */
import { ArgumentError, ShapeError } from './errors.js';
import { show } from './options.js';

/** Dimensions, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** `[2,3]`, as messages print it. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

/** Elements to step over for one step along each axis. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  }
  return strides;
}

/** Throws unless every dimension is a positive whole number. */
export function checkShape(culprit: string, shape: Shape): void {
  if (!Array.isArray(shape)) {
    throw new ArgumentError({
      culprit,
      problem: 'its shape is no list',
      remedy: 'pass a list of dimensions',
    });
  }
  for (const dimension of shape as Shape) checkSize(culprit, 'dimension', dimension);
}

/** Throws unless `value` is a positive whole number that an index can hold. */
export function checkSize(culprit: string, name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new ArgumentError({
    culprit,
    problem: `${name} is ${show(value)}`,
    remedy: 'pass a whole number of at least 1',
  });
}

/** Turns an axis that may count from the end into one that counts from the start. */
export function normalizeAxis(culprit: string, axis: number, rank: number): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normalized < 0 || normalized >= rank) {
    throw new ArgumentError({
      culprit,
      problem: `axis ${axis} of a value with ${rank} dimensions`,
      remedy: `pass an axis from ${-rank} to ${rank - 1}`,
    });
  }
  return normalized;
}

/** The shape two operands broadcast to, by NumPy's rule. */
export function broadcastShapes(culprit: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const result = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const x = a[a.length - i] ?? 1;
    const y = b[b.length - i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError({
        culprit,
        problem: `shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast`,
        remedy: 'aligned from the last dimension, each pair must be equal or hold a 1',
      });
    }
    result[rank - i] = Math.max(x, y);
  }
  return result;
}
