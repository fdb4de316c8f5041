/** Metrics on the host and on the device, which must agree. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import {
  accuracy,
  binaryAccuracy,
  bitsPerCharacter,
  perplexity,
  topKAccuracy,
} from '../../../src/nn/metrics.js';
import { correctTopK, mean, mul } from '../../../src/ops/index.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real, whole } from '../support/evaluate.js';
import { randomArray, randomSource, randomTokens } from '../support/random.js';

const SCORES = [1, 3, 2, 9, 9, 0, -1, -2, -3, 5, 6, 7];

describe('accuracy', () => {
  it('counts the targets with the highest score', () => {
    expect(accuracy(SCORES, [1, 0, 0, 0])).toBe(3 / 4);
    expect(accuracy(SCORES, [1, 1, 0, 2])).toBe(3 / 4);
    expect(topKAccuracy(SCORES, [2, 1, 1, 0], { k: 2 })).toBe(3 / 4);
    expect(topKAccuracy(SCORES, [0, 2, 2, 0], { k: 3 })).toBe(1);
  });
  it('leaves out what is ignored', () => {
    expect(accuracy(SCORES, [1, -100, 2, -100])).toBe(1 / 2);
    expect(accuracy(SCORES, [1, 0, 2, 2], { ignoreIndex: 2 })).toBe(1);
    expect(accuracy(SCORES, [1, -100, 0, 2], { ignoreIndex: null })).toBe(3 / 4);
    expect(accuracy(SCORES, [-100, -100, -100, -100])).toBeNaN();
    expect(accuracy([], [])).toBeNaN();
  });
  it('does not count what is no number', () => {
    expect(accuracy([NaN, 1, 2, NaN], [0, 0])).toBe(1 / 2);
    expect(topKAccuracy([NaN, NaN], [0], { k: 2 })).toBe(0);
  });
  it('is what the device gives', async () => {
    const random = randomSource(5);
    const scores = randomArray(random, 40 * 6, 0, 9).map(Math.floor);
    const targets = randomTokens(random, 40, 6);
    for (const k of [1, 2, 5, 6, 7]) {
      const inputs = { x: real([8, 5, 6], scores), y: whole([8, 5], targets) };
      const [share] = await evaluate(inputs, ({ x, y }) => [mean(correctTopK(x, y, { k }))]);
      expectClose(share!, [topKAccuracy(scores, targets, { k })]);
    }
  });
  it('refuses what does not fit', () => {
    expect(() => accuracy(SCORES, [1, 2, 0, 1, 1])).toThrow(ShapeError);
    expect(() => accuracy([], [1])).toThrow(/0 scores for 1 targets/);
    expect(() => topKAccuracy(SCORES, [1, 1, 1, 1], { k: 0 })).toThrow(ArgumentError);
    expect(() => accuracy(SCORES, [1, 1, 1, 1], { k: 2 } as object)).toThrow(/no option "k"/);
  });
});

describe('correctTopK', () => {
  it('is never right about a target that is no class', async () => {
    const inputs = { x: real([3, 2], [1, 2, 1, 2, NaN, 2]), y: whole([3], [-100, 2, 0]) };
    const [correct] = await evaluate(inputs, ({ x, y }) => [correctTopK(x, y, { k: 2 })]);
    expect([...correct!]).toEqual([0, 0, 0]);
  });
  it('passes no gradient', async () => {
    await checkGradients({
      inputs: { x: real([2, 3], [1, 3, 2, 9, 8, 0]), y: whole([2], [1, 0]), w: real([2], [1, 2]) },
      record: ({ x, y, w }) => [mul(correctTopK(x, y), w)],
      zero: ['x'],
    });
  });
  it('refuses what does not fit', () => {
    const graph = new Graph('test');
    const scores = graph.input('scores', [3, 4]);
    const targets = graph.input('targets', [3], 'int32');
    expect(() => correctTopK(scores, graph.input('other', [4], 'int32'))).toThrow(ShapeError);
    expect(() => correctTopK(scores, targets, { k: 0 })).toThrow(/correctTopK: k is 0/);
  });
});

describe('other metrics', () => {
  it('binaryAccuracy looks at the side of the threshold', () => {
    expect(binaryAccuracy([-1, 2, 0.1, -3], [0, 1, 0, 1])).toBe(1 / 2);
    expect(binaryAccuracy([0.4, 0.6, 0.5], [0, 1, 0], { threshold: 0.5 })).toBe(1);
    expect(binaryAccuracy([NaN, 1], [0, 1])).toBe(1 / 2);
    expect(binaryAccuracy([], [])).toBeNaN();
    expect(() => binaryAccuracy([1], [1, 0])).toThrow(ShapeError);
    expect(() => binaryAccuracy([1], [1], { threshold: NaN })).toThrow(ArgumentError);
  });
  it('perplexity and bits per character', () => {
    expectClose([perplexity(Math.log(65)), bitsPerCharacter(Math.log(8))], [65, 3]);
  });
});
