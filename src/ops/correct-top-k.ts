/** `correctTopK`: whether each target is among the classes of the k highest scores. */
import { ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { checkOptions, checkWhole } from '../graph/options.js';
import { formatShape, sameShape } from '../graph/shape.js';
import type { Value } from '../graph/value.js';
import { apply, classTargets, typed } from './check.js';

/** Attributes of {@link correctTopKOperation}. */
export interface CorrectTopKAttributes {
  readonly k: number;
}

/**
 * `[scores[…,V], targets int32[…]] → [correct[…]]`, 1 where the target's score is among the k highest of its row, 0
 * where it is not, where it is no number or where the target is none of the classes. Of equal scores the lower
 * class comes first.
 */
export const correctTopKOperation = defineOperation<CorrectTopKAttributes>({
  name: 'correctTopK',
  infer(inputs, { k }, culprit) {
    const scores = typed(culprit, inputs, 0, 'scores');
    const targets = classTargets(culprit, inputs);
    const classes = scores.shape.at(-1);
    if (classes === undefined || !sameShape(scores.shape.slice(0, -1), targets.shape)) {
      throw new ShapeError({
        culprit,
        problem: `scores have shape ${formatShape(scores.shape)}, targets ${formatShape(targets.shape)}`,
        remedy: "let the scores' shape be the targets' with the number of classes appended",
      });
    }
    checkWhole(culprit, 'k', k, 1);
    return [{ shape: targets.shape, dtype: 'float32' }];
  },
  gradient: 'zero',
});

/**
 * Whether each target is among the k highest scores of its row; the mean of the result is the top-k accuracy.
 * @param scores `[…,V]`: logits or probabilities
 * @param targets int32 `[…]`; one outside the classes, such as one to be ignored, is never correct
 * @returns 1 or 0 a target; it has no gradient
 */
export function correctTopK(scores: Value, targets: Value, options: { readonly k?: number } = {}): Value {
  checkOptions('correctTopK', options, ['k']);
  const { k = 1 } = options;
  return apply(correctTopKOperation, [scores, targets], { k })[0]!;
}
