/** `softmaxCrossEntropy`: the negative log probability of target classes, in nats, as PyTorch's `cross_entropy`. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation, OPAQUE } from '../graph/operation.js';
import { checkNumber, checkOptions } from '../graph/options.js';
import { formatShape, sameShape, type Shape } from '../graph/shape.js';
import { culpritOf, type Value, type ValueSpec } from '../graph/value.js';
import {
  apply,
  checkReduction,
  checkSameShape,
  checkType,
  classTargets,
  only,
  present,
  typed,
} from './check.js';

/** How the losses of single targets become the result. */
export type Reduction = 'mean' | 'sum' | 'none';

/** The target that is not counted, unless another is named: PyTorch's. */
export const IGNORE_INDEX = -100;

/** Attributes of {@link softmaxCrossEntropyOperation} and its backward. */
export interface SoftmaxCrossEntropyAttributes {
  readonly reduction: Reduction;
  /** Targets equal to it are not counted; `null` to count all. */
  readonly ignoreIndex: number | null;
  /** The share of each target's probability that is spread evenly over all classes, from 0 to below 1. */
  readonly labelSmoothing: number;
  /** Whether the input holds log probabilities already, which are then taken as they are. */
  readonly normalized: boolean;
}

function inferLoss(
  inputs: readonly (ValueSpec | null)[],
  { reduction, ignoreIndex, labelSmoothing, normalized }: SoftmaxCrossEntropyAttributes,
  culprit: string,
): { logits: ValueSpec; loss: Shape } {
  const name = normalized ? 'log probabilities' : 'logits';
  const logits = typed(culprit, inputs, 0, name);
  const targets = classTargets(culprit, inputs);
  const classes = logits.shape.at(-1);
  if (classes === undefined || !sameShape(logits.shape.slice(0, -1), targets.shape)) {
    throw new ShapeError({
      culprit,
      problem: `${name} have shape ${formatShape(logits.shape)}, targets ${formatShape(targets.shape)}`,
      remedy: `let the shape of the ${name} be the targets' with the number of classes appended`,
    });
  }
  const [, , weight, mask] = inputs;
  if (weight) {
    checkType(culprit, 'weight', weight, 'float32');
    checkSameShape(culprit, 'weight', weight, [classes], 'classes');
  }
  if (mask) {
    checkType(culprit, 'mask', mask, 'float32');
    checkSameShape(culprit, 'mask', mask, targets.shape);
  }
  checkReduction(culprit, reduction);
  checkNumber(culprit, 'labelSmoothing', labelSmoothing, { min: 0, below: 1 });
  if (ignoreIndex !== null && (ignoreIndex | 0) !== ignoreIndex) {
    throw new ArgumentError({
      culprit,
      problem: `ignoreIndex is ${String(ignoreIndex)}`,
      remedy: 'pass a whole number of 32 bits, or null to count every target',
    });
  }
  return { logits, loss: reduction === 'none' ? targets.shape : [] };
}

/**
 * `[logits[…,V], targets int32[…], weight[V]|null, mask[…]|null] → [loss, residual]`. With p = softmax(logits),
 * s = labelSmoothing and w = weight (ones where absent), the loss of a target y is
 * `−mask·((1 − s)·w[y]·log p[y] + s/V·Σ_c w[c]·log p[c])`, 0 where y is ignored; a mean divides their sum by
 * `Σ mask·w[y]` over the targets that are not ignored, and is 0 where that is 0.
 */
export const softmaxCrossEntropyOperation = defineOperation<SoftmaxCrossEntropyAttributes>({
  name: 'softmaxCrossEntropy',
  called: ({ normalized }) => (normalized ? 'nllLoss' : 'crossEntropy'),
  infer(inputs, attributes, culprit) {
    return [{ shape: inferLoss(inputs, attributes, culprit).loss, dtype: 'float32' }, OPAQUE];
  },
  gradient(node, dOutputs, wanted) {
    if (wanted[2] || wanted[3]) {
      throw new ArgumentError({
        culprit: culpritOf(node),
        problem: `its ${wanted[2] ? 'weight' : 'mask'} is differentiated, which has no gradient rule`,
        remedy: 'put stopGradient around it, or multiply the losses of reduction "none" by it',
      });
    }
    const [dLogits] = apply(
      softmaxCrossEntropyBackwardOperation,
      [...node.inputs, node.outputs[1]!, only(dOutputs)],
      node.attributes,
      node.label,
    );
    return [dLogits!, null, null, null];
  },
});

