/** `globalNorm`: the Euclidean norm of all elements of all given arrays together. */
import { ArgumentError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import type { Value } from '../graph/value.js';
import { apply, typed } from './check.js';

/** Attributes of {@link globalNormOperation}: none. */
export type GlobalNormAttributes = Readonly<Record<string, never>>;

/** `[g0, …] → [norm[]]`, `norm = √(Σ g²)`. */
export const globalNormOperation = defineOperation<GlobalNormAttributes>({
  name: 'globalNorm',
  infer(inputs, _attributes, culprit) {
    inputs.forEach((_, i) => typed(culprit, inputs, i, `gradient ${i}`));
    return [{ shape: [], dtype: 'float32' }];
  },
  gradient: null,
});

/** The norm of all gradients as if they were one vector, as PyTorch's `clip_grad_norm_` takes it. */
export function globalNorm(gradients: readonly Value[]): Value {
  const [first] = gradients;
  if (!first) {
    throw new ArgumentError({
      culprit: 'globalNorm',
      problem: 'got no gradients',
      remedy: 'pass at least one',
    });
  }
  return apply(globalNormOperation, gradients, {})[0]!;
}
