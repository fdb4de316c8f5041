/** `softmaxCrossEntropy`: the negative log probability of target classes, in nats, as PyTorch's `cross_entropy`. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation, OPAQUE } from '../graph/operation.js';
import { formatShape, sameShape, type Shape } from '../graph/shape.js';
import type { Value, ValueSpec } from '../graph/value.js';
import { checkSameShape, only, present, typed } from './check.js';

/** How the losses of single targets become the result. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Attributes of {@link softmaxCrossEntropyOperation} and its backward. */
export interface SoftmaxCrossEntropyAttributes {
  readonly reduction: Reduction;
}

function inferLoss(
  inputs: readonly (ValueSpec | null)[],
  { reduction }: SoftmaxCrossEntropyAttributes,
  culprit: string,
): { logits: ValueSpec; loss: Shape } {
  const logits = typed(culprit, inputs, 0, 'logits');
  const targets = typed(culprit, inputs, 1, 'targets', 'int32');
  if (logits.shape.length === 0 || !sameShape(logits.shape.slice(0, -1), targets.shape)) {
    throw new ShapeError({
      culprit,
      problem: `logits have shape ${formatShape(logits.shape)}, targets ${formatShape(targets.shape)}`,
      remedy: "let the logits' shape be the targets' with the number of classes appended",
    });
  }
  if (!['mean', 'sum', 'none'].includes(reduction)) {
    throw new ArgumentError({
      culprit,
      problem: `reduction is "${reduction}"`,
      remedy: "pass 'mean', 'sum' or 'none'",
    });
  }
  return { logits, loss: reduction === 'none' ? targets.shape : [] };
}

/** `[logits[…,V], targets int32[…]] → [loss, residual]`, `loss = −log softmax(logits)[target]`, reduced. */
export const softmaxCrossEntropyOperation = defineOperation<SoftmaxCrossEntropyAttributes>({
  name: 'softmaxCrossEntropy',
  infer(inputs, attributes, culprit) {
    return [{ shape: inferLoss(inputs, attributes, culprit).loss, dtype: 'float32' }, OPAQUE];
  },
  gradient(node, dOutputs) {
    const [logits, targets] = node.inputs;
    const inputs = [logits!, targets!, node.outputs[1]!, only(dOutputs)];
    const [dLogits] = logits!.graph.record(
      softmaxCrossEntropyBackwardOperation,
      inputs,
      node.attributes,
      node.label,
    );
    return [dLogits!, null];
  },
});

/** `[logits, targets, residual, dLoss] → [dLogits]`: `(softmax(logits) − onehot(target))·dLoss`, over the count for a mean. */
export const softmaxCrossEntropyBackwardOperation = defineOperation<SoftmaxCrossEntropyAttributes>({
  name: 'softmaxCrossEntropyBackward',
  infer(inputs, attributes, culprit) {
    const { logits, loss } = inferLoss(inputs, attributes, culprit);
    present(culprit, inputs, 2, 'residual');
    checkSameShape(culprit, 'dLoss', typed(culprit, inputs, 3, 'dLoss'), loss);
    return [{ shape: logits.shape, dtype: 'float32' }];
  },
  gradient: null,
});

/**
 * Cross-entropy of `softmax(logits)` against integer targets, in nats.
 * @param logits `[…,V]`
 * @param targets int32 `[…]`, each from 0 to V−1
 * @returns a scalar, or one loss a target with `reduction: 'none'`
 */
export function softmaxCrossEntropy(
  logits: Value,
  targets: Value,
  options: { readonly reduction?: Reduction } = {},
  label = '',
): Value {
  const { reduction = 'mean' } = options;
  return logits.graph.record(softmaxCrossEntropyOperation, [logits, targets], { reduction }, label)[0]!;
}
