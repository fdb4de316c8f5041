/** `reshape` on the CPU. */
import { reshapeOperation } from '../ops/reshape.js';
import { defineKernel } from './kernel.js';

/** A copy: each value owns its array. */
export const reshapeKernel = defineKernel(
  reshapeOperation,
  (call) => {
    const x = call.data(0);
    const y = call.allocateLike(x, x.length);
    y.set(x);
    return [y];
  },
  () => 0,
);
