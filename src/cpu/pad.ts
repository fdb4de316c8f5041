/** `pad` on the CPU. */
import { stridesOf } from '../graph/shape.js';
import { padOperation } from '../ops/slice.js';
import { defineKernel, outputSize } from './kernel.js';
import { forEachRow, rowsOf } from './rows.js';

/** `y = 0`, but `x` inside. */
export const padKernel = defineKernel(
  padOperation,
  (call) => {
    const x = call.real(0);
    const y = call.allocate(outputSize(call.node)).fill(0);
    const shape = call.shape(0);
    const strides = stridesOf(call.outputShape(0));
    const origin = call.attributes.before.reduce((offset, n, axis) => offset + n * strides[axis]!, 0);
    const { length } = rowsOf(shape);
    forEachRow(shape, strides, strides, (index, offset) => {
      const to = origin + offset;
      for (let i = 0; i < length; i++) y[to + i] = x[index + i]!;
    });
    return [y];
  },
  () => 0,
);
