/** `unary` and its backward on the CPU: each function beside its derivative. */
import { unaryBackwardOperation, unaryOperation, type UnaryKind } from '../ops/unary.js';
import { defineKernel } from './kernel.js';

interface Unary {
  readonly f: (x: number) => number;
  /** The derivative, from `x` and `y = f(x)`. */
  readonly derivative: (x: number, y: number) => number;
}

/** The logistic function; `e⁻ˣ` overflows to infinity at worst, which gives 0. */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

const FUNCTIONS: Readonly<Record<UnaryKind, Unary>> = {
  neg: { f: (x) => -x, derivative: () => -1 },
  exp: { f: Math.exp, derivative: (_, y) => y },
  log: { f: Math.log, derivative: (x) => 1 / x },
  sqrt: { f: Math.sqrt, derivative: (_, y) => 0.5 / y },
  square: { f: (x) => x * x, derivative: (x) => 2 * x },
  abs: { f: Math.abs, derivative: (x) => Math.sign(x) },
  reciprocal: { f: (x) => 1 / x, derivative: (_, y) => -y * y },
  tanh: { f: Math.tanh, derivative: (_, y) => 1 - y * y },
  sigmoid: { f: sigmoid, derivative: (_, y) => y * (1 - y) },
  relu: { f: (x) => Math.max(0, x), derivative: (x) => (x > 0 ? 1 : 0) },
  softplus: {
    f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    derivative: sigmoid,
  },
};

/** `y = f(x)`. */
export const unaryKernel = defineKernel(unaryOperation, (call) => {
  const x = call.real(0);
  const { f } = FUNCTIONS[call.attributes.kind];
  const y = call.allocate(x.length);
  for (let i = 0; i < y.length; i++) y[i] = f(x[i]!);
  return [y];
});

/** `dX = f′(x)·dY`. */
export const unaryBackwardKernel = defineKernel(unaryBackwardOperation, (call) => {
  const x = call.real(0);
  const y = call.real(1);
  const dY = call.real(2);
  const { derivative } = FUNCTIONS[call.attributes.kind];
  const dX = call.allocate(x.length);
  for (let i = 0; i < dX.length; i++) dX[i] = derivative(x[i]!, y[i]!) * dY[i]!;
  return [dX];
});
