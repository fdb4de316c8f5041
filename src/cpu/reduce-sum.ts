/** `reduceSum` on the CPU. */
import { sizeOf, stridesOf } from '../graph/shape.js';
import { reduceSumOperation } from '../ops/broadcast.js';
import { defineKernel, outputSize } from './kernel.js';
import { forEachRow, innerStride, rowsOf } from './rows.js';

/** `y = scale·Σ x` over the axes; sums are kept in double precision. */
export const reduceSumKernel = defineKernel(
  reduceSumOperation,
  (call) => {
    const x = call.real(0);
    const shape = call.shape(0);
    const { axes, scale } = call.attributes;
    // Strides of the output seen from the input: a summed axis stays on the same element.
    const kept = stridesOf(shape.map((d, axis) => (axes.includes(axis) ? 1 : d)));
    const strides = kept.map((stride, axis) => (axes.includes(axis) ? 0 : stride));
    const step = innerStride(strides);
    const { length } = rowsOf(shape);
    const sums = new Float64Array(outputSize(call.node));
    forEachRow(shape, strides, strides, (index, begin) => {
      if (step === 0) {
        let sum = 0;
        for (let i = 0; i < length; i++) sum += x[index + i]!;
        sums[begin] = sums[begin]! + sum;
      } else {
        for (let i = 0; i < length; i++) sums[begin + i] = sums[begin + i]! + x[index + i]!;
      }
    });
    const y = call.allocate(sums.length);
    for (let i = 0; i < y.length; i++) y[i] = scale * sums[i]!;
    return [y];
  },
  (node) => sizeOf(node.inputs[0]!.shape),
);
