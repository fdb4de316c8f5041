/** The comparison that all numerical tests rest on: what it must refuse, and what it says then. */
import { expect, it } from 'vitest';
import { compare, expectClose, maxError } from '../support/compare.js';
import { TOLERANCES } from '../support/tolerances.js';

it('measures against one plus the largest expected number', () => {
  expect(maxError([1, 5.5], [1, 4])).toBeCloseTo(1.5 / 5, 15);
  expect(compare([1, 5.5], [1, 4])).toMatchObject({ absoluteError: 1.5, index: 1, actual: 5.5, expected: 4 });
});

it('accepts an error of just the tolerance, and none beyond', () => {
  expect(expectClose([0.5], [0], 0.5, 'y')).toBe(0.5);
  expect(() => expectClose([0.5], [0], 0.49, 'y')).toThrow();
});

it('takes a tolerance of the table', () => {
  expect(expectClose([1 + 1e-6], [1], TOLERANCES.result, 'y')).toBeLessThan(1e-6);
  expect(() => expectClose([1 + 1e-4], [1], TOLERANCES.result, 'y')).toThrow('tolerance 5.00e-6');
});

it('names the worst element', () => {
  expect(() => expectClose([1, 2, 3.5], [1, 2.25, 3], 1e-3, 'grad.x')).toThrow(
    'grad.x: error 1.25e-1, tolerance 1.00e-3; worst at index 2 of 3: got 3.5, expected 3',
  );
});

it.each([
  ['NaN for NaN', [NaN], [NaN]],
  ['NaN for a number', [NaN], [0]],
  ['a number for NaN', [0], [NaN]],
  ['infinity for infinity', [Infinity], [Infinity]],
  ['infinity for a number', [-Infinity], [1e38]],
  ['NaN after a good element', [1, NaN], [1, 2]],
])('refuses %s, however wide the tolerance', (_name, actual, expected) => {
  expect(() => expectClose(actual, expected, Infinity, 'y')).toThrow();
  expect(maxError(actual, expected)).toBe(Infinity);
});

it('refuses another length', () => {
  expect(() => expectClose([1, 2], [1], 1, 'y')).toThrow('y has 2 numbers, 1 are expected');
});

it('refuses a tolerance of NaN', () => {
  expect(() => expectClose([1], [1], NaN, 'y')).toThrow('tolerance NaN');
});

it('tells zero from minus zero apart in nothing', () => {
  expect(expectClose([-0], [0], 0, 'y')).toBe(0);
});
