/** `pointwiseLoss` and its backward on the CPU. */
import {
  pointwiseLossBackwardOperation,
  pointwiseLossOperation,
  type PointwiseLossKind,
} from '../ops/pointwise-loss.js';
import { defineKernel } from './kernel.js';

/** One loss: of prediction `x` and target `z`, with a weight of positives and Huber's delta. */
type Loss = (x: number, z: number, posWeight: number, delta: number) => number;

/** `ln(1 + eˣ)`. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
const clamp = (x: number, bound: number): number => Math.max(-bound, Math.min(bound, x));

const LOSSES: Readonly<Record<PointwiseLossKind, Loss>> = {
  squared: (x, z) => (x - z) ** 2,
  absolute: (x, z) => Math.abs(x - z),
  huber: (x, z, _posWeight, delta) => {
    const e = Math.abs(x - z);
    return e <= delta ? e ** 2 / 2 : delta * (e - delta / 2);
  },
  binaryCrossEntropy: (x, z, posWeight) => posWeight * z * softplus(-x) + (1 - z) * softplus(x),
};

/** Derivatives by the prediction. */
const BY_PREDICTION: Readonly<Record<PointwiseLossKind, Loss>> = {
  squared: (x, z) => 2 * (x - z),
  absolute: (x, z) => Math.sign(x - z),
  huber: (x, z, _posWeight, delta) => clamp(x - z, delta),
  binaryCrossEntropy: (x, z, posWeight) => (1 - z) * sigmoid(x) - posWeight * z * sigmoid(-x),
};

/** Derivatives by the target. */
const BY_TARGET: Readonly<Record<PointwiseLossKind, Loss>> = {
  squared: (x, z) => 2 * (z - x),
  absolute: (x, z) => Math.sign(z - x),
  huber: (x, z, _posWeight, delta) => clamp(z - x, delta),
  binaryCrossEntropy: (x, _z, posWeight) => posWeight * softplus(-x) - softplus(x),
};

/** Each element's loss. */
export const pointwiseLossKernel = defineKernel(pointwiseLossOperation, (call) => {
  const x = call.real(0);
  const z = call.real(1);
  const posWeight = call.optional(2);
  const { kind, delta } = call.attributes;
  const loss = LOSSES[kind];
  const losses = call.allocate(x.length);
  for (let i = 0; i < x.length; i++) {
    losses[i] = loss(x[i]!, z[i]!, posWeight ? posWeight[i % posWeight.length]! : 1, delta);
  }
  return [losses];
});

/** Each element's derivative, times the upstream gradient. */
export const pointwiseLossBackwardKernel = defineKernel(pointwiseLossBackwardOperation, (call) => {
  const x = call.real(0);
  const z = call.real(1);
  const posWeight = call.optional(2);
  const dLosses = call.real(3);
  const { kind, delta, by } = call.attributes;
  const slope = (by === 'prediction' ? BY_PREDICTION : BY_TARGET)[kind];
  const d = call.allocate(x.length);
  for (let i = 0; i < x.length; i++) {
    d[i] = dLosses[i]! * slope(x[i]!, z[i]!, posWeight ? posWeight[i % posWeight.length]! : 1, delta);
  }
  return [d];
});
