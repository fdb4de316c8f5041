/** `slice` on the CPU. */
import { stridesOf } from '../graph/shape.js';
import { sliceOperation } from '../ops/slice.js';
import { defineKernel, outputSize } from './kernel.js';
import { forEachRow, rowsOf } from './rows.js';

/** `y = x[begin : begin + size]`. */
export const sliceKernel = defineKernel(
  sliceOperation,
  (call) => {
    const x = call.data(0);
    const y = call.allocateLike(x, outputSize(call.node));
    const { begin, size } = call.attributes;
    const strides = stridesOf(call.shape(0));
    const origin = begin.reduce((offset, b, axis) => offset + b * strides[axis]!, 0);
    const { length } = rowsOf(size);
    forEachRow(size, strides, strides, (index, offset) => {
      const from = origin + offset;
      for (let i = 0; i < length; i++) y[index + i] = x[from + i]!;
    });
    return [y];
  },
  () => 0,
);
