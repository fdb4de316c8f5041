/** `softmax` and `logSoftmax` over the last dimension, and their gradient. */
import { defineOperation } from '../graph/operation.js';
import { ShapeError } from '../graph/errors.js';
import type { Value } from '../graph/value.js';
import { apply, checkSameShape, only, typed } from './check.js';

/** Attributes of {@link softmaxOperation} and {@link softmaxBackwardOperation}. */
export interface SoftmaxAttributes {
  /** Whether the result is the logarithm of the probabilities. */
  readonly log: boolean;
}

/** `[x[…,V]] → [y[…,V]]`; the largest of each row is subtracted first, so that nothing overflows. */
export const softmaxOperation = defineOperation<SoftmaxAttributes>({
  name: 'softmax',
  called: ({ log }) => (log ? 'logSoftmax' : 'softmax'),
  infer(inputs, _attributes, culprit) {
    const x = typed(culprit, inputs, 0, 'x');
    if (x.shape.length === 0) {
      throw new ShapeError({ culprit, problem: 'x is a scalar', remedy: 'pass at least one dimension' });
    }
    return [{ shape: x.shape, dtype: 'float32' }];
  },
  gradient(node, dOutputs) {
    const y = node.outputs[0]!;
    return [...apply(softmaxBackwardOperation, [y, only(dOutputs)], node.attributes, node.label)];
  },
});

/** `[y, dY] → [dX]`: `y⊙(dY − Σ dY⊙y)`, or `dY − eʸ·Σ dY` for the logarithm. */
export const softmaxBackwardOperation = defineOperation<SoftmaxAttributes>({
  name: 'softmaxBackward',
  infer(inputs, _attributes, culprit) {
    const y = typed(culprit, inputs, 0, 'y');
    checkSameShape(culprit, 'dY', typed(culprit, inputs, 1, 'dY'), y.shape);
    return [{ shape: y.shape, dtype: 'float32' }];
  },
  gradient: null,
});

/** `eˣ / Σ eˣ` over the last dimension. */
export function softmax(x: Value): Value {
  return apply(softmaxOperation, [x], { log: false })[0]!;
}

/** `x − ln Σ eˣ` over the last dimension. */
export function logSoftmax(x: Value): Value {
  return apply(softmaxOperation, [x], { log: true })[0]!;
}
