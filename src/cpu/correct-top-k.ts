/** `correctTopK` on the CPU. */
import { correctTopKOperation } from '../ops/correct-top-k.js';
import { defineKernel } from './kernel.js';

/** Correct is a target that fewer than k others come before. */
export const correctTopKKernel = defineKernel(
  correctTopKOperation,
  (call) => {
    const scores = call.real(0);
    const targets = call.int(1);
    const { k } = call.attributes;
    const V = call.shape(0).at(-1)!;
    const correct = call.allocate(targets.length);
    for (let row = 0; row < targets.length; row++) {
      const target = targets[row]!;
      correct[row] = 0;
      if (target < 0 || target >= V) continue;
      const own = scores[row * V + target]!;
      let before = 0;
      for (let c = 0; c < V; c++) {
        const score = scores[row * V + c]!;
        if (score > own || (score === own && c < target)) before++;
      }
      if (before < k && !Number.isNaN(own)) correct[row] = 1;
    }
    return [correct];
  },
  (node) => node.inputs[0]!.size,
);
