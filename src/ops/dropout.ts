/** `dropout`: elements zeroed at random, the others scaled up, by a mask that a counter and a seed determine. */
import { ArgumentError } from '../graph/errors.js';
import { defineOperation, type Operation } from '../graph/operation.js';
import type { Value } from '../graph/value.js';
import { apply, checkSameShape, only, typed } from './check.js';

/** Attributes of {@link dropoutOperation}. */
export interface DropoutAttributes {
  /** Probability of zeroing an element, `0 ≤ p < 1`. */
  readonly p: number;
  /** Tells the dropouts of one graph apart: a whole number from 0 to 2³²−1. */
  readonly stream: number;
}

/**
 * `[x, seed int32[]] → [y]`, `y = x·mask/(1−p)`. Element `i` is kept where `(u >>> 8)·2⁻²⁴ ≥ p`, `u` being
 * the first word of Threefry-2x32 with 20 rounds, key `(seed, stream)`, counter `(i, 0)` (Salmon et al.,
 * "Parallel random numbers: as easy as 1, 2, 3", SC 2011). So the backward pass draws the same mask again.
 */
export const dropoutOperation: Operation<DropoutAttributes> = defineOperation<DropoutAttributes>({
  name: 'dropout',
  infer(inputs, { p, stream }, culprit) {
    const x = typed(culprit, inputs, 0, 'x');
    checkSameShape(culprit, 'seed', typed(culprit, inputs, 1, 'seed', 'int32'), []);
    checkProbability(culprit, p);
    if (!Number.isInteger(stream) || stream < 0 || stream > 0xffffffff) {
      throw new ArgumentError({
        culprit,
        problem: `stream is ${stream}`,
        remedy: 'pass a whole number from 0 to 4294967295',
      });
    }
    return [{ shape: x.shape, dtype: 'float32' }];
  },
  gradient(node, dOutputs) {
    const dY = only(dOutputs);
    return [apply(dropoutOperation, [dY, node.inputs[1]!], node.attributes, node.label)[0]!, null];
  },
});

function checkProbability(culprit: string, p: number): void {
  if (p >= 0 && p < 1) return;
  throw new ArgumentError({ culprit, problem: `p is ${p}`, remedy: 'pass a probability from 0 to below 1' });
}

/**
 * `x` with each element zeroed with probability `p` and the others divided by `1 − p`. With `p = 0`
 * nothing is recorded.
 * @param seed int32 scalar; feed another number each step
 */
export function dropout(x: Value, seed: Value, attributes: DropoutAttributes, label = ''): Value {
  checkProbability(label ? `dropout "${label}"` : 'dropout', attributes.p);
  if (attributes.p === 0) return x;
  const { p, stream } = attributes;
  return apply(dropoutOperation, [x, seed], { p, stream }, label)[0]!;
}
