/** `transpose`: the dimensions of an array in another order. */
import { ArgumentError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { checkValue, type Value } from '../graph/value.js';
import { apply, checkNumbers, only, present } from './check.js';

/** Attributes of {@link transposeOperation}. */
export interface TransposeAttributes {
  /** Dimension `i` of the result is dimension `permutation[i]` of the input. */
  readonly permutation: readonly number[];
}

/** `[x] → [y]`, of any element type. */
export const transposeOperation = defineOperation<TransposeAttributes>({
  name: 'transpose',
  infer(inputs, { permutation }, culprit) {
    const x = present(culprit, inputs, 0, 'x');
    checkNumbers(culprit, x);
    const sorted = [...permutation].sort((a, b) => a - b);
    if (sorted.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
      throw new ArgumentError({
        culprit,
        problem: `[${permutation.join(',')}] is no permutation of the axes of a value with ${x.shape.length} dimensions`,
        remedy: 'name each axis once, counted from the start',
      });
    }
    return [{ shape: permutation.map((axis) => x.shape[axis]!), dtype: x.dtype }];
  },
  gradient(node, dOutputs) {
    const { permutation } = node.attributes;
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
    return [transpose(only(dOutputs), inverse)];
  },
});

/** `x` with its dimensions reordered: dimension `i` of the result is `permutation[i]` of `x`; reversed by default. */
export function transpose(x: Value, permutation?: readonly number[]): Value {
  checkValue('transpose', 'x', x);
  const order = permutation ? [...permutation] : x.shape.map((_, axis) => x.shape.length - 1 - axis);
  return apply(transposeOperation, [x], { permutation: order })[0]!;
}
