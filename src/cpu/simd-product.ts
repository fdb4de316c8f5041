/** Matrix products in float32 by SIMD in WebAssembly: blocks of both matrices are brought into its memory. */
import { LANES, PAIR, productProgram, QUAD } from './simd/product-program.js';

type Run = (a: number, b: number, c: number, pairs: number, quads: number, width: number) => void;

/** Products below this many multiplications, or of fewer rows, are done before their numbers are brought. */
const LEAST_WORK = 8192;
const LEAST_ROWS = 4;

/** Numbers of a block of A, B and C; that of B stays in a second-level cache while all rows of A pass over it. */
const A_SIZE = 2 ** 19;
const B_SIZE = 2 ** 15;
const C_SIZE = 2 ** 19;
/** Columns of a block: two rows of A and four of B are to fit. */
const MOST_COLUMNS = B_SIZE / QUAD;

/** Part of a matrix of rows that are `stride` apart. */
interface Block {
  readonly begin: number;
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
}

interface Place {
  readonly run: Run;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly c: Float32Array;
}

let place: Place | null | undefined;

/**
 * Adds `a[M,K]·b[N,K]ᵀ` to `c[M,N]`, sums in float32.
 * @returns whether it did: not where that is not worth it, or there is no WebAssembly with SIMD
 */
export function addSimdProduct(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  M: number,
  N: number,
  K: number,
): boolean {
  if (M < LEAST_ROWS || M * N * K < LEAST_WORK) return false;
  if (place === undefined) place = createPlace();
  if (!place) return false;
  const [atA, atB, atC] = [place.a.byteOffset, place.b.byteOffset, place.c.byteOffset];
  for (let k = 0; k < K; k += MOST_COLUMNS) {
    const columns = Math.min(K - k, MOST_COLUMNS);
    const width = Math.ceil(columns / LANES);
    const mostM = Math.floor(A_SIZE / (width * LANES * PAIR)) * PAIR;
    for (let m = 0; m < M; m += mostM) {
      const rowsA = Math.min(M - m, mostM);
      const pairs = Math.ceil(rowsA / PAIR);
      bring(place.a, a, { begin: m * K + k, rows: rowsA, columns, stride: K });
      const mostN = Math.floor(Math.min(B_SIZE / (width * LANES), C_SIZE / (pairs * PAIR)) / QUAD) * QUAD;
      for (let n = 0; n < N; n += mostN) {
        const rowsB = Math.min(N - n, mostN);
        bring(place.b, b, { begin: n * K + k, rows: rowsB, columns, stride: K });
        const block = { begin: m * N + n, rows: rowsA, columns: rowsB, stride: N };
        bring(place.c, c, block);
        place.run(atA, atB, atC, pairs, Math.ceil(rowsB / QUAD), width);
        take(c, place.c, block);
      }
    }
  }
  return true;
}

function createPlace(): Place | null {
  const program = productProgram();
  if (!program) return null;
  try {
    const bytes = 4 * (A_SIZE + B_SIZE + C_SIZE);
    const memory = new WebAssembly.Memory({ initial: bytes / 65536 });
    const { run } = new WebAssembly.Instance(program, { host: { memory } }).exports as { run: Run };
    const part = (begin: number, size: number): Float32Array =>
      new Float32Array(memory.buffer, 4 * begin, size);
    return { run, a: part(0, A_SIZE), b: part(A_SIZE, B_SIZE), c: part(A_SIZE + B_SIZE, C_SIZE) };
  } catch {
    return null;
  }
}

/** Brings a block of rows, each filled up with zeros to a multiple of {@link LANES}. */
function bring(target: Float32Array, source: Float32Array, { begin, rows, columns, stride }: Block): void {
  if (columns === stride && columns % LANES === 0) {
    target.set(source.subarray(begin, begin + rows * stride));
    return;
  }
  const width = Math.ceil(columns / LANES) * LANES;
  for (let i = 0, to = 0, from = begin; i < rows; i++, to += width, from += stride) {
    for (let k = 0; k < columns; k++) target[to + k] = source[from + k]!;
    for (let k = columns; k < width; k++) target[to + k] = 0;
  }
}

/** Takes such a block back. */
function take(target: Float32Array, source: Float32Array, { begin, rows, columns, stride }: Block): void {
  if (columns === stride && columns % LANES === 0) {
    target.set(source.subarray(0, rows * stride), begin);
    return;
  }
  const width = Math.ceil(columns / LANES) * LANES;
  for (let i = 0, to = begin, from = 0; i < rows; i++, to += stride, from += width) {
    for (let k = 0; k < columns; k++) target[to + k] = source[from + k]!;
  }
}
