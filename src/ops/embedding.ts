/** `embedding`: rows of a table picked by tokens, and the sum of gradients by token. */
import { defineOperation } from '../graph/operation.js';
import { checkSize, sizeOf } from '../graph/shape.js';
import type { Value } from '../graph/value.js';
import { apply, checkRank, checkSameShape, only, typed } from './check.js';

/** Attributes of {@link embeddingOperation}: none. */
export type EmbeddingAttributes = Readonly<Record<string, never>>;

/** Attributes of {@link embeddingBackwardOperation}. */
export interface EmbeddingBackwardAttributes {
  readonly vocabSize: number;
}

/** `[table[V,E], tokens int32[…]] → [y[…,E]]`. */
export const embeddingOperation = defineOperation<EmbeddingAttributes>({
  name: 'embedding',
  infer(inputs, _attributes, culprit) {
    const table = typed(culprit, inputs, 0, 'table');
    const tokens = typed(culprit, inputs, 1, 'tokens', 'int32');
    checkRank(culprit, 'table', table, 2, 'V,E');
    return [{ shape: [...tokens.shape, table.shape[1]!], dtype: 'float32' }];
  },
  gradient(node, dOutputs) {
    const table = node.inputs[0]!;
    const tokens = node.inputs[1]!;
    const attributes = { vocabSize: table.shape[0]! };
    const inputs = [only(dOutputs), tokens];
    return [apply(embeddingBackwardOperation, inputs, attributes, node.label)[0]!, null];
  },
});

/** `[dY[…,E], tokens int32[…]] → [dTable[V,E]]`: each row is the sum of `dY` over the places of its token. */
export const embeddingBackwardOperation = defineOperation<EmbeddingBackwardAttributes>({
  name: 'embeddingBackward',
  infer(inputs, { vocabSize }, culprit) {
    const dY = typed(culprit, inputs, 0, 'dY');
    const tokens = typed(culprit, inputs, 1, 'tokens', 'int32');
    checkSize(culprit, 'vocabSize', vocabSize);
    const size = sizeOf(dY.shape) / sizeOf(tokens.shape);
    checkSameShape(culprit, 'dY', dY, [...tokens.shape, size], '…,E');
    return [{ shape: [vocabSize, size], dtype: 'float32' }];
  },
  gradient: null,
});

/**
 * The rows of `table` that `tokens` name. A token outside `0…V−1` throws on the CPU; on a GPU, where
 * nothing can throw, it takes the nearest row.
 * @param table `[V,E]`
 * @param tokens int32, any shape
 * @returns the tokens' shape with `E` appended
 */
export function embedding(table: Value, tokens: Value, label = ''): Value {
  return apply(embeddingOperation, [table, tokens], {}, label)[0]!;
}
