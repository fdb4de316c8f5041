/** What a network reads of a stroke: the same wherever and however large it is drawn. */
import { expect, it } from 'vitest';
import {
  FIRST_GESTURES,
  featuresOf,
  FEATURES,
  POINTS,
  resample,
  vary,
} from '../../../demo/gestures/strokes.js';

it('brings strokes to points at equal distances, ends included', () => {
  const points = resample(
    [
      [0, 0],
      [3, 0],
      [3, 1],
    ],
    5,
  );
  expect(points).toEqual([
    [0, 0],
    [1, 0],
    [2, 0],
    [3, 0],
    [3, 1],
  ]);
  expect(resample([[2, 2]], 3)).toEqual([
    [2, 2],
    [2, 2],
    [2, 2],
  ]);
});

it.each(FIRST_GESTURES)('$name is the same elsewhere and larger', ({ stroke }) => {
  const moved = stroke.map(([x, y]) => [300 + 50 * x, 20 + 50 * y] as const);
  const [a, b] = [featuresOf(stroke), featuresOf(moved)];
  expect(a).toHaveLength(POINTS * FEATURES);
  a.forEach((value, i) => expect(b[i]).toBeCloseTo(value, 4));
  expect([...a].every((value) => Math.abs(value) <= 1.0001)).toBe(true);
});

it('varies strokes, and cuts some short', () => {
  let state = 1;
  const random = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
  const variants = Array.from({ length: 50 }, () => vary(FIRST_GESTURES[0]!.stroke, random));
  const lengths = variants.map(({ length }) => length);
  expect(Math.max(...lengths)).toBe(POINTS);
  expect(Math.min(...lengths)).toBeLessThan(POINTS);
  expect(Math.min(...lengths)).toBeGreaterThanOrEqual(8);
  expect(variants[0]).not.toEqual(variants[1]);
});
