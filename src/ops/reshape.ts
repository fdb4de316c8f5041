/** `reshape`: the same elements in the same order under another shape. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { checkShape, formatShape, sameShape, sizeOf, type Shape } from '../graph/shape.js';
import { checkValue, type Value } from '../graph/value.js';
import { apply, checkNumbers, only, present } from './check.js';

/** Attributes of {@link reshapeOperation}. */
export interface ReshapeAttributes {
  readonly shape: Shape;
}

/** `[x] → [y]`, of any element type. */
export const reshapeOperation = defineOperation<ReshapeAttributes>({
  name: 'reshape',
  infer(inputs, { shape }, culprit) {
    const x = present(culprit, inputs, 0, 'x');
    checkNumbers(culprit, x);
    checkShape(culprit, shape);
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      throw new ShapeError({
        culprit,
        problem: `shape ${formatShape(x.shape)} has ${sizeOf(x.shape)} elements, ${formatShape(shape)} has ${sizeOf(shape)}`,
        remedy: 'keep the number of elements',
      });
    }
    return [{ shape, dtype: x.dtype }];
  },
  gradient: (node, dOutputs) => [reshape(only(dOutputs), node.inputs[0]!.shape)],
});

/**
 * `x` under another shape. One dimension may be −1: whatever the number of elements leaves for it.
 * Returns `x` itself where the shape is the same.
 */
export function reshape(x: Value, shape: Shape): Value {
  checkValue('reshape', 'x', x);
  const resolved = [...shape];
  const open = resolved.indexOf(-1);
  if (open >= 0) {
    const rest = resolved.reduce((product, d, axis) => (axis === open ? product : product * d), 1);
    const dimension = x.size / rest;
    if (resolved.lastIndexOf(-1) !== open || !Number.isInteger(dimension) || dimension < 1) {
      throw new ArgumentError({
        culprit: 'reshape',
        problem: `${formatShape(shape)} cannot hold the ${x.size} elements of ${formatShape(x.shape)}`,
        remedy: 'leave at most one dimension −1, and let the others divide the number of elements',
      });
    }
    resolved[open] = dimension;
  }
  if (sameShape(resolved, x.shape)) return x;
  return apply(reshapeOperation, [x], { shape: resolved })[0]!;
}
