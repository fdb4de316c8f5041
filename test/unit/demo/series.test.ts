/** Numbers from pasted text, and a forecaster that learns a wave well enough to go on with it. */
import { expect, it } from 'vitest';
import { Forecaster, PATHS } from '../../../demo/forecast/forecaster.js';
import { EXAMPLES, parseSeries } from '../../../demo/forecast/series.js';
import { CpuExecutor } from '../../../src/index.js';

const COUNT = Array.from({ length: 20 }, (_, i) => i);

it.each([
  ['a list', COUNT.join(', ')],
  ['lines', COUNT.join('\n')],
  ['a table', ['date,value', ...COUNT.map((i) => `2024-01-${i + 10},${i}`)].join('\r\n')],
])('reads %s', (_name, text) => {
  expect(parseSeries(text)).toEqual(COUNT);
});

it.each([
  ['1 2 3', 'has 3 numbers; paste at least 16'],
  ['none at all', 'has 0 numbers'],
  ['1 '.repeat(20) + '1e999', 'Infinity is too large'],
  ['1 '.repeat(20) + '-1e300', '-1e+300 is too large'],
  ['1 '.repeat(5001), 'has 5001 numbers; paste at most 5000'],
])('refuses what has too few or too many, or too large ones', (text, message) => {
  expect(() => parseSeries(text)).toThrow(message);
});

it.each(Object.entries(EXAMPLES))('%s repeats itself', (_name, { values }) => {
  expect(values()).toEqual(values());
  expect(values().every(Number.isFinite)).toBe(true);
});

it('learns a wave, and draws futures that go on with it', async () => {
  const wave = Array.from({ length: 200 }, (_, t) => 5 + 2 * Math.sin((2 * Math.PI * t) / 12));
  const settings = { cell: 'gru', hiddenSize: 12, steps: 150, learningRate: 0.02, seed: 1 } as const;
  const forecaster = new Forecaster(new CpuExecutor(), wave, settings);
  for (let step = 1; step <= settings.steps; step++) await forecaster.step(step === settings.steps);
  const futures = await forecaster.draw(12, 7);
  expect(futures).toHaveLength(PATHS);
  const error = Array.from({ length: 12 }, (_, i) => {
    const truth = 5 + 2 * Math.sin((2 * Math.PI * (200 + i)) / 12);
    const mean = futures.reduce((sum, path) => sum + path[i]!, 0) / PATHS;
    return Math.abs(mean - truth);
  });
  // The wave's own mean is off by 1.27 on average.
  expect(error.reduce((sum, e) => sum + e, 0) / 12).toBeLessThan(0.4);
  expect(await forecaster.draw(12, 7)).toEqual(futures);
  expect(await forecaster.draw(12, 8)).not.toEqual(futures);
});

it('refuses a series that is too short', () => {
  const settings = { cell: 'rnn', hiddenSize: 4, steps: 1, learningRate: 0.01, seed: 1 } as const;
  expect(() => new Forecaster(new CpuExecutor(), [1, 2, 3], settings)).toThrow('at least 16');
});
