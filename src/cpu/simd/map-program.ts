/** The program of `y += W·x`: a matrix that stays, sixteen rows at a time. */
import {
  addFloats,
  advance,
  compile,
  get,
  load,
  loadSplat,
  multiplyFloats,
  repeat,
  set,
  store,
} from './assembler.js';

/** Vectors of four that are added up side by side. */
const VECTORS = 4;
const BYTES = 16;

let program: WebAssembly.Module | null | undefined;

/**
 * Exports `run(weight, x, y, blocks, columns)`, the first three being places in memory: adds to each of
 * `y[16·blocks]` the products of its row of weights and `x[columns]`. Weights are `[blocks,columns,16]`.
 * @returns null where there can be none
 */
export function mapProgram(): WebAssembly.Module | null {
  if (program !== undefined) return program;
  const [weight, x, y, blocks, columns, at, left, factor, sums] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const vectors = Array.from({ length: VECTORS }, (_, vector) => vector);
  const body = repeat(
    blocks,
    ...vectors.flatMap((v) => [get(y), load(v * BYTES), set(sums + v)]),
    ...[get(x), set(at), get(columns), set(left)],
    repeat(
      left,
      ...[get(at), loadSplat, set(factor)],
      ...vectors.flatMap((v) => [
        ...[get(sums + v), get(weight), load(v * BYTES), get(factor), multiplyFloats],
        ...[addFloats, set(sums + v)],
      ]),
      advance(weight, VECTORS * BYTES),
      advance(at, 4),
    ),
    ...vectors.flatMap((v) => [get(y), get(sums + v), store(v * BYTES)]),
    advance(y, VECTORS * BYTES),
  );
  program = compile({ parameters: 5, integers: 2, vectors: 1 + VECTORS, body });
  return program;
}
