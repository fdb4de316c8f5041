/** `sequenceMask` on the CPU. */
import { ArgumentError } from '../graph/errors.js';
import { sequenceMaskOperation } from '../ops/sequence-mask.js';
import { defineKernel } from './kernel.js';

/** `mask[t,b] = 1` where `t < lengths[b]`, else 0. */
export const sequenceMaskKernel = defineKernel(
  sequenceMaskOperation,
  (call) => {
    const lengths = call.int(0);
    const { T } = call.attributes;
    const B = lengths.length;
    lengths.forEach((length, b) => {
      if (length >= 1 && length <= T) return;
      throw new ArgumentError({
        culprit: call.node.label ? `sequenceMask "${call.node.label}"` : 'sequenceMask',
        problem: `the length at index ${b} is ${length}`,
        remedy: `feed lengths from 1 to ${T}`,
      });
    });
    const mask = call.arena.int(T * B);
    for (let t = 0; t < T; t++) {
      for (let b = 0; b < B; b++) mask[t * B + b] = t < lengths[b]! ? 1 : 0;
    }
    return [mask];
  },
  () => 0,
);
