/** Medians and what lies around them. */

/** Of some numbers: the median, the quartiles, and the ends. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The quantile `q` of numbers in rising order, interpolated between neighbours as R's type 7 and NumPy do.
 * NaN for none.
 */
export function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) return NaN;
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

/** Sums numbers up. */
export function summarize(numbers: readonly number[]): Summary {
  const sorted = [...numbers].sort((a, b) => a - b);
  return {
    count: sorted.length,
    median: quantile(sorted, 0.5),
    lowerQuartile: quantile(sorted, 0.25),
    upperQuartile: quantile(sorted, 0.75),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
  };
}

/**
 * Whether two lists of numbers agree: each within `tolerance` of the other relative to the larger, or within
 * the tolerance itself where both are below 1.
 */
export function agree(a: readonly number[], b: readonly number[], tolerance: number): boolean {
  return (
    a.length === b.length &&
    a.every((value, index) => {
      const other = b[index]!;
      return Math.abs(value - other) <= tolerance * Math.max(1, Math.abs(value), Math.abs(other));
    })
  );
}
