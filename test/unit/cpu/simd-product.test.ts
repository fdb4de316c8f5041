/** Products in float32 by SIMD: as those in float64, whatever the sizes of blocks, and nothing is left in them. */
import { afterEach, expect, it, vi } from 'vitest';
import { product } from '../../../src/cpu/product.js';
import { addSimdProduct } from '../../../src/cpu/simd-product.js';
import { productProgram } from '../../../src/cpu/simd/product-program.js';
import { randomArray } from '../../gpu/compare-executors.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';

afterEach(() => vi.unstubAllGlobals());

it('there is a program', () => expect(productProgram()).not.toBeNull());

it.each([
  [32, 512, 128],
  [33, 65, 67],
  [4, 4, 512],
  [5, 2100, 3],
  [4, 9000, 1],
  // More than a block of A, of B, of C, and of columns.
  [1031, 7, 600],
  [700, 1030, 2],
  [140_000, 5, 1],
  [6, 5, 8193],
  [70, 3, 20_000],
])('[%d,%d] of %d products', (M, N, K) => {
  const [a, b, bias, c] = [M * K, N * K, N, M * N].map((size, i) => randomArray(size, i + 1)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  expect(addSimdProduct(new Float32Array(M * N), a, b, M, N, K)).toBe(true);
  for (const given of [bias, null]) {
    const [single, double] = [c.slice(), Float64Array.from(c)];
    for (const accumulate of [false, true]) {
      product(single, a, b, M, N, K, given, accumulate);
      product(double, Float64Array.from(a), Float64Array.from(b), M, N, K, given, accumulate);
    }
    // Sums of so many products of numbers up to one grow with the root of how many there are.
    const scale = Math.max(1, Math.sqrt(K / 300));
    expectClose(
      single.map((value) => value / scale),
      double.map((value) => value / scale),
      TOLERANCES.result,
      `${M}×${N}×${K}`,
    );
  }
});

it('what is not finite stays where it belongs, and is gone the next time', () => {
  const [M, N, K] = [7, 9, 150];
  const [a, b] = [randomArray(M * K, 1), randomArray(N * K, 2)];
  const right = new Float32Array(M * N);
  product(right, a, b, M, N, K);
  const wrong = a.slice();
  wrong[3 * K + 5] = NaN;
  wrong[6 * K + 149] = Infinity;
  const c = new Float32Array(M * N);
  product(c, wrong, b, M, N, K);
  for (let m = 0; m < M; m++) {
    const row = c.slice(m * N, (m + 1) * N);
    if (m === 3) expect(row.every((value) => Number.isNaN(value))).toBe(true);
    else if (m === 6) expect(row.every((value) => Math.abs(value) === Infinity)).toBe(true);
    else expect(row).toEqual(right.slice(m * N, (m + 1) * N));
  }
  product(c, a, b, M, N, K);
  expect(c).toEqual(right);
});

it.each([
  ['there is no WebAssembly', undefined],
  ['there is no memory', { Module: WebAssembly.Module, Memory: forbidden }],
])('nothing is added where %s', async (_title, replacement) => {
  vi.resetModules();
  vi.stubGlobal('WebAssembly', replacement);
  const without = await import('../../../src/cpu/simd-product.js');
  const c = new Float32Array(1600);
  expect(without.addSimdProduct(c, randomArray(1600, 1), randomArray(1600, 2), 40, 40, 40)).toBe(false);
  expect(c.every((value) => value === 0)).toBe(true);
});

function forbidden(): never {
  throw new RangeError('no memory');
}
