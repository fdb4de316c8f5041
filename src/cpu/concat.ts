/** `concat` on the CPU. */
import { sizeOf } from '../graph/shape.js';
import { concatOperation } from '../ops/concat.js';
import { defineKernel, outputSize } from './kernel.js';

/** The inputs one behind the other along the axis. */
export const concatKernel = defineKernel(
  concatOperation,
  (call) => {
    const { axis } = call.attributes;
    const shape = call.outputShape(0);
    const y = call.allocateLike(call.data(0), outputSize(call.node));
    const blocks = sizeOf(shape.slice(0, axis));
    const stride = sizeOf(shape.slice(axis));
    let offset = 0;
    for (let input = 0; input < call.inputCount; input++) {
      const x = call.data(input);
      const length = x.length / blocks;
      for (let block = 0; block < blocks; block++) {
        const from = block * length;
        const to = block * stride + offset;
        for (let i = 0; i < length; i++) y[to + i] = x[from + i]!;
      }
      offset += length;
    }
    return [y];
  },
  () => 0,
);
