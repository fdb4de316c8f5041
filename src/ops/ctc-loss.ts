/** `ctcLoss`: connectionist temporal classification, the loss of all alignments of a target to a sequence. */
import { ShapeError } from '../graph/errors.js';
import { defineOperation, OPAQUE } from '../graph/operation.js';
import { checkFlag, checkWhole } from '../graph/options.js';
import type { Value, ValueSpec } from '../graph/value.js';
import { apply, checkRank, checkSameShape, only, present, typed } from './check.js';

/** Attributes of {@link ctcLossOperation} and its backward. */
export interface CtcLossAttributes {
  /** The class that stands for no label. */
  readonly blank: number;
  /** Whether a target that no alignment reaches has loss 0 instead of infinity. */
  readonly zeroInfinity: boolean;
  /** Whether each loss is divided by its target's length, or by 1 where that is 0. */
  readonly perLabel: boolean;
}

/** Sizes of a CTC loss. */
export interface CtcSizes {
  readonly T: number;
  readonly B: number;
  readonly C: number;
  /** Of the longest target. */
  readonly S: number;
}

/** The sizes, from the shapes of the inputs. */
export function ctcSizes(inputs: readonly (ValueSpec | null)[]): CtcSizes {
  const [T, B, C] = inputs[0]!.shape;
  return { T: T!, B: B!, C: C!, S: inputs[1]!.shape[1]! };
}

function inferLoss(
  inputs: readonly (ValueSpec | null)[],
  { blank, zeroInfinity, perLabel }: CtcLossAttributes,
  culprit: string,
): CtcSizes {
  const logProbabilities = typed(culprit, inputs, 0, 'log probabilities');
  checkRank(culprit, 'log probabilities', logProbabilities, 3, 'T,B,C');
  const targets = typed(culprit, inputs, 1, 'targets', 'int32');
  checkRank(culprit, 'targets', targets, 2, 'B,S');
  const sizes = ctcSizes(inputs);
  if (targets.shape[0] !== sizes.B) {
    throw new ShapeError({
      culprit,
      problem: `there are ${targets.shape[0]} targets for a batch of ${sizes.B}`,
      remedy: 'pass targets of shape [B,S], one row a sequence',
    });
  }
  checkSameShape(
    culprit,
    'input lengths',
    typed(culprit, inputs, 2, 'input lengths', 'int32'),
    [sizes.B],
    'B',
  );
  checkSameShape(
    culprit,
    'target lengths',
    typed(culprit, inputs, 3, 'target lengths', 'int32'),
    [sizes.B],
    'B',
  );
  checkWhole(culprit, 'blank', blank, 0);
  if (blank >= sizes.C) {
    throw new ShapeError({
      culprit,
      problem: `blank is ${blank}, there are ${sizes.C} classes`,
      remedy: `pass a class from 0 to ${sizes.C - 1}`,
    });
  }
  checkFlag(culprit, 'zeroInfinity', zeroInfinity);
  checkFlag(culprit, 'perLabel', perLabel);
  return sizes;
}

/**
 * `[logProbabilities[T,B,C], targets int32[B,S], inputLengths int32[B], targetLengths int32[B]] → [loss[B],
 * residual]`: `−ln Σ Π_t exp(logProbabilities[t,b,path[t]])` over the paths of classes that give the target once
 * repeats are merged and blanks dropped (Graves et al., 2006).
 */
export const ctcLossOperation = defineOperation<CtcLossAttributes>({
  name: 'ctcLoss',
  infer(inputs, attributes, culprit) {
    return [{ shape: [inferLoss(inputs, attributes, culprit).B], dtype: 'float32' }, OPAQUE];
  },
  gradient(node, dOutputs) {
    const [dLogProbabilities] = apply(
      ctcLossBackwardOperation,
      [...node.inputs, node.outputs[1]!, only(dOutputs)],
      node.attributes,
      node.label,
    );
    return [dLogProbabilities!, null, null, null];
  },
});

/**
 * `[logProbabilities, targets, inputLengths, targetLengths, residual, dLoss[B]] → [dLogProbabilities]`:
 * `−dLoss[b]·P(path[t] = c | target)`, and 0 past the input's length. This is the derivative itself; PyTorch adds
 * `exp(logProbabilities)`, which a log softmax before the loss takes away again. Where no alignment reaches the
 * target it is NaN, as PyTorch's, or 0 with `zeroInfinity`.
 */
export const ctcLossBackwardOperation = defineOperation<CtcLossAttributes>({
  name: 'ctcLossBackward',
  infer(inputs, attributes, culprit) {
    const { B } = inferLoss(inputs, attributes, culprit);
    present(culprit, inputs, 4, 'residual');
    checkSameShape(culprit, 'dLoss', typed(culprit, inputs, 5, 'dLoss'), [B], 'B');
    return [{ shape: inputs[0]!.shape, dtype: 'float32' }];
  },
  gradient: null,
});

/** What {@link ctcLosses} reads. */
export interface CtcInputs {
  /** `[T,B,C]`, as a log softmax gives them. */
  readonly logProbabilities: Value;
  /** int32 `[B,S]`: labels other than the blank; what lies past a target's length is not read. */
  readonly targets: Value;
  /** int32 `[B]`, each from 0 to T. */
  readonly inputLengths: Value;
  /** int32 `[B]`, each from 0 to S. */
  readonly targetLengths: Value;
}

/**
 * One CTC loss a sequence, in nats, not reduced.
 * @returns `[B]`; infinity where the input is too short for its target, or 0 with `zeroInfinity`
 * @throws ShapeError or ArgumentError when shapes or attributes do not fit
 */
export function ctcLosses(inputs: CtcInputs, attributes: CtcLossAttributes, label = ''): Value {
  const { logProbabilities, targets, inputLengths, targetLengths } = inputs;
  return apply(
    ctcLossOperation,
    [logProbabilities, targets, inputLengths, targetLengths],
    attributes,
    label,
  )[0]!;
}
