/** `pointwiseLoss`: losses of single numbers, each from a prediction and its target, not reduced. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { checkChoice, checkNumber } from '../graph/options.js';
import { formatShape, sameShape } from '../graph/shape.js';
import { culpritOf, type Value, type ValueSpec } from '../graph/value.js';
import { apply, checkSameShape, checkType, only, typed } from './check.js';

/**
 * The losses there are. With prediction x, target z and e = x − z:
 * - `squared`: `e²`
 * - `absolute`: `|e|`
 * - `huber`: `e²/2` where `|e| ≤ delta`, else `delta·(|e| − delta/2)` (Huber, 1964)
 * - `binaryCrossEntropy`: `−posWeight·z·ln σ(x) − (1 − z)·ln(1 − σ(x))`, σ being the logistic function
 */
export type PointwiseLossKind = 'squared' | 'absolute' | 'huber' | 'binaryCrossEntropy';

/** And the functions that give them reduced. */
const KINDS: Readonly<Record<PointwiseLossKind, string>> = {
  squared: 'meanSquaredError',
  absolute: 'meanAbsoluteError',
  huber: 'huber',
  binaryCrossEntropy: 'binaryCrossEntropyWithLogits',
};

/** Attributes of {@link pointwiseLossOperation}. */
export interface PointwiseLossAttributes {
  readonly kind: PointwiseLossKind;
  /** Where `huber` turns from a parabola into lines; the others do not read it. */
  readonly delta: number;
}

/** Attributes of {@link pointwiseLossBackwardOperation}. */
export interface PointwiseLossBackwardAttributes extends PointwiseLossAttributes {
  /** What it is the derivative by. */
  readonly by: 'prediction' | 'target';
}

function inferLosses(
  inputs: readonly (ValueSpec | null)[],
  { kind, delta }: PointwiseLossAttributes,
  culprit: string,
): ValueSpec {
  checkChoice(culprit, 'kind', kind, Object.keys(KINDS));
  const prediction = typed(culprit, inputs, 0, 'prediction');
  const target = typed(culprit, inputs, 1, 'target');
  if (!sameShape(prediction.shape, target.shape)) {
    throw new ShapeError({
      culprit,
      problem: `prediction has shape ${formatShape(prediction.shape)}, target ${formatShape(target.shape)}`,
      remedy: 'pass two values of one shape',
    });
  }
  const posWeight = inputs[2];
  if (posWeight) {
    checkType(culprit, 'posWeight', posWeight, 'float32');
    const { length } = posWeight.shape;
    const last = length === 0 ? [] : prediction.shape.slice(-length);
    if (kind !== 'binaryCrossEntropy' || !sameShape(posWeight.shape, last)) {
      throw new ShapeError({
        culprit,
        problem: `posWeight has shape ${formatShape(posWeight.shape)}, the prediction ${formatShape(prediction.shape)}`,
        remedy: "let a binary cross-entropy's posWeight have the last dimensions of the prediction, or none",
      });
    }
  }
  checkNumber(culprit, 'delta', delta, { above: 0 });
  return { shape: prediction.shape, dtype: 'float32' };
}

/** `[prediction, target, posWeight|null] → [losses]`; posWeight has the last dimensions of the prediction, or none. */
export const pointwiseLossOperation = defineOperation<PointwiseLossAttributes>({
  name: 'pointwiseLoss',
  called: ({ kind }) => KINDS[kind],
  infer(inputs, attributes, culprit) {
    return [inferLosses(inputs, attributes, culprit)];
  },
  gradient(node, dOutputs, wanted) {
    if (wanted[2]) {
      throw new ArgumentError({
        culprit: culpritOf(node),
        problem: 'its posWeight is differentiated, which has no gradient rule',
        remedy: 'put stopGradient around it',
      });
    }
    const derivative = (by: PointwiseLossBackwardAttributes['by']): Value =>
      apply(
        pointwiseLossBackwardOperation,
        [...node.inputs, only(dOutputs)],
        { ...node.attributes, by },
        node.label,
      )[0]!;
    return [wanted[0] ? derivative('prediction') : null, wanted[1] ? derivative('target') : null, null];
  },
});

/**
 * `[prediction, target, posWeight, dLosses] → [dPrediction or dTarget]`. At its kink, where prediction and target
 * are equal, the derivative of `absolute` is 0, as in PyTorch.
 */
export const pointwiseLossBackwardOperation = defineOperation<PointwiseLossBackwardAttributes>({
  name: 'pointwiseLossBackward',
  infer(inputs, attributes, culprit) {
    const losses = inferLosses(inputs, attributes, culprit);
    checkSameShape(culprit, 'dLosses', typed(culprit, inputs, 3, 'dLosses'), losses.shape);
    return [losses];
  },
  gradient: null,
});

/** Options of {@link pointwiseLoss}. */
export interface PointwiseLossOptions {
  /** For `huber`. Default 1. */
  readonly delta?: number;
  /** For `binaryCrossEntropy`: the weight of targets of 1. Default 1. */
  readonly posWeight?: Value | null;
}

/**
 * The loss of each prediction.
 * @returns one loss an element, of the prediction's shape
 * @throws ShapeError when the shapes differ: broadcasting here is nearly always a mistake
 */
export function pointwiseLoss(
  prediction: Value,
  target: Value,
  kind: PointwiseLossKind,
  options: PointwiseLossOptions = {},
): Value {
  const { delta = 1, posWeight = null } = options;
  return apply(pointwiseLossOperation, [prediction, target, posWeight], {
    kind,
    delta,
  })[0]!;
}
