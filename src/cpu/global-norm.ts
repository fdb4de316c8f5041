/** `globalNorm` on the CPU. */
import { globalNormOperation } from '../ops/global-norm.js';
import { defineKernel } from './kernel.js';

/** `√(Σ g²)` over all elements of all inputs. */
export const globalNormKernel = defineKernel(
  globalNormOperation,
  (call) => {
    let sum = 0;
    for (let input = 0; input < call.inputCount; input++) {
      const g = call.real(input);
      for (let i = 0; i < g.length; i++) sum += g[i]! * g[i]!;
    }
    const norm = call.allocate(1);
    norm[0] = Math.sqrt(sum);
    return [norm];
  },
  (node) => node.inputs.reduce((total, input) => total + 2 * input!.size, 0),
);
