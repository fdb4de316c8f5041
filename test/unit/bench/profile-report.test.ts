/** The tables of profiles and of the sweep. */
import { expect, it } from 'vitest';
import { worstStep } from '../../../bench/growth.js';
import { number } from '../../../bench/numbers.js';
import { plotSvg } from '../../../bench/plot.js';
import { averageProfiles, profileTable, type KernelTime } from '../../../bench/profile-report.js';

const entry = (kernel: string, milliseconds: number): KernelTime => ({
  kernel,
  label: 'rnn',
  count: 4,
  flops: 2e9,
  bytes: 1e9,
  milliseconds,
});

it('averages profiles, the slowest kernel first', () => {
  const kernels = averageProfiles([
    [entry('quick', 1), entry('slow', 90)],
    [entry('quick', 3), entry('slow', 110)],
  ]);
  expect(kernels.map(({ kernel, milliseconds }) => [kernel, milliseconds])).toEqual([
    ['slow', 100],
    ['quick', 2],
  ]);
});

it('gives rates and names what is hot', () => {
  const table = profileTable('name', [200], [[entry('quick', 1), entry('slow', 99)]]);
  expect(table).toContain('| **slow** | rnn | 4 | 99 | 99 % | 24750 | 20.2 | 10.1 |');
  expect(table).toContain('| quick | rnn | 4 | 1 | 1 % | 250 | 2000 | 1000 |');
  expect(table).toContain('20 GFLOP/s by the plan');
  expect(table).toContain('Hot: slow (rnn).');
});

it.each([
  [0.0012345, '0.00123'],
  [12.345, '12.3'],
  [12345.6, '12346'],
  [150, '150'],
  [NaN, '–'],
])('prints %d as %s', (value, expected) => {
  expect(number(value)).toBe(expected);
});

it('plots every point of every curve within the picture', () => {
  const picture = plotSvg('title', [
    {
      name: 'T',
      points: [
        [8, 1],
        [64, 9],
      ],
    },
    {
      name: 'B',
      points: [
        [1, 2],
        [128, 40],
      ],
    },
  ]);
  const circles = [...picture.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)];
  expect(circles).toHaveLength(4);
  for (const [, x, y] of circles) {
    expect(Number(x)).toBeGreaterThanOrEqual(0);
    expect(Number(x)).toBeLessThanOrEqual(640);
    expect(Number(y)).toBeGreaterThanOrEqual(0);
    expect(Number(y)).toBeLessThanOrEqual(400);
  }
});

it('finds the worst growth of time against work', () => {
  const points = [
    { size: 31, work: 31, milliseconds: 10 },
    { size: 32, work: 32, milliseconds: 10 },
    { size: 33, work: 33, milliseconds: 20 },
    { size: 64, work: 64, milliseconds: 36 },
  ];
  expect(worstStep(points)).toEqual({ size: 33, ratio: (20 / 10) * (32 / 33) });
});
