/** Comparing arrays of numbers; runs in any JavaScript environment, with or without a test framework. */
import type { Tolerance } from './tolerances.js';

/** How two arrays differ. */
export interface Comparison {
  /** `max|a−b| / (1 + max|b|)`; infinite when a number on either side is not finite. */
  readonly error: number;
  /** `max|a−b|`; infinite likewise. */
  readonly absoluteError: number;
  /** Where they differ most, or where the first number that is not finite is. */
  readonly index: number;
  readonly actual: number;
  readonly expected: number;
}

/**
 * Compares two arrays of one length. NaN and infinities equal nothing, not even themselves.
 * @throws Error when the lengths differ
 */
export function compare(actual: ArrayLike<number>, expected: ArrayLike<number>): Comparison {
  if (actual.length !== expected.length) {
    throw new Error(`has ${actual.length} numbers, ${expected.length} are expected`);
  }
  let worst = 0;
  let index = 0;
  let scale = 0;
  for (let i = 0; i < actual.length; i++) {
    const a = actual[i]!;
    const b = expected[i]!;
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      return { error: Infinity, absoluteError: Infinity, index: i, actual: a, expected: b };
    }
    scale = Math.max(scale, Math.abs(b));
    const difference = Math.abs(a - b);
    if (difference > worst) {
      worst = difference;
      index = i;
    }
  }
  return {
    error: worst / (1 + scale),
    absoluteError: worst,
    index,
    actual: actual[index] ?? NaN,
    expected: expected[index] ?? NaN,
  };
}

/** `max|a−b| / (1 + max|b|)`, infinite when any number is not finite. */
export function maxError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  return compare(actual, expected).error;
}

/**
 * Throws unless `max|a−b| / (1 + max|b|)` is at most `tolerance` and every number is finite.
 * @param what names the array in the message
 * @returns the error, for who wants to report it
 * @throws Error naming the worst element's index and both values
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number | Tolerance,
  what: string,
): number {
  const limit = typeof tolerance === 'number' ? tolerance : tolerance.value;
  let comparison: Comparison;
  try {
    comparison = compare(actual, expected);
  } catch (error) {
    throw new Error(`${what} ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  const { error, index } = comparison;
  // Written so that a tolerance of NaN or infinity accepts nothing it should not.
  if (Number.isFinite(error) && error <= limit) return error;
  const problem = Number.isFinite(error) ? `error ${error.toExponential(2)}` : 'a number that is not finite';
  throw new Error(
    `${what}: ${problem}, tolerance ${limit.toExponential(2)}; ` +
      `worst at index ${index} of ${actual.length}: got ${comparison.actual}, expected ${comparison.expected}`,
  );
}
