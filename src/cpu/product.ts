/** The matrix product that every other function is built on, and the transposition that prepares for it. */
import { addPlainProduct } from './plain-product.js';
import { addSimdProduct } from './simd-product.js';
import type { RealArray } from './storage.js';

/**
 * `c[M,N] = start + a[M,K]·b[N,K]ᵀ`, all row-major; `start` is `c` itself with `accumulate`, otherwise the
 * bias of the column, otherwise zero. Sums are kept in double precision, unless all is in float32 and SIMD does it.
 */
export function product(
  c: RealArray,
  a: RealArray,
  b: RealArray,
  M: number,
  N: number,
  K: number,
  bias: RealArray | null = null,
  accumulate = false,
): void {
  if (!accumulate) {
    for (let i = 0; i < M; i++) {
      const row = i * N;
      for (let j = 0; j < N; j++) c[row + j] = bias ? bias[j]! : 0;
    }
  }
  const single = c instanceof Float32Array && a instanceof Float32Array && b instanceof Float32Array;
  if (!single || !addSimdProduct(c, a, b, M, N, K)) addPlainProduct(c, a, b, M, N, K);
}

/**
 * Writes the transpose of `source[rows, columns]` into columns `begin … begin + rows − 1` of `target`, whose
 * rows are `width` long.
 */
export function transposeInto(
  target: RealArray,
  source: RealArray,
  rows: number,
  columns: number,
  width = rows,
  begin = 0,
): void {
  for (let column = 0; column < columns; column++) {
    const row = column * width + begin;
    for (let i = 0; i < rows; i++) target[row + i] = source[i * columns + column]!;
  }
}

/** `target[N] = Σ` of the rows of `source[M,N]`, summed in double precision. */
export function sumRows(target: RealArray, source: RealArray, M: number, N: number): void {
  const sums = new Float64Array(N);
  for (let i = 0; i < M; i++) {
    const row = i * N;
    for (let j = 0; j < N; j++) sums[j] = sums[j]! + source[row + j]!;
  }
  target.set(sums);
}
