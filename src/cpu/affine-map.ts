/** `y = W·x + b` for one vector after another, with weights that stay: in plain loops, or by SIMD in WebAssembly. */
import { addPlainProduct } from './plain-product.js';
import { mapProgram } from './simd/map-program.js';
import type { RealArray } from './storage.js';

/** Weights of a map from `columns` to `bias.length` features. */
export interface AffineWeights {
  /** `[rows,columns]`, row by row. */
  readonly weight: Float32Array;
  /** `[rows]` */
  readonly bias: Float32Array;
}

/** Gives `W·x + b`, in an array that the next call may write again. */
export type AffineMap = (x: RealArray) => RealArray;

/** Makes a map of each of some weights. */
export type CreateAffineMaps = (all: readonly AffineWeights[]) => AffineMap[];

/** Sums in float64. */
export const plainMaps: CreateAffineMaps = (all) =>
  all.map(({ weight, bias }) => {
    const y = new Float64Array(bias.length);
    return (x) => {
      y.set(bias);
      addPlainProduct(y, x, weight, 1, y.length, x.length);
      return y;
    };
  });

/** Rows that the program computes at a time: as many vectors of four as keep an adder busy. */
const ROWS = 16;
/** Bytes that vectors and blocks of rows begin at a multiple of. */
const LINE = 64;
const PAGE = 65536;

/** Sums in float32, some five times as fast; plain where WebAssembly is missing, forbidden, or has no such memory. */
export const simdMaps: CreateAffineMaps = (all) => {
  const program = mapProgram();
  if (!program) return plainMaps(all);
  const layout = new Layout();
  const places = all.map(({ weight, bias }) => {
    const blocks = Math.ceil(bias.length / ROWS);
    const columns = weight.length / bias.length;
    return {
      blocks,
      columns,
      weight: layout.place(blocks * ROWS * columns),
      x: layout.place(columns),
      y: layout.place(blocks * ROWS),
    };
  });
  let memory: WebAssembly.Memory;
  let run: (weight: number, x: number, y: number, blocks: number, columns: number) => void;
  try {
    memory = new WebAssembly.Memory({ initial: Math.ceil(layout.bytes / PAGE) });
    ({ run } = new WebAssembly.Instance(program, { host: { memory } }).exports as { run: typeof run });
  } catch {
    return plainMaps(all);
  }
  return all.map(({ weight, bias }, i) => {
    const place = places[i]!;
    const { blocks, columns } = place;
    const packed = new Float32Array(memory.buffer, place.weight, blocks * ROWS * columns);
    for (let row = 0; row < bias.length; row++) {
      const begin = (row - (row % ROWS)) * columns + (row % ROWS);
      for (let k = 0; k < columns; k++) packed[begin + k * ROWS] = weight[row * columns + k]!;
    }
    const input = new Float32Array(memory.buffer, place.x, columns);
    const y = new Float32Array(memory.buffer, place.y, bias.length);
    return (x) => {
      input.set(x);
      y.set(bias);
      run(place.weight, place.x, place.y, blocks, columns);
      return y;
    };
  });
};

/** Hands out memory from its beginning. */
class Layout {
  bytes = 0;

  /** @returns where so many numbers begin */
  place(numbers: number): number {
    const begin = this.bytes;
    this.bytes += Math.ceil((numbers * 4) / LINE) * LINE;
    return begin;
  }
}
