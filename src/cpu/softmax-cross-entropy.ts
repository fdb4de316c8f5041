/** `softmaxCrossEntropy` and its backward on the CPU. The residual is `ln Σ eˣ` of each row. */
import {
  softmaxCrossEntropyBackwardOperation,
  softmaxCrossEntropyOperation,
} from '../ops/softmax-cross-entropy.js';
import { defineKernel, Residual } from './kernel.js';
import { logSumExp } from './softmax.js';
import { checkTokens } from './tokens.js';

/** `loss = ln Σ eˣ − x[target]`, reduced. */
export const softmaxCrossEntropyKernel = defineKernel(
  softmaxCrossEntropyOperation,
  (call) => {
    const logits = call.real(0);
    const targets = call.int(1);
    const { reduction } = call.attributes;
    const V = call.shape(0).at(-1)!;
    const rows = targets.length;
    checkTokens(
      call.node.label ? `softmaxCrossEntropy "${call.node.label}"` : 'softmaxCrossEntropy',
      targets,
      V,
    );
    const totals = call.allocate(rows);
    const loss = call.allocate(reduction === 'none' ? rows : 1);
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      const total = logSumExp(logits, row * V, V);
      const rowLoss = total - logits[row * V + targets[row]!]!;
      totals[row] = total;
      sum += rowLoss;
      if (reduction === 'none') loss[row] = rowLoss;
    }
    if (reduction !== 'none') loss[0] = reduction === 'mean' ? sum / rows : sum;
    return [loss, new Residual([totals])];
  },
  (node) => 3 * node.inputs[0]!.size,
);

/** `dLogits = (softmax(logits) − onehot(target))·dLoss`, over the count for a mean. */
export const softmaxCrossEntropyBackwardKernel = defineKernel(
  softmaxCrossEntropyBackwardOperation,
  (call) => {
    const logits = call.real(0);
    const targets = call.int(1);
    const totals = call.residual(2)[0]!;
    const dLoss = call.real(3);
    const { reduction } = call.attributes;
    const V = call.shape(0).at(-1)!;
    const rows = targets.length;
    const dLogits = call.allocate(logits.length);
    for (let row = 0; row < rows; row++) {
      const scale = reduction === 'none' ? dLoss[row]! : reduction === 'mean' ? dLoss[0]! / rows : dLoss[0]!;
      const begin = row * V;
      const total = totals[row]!;
      const target = begin + targets[row]!;
      for (let i = begin; i < begin + V; i++) {
        const probability = Math.exp(logits[i]! - total);
        dLogits[i] = (i === target ? probability - 1 : probability) * scale;
      }
    }
    return [dLogits];
  },
  (node) => 3 * node.inputs[0]!.size,
);
