/** `broadcast` repeats an array along dimensions; `reduceSum` sums it over them: each is the other's gradient. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { checkShape, formatShape, sameShape, type Shape } from '../graph/shape.js';
import { checkValue, type Value } from '../graph/value.js';
import { apply, only, typed } from './check.js';
import { reshape } from './reshape.js';

/** Attributes of {@link broadcastOperation}. */
export interface BroadcastAttributes {
  readonly shape: Shape;
}

/** Attributes of {@link reduceSumOperation}. */
export interface ReduceSumAttributes {
  /** The axes summed over, ascending, counted from the start. */
  readonly axes: readonly number[];
  /** Whether a summed axis stays, of length 1. */
  readonly keepDims: boolean;
  /** What the sum is multiplied with: 1 for a sum, 1/n for a mean. */
  readonly scale: number;
}

/** `[x] → [y]`: `x` repeated to `shape` by NumPy's rule. */
export const broadcastOperation = defineOperation<BroadcastAttributes>({
  name: 'broadcast',
  called: () => 'broadcastTo',
  infer(inputs, { shape }, culprit) {
    const x = typed(culprit, inputs, 0, 'x');
    checkShape(culprit, shape);
    const offset = shape.length - x.shape.length;
    if (offset < 0 || x.shape.some((d, axis) => d !== 1 && d !== shape[axis + offset])) {
      throw new ShapeError({
        culprit,
        problem: `shape ${formatShape(x.shape)} does not broadcast to ${formatShape(shape)}`,
        remedy: 'aligned from the last dimension, each of its dimensions must be 1 or the wanted one',
      });
    }
    return [{ shape, dtype: 'float32' }];
  },
  gradient: (node, dOutputs) => [sumTo(only(dOutputs), node.inputs[0]!.shape)],
});

/** `[x] → [y]`, `y = scale·Σ x` over `axes`. */
export const reduceSumOperation = defineOperation<ReduceSumAttributes>({
  name: 'reduceSum',
  called: ({ scale }) => (scale === 1 ? 'sum' : 'mean'),
  infer(inputs, { axes, keepDims }, culprit) {
    const { shape } = typed(culprit, inputs, 0, 'x');
    axes.forEach((axis, i) => {
      if (Number.isInteger(axis) && axis >= 0 && axis < shape.length && (i === 0 || axis > axes[i - 1]!))
        return;
      throw new ArgumentError({
        culprit,
        problem: `axes [${axes.join(',')}] of a value with ${shape.length} dimensions`,
        remedy: 'pass different axes of the value',
      });
    });
    return [{ shape: reducedShape(shape, axes, keepDims), dtype: 'float32' }];
  },
  gradient(node, dOutputs) {
    const { axes, scale } = node.attributes;
    const { shape } = node.inputs[0]!;
    const repeated = broadcastTo(reshape(only(dOutputs), reducedShape(shape, axes, true)), shape);
    // No axes summed: this is how a gradient is multiplied by a constant without an array for the constant.
    return [scale === 1 ? repeated : recordReduceSum(repeated, { axes: [], keepDims: true, scale })];
  },
});

function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((d, axis) => (axes.includes(axis) ? 1 : d))
    : shape.filter((_, axis) => !axes.includes(axis));
}

/** Records a {@link reduceSumOperation}; {@link sum} and {@link mean} of `reduce-sum.ts` are easier to call. */
export function recordReduceSum(x: Value, attributes: ReduceSumAttributes): Value {
  return apply(reduceSumOperation, [x], attributes)[0]!;
}

/**
 * `x` repeated to `shape`: missing leading dimensions are added, dimensions of 1 stretched. Returns `x`
 * itself where the shape is the same.
 */
export function broadcastTo(x: Value, shape: Shape): Value {
  checkValue('broadcastTo', 'x', x);
  if (sameShape(x.shape, shape)) return x;
  return apply(broadcastOperation, [x], { shape: [...shape] })[0]!;
}

/**
 * The transpose of broadcasting `shape` to `x.shape`: sums over every dimension that broadcasting
 * would stretch. Returns `x` itself where the shape is the same.
 */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const offset = x.shape.length - shape.length;
  const fits = offset >= 0 && shape.every((d, axis) => d === 1 || d === x.shape[axis + offset]);
  if (!fits) {
    throw new ShapeError({
      culprit: 'sumTo',
      problem: `shape ${formatShape(x.shape)} does not sum to ${formatShape(shape)}`,
      remedy: 'pass a shape that broadcasts to the one summed',
    });
  }
  const axes = x.shape.flatMap((d, axis) =>
    axis < offset || (shape[axis - offset] === 1 && d !== 1) ? [axis] : [],
  );
  return reshape(recordReduceSum(x, { axes, keepDims: false, scale: 1 }), shape);
}
