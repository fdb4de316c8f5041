/** Losses, under the names users look for. */
import { ShapeError } from '../graph/errors.js';
import { checkFlag, checkNumber, checkOptions } from '../graph/options.js';
import { broadcastShapes, formatShape, sameShape } from '../graph/shape.js';
import { checkValue, type Value } from '../graph/value.js';
import { div, maximum, mul } from '../ops/binary.js';
import { checkReduction, checkType } from '../ops/check.js';
import { ctcLosses } from '../ops/ctc-loss.js';
import { pointwiseLoss } from '../ops/pointwise-loss.js';
import { mean, sum } from '../ops/reduce-sum.js';
import { logSoftmax } from '../ops/softmax.js';
import type { Reduction } from '../ops/softmax-cross-entropy.js';

export { nllLoss, softmaxCrossEntropy as crossEntropy } from '../ops/softmax-cross-entropy.js';

/** Options of the losses that compare numbers one by one. */
export interface PointwiseReduction {
  /** Default `mean`: over all elements, or with a mask the weighted mean. */
  readonly reduction?: Reduction;
  /** Weights of the elements, of a shape that broadcasts to theirs; 0 leaves one out. A mean divides by their sum. */
  readonly mask?: Value | null;
}

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BinaryCrossEntropyOptions extends PointwiseReduction {
  /** Factors of the losses, of a shape that broadcasts to theirs; a mean still divides by the number of elements. */
  readonly weight?: Value | null;
  /** Weights of targets of 1, for instance one a class; of the last dimensions of the logits. */
  readonly posWeight?: Value | null;
}

/** Options of {@link huber}. */
export interface HuberOptions extends PointwiseReduction {
  /** The error up to which it is a parabola. Default 1. */
  readonly delta?: number;
}

/** Options of {@link ctcLoss}. */
export interface CtcLossOptions {
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
  /** Default `mean`: each loss is divided by its target's length, then their mean is taken. */
  readonly reduction?: Reduction;
  /** Whether inputs too short for their target have loss and gradient 0, rather than infinity and NaN. Default false. */
  readonly zeroInfinity?: boolean;
  /** Whether the scores are logits, of which the log softmax is taken first. Default false. */
  readonly fromLogits?: boolean;
}

/**
 * Mean squared error, as PyTorch's
 * [`mse_loss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html): the mean, the sum or
 * each of `(prediction − target)²`.
 * @throws ShapeError when the shapes differ: broadcasting here is nearly always a mistake
 */
export function meanSquaredError(prediction: Value, target: Value, options: PointwiseReduction = {}): Value {
  checkOptions('meanSquaredError', options, ['reduction', 'mask']);
  checkPair('meanSquaredError', prediction, target);
  return reduce('meanSquaredError', pointwiseLoss(prediction, target, 'squared'), options);
}

/**
 * Mean absolute error, as PyTorch's
 * [`l1_loss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.l1_loss.html): the mean, the sum or
 * each of `|prediction − target|`.
 * @throws ShapeError when the shapes differ
 */
export function meanAbsoluteError(prediction: Value, target: Value, options: PointwiseReduction = {}): Value {
  checkOptions('meanAbsoluteError', options, ['reduction', 'mask']);
  checkPair('meanAbsoluteError', prediction, target);
  return reduce('meanAbsoluteError', pointwiseLoss(prediction, target, 'absolute'), options);
}

/**
 * Huber's loss, as PyTorch's
 * [`huber_loss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.huber_loss.html): `e²/2` for
 * errors `e = prediction − target` up to delta, `delta·(|e| − delta/2)` beyond.
 * @throws ShapeError when the shapes differ; ArgumentError when delta is not greater than 0
 */
export function huber(prediction: Value, target: Value, options: HuberOptions = {}): Value {
  checkOptions('huber', options, ['reduction', 'mask', 'delta']);
  const { delta = 1, ...reduction } = options;
  checkNumber('huber', 'delta', delta, { above: 0 });
  checkPair('huber', prediction, target);
  return reduce('huber', pointwiseLoss(prediction, target, 'huber', { delta }), reduction);
}

