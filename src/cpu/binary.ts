/** `binary` and the mask of its gradient on the CPU. */
import { binaryMaskOperation, binaryOperation, type BinaryKind } from '../ops/binary.js';
import { defineKernel, outputSize, type KernelCall } from './kernel.js';
import { broadcastStrides, forEachRow, innerStride, rowsOf } from './rows.js';
import type { RealArray } from './storage.js';

const FUNCTIONS: Readonly<Record<BinaryKind, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  maximum: Math.max,
  minimum: Math.min,
};

/** 1 where `a` is taken, 0 where `b` is, ½ where they tie. */
const MASKS = {
  maximum: (a: number, b: number) => (a > b ? 1 : a < b ? 0 : 0.5),
  minimum: (a: number, b: number) => (a < b ? 1 : a > b ? 0 : 0.5),
} as const;

function broadcasted<A>(call: KernelCall<A>, f: (a: number, b: number) => number): RealArray {
  const a = call.real(0);
  const b = call.real(1);
  const shape = call.outputShape(0);
  const y = call.allocate(outputSize(call.node));
  const aStrides = broadcastStrides(call.shape(0), shape);
  const bStrides = broadcastStrides(call.shape(1), shape);
  const aStep = innerStride(aStrides);
  const bStep = innerStride(bStrides);
  const { length } = rowsOf(shape);
  forEachRow(shape, aStrides, bStrides, (index, aBegin, bBegin) => {
    for (let i = 0; i < length; i++) y[index + i] = f(a[aBegin + i * aStep]!, b[bBegin + i * bStep]!);
  });
  return y;
}

/** `y = f(a, b)`, both broadcast. */
export const binaryKernel = defineKernel(binaryOperation, (call) => [
  broadcasted(call, FUNCTIONS[call.attributes.kind]),
]);

/** The derivative of `maximum` or `minimum` by `a`. */
export const binaryMaskKernel = defineKernel(binaryMaskOperation, (call) => [
  broadcasted(call, MASKS[call.attributes.kind]),
]);
