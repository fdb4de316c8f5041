/** How far results on this device may be from what they should be. */

/**
 * As `max|a−b| / (1 + max|b|)`: for sums in another order, and for what the language lets `exp` and divisions be
 * off (https://www.w3.org/TR/WGSL/#floating-point-accuracy).
 */
export const TOLERANCE = 1e-4;

/** How two arrays differ. */
export interface Difference {
  /** `max|a−b| / (1 + max|b|)`; infinite where only one of two numbers is finite. */
  readonly error: number;
  /** Null where that is within the tolerance. */
  readonly problem: string | null;
}

/**
 * Compares results.
 * @param source what the expected ones are from, for the message
 */
export function difference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  source: string,
): Difference {
  let [worst, largest, index] = [0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i]!, expected[i]!];
    // Numbers that are not finite must be the same ones: both arrays may hold what no step has written.
    const distance =
      Number.isFinite(a) && Number.isFinite(b) ? Math.abs(a - b) : Object.is(a, b) ? 0 : Infinity;
    if (distance > worst) [worst, index] = [distance, i];
    if (Number.isFinite(b)) largest = Math.max(largest, Math.abs(b));
  }
  const error = worst / (1 + largest);
  const problem = `error ${error.toExponential(2)}, tolerance ${TOLERANCE}: ${actual[index]} at index ${index}, ${source} gives ${expected[index]}`;
  return { error, problem: error <= TOLERANCE ? null : problem };
}
