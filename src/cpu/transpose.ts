/** `transpose` on the CPU. */
import { stridesOf } from '../graph/shape.js';
import { transposeOperation } from '../ops/transpose.js';
import { defineKernel } from './kernel.js';
import { forEachRow, innerStride, rowsOf } from './rows.js';

/** `y[i…] = x[…]` with the indices permuted. */
export const transposeKernel = defineKernel(
  transposeOperation,
  (call) => {
    const x = call.data(0);
    const y = call.allocateLike(x, x.length);
    const inputStrides = stridesOf(call.shape(0));
    const strides = call.attributes.permutation.map((axis) => inputStrides[axis]!);
    const step = innerStride(strides);
    const shape = call.outputShape(0);
    const { length } = rowsOf(shape);
    forEachRow(shape, strides, strides, (index, begin) => {
      for (let i = 0; i < length; i++) y[index + i] = x[begin + i * step]!;
    });
    return [y];
  },
  () => 0,
);
