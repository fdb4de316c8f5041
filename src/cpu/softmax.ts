/** `softmax` and its backward on the CPU. */
import { softmaxBackwardOperation, softmaxOperation } from '../ops/softmax.js';
import { defineKernel } from './kernel.js';
import { rowsOf } from './rows.js';
import type { RealArray } from './storage.js';

/** `ln Σ eˣ` over `length` elements from `begin`, with the largest taken out first. */
export function logSumExp(x: RealArray, begin: number, length: number): number {
  let largest = -Infinity;
  for (let i = 0; i < length; i++) largest = Math.max(largest, x[begin + i]!);
  // A row of −∞ has no largest to take out, and one with +∞ no finite result.
  if (!Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let i = 0; i < length; i++) sum += Math.exp(x[begin + i]! - largest);
  return largest + Math.log(sum);
}

/** `y = x − ln Σ eˣ`, or its exponential. */
export const softmaxKernel = defineKernel(
  softmaxOperation,
  (call) => {
    const x = call.real(0);
    const { log } = call.attributes;
    const { count, length } = rowsOf(call.shape(0));
    const y = call.allocate(x.length);
    for (let row = 0; row < count; row++) {
      const begin = row * length;
      const total = logSumExp(x, begin, length);
      for (let i = begin; i < begin + length; i++) y[i] = log ? x[i]! - total : Math.exp(x[i]! - total);
    }
    return [y];
  },
  (node) => 4 * node.inputs[0]!.size,
);

/** `dX = y⊙(dY − Σ dY⊙y)`, or `dY − eʸ·Σ dY` for the logarithm. */
export const softmaxBackwardKernel = defineKernel(
  softmaxBackwardOperation,
  (call) => {
    const y = call.real(0);
    const dY = call.real(1);
    const { log } = call.attributes;
    const { count, length } = rowsOf(call.shape(0));
    const dX = call.allocate(y.length);
    for (let row = 0; row < count; row++) {
      const begin = row * length;
      const end = begin + length;
      let sum = 0;
      for (let i = begin; i < end; i++) sum += log ? dY[i]! : dY[i]! * y[i]!;
      for (let i = begin; i < end; i++) {
        dX[i] = log ? dY[i]! - Math.exp(y[i]!) * sum : y[i]! * (dY[i]! - sum);
      }
    }
    return [dX];
  },
  (node) => 4 * node.inputs[0]!.size,
);
