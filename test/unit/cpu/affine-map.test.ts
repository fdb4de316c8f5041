/** Products by SIMD in WebAssembly: as the plain ones, and the plain ones themselves where there can be none. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { plainMaps, simdMaps, type AffineMap, type AffineWeights } from '../../../src/cpu/affine-map.js';
import { mapProgram } from '../../../src/cpu/simd/map-program.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import { randomArray } from '../../gpu/compare-executors.js';

beforeEach(() => vi.resetModules());
afterEach(() => vi.unstubAllGlobals());

function weights(rows: number, columns: number): AffineWeights {
  return { weight: randomArray(rows * columns, rows), bias: randomArray(rows, columns) };
}

function only(maps: readonly AffineMap[]): AffineMap {
  expect(maps).toHaveLength(1);
  return maps[0]!;
}

it('there is a program', () => expect(mapProgram()).not.toBeNull());

it.each([
  [1, 1],
  [3, 5],
  [16, 4],
  [17, 1],
  [33, 70],
  [65, 256],
  [1024, 130],
])('%d rows of %d columns', (rows, columns) => {
  const w = weights(rows, columns);
  const [fast, plain] = [only(simdMaps([w])), only(plainMaps([w]))];
  for (const seed of [7, 8]) {
    const x = randomArray(columns, seed);
    expectClose(fast(x), plain(x), TOLERANCES.result, `${rows}×${columns}`);
  }
});

it('maps made together do not write over each other', () => {
  const all = [weights(5, 3), weights(40, 17), weights(16, 5)];
  const xs = all.map(({ weight, bias }, i) => randomArray(weight.length / bias.length, 20 + i));
  const maps = simdMaps(all);
  const results = maps.map((map, i) => map(xs[i]!));
  for (const [i, map] of plainMaps(all).entries()) {
    expectClose(results[i]!, map(xs[i]!), TOLERANCES.result, `map ${i}`);
  }
});

it.each([
  ['is missing', undefined],
  ['is forbidden', { Module: forbidden }],
  ['has no such memory', { Module: WebAssembly.Module, Memory: forbidden }],
] as const)('sums are plain where WebAssembly %s', async (_title, replacement) => {
  vi.stubGlobal('WebAssembly', replacement);
  const without = await import('../../../src/cpu/affine-map.js');
  const w = weights(9, 4);
  const x = randomArray(4, 1);
  const y = only(without.simdMaps([w]))(x);
  expect(y).toBeInstanceOf(Float64Array);
  expect(y).toEqual(only(plainMaps([w]))(x));
});

function forbidden(): never {
  throw new Error('forbidden');
}
