/** `broadcast` on the CPU. */
import { broadcastOperation } from '../ops/broadcast.js';
import { defineKernel, outputSize } from './kernel.js';
import { broadcastStrides, forEachRow, innerStride, rowsOf } from './rows.js';

/** `y = x`, repeated along stretched dimensions. */
export const broadcastKernel = defineKernel(
  broadcastOperation,
  (call) => {
    const x = call.real(0);
    const shape = call.outputShape(0);
    const y = call.allocate(outputSize(call.node));
    const strides = broadcastStrides(call.shape(0), shape);
    const step = innerStride(strides);
    const { length } = rowsOf(shape);
    forEachRow(shape, strides, strides, (index, begin) => {
      for (let i = 0; i < length; i++) y[index + i] = x[begin + i * step]!;
    });
    return [y];
  },
  () => 0,
);
