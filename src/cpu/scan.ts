/** `scan` on the CPU: the body's graph run once a step. */
import { sizeOf } from '../graph/shape.js';
import { scanOperation } from '../ops/scan.js';
import { defineKernel } from './kernel.js';
import type { Data } from './storage.js';

/** Hands slices of the inputs and the carry to the body, and stacks what it returns. */
export const scanKernel = defineKernel(
  scanOperation,
  (call) => {
    const { body, length, carryCount, xCount, constCount, yCount, reverse } = call.attributes;
    const program = call.prepare(body);
    const given = Array.from({ length: carryCount + xCount + constCount }, (_, i) => call.data(i));
    const stacks = Array.from({ length: yCount + carryCount }, (_, i) => {
      const output = carryCount + i;
      const like = i < yCount ? outputLike(call.node.outputs[output]!.dtype) : given[i - yCount]!;
      return call.wanted(output) ? call.allocateLike(like, sizeOf(call.outputShape(output))) : null;
    });
    const inputs = new Map<string, Data>();
    for (let i = 0; i < constCount; i++) inputs.set(`const${i}`, given[carryCount + xCount + i]!);

    let carry = given.slice(0, carryCount);
    for (let step = 0; step < length; step++) {
      const t = reverse ? length - 1 - step : step;
      carry.forEach((value, i) => {
        inputs.set(`carry${i}`, value);
        put(stacks[yCount + i]!, value, t);
      });
      for (let i = 0; i < xCount; i++) {
        const x = given[carryCount + i]!;
        const size = x.length / length;
        inputs.set(`x${i}`, x.subarray(t * size, (t + 1) * size));
      }
      const outputs = program.run(inputs, call.arena);
      for (let i = 0; i < yCount; i++) {
        const y = outputs.get(`y${i}`)!;
        put(stacks[i]!, y, t);
        call.arena.release(y);
      }
      if (step > 0) for (const value of carry) call.arena.release(value);
      carry = carry.map((_, i) => outputs.get(`carry${i}`)!);
    }
    return [...carry, ...stacks];
  },
  (node, prepare) => node.attributes.length * prepare(node.attributes.body).flops,
);

/** An empty array of the element type of `dtype`. */
function outputLike(dtype: string): Data {
  return dtype === 'int32' ? new Int32Array(0) : new Float64Array(0);
}

function put(stack: Data | null, value: Data, t: number): void {
  stack?.set(value, t * value.length);
}
