/** `sampleToken` on the CPU: what it keeps, how often it draws each token, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, NonFiniteError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import type { Value } from '../../../src/graph/value.js';
import { drawTokens } from '../../../src/ops/index.js';

interface Settings {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
}

/** Draws `count` tokens from the same logits: one a row, each with a seed of its own. */
async function draw(
  logits: readonly number[],
  { temperature = 1, topK = 0, topP = 1 }: Settings = {},
  { count = 4000, position = 0, seeds = Int32Array.from({ length: 2 * count }, (_, i) => i) } = {},
): Promise<number[]> {
  const V = logits.length;
  const graph = new Graph('draw');
  const sampler = {
    temperature: graph.scalar('temperature'),
    topK: graph.scalar('topK', 'int32'),
    topP: graph.scalar('topP'),
    seeds: graph.input('seeds', [count, 2], 'int32'),
    position: graph.scalar('position', 'int32'),
  };
  graph.output('tokens', drawTokens(graph.input('logits', [count, V]), sampler));
  const executor = new CpuExecutor();
  const plan = await executor.compile(graph);
  const rows = Float32Array.from({ length: count * V }, (_, i) => logits[i % V]!);
  const { outputs } = await plan.run(
    { logits: rows, temperature, topK, topP, seeds, position },
    { read: ['tokens'] },
  );
  executor.dispose();
  return Array.from(outputs['tokens']!);
}

const countsOf = (tokens: readonly number[], V: number): number[] =>
  Array.from({ length: V }, (_, v) => tokens.filter((token) => token === v).length);

describe('sampleToken', () => {
  it.each<[string, Settings, number]>([
    ['at temperature 1', {}, 1],
    ['at temperature 2', { temperature: 2 }, 2],
    ['at temperature 0.5', { temperature: 0.5 }, 0.5],
  ])('draws as softmax says %s: chi-square', async (_, settings, temperature) => {
    const logits = [0, 1, -1, 2, 0.5, -2, 1.5];
    const count = 40_000;
    const counts = countsOf(await draw(logits, settings, { count }), logits.length);
    const weights = logits.map((logit) => Math.exp(logit / temperature));
    const total = weights.reduce((sum, weight) => sum + weight);
    const chiSquare = counts.reduce((sum, observed, v) => {
      const expected = (count * weights[v]!) / total;
      return sum + (observed - expected) ** 2 / expected;
    }, 0);
    // 6 degrees of freedom: above 22.5 in one run of a thousand.
    expect(chiSquare).toBeLessThan(22.5);
  });

  it('draws from one stream as from many', async () => {
    const logits = [0, 1, 2];
    const tokens: number[] = [];
    for (let position = 0; position < 3000; position++) {
      tokens.push(...(await draw(logits, {}, { count: 1, position, seeds: Int32Array.of(7, 0) })));
    }
    const weights = logits.map((logit) => Math.exp(logit));
    const total = weights.reduce((sum, weight) => sum + weight);
    const chiSquare = countsOf(tokens, 3).reduce((sum, observed, v) => {
      const expected = (3000 * weights[v]!) / total;
      return sum + (observed - expected) ** 2 / expected;
    }, 0);
    // 2 degrees of freedom: above 13.8 in one run of a thousand.
    expect(chiSquare).toBeLessThan(13.8);
  });

  it('keeps the k likeliest, the lower of equals', async () => {
    const counts = countsOf(await draw([1, 2, 1, 0, 2, 1], { topK: 3, temperature: 10 }), 6);
    expect(counts.map((count) => count > 0)).toEqual([true, true, false, false, true, false]);
    expect(new Set(await draw([1, 3, 3, 2], { topK: 1 }))).toEqual(new Set([1]));
    expect(new Set(await draw([0, 0, 0], { topK: 9 }))).toEqual(new Set([0, 1, 2]));
  });

  it('keeps the fewest that reach topP, after topK', async () => {
    const logits = [0.4, 0.3, 0.2, 0.1].map(Math.log);
    expect(new Set(await draw(logits, { topP: 0.65 }))).toEqual(new Set([0, 1]));
    expect(new Set(await draw(logits, { topP: 0.71 }))).toEqual(new Set([0, 1, 2]));
    expect(new Set(await draw(logits, { topP: 1e-9 }))).toEqual(new Set([0]));
    // Of the first two, 0.4 is 57 in a hundred.
    expect(new Set(await draw(logits, { topK: 2, topP: 0.55 }))).toEqual(new Set([0]));
    expect(new Set(await draw(logits, { topK: 2, topP: 0.6 }))).toEqual(new Set([0, 1]));
  });

  it('takes the likeliest at temperature 0, the lowest of equals', async () => {
    expect(new Set(await draw([1, 3, 3, 2], { temperature: 0, topK: 2, topP: 0.1 }))).toEqual(new Set([1]));
  });

  it('is stable for logits of any size', async () => {
    expect(new Set(await draw([3e38, -3e38]))).toEqual(new Set([0]));
    expect(new Set(await draw([0, 1], { temperature: 1e-30 }))).toEqual(new Set([1]));
  });

  it('repeats by seed and position, and differs by either', async () => {
    const logits = new Array<number>(50).fill(0);
    const first = await draw(logits, {}, { count: 30 });
    expect(await draw(logits, {}, { count: 30 })).toEqual(first);
    expect(await draw(logits, {}, { count: 30, position: 1 })).not.toEqual(first);
    const seeds = Int32Array.from({ length: 60 }, (_, i) => i + 1);
    expect(await draw(logits, {}, { count: 30, seeds })).not.toEqual(first);
  });

  it('refuses logits that are not finite', async () => {
    await expect(draw([0, NaN])).rejects.toThrow(NonFiniteError);
    await expect(draw([0, -Infinity])).rejects.toThrow(/token 1 is -Infinity/);
  });

  it('refuses shapes that do not fit', () => {
    const graph = new Graph('draw');
    const sampler = {
      temperature: graph.scalar('temperature'),
      topK: graph.scalar('topK', 'int32'),
      topP: graph.scalar('topP'),
      seeds: graph.input('seeds', [3, 2], 'int32'),
      position: graph.scalar('position', 'int32'),
    };
    expect(() => drawTokens(graph.input('a', [3]), sampler)).toThrow(ShapeError);
    expect(() => drawTokens(graph.input('b', [4, 5]), sampler)).toThrow(/seeds has shape \[3,2\].*\[4,2\]/);
    const wrong = { ...sampler, topP: graph.scalar('k', 'int32') };
    expect(() => drawTokens(graph.input('c', [3, 5]), wrong)).toThrow(ShapeError);
    const none = { ...sampler, temperature: undefined as unknown as Value };
    expect(() => drawTokens(graph.input('d', [3, 5]), none)).toThrow(ArgumentError);
  });
});
