/** Arrays of one plan: handed out, taken back and handed out again, so that a run allocates nothing anew. */

/** How numbers are stored. Arithmetic is in double precision, but for large products of numbers in float32. */
export type Precision = 'float64' | 'float32';

/** An array of real numbers. */
export type RealArray = Float32Array | Float64Array;

/** An array of any element type. */
export type Data = RealArray | Int32Array;

/** A new array of zeros for real numbers. */
export function newReal(precision: Precision, size: number): RealArray {
  return precision === 'float64' ? new Float64Array(size) : new Float32Array(size);
}

/** A pool of arrays by size. What it hands out holds whatever was there before. */
export class Arena {
  readonly #precision: Precision;
  readonly #free = new Map<number, RealArray[]>();
  readonly #freeInts = new Map<number, Int32Array[]>();
  #bytes = 0;

  constructor(precision: Precision) {
    this.#precision = precision;
  }

  /** Bytes of all arrays ever handed out, in use or not. */
  get bytes(): number {
    return this.#bytes;
  }

  real(size: number): RealArray {
    const array = this.#free.get(size)?.pop();
    if (array) return array;
    const fresh = newReal(this.#precision, size);
    this.#bytes += fresh.byteLength;
    return fresh;
  }

  int(size: number): Int32Array {
    const array = this.#freeInts.get(size)?.pop();
    if (array) return array;
    const fresh = new Int32Array(size);
    this.#bytes += fresh.byteLength;
    return fresh;
  }

  /** Takes an array back; the caller must not use it again. */
  release(array: Data): void {
    if (array instanceof Int32Array) push(this.#freeInts, array.length, array);
    else push(this.#free, array.length, array);
  }

  /** Forgets every array. */
  clear(): void {
    this.#free.clear();
    this.#freeInts.clear();
    this.#bytes = 0;
  }
}

function push<T>(lists: Map<number, T[]>, size: number, array: T): void {
  const list = lists.get(size);
  if (list) list.push(array);
  else lists.set(size, [array]);
}
