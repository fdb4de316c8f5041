/** `matmul` on the CPU. */
import { matmulOperation } from '../ops/matmul.js';
import { defineKernel, outputSize } from './kernel.js';
import { product, transposeInto } from './product.js';

/** `y = op(a)·op(b)`: operands are laid out so that both are read along their rows, then multiplied. */
export const matmulKernel = defineKernel(
  matmulOperation,
  (call) => {
    const { transposeA, transposeB } = call.attributes;
    const [M, N] = call.outputShape(0) as readonly [number, number];
    const K = call.shape(0)[transposeA ? 0 : 1]!;
    let a = call.real(0);
    let b = call.real(1);
    if (transposeA) {
      const rows = call.scratch(M * K);
      transposeInto(rows, a, K, M);
      a = rows;
    }
    if (!transposeB) {
      const rows = call.scratch(N * K);
      transposeInto(rows, b, K, N);
      b = rows;
    }
    const y = call.allocate(M * N);
    product(y, a, b, M, N, K);
    return [y];
  },
  (node) => 2 * outputSize(node) * node.inputs[0]!.shape[node.attributes.transposeA ? 0 : 1]!,
);
