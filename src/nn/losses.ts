/** Losses, under the names users look for. */
import { ShapeError } from '../graph/errors.js';
import { formatShape, sameShape } from '../graph/shape.js';
import type { Value } from '../graph/value.js';
import { sub } from '../ops/binary.js';
import { mean, sum } from '../ops/reduce-sum.js';
import { square } from '../ops/unary.js';

export { softmaxCrossEntropy as crossEntropy } from '../ops/softmax-cross-entropy.js';

/**
 * Mean squared error, as PyTorch's `nn.MSELoss`: the mean, the sum or each of `(prediction − target)²`.
 * @throws ShapeError when the shapes differ: broadcasting here is nearly always a mistake
 */
export function meanSquaredError(
  prediction: Value,
  target: Value,
  options: { readonly reduction?: 'mean' | 'sum' | 'none' } = {},
): Value {
  if (!sameShape(prediction.shape, target.shape)) {
    throw new ShapeError({
      culprit: 'meanSquaredError',
      problem: `prediction has shape ${formatShape(prediction.shape)}, target ${formatShape(target.shape)}`,
      remedy: 'pass two values of one shape',
    });
  }
  const errors = square(sub(prediction, target));
  const { reduction = 'mean' } = options;
  return reduction === 'none' ? errors : reduction === 'sum' ? sum(errors) : mean(errors);
}
