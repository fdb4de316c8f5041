/** `linear` on the CPU. */
import { linearOperation } from '../ops/linear.js';
import { defineKernel, outputSize } from './kernel.js';
import { product } from './product.js';

/** `y = x·weightᵀ + bias`. */
export const linearKernel = defineKernel(
  linearOperation,
  (call) => {
    const x = call.real(0);
    const [O, I] = call.shape(1) as readonly [number, number];
    const rows = x.length / I;
    const y = call.allocate(rows * O);
    product(y, x, call.real(1), rows, O, I, call.optional(2));
    return [y];
  },
  (node) => 2 * outputSize(node) * node.inputs[1]!.shape[1]!,
);