/**
 * Binary cross-entropy of `σ(logits)` against targets from 0 to 1, in nats, as PyTorch's
 * [`binary_cross_entropy_with_logits`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy_with_logits.html).
 * Stable for logits of any size.
 * @throws ShapeError when the shapes do not fit
 */
export function binaryCrossEntropyWithLogits(
  logits: Value,
  targets: Value,
  options: BinaryCrossEntropyOptions = {},
): Value {
  const culprit = 'binaryCrossEntropyWithLogits';
  checkOptions(culprit, options, ['reduction', 'mask', 'weight', 'posWeight']);
  const { weight = null, posWeight = null, ...reduction } = options;
  checkPair(culprit, logits, targets, ['logits', 'targets']);
  const losses = pointwiseLoss(logits, targets, 'binaryCrossEntropy', { posWeight });
  if (!weight) return reduce(culprit, losses, reduction);
  checkFactor(culprit, 'weight', weight, losses);
  return reduce(culprit, mul(losses, weight), reduction);
}

/**
 * Connectionist temporal classification (Graves et al., 2006), as PyTorch's
 * [`ctc_loss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.ctc_loss.html): for sequences of
 * scores and shorter sequences of labels whose places in time are not known.
 * @param scores `[T,B,C]`: log probabilities, as `logSoftmax` gives them, or logits with `fromLogits`
 * @param targets int32 `[B,S]`: labels from 0 to C−1 other than the blank; what lies past a length is not read
 * @param inputLengths int32 `[B]`: steps of each sequence, at most T
 * @param targetLengths int32 `[B]`: labels of each target, at most S; 0 for none
 * @returns a scalar in nats, or one loss a sequence with `reduction: 'none'`
 * @throws ShapeError or ArgumentError when shapes or options do not fit
 */
export function ctcLoss(
  scores: Value,
  targets: Value,
  inputLengths: Value,
  targetLengths: Value,
  options: CtcLossOptions = {},
): Value {
  checkOptions('ctcLoss', options, ['blank', 'reduction', 'zeroInfinity', 'fromLogits']);
  const { blank = 0, reduction = 'mean', zeroInfinity = false, fromLogits = false } = options;
  checkFlag('ctcLoss', 'fromLogits', fromLogits);
  const losses = ctcLosses(
    { logProbabilities: fromLogits ? logSoftmax(scores) : scores, targets, inputLengths, targetLengths },
    { blank, zeroInfinity, perLabel: reduction === 'mean' },
  );
  return reduce('ctcLoss', losses, { reduction });
}

function reduce(
  culprit: string,
  losses: Value,
  { reduction = 'mean', mask = null }: PointwiseReduction,
): Value {
  checkReduction(culprit, reduction);
  if (mask) checkFactor(culprit, 'mask', mask, losses);
  const counted = mask ? mul(losses, mask) : losses;
  if (reduction === 'none') return counted;
  if (reduction === 'sum' || !mask) return reduction === 'sum' ? sum(counted) : mean(counted);
  // Where nothing counts the mean is 0, for the losses are.
  return div(sum(counted), maximum(mul(sum(mask), losses.size / mask.size), 1e-30));
}

function checkPair(
  culprit: string,
  prediction: Value,
  target: Value,
  [first, second]: readonly [string, string] = ['prediction', 'target'],
): void {
  checkValue(culprit, first, prediction);
  checkValue(culprit, second, target);
  if (sameShape(prediction.shape, target.shape)) return;
  throw new ShapeError({
    culprit,
    problem: `${first} ${second === 'targets' ? 'have' : 'has'} shape ${formatShape(prediction.shape)}, ${second} ${formatShape(target.shape)}`,
    remedy: 'pass two values of one shape',
  });
}

/** Throws unless `factor` broadcasts to the losses without making them more. */
function checkFactor(culprit: string, name: string, factor: Value, losses: Value): void {
  checkType(culprit, name, factor, 'float32');
  const fits = sameShape(broadcastShapes(`${culprit}, ${name}`, factor.shape, losses.shape), losses.shape);
  if (fits) return;
  throw new ShapeError({
    culprit,
    problem: `${name} has shape ${formatShape(factor.shape)}, the losses ${formatShape(losses.shape)}`,
    remedy: 'pass a shape that broadcasts to that of the losses',
  });
}
