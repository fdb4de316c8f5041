/** `stopGradient` on the CPU. */
import { stopGradientOperation } from '../ops/stop-gradient.js';
import { defineKernel } from './kernel.js';

/** A copy: each value owns its array. */
export const stopGradientKernel = defineKernel(
  stopGradientOperation,
  (call) => {
    const x = call.data(0);
    const y = call.allocateLike(x, x.length);
    y.set(x);
    return [y];
  },
  () => 0,
);
