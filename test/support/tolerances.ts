/** The one table of tolerances, each with the reason for its size. */

/** How far a result may lie from what it should be, and why that far. */
export interface Tolerance {
  /** Bound of {@link maxError} unless the reason says otherwise. */
  readonly value: number;
  readonly reason: string;
}

/** `err(a,b) = max|a−b| / (1 + max|b|)` over a tensor, unless an entry says absolute. */
export const TOLERANCES = {
  /** For what must be the same number: integers, masks, copies, sums in a fixed order. */
  exact: { value: 0, reason: 'the same operations in the same order give the same bits' },
  /** A float64 result against another way to the same float64 result. */
  float64: { value: 1e-12, reason: 'float64 rounding over some thousands of additions' },
  /** A gradient rule against central differences, both in float64. */
  difference: {
    value: 1e-7,
    reason: 'central differences with a step of 1e-5 are right to about step² and 1e-16/step',
  },
  /** A float32 result against float64. */
  result: {
    value: 5e-6,
    reason: 'float32 rounding over sums of a few hundred products, twenty times what PyTorch needs',
  },
  /** A float32 gradient against float64. */
  gradient: { value: 2e-5, reason: 'as a result, and through two passes over time' },
  /** A result of a layer whose weights are 40 to 60 times larger than usual. */
  saturatedResult: { value: 1e-4, reason: 'rounding of the sums is multiplied by the size of the weights' },
  /** A gradient of such a layer. */
  saturatedGradient: {
    value: 2e-3,
    reason: 'products of large weights through time multiply the rounding at each step',
  },
  /** A training loss or gradient norm; absolute. */
  trainingLoss: {
    value: 2e-5,
    reason: 'absolute: the rounding of a few updates moves a loss of about 1 by its last digits',
  },
  /** A parameter after some training steps. */
  finalParameter: {
    value: 1e-4,
    reason: 'optimizers divide by small second moments, which magnifies rounding',
  },
} as const satisfies Record<string, Tolerance>;
