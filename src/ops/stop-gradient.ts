/** `stopGradient`: the same numbers, through which no gradient flows. */
import { defineOperation } from '../graph/operation.js';
import type { Value } from '../graph/value.js';
import { apply, checkNumbers, present } from './check.js';

/** Attributes of {@link stopGradientOperation}: none. */
export type StopGradientAttributes = Readonly<Record<string, never>>;

/** `[x] → [x]`, of any element type. */
export const stopGradientOperation = defineOperation<StopGradientAttributes>({
  name: 'stopGradient',
  infer(inputs, _attributes, culprit) {
    const x = present(culprit, inputs, 0, 'x');
    checkNumbers(culprit, x);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  gradient: 'zero',
});

/** `x`, taken as a constant by differentiation. */
export function stopGradient(x: Value): Value {
  return apply(stopGradientOperation, [x], {})[0]!;
}
