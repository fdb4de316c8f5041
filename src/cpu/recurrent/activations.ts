/** The cells' activations with their derivatives, clamped where the layer asks for it. */
import type { ActivationName } from '../../ops/cells.js';
import type { RealArray } from '../storage.js';
import { sigmoid } from '../unary.js';

/** A function that never decreases; its derivative is told by its result alone. */
export interface Activation {
  readonly f: (x: number) => number;
  /** The derivative where `f` gave `y`. */
  readonly derivative: (y: number) => number;
}

/** `clip(slope·x + 1/2, 0, 1)`. */
function hardSigmoid(slope: number): Activation {
  return {
    f: (x) => Math.min(1, Math.max(0, slope * x + 0.5)),
    derivative: (y) => (y > 0 && y < 1 ? slope : 0),
  };
}

const ACTIVATIONS: Readonly<Record<ActivationName, Activation>> = {
  tanh: { f: Math.tanh, derivative: (y) => 1 - y * y },
  sigmoid: { f: sigmoid, derivative: (y) => y * (1 - y) },
  relu: { f: (x) => Math.max(0, x), derivative: (y) => (y > 0 ? 1 : 0) },
  linear: { f: (x) => x, derivative: () => 1 },
  hardSigmoid: hardSigmoid(1 / 6),
  onnxHardSigmoid: hardSigmoid(0.2),
};

/** `value` as an array of the kind of `like` holds it. */
export function rounded(value: number, like: RealArray): number {
  return like instanceof Float32Array ? Math.fround(value) : value;
}

/**
 * The activation `name` of an argument clamped to `±clip`; 0 clamps nothing. No gradient flows where the
 * clamp holds, which the result shows: it is then that of the bound itself, and where other arguments share
 * that result the derivative is 0 as well.
 * @param like an array of the kind that keeps the results
 */
export function activationOf(name: ActivationName, clip: number, like: RealArray): Activation {
  const activation = ACTIVATIONS[name];
  if (clip === 0) return activation;
  const { f, derivative } = activation;
  const low = rounded(f(-clip), like);
  const high = rounded(f(clip), like);
  return {
    f: (x) => f(Math.min(clip, Math.max(-clip, x))),
    derivative: (y) => (y > low && y < high ? derivative(y) : 0),
  };
}
