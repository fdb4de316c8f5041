/** The benchmark's medians, quartiles and comparisons. */
import { expect, it } from 'vitest';
import { agree, quantile, summarize } from '../../../bench/statistics.js';

it('interpolates quantiles between neighbours', () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
  expect(quantile([7], 0.9)).toBe(7);
  expect(quantile([], 0.5)).toBeNaN();
});

it('sums up numbers in any order and leaves them as they were', () => {
  const numbers = [5, 1, 4, 2, 3];
  expect(summarize(numbers)).toEqual({
    count: 5,
    median: 3,
    lowerQuartile: 2,
    upperQuartile: 4,
    min: 1,
    max: 5,
  });
  expect(numbers).toEqual([5, 1, 4, 2, 3]);
});

it.each([
  [[4.1761], [4.1762], 1e-3, true],
  [[4.1761], [4.19], 1e-3, false],
  [[100], [100.05], 1e-3, true],
  // Below 1 the tolerance is absolute.
  [[1e-6], [2e-6], 1e-3, true],
  [[NaN], [NaN], 1e-3, false],
  [[1], [1, 1], 1e-3, false],
])('%j and %j within %d: %j', (a, b, tolerance, expected) => {
  expect(agree(a, b, tolerance)).toBe(expected);
});
