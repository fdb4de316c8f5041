/** The program of `A·Bᵀ`: two rows of A and four of B at a time, four columns at once. */
import {
  add,
  addFloat,
  addFloats,
  advance,
  compile,
  constant,
  extract,
  get,
  load,
  loadFloat,
  multiplyFloats,
  repeat,
  set,
  shiftLeft,
  splat,
  storeFloat,
  type Code,
} from './assembler.js';

/** Rows of A, and of B, that meet at a time. */
export const PAIR = 2;
export const QUAD = 4;
/** Numbers of a vector. */
export const LANES = 4;

/**
 * Exports `run(a, b, c, pairs, quads, width)`, the first three being places in memory: adds to
 * `c[2·pairs,4·quads]` the products of the rows of `a[2·pairs,4·width]` and `b[4·quads,4·width]`.
 * @returns null where there can be none
 */
export function productProgram(): WebAssembly.Module | null {
  const [a, b, c, pairs, quads, width] = [0, 1, 2, 3, 4, 5];
  const [stride, strideC, quadsLeft, left, left0, left1, below, right0] = [6, 7, 8, 9, 10, 11, 12, 13];
  const [sums, factor0, factor1, vector] = [17, 25, 26, 27];
  const rows = [0, 1, 2, 3];
  const addTo = (sum: number, factor: number): Code[] => [
    ...[get(sum), get(vector), get(factor), multiplyFloats, addFloats, set(sum)],
  ];
  const addOut = (pointer: number, offset: number, sum: number): Code[] => [
    ...[get(pointer), get(pointer), loadFloat(offset)],
    ...[0, 1, 2, 3].flatMap((lane) => [get(sum), extract(lane), ...(lane > 0 ? [addFloat] : [])]),
    ...[addFloat, storeFloat(offset)],
  ];
  const body = [
    ...[get(width), constant(4), shiftLeft, set(stride), get(quads), constant(4), shiftLeft, set(strideC)],
    repeat(
      pairs,
      ...[get(b), set(right0), get(quads), set(quadsLeft), get(c), get(strideC), add, set(below)],
      repeat(
        quadsLeft,
        ...Array.from({ length: PAIR * QUAD }, (_, i) => [constant(0), splat, set(sums + i)]).flat(),
        ...[get(a), set(left0), get(a), get(stride), add, set(left1)],
        ...[1, 2, 3].flatMap((row) => [get(right0 + row - 1), get(stride), add, set(right0 + row)]),
        ...[get(width), set(left)],
        repeat(
          left,
          ...[get(left0), load(0), set(factor0), get(left1), load(0), set(factor1)],
          ...rows.flatMap((row) => [
            ...[get(right0 + row), load(0), set(vector)],
            ...addTo(sums + row, factor0),
            ...addTo(sums + QUAD + row, factor1),
          ]),
          ...[left0, left1, ...rows.map((row) => right0 + row)].map((pointer) => advance(pointer, 16)),
        ),
        // The rows of the next quad begin where the last of these ends.
        ...[get(right0 + 3), set(right0)],
        ...rows.flatMap((row) => [
          ...addOut(c, 4 * row, sums + row),
          ...addOut(below, 4 * row, sums + QUAD + row),
        ]),
        ...[advance(c, 4 * QUAD), advance(below, 4 * QUAD)],
      ),
      ...[get(a), get(stride), add, get(stride), add, set(a), get(below), set(c)],
    ),
  ].flat();
  return compile({ parameters: 6, integers: 11, vectors: PAIR * QUAD + 3, body });
}
