/** `sequenceMask`: which steps of padded sequences count. */
import { defineOperation } from '../graph/operation.js';
import { checkSize } from '../graph/shape.js';
import type { Value } from '../graph/value.js';
import { apply, checkRank, typed } from './check.js';

/** Attributes of {@link sequenceMaskOperation}. */
export interface SequenceMaskAttributes {
  /** Time steps. */
  readonly T: number;
}

/** `[lengths int32[B]] → [mask int32[T,B]]`, `mask[t,b] = 1` where `t < lengths[b]`, else 0. */
export const sequenceMaskOperation = defineOperation<SequenceMaskAttributes>({
  name: 'sequenceMask',
  infer(inputs, { T }, culprit) {
    const lengths = typed(culprit, inputs, 0, 'lengths', 'int32');
    checkRank(culprit, 'lengths', lengths, 1, 'B');
    checkSize(culprit, 'T', T);
    return [{ shape: [T, lengths.shape[0]!], dtype: 'int32' }];
  },
  gradient: 'zero',
});

/**
 * The mask of sequences that begin at step 0 and have lengths of their own. A length outside `1…T` throws on
 * the CPU; on a GPU, where nothing can throw, it takes the nearest allowed.
 * @param lengths int32 `[B]`
 * @param T time steps
 * @returns int32 `[T,B]`, 1 at the steps a sequence has, 0 at those after its end
 */
export function sequenceMask(lengths: Value, T: number, label = ''): Value {
  return apply(sequenceMaskOperation, [lengths], { T }, label)[0]!;
}
