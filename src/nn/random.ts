/** Random numbers from a seed, the same on every platform: a counter-based generator and exact arithmetic only. */
import { checkWhole } from '../graph/options.js';

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/**
 * Threefry-2x32 with 20 rounds: a block cipher of two words, used as a random function of its counter
 * (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
 * @returns two words, each from 0 to 2³² − 1
 */
export function threefry2x32(
  key: readonly [number, number],
  counter: readonly [number, number],
): [number, number] {
  const keys = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd11bda];
  let x = (counter[0] + keys[0]!) | 0;
  let y = (counter[1] + keys[1]!) | 0;
  for (let round = 0; round < 20; round++) {
    const rotation = ROTATIONS[round % 8]!;
    x = (x + y) | 0;
    y = ((y << rotation) | (y >>> (32 - rotation))) ^ x;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x = (x + keys[injection % 3]!) | 0;
      y = (y + keys[(injection + 1) % 3]! + injection) | 0;
    }
  }
  return [x >>> 0, y >>> 0];
}

/**
 * A stream of random numbers. Equal seed and stream give equal numbers, on every platform: only
 * operations that IEEE 754 rounds exactly are used. Streams of one seed are independent.
 */
export class Random {
  readonly #key: readonly [number, number];
  readonly #stream: number;
  #block = 0;
  #spare: number | null = null;
  #spareNormal: number | null = null;

  /**
   * @param seed a whole number from 0 to 2⁵³ − 1
   * @param stream which of the seed's streams: a whole number from 0 to 2³² − 1
   */
  constructor(seed: number, stream = 0) {
    checkWhole('Random', 'seed', seed, 0);
    checkWhole('Random', 'stream', stream, 0);
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
    this.#stream = stream;
  }

  /** A whole number from 0 to 2³² − 1. */
  nextUint32(): number {
    if (this.#spare !== null) {
      const word = this.#spare;
      this.#spare = null;
      return word;
    }
    const [word, spare] = threefry2x32(this.#key, [this.#block++, this.#stream]);
    this.#spare = spare;
    return word;
  }

  /** Uniform over [low, high), in steps of 2⁻⁵³ of the interval. */
  uniform(low = 0, high = 1): number {
    const upper = this.nextUint32() >>> 5;
    const lower = this.nextUint32() >>> 6;
    return low + (high - low) * ((upper * 2 ** 26 + lower) * 2 ** -53);
  }

  /** Normal with mean 0 and variance 1, by Marsaglia's polar method. */
  normal(): number {
    if (this.#spareNormal !== null) {
      const value = this.#spareNormal;
      this.#spareNormal = null;
      return value;
    }
    for (;;) {
      const u = this.uniform(-1, 1);
      const v = this.uniform(-1, 1);
      const square = u * u + v * v;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * naturalLogarithm(square)) / square);
      this.#spareNormal = v * scale;
      return u * scale;
    }
  }
}

/**
 * ln x for a positive normal x. Not `Math.log`, whose last bit differs between engines: here every
 * operation is rounded exactly. With x = m·2ᵉ and s = (m − 1)/(m + 1), ln m = 2(s + s³/3 + s⁵/5 + …).
 */
export function naturalLogarithm(x: number): number {
  let mantissa = x;
  let exponent = 0;
  while (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 0;
  // |s| ≤ 0.172, so terms beyond s²³ are below the last bit.
  for (let power = 23; power >= 1; power -= 2) sum = sum * square + 1 / power;
  return exponent * Math.LN2 + 2 * s * sum;
}

/** A seed drawn by chance, for those who gave none. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
