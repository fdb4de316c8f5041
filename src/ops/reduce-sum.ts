/** `reduceSum`: sums and means over axes. Its rules stand beside those of its gradient, `broadcast`. */
import { checkOptions } from '../graph/options.js';
import { normalizeAxis } from '../graph/shape.js';
import { checkValue, type Value } from '../graph/value.js';
import { recordReduceSum } from './broadcast.js';

export { reduceSumOperation, sumTo } from './broadcast.js';
export type { ReduceSumAttributes } from './broadcast.js';

/** Options of {@link sum} and {@link mean}. */
export interface ReduceOptions {
  /** The axes to sum over, or one; negative ones count from the end. All by default. */
  readonly axes?: number | readonly number[];
  /** Whether a summed axis stays, of length 1. */
  readonly keepDims?: boolean;
}

function normalizeAxes(culprit: string, x: Value, options: ReduceOptions): number[] {
  checkValue(culprit, 'x', x);
  checkOptions(culprit, options, ['axes', 'keepDims']);
  const { axes } = options;
  const rank = x.shape.length;
  if (axes === undefined) return x.shape.map((_, axis) => axis);
  const list = typeof axes === 'number' ? [axes] : axes;
  return list.map((axis) => normalizeAxis(culprit, axis, rank)).sort((a, b) => a - b);
}

/** The sum over some axes, or over all. */
export function sum(x: Value, options: ReduceOptions = {}): Value {
  const axes = normalizeAxes('sum', x, options);
  return recordReduceSum(x, { axes, keepDims: options.keepDims ?? false, scale: 1 });
}

/** The mean over some axes, or over all. */
export function mean(x: Value, options: ReduceOptions = {}): Value {
  const axes = normalizeAxes('mean', x, options);
  const count = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  return recordReduceSum(x, { axes, keepDims: options.keepDims ?? false, scale: 1 / count });
}