/**
 * `[logits, targets, weight, mask, residual, dLoss] → [dLogits]`:
 * `k·(p·((1 − s)·w[y] + s/V·Σ w) − (1 − s)·w[y]·onehot(y) − s/V·w)`, k being `mask·dLoss`, over the divisor for
 * a mean, and 0 where y is ignored. Without the terms in p where the input is log probabilities.
 */
export const softmaxCrossEntropyBackwardOperation = defineOperation<SoftmaxCrossEntropyAttributes>({
  name: 'softmaxCrossEntropyBackward',
  infer(inputs, attributes, culprit) {
    const { logits, loss } = inferLoss(inputs, attributes, culprit);
    present(culprit, inputs, 4, 'residual');
    checkSameShape(culprit, 'dLoss', typed(culprit, inputs, 5, 'dLoss'), loss);
    return [{ shape: logits.shape, dtype: 'float32' }];
  },
  gradient: null,
});

/** Options of {@link softmaxCrossEntropy}. */
export interface SoftmaxCrossEntropyOptions extends NllLossOptions {
  /** The share of each target's probability that is spread evenly over all classes (Szegedy et al., 2016). Default 0. */
  readonly labelSmoothing?: number;
}

/** Options of {@link nllLoss}. */
export interface NllLossOptions {
  /** Default `mean`: over the targets that count, each by its mask and its class's weight. */
  readonly reduction?: Reduction;
  /** Targets equal to it have loss 0 and no gradient, and a mean leaves them out. Default −100; `null` for none. */
  readonly ignoreIndex?: number | null;
  /** A weight for each class, `[V]`. */
  readonly weight?: Value | null;
  /** A weight for each target, of the targets' shape; 0 leaves it out. */
  readonly mask?: Value | null;
}

/**
 * Cross-entropy of `softmax(logits)` against integer targets, in nats, as PyTorch's
 * [`cross_entropy`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html). A mean
 * over nothing that counts is 0, where PyTorch gives NaN.
 * @param logits `[…,V]`
 * @param targets int32 `[…]`, each from 0 to V−1 or `ignoreIndex`
 * @returns a scalar, or one loss a target with `reduction: 'none'`
 * @throws ShapeError or ArgumentError when shapes or options do not fit
 */
export function softmaxCrossEntropy(
  logits: Value,
  targets: Value,
  options: SoftmaxCrossEntropyOptions = {},
  label = '',
): Value {
  const known = ['reduction', 'ignoreIndex', 'weight', 'mask', 'labelSmoothing'];
  checkOptions('crossEntropy', options, known);
  const { labelSmoothing = 0, ...rest } = options;
  return record(logits, targets, rest, { labelSmoothing, normalized: false }, label);
}

/**
 * `−logProbabilities[target]`, as PyTorch's
 * [`nll_loss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html): after a log
 * softmax it is the cross-entropy, which {@link softmaxCrossEntropy} computes at once.
 * @param logProbabilities `[…,V]`
 * @param targets int32 `[…]`, each from 0 to V−1 or `ignoreIndex`
 * @returns a scalar, or one loss a target with `reduction: 'none'`
 * @throws ShapeError or ArgumentError when shapes or options do not fit
 */
export function nllLoss(
  logProbabilities: Value,
  targets: Value,
  options: NllLossOptions = {},
  label = '',
): Value {
  checkOptions('nllLoss', options, ['reduction', 'ignoreIndex', 'weight', 'mask']);
  return record(logProbabilities, targets, options, { labelSmoothing: 0, normalized: true }, label);
}

function record(
  input: Value,
  targets: Value,
  options: NllLossOptions,
  attributes: Pick<SoftmaxCrossEntropyAttributes, 'labelSmoothing' | 'normalized'>,
  label: string,
): Value {
  const { reduction = 'mean', ignoreIndex = IGNORE_INDEX, weight = null, mask = null } = options;
  return apply(
    softmaxCrossEntropyOperation,
    [input, targets, weight, mask],
    { reduction, ignoreIndex, ...attributes },
    label,
  )[0]!;
}
