/** `softmaxCrossEntropy` and its backward on the CPU. The residual is `ln Σ eˣ` of each row, and one over a mean's divisor. */
import {
  softmaxCrossEntropyBackwardOperation,
  softmaxCrossEntropyOperation,
} from '../ops/softmax-cross-entropy.js';
import { defineKernel, Residual } from './kernel.js';
import { logSumExp } from './softmax.js';
import type { RealArray } from './storage.js';
import { checkTokens } from './tokens.js';

/** What the loss of row `row` is multiplied by: its mask, and 0 where its target is ignored. */
function rowWeight(mask: RealArray | null, row: number, target: number, ignoreIndex: number | null): number {
  return target === ignoreIndex ? 0 : (mask?.[row] ?? 1);
}

/** Each row's loss as the operation defines it, reduced. */
export const softmaxCrossEntropyKernel = defineKernel(
  softmaxCrossEntropyOperation,
  (call) => {
    const logits = call.real(0);
    const targets = call.int(1);
    const weight = call.optional(2);
    const mask = call.optional(3);
    const { reduction, ignoreIndex, labelSmoothing, normalized } = call.attributes;
    const V = call.shape(0).at(-1)!;
    const rows = targets.length;
    checkTokens(call.node, targets, V, ignoreIndex);
    const totals = call.allocate(rows);
    const loss = call.allocate(reduction === 'none' ? rows : 1);
    let sum = 0;
    let divisor = 0;
    for (let row = 0; row < rows; row++) {
      const begin = row * V;
      const total = normalized ? 0 : logSumExp(logits, begin, V);
      totals[row] = total;
      const target = targets[row]!;
      const factor = rowWeight(mask, row, target, ignoreIndex);
      let rowLoss = 0;
      if (factor !== 0) {
        const ofTarget = weight?.[target] ?? 1;
        rowLoss = (1 - labelSmoothing) * ofTarget * (total - logits[begin + target]!);
        if (labelSmoothing > 0) {
          for (let c = 0; c < V; c++) {
            rowLoss += (labelSmoothing / V) * (weight?.[c] ?? 1) * (total - logits[begin + c]!);
          }
        }
        rowLoss *= factor;
        divisor += factor * ofTarget;
      }
      sum += rowLoss;
      if (reduction === 'none') loss[row] = rowLoss;
    }
    const scale = reduction !== 'mean' ? 1 : divisor === 0 ? 0 : 1 / divisor;
    if (reduction !== 'none') loss[0] = sum * scale;
    return [loss, new Residual([totals, call.allocate(1).fill(scale)])];
  },
  (node) => 3 * node.inputs[0]!.size,
);

/** The gradient as the operation defines it. */
export const softmaxCrossEntropyBackwardKernel = defineKernel(
  softmaxCrossEntropyBackwardOperation,
  (call) => {
    const logits = call.real(0);
    const targets = call.int(1);
    const weight = call.optional(2);
    const mask = call.optional(3);
    const [totals, scale] = call.residual(4);
    const dLoss = call.real(5);
    const { reduction, ignoreIndex, labelSmoothing, normalized } = call.attributes;
    const V = call.shape(0).at(-1)!;
    const rows = targets.length;
    const spread = labelSmoothing / V;
    let weights = 0;
    for (let c = 0; c < V; c++) weights += weight?.[c] ?? 1;
    const dLogits = call.allocate(logits.length);
    for (let row = 0; row < rows; row++) {
      const begin = row * V;
      const target = targets[row]!;
      const factor = rowWeight(mask, row, target, ignoreIndex);
      if (factor === 0) {
        dLogits.fill(0, begin, begin + V);
        continue;
      }
      const ofTarget = (1 - labelSmoothing) * (weight?.[target] ?? 1);
      const upstream = factor * scale![0]! * dLoss[reduction === 'none' ? row : 0]!;
      for (let c = 0; c < V; c++) {
        const p = normalized ? 0 : Math.exp(logits[begin + c]! - totals![row]!);
        const smoothed = spread * (p * weights - (weight?.[c] ?? 1));
        dLogits[begin + c] = upstream * (ofTarget * (c === target ? p - 1 : p) + smoothed);
      }
    }
    return [dLogits];
  },
  (node) => 3 * node.inputs[0]!.size,
);
