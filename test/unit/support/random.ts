/** Seeded random numbers for tests. */

/** A source of numbers from 0 to below 1 (mulberry32). */
export function randomSource(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `size` numbers from `low` to `high`. */
export function randomArray(random: () => number, size: number, low = -1, high = 1): Float64Array {
  return Float64Array.from({ length: size }, () => low + (high - low) * random());
}

/** `size` whole numbers from 0 to `below − 1`. */
export function randomTokens(random: () => number, size: number, below: number): Int32Array {
  return Int32Array.from({ length: size }, () => Math.floor(random() * below));
}
