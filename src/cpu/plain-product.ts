/** Matrix products in plain loops, sums in double precision. */
import type { RealArray } from './storage.js';

/** Elements of `b` kept near while all rows of `a` pass over them: about a second-level cache's worth. */
const TILE_ELEMENTS = 32768;

/**
 * Adds `a[M,K]·b[N,K]ᵀ` to `c[M,N]`, all row-major. Both operands are read along their rows; two rows of `a` meet four
 * of `b` at a time, so that six loads feed eight products, and a last row alone meets four, so that no addition waits
 * for another.
 */
export function addPlainProduct(
  c: RealArray,
  a: RealArray,
  b: RealArray,
  M: number,
  N: number,
  K: number,
): void {
  const tile = Math.max(4, Math.floor(TILE_ELEMENTS / K) & ~3);
  for (let begin = 0; begin < N; begin += tile) {
    const end = Math.min(N, begin + tile);
    const quads = begin + ((end - begin) & ~3);
    let i = 0;
    for (; i + 1 < M; i += 2) {
      const a0 = i * K;
      const a1 = a0 + K;
      const c0 = i * N;
      const c1 = c0 + N;
      for (let j = begin; j < quads; j += 4) {
        const b0 = j * K;
        const b1 = b0 + K;
        const b2 = b1 + K;
        const b3 = b2 + K;
        let s00 = 0;
        let s01 = 0;
        let s02 = 0;
        let s03 = 0;
        let s10 = 0;
        let s11 = 0;
        let s12 = 0;
        let s13 = 0;
        for (let k = 0; k < K; k++) {
          const x0 = a[a0 + k]!;
          const x1 = a[a1 + k]!;
          const y0 = b[b0 + k]!;
          const y1 = b[b1 + k]!;
          const y2 = b[b2 + k]!;
          const y3 = b[b3 + k]!;
          s00 += x0 * y0;
          s01 += x0 * y1;
          s02 += x0 * y2;
          s03 += x0 * y3;
          s10 += x1 * y0;
          s11 += x1 * y1;
          s12 += x1 * y2;
          s13 += x1 * y3;
        }
        c[c0 + j] = c[c0 + j]! + s00;
        c[c0 + j + 1] = c[c0 + j + 1]! + s01;
        c[c0 + j + 2] = c[c0 + j + 2]! + s02;
        c[c0 + j + 3] = c[c0 + j + 3]! + s03;
        c[c1 + j] = c[c1 + j]! + s10;
        c[c1 + j + 1] = c[c1 + j + 1]! + s11;
        c[c1 + j + 2] = c[c1 + j + 2]! + s12;
        c[c1 + j + 3] = c[c1 + j + 3]! + s13;
      }
      for (let j = quads; j < end; j++) {
        c[c0 + j] = c[c0 + j]! + dot(a, a0, b, j * K, K);
        c[c1 + j] = c[c1 + j]! + dot(a, a1, b, j * K, K);
      }
    }
    if (i < M) {
      const a0 = i * K;
      const c0 = i * N;
      for (let j = begin; j < quads; j += 4) {
        const b0 = j * K;
        const b1 = b0 + K;
        const b2 = b1 + K;
        const b3 = b2 + K;
        let s0 = 0;
        let s1 = 0;
        let s2 = 0;
        let s3 = 0;
        for (let k = 0; k < K; k++) {
          const x = a[a0 + k]!;
          s0 += x * b[b0 + k]!;
          s1 += x * b[b1 + k]!;
          s2 += x * b[b2 + k]!;
          s3 += x * b[b3 + k]!;
        }
        c[c0 + j] = c[c0 + j]! + s0;
        c[c0 + j + 1] = c[c0 + j + 1]! + s1;
        c[c0 + j + 2] = c[c0 + j + 2]! + s2;
        c[c0 + j + 3] = c[c0 + j + 3]! + s3;
      }
      for (let j = quads; j < end; j++) c[c0 + j] = c[c0 + j]! + dot(a, a0, b, j * K, K);
    }
  }
}

/** `Σ a[aBegin + k]·b[bBegin + k]`, in four sums so that additions need not wait for each other. */
function dot(a: RealArray, aBegin: number, b: RealArray, bBegin: number, K: number): number {
  const whole = K & ~3;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k < whole; k += 4) {
    s0 += a[aBegin + k]! * b[bBegin + k]!;
    s1 += a[aBegin + k + 1]! * b[bBegin + k + 1]!;
    s2 += a[aBegin + k + 2]! * b[bBegin + k + 2]!;
    s3 += a[aBegin + k + 3]! * b[bBegin + k + 3]!;
  }
  for (; k < K; k++) s0 += a[aBegin + k]! * b[bBegin + k]!;
  return s0 + s1 + (s2 + s3);
}
