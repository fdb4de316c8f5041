/**
 * The products of a first layer's inputs through its vocabulary: where `x` is an embedding of fewer tokens than
 * there are steps to look them up in, `E·W_ihᵀ + b_ih` is a table of V rows to pick from, and its gradient a sum
 * by token followed by two small products.
 */
import { embeddingBackwardOperation, embeddingOperation } from '../../../ops/embedding.js';
import type { Operation } from '../../../graph/operation.js';
import type { Node, Value } from '../../../graph/value.js';
import type { RecurrentAttributes } from '../../../ops/recurrent-attributes.js';
import { recurrentBackwardOperation, RECURRENT_INPUTS, recurrentOperation } from '../../../ops/recurrent.js';
import type { LoweringContext } from '../context.js';

/** An embedding that a layer reads by its tokens. */
export interface TokenTable {
  /** `[V,I]` */
  readonly embedding: Value;
  /** int32, T·B of them */
  readonly tokens: Value;
  readonly vocabulary: number;
}

/** The embedding behind a layer's inputs, where its vocabulary is smaller than the number of inputs. */
export function tokenTableOf(x: Value, { layerNorm }: RecurrentAttributes): TokenTable | null {
  const { source } = x;
  if (layerNorm || source.kind !== 'node' || source.node.operation !== (embeddingOperation as Operation)) {
    return null;
  }
  const [embedding, tokens] = source.node.inputs as [Value, Value];
  const vocabulary = embedding.shape[0]!;
  return vocabulary < tokens.size ? { embedding, tokens, vocabulary } : null;
}

/** Whether a node that reads an embedding's rows gets by with its tokens, so that the rows need not be there. */
export function readsTokens(node: Node, context: LoweringContext): boolean {
  const operation = node.operation as unknown;
  const forward = operation === recurrentOperation;
  if (!forward && operation !== recurrentBackwardOperation) return false;
  const tokens = tokenTableOf(node.inputs[RECURRENT_INPUTS.x]!, node.attributes as RecurrentAttributes);
  return tokens !== null && (forward || differentiatesByToken(node, tokens, context));
}

/** Whether nobody wants the gradient of the inputs themselves: all that becomes of it is the embedding's. */
export function differentiatesByToken(
  backward: Pick<Node, 'outputs'>,
  { tokens }: TokenTable,
  context: LoweringContext,
): boolean {
  const dX = backward.outputs[0]!;
  return (
    !context.isOutput(dX) &&
    context
      .consumers(dX)
      .every(
        ({ operation, inputs }) =>
          operation === (embeddingBackwardOperation as Operation) && inputs[1] === tokens,
      )
  );
}
