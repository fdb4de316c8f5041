/** `matmul` on the CPU. */
import { sizeOf } from '../graph/shape.js';
import { matmulOperation } from '../ops/matmul.js';
import { defineKernel, outputSize, type KernelCall } from './kernel.js';
import { product, transposeInto } from './product.js';
import type { RealArray } from './storage.js';

/**
 * Matrix after matrix of input `index`, of `rows` rows that each hold what is summed over; one that is stored
 * the other way is laid out anew. A single matrix is the same each time.
 */
function matrices<A>(
  call: KernelCall<A>,
  index: number,
  rows: number,
  K: number,
  turned: boolean,
): (i: number) => RealArray {
  const all = call.real(index);
  const size = rows * K;
  const shared = call.shape(index).length === 2;
  const matrix = (i: number): RealArray => (shared ? all : all.subarray(i * size, (i + 1) * size));
  if (!turned) return matrix;
  const laidOut = call.scratch(size);
  return (i) => {
    if (i === 0 || !shared) transposeInto(laidOut, matrix(i), K, rows);
    return laidOut;
  };
}

/** `y = op(a)·op(b)`: operands are laid out so that both are read along their rows, then multiplied. */
export const matmulKernel = defineKernel(
  matmulOperation,
  (call) => {
    const { transposeA, transposeB } = call.attributes;
    const shape = call.outputShape(0);
    const [M, N] = shape.slice(-2) as [number, number];
    const K = call.shape(0).at(transposeA ? -2 : -1)!;
    const a = matrices(call, 0, M, K, transposeA);
    const b = matrices(call, 1, N, K, !transposeB);
    const y = call.allocate(sizeOf(shape));
    for (let i = 0; i < y.length / (M * N); i++) {
      product(y.subarray(i * M * N, (i + 1) * M * N), a(i), b(i), M, N, K);
    }
    return [y];
  },
  (node) => 2 * outputSize(node) * node.inputs[0]!.shape.at(node.attributes.transposeA ? -2 : -1)!,
);
