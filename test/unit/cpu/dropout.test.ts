/** Dropout: its generator against published vectors, its masks against their probabilities. */
import { describe, expect, it } from 'vitest';
import { threefry2x32 } from '../../../src/cpu/dropout.js';
import { Graph } from '../../../src/graph/graph.js';
import * as ops from '../../../src/ops/index.js';
import { evaluate, expectClose, real, whole } from '../support/evaluate.js';

/** Known answers for 20 rounds published with Random123: counter, key, result. */
const KNOWN = [
  [
    [0x00000000, 0x00000000],
    [0x00000000, 0x00000000],
    [0x6b200159, 0x99ba4efe],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x1cb996fc, 0xbb002be7],
  ],
  [
    [0x243f6a88, 0x85a308d3],
    [0x13198a2e, 0x03707344],
    [0xc4923a9c, 0x483df7a0],
  ],
] as const;

async function mask(size: number, p: number, seed: number, stream: number): Promise<boolean[]> {
  const x = real([size], new Float64Array(size).fill(1));
  const [y] = await evaluate({ x, seed: whole([], [seed]) }, (v) => [
    ops.dropout(v.x, v.seed, { p, stream }),
  ]);
  const kept = Array.from(y!, (value) => value !== 0);
  expectClose(
    y!,
    kept.map((keep) => (keep ? 1 / (1 - p) : 0)),
  );
  return kept;
}

/** The share of places where two masks agree. */
function agreement(a: readonly boolean[], b: readonly boolean[]): number {
  return a.filter((keep, i) => keep === b[i]).length / a.length;
}

describe('threefry2x32', () => {
  it.each(KNOWN)('counter %j, key %j', (counter, key, wanted) => {
    const out = new Uint32Array(2);
    threefry2x32(key[0], key[1], counter[0], counter[1], out);
    expect([...out]).toEqual([...wanted]);
  });
});

describe('dropout', () => {
  const size = 20000;
  it.each([0.1, 0.5, 0.9])('drops about a share of %f, independent of the neighbour', async (p) => {
    const kept = await mask(size, p, 42, 0);
    const share = kept.filter((keep) => !keep).length / size;
    // Five standard deviations of a share of `size` draws.
    const spread = 5 * Math.sqrt((p * (1 - p)) / size);
    expect(Math.abs(share - p)).toBeLessThan(spread);
    const pairs = kept.slice(1).filter((keep, i) => !keep && !kept[i]).length / (size - 1);
    expect(Math.abs(pairs - p * p)).toBeLessThan(5 * Math.sqrt((p * p) / size));
  });

  it('repeats with the same seed and stream, and differs with either changed', async () => {
    const first = await mask(size, 0.5, 7, 1);
    expect(await mask(size, 0.5, 7, 1)).toEqual(first);
    for (const other of [
      await mask(size, 0.5, 8, 1),
      await mask(size, 0.5, 7, 2),
      await mask(size, 0.5, -7, 1),
    ]) {
      expect(Math.abs(agreement(first, other) - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / size));
    }
  });

  it('keeps element i where the first word of the generator says so', async () => {
    const kept = await mask(8, 0.3, 99, 5);
    const out = new Uint32Array(2);
    const wanted = Array.from({ length: 8 }, (_, i) => {
      threefry2x32(99, 5, i, 0, out);
      return (out[0]! >>> 8) / 2 ** 24 >= 0.3;
    });
    expect(kept).toEqual(wanted);
    expect(new Set(kept).size).toBe(2);
  });

  it('records nothing with p = 0', () => {
    const graph = new Graph();
    const x = graph.input('x', [3]);
    expect(ops.dropout(x, graph.scalar('seed', 'int32'), { p: 0, stream: 0 })).toBe(x);
    expect(graph.nodes.length).toBe(0);
  });
});
