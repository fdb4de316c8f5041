/** `dropout` on the CPU, with the counter-based generator that decides its mask. */
import { dropoutOperation } from '../ops/dropout.js';
import { defineKernel } from './kernel.js';

/** Rotations of the eight rounds that repeat. */
const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/**
 * Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
 * scrambles a counter with a key. Writes the two words to `out`.
 */
export function threefry2x32(
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
  out: Uint32Array,
): void {
  const key2 = 0x1bd11bda ^ key0 ^ key1;
  let x0 = (counter0 + key0) | 0;
  let x1 = (counter1 + key1) | 0;
  for (let group = 0; group < 5; group++) {
    for (let round = 0; round < 4; round++) {
      const rotation = ROTATIONS[(group & 1) * 4 + round]!;
      x0 = (x0 + x1) | 0;
      x1 = (x1 << rotation) | (x1 >>> (32 - rotation));
      x1 ^= x0;
    }
    // After every fourth round the key goes in again, turned by one word, with the count of such times.
    const turn = (group + 1) % 3;
    x0 = (x0 + (turn === 0 ? key0 : turn === 1 ? key1 : key2)) | 0;
    x1 = (x1 + (turn === 0 ? key1 : turn === 1 ? key2 : key0) + group + 1) | 0;
  }
  out[0] = x0;
  out[1] = x1;
}

/** `y = x·mask/(1−p)`. The comparison is with `p` as float32 holds it, so that every device draws alike. */
export const dropoutKernel = defineKernel(dropoutOperation, (call) => {
  const x = call.real(0);
  const seed = call.int(1)[0]!;
  const { p, stream } = call.attributes;
  const threshold = Math.fround(p);
  const scale = 1 / (1 - p);
  const words = new Uint32Array(2);
  const y = call.allocate(x.length);
  for (let i = 0; i < y.length; i++) {
    threefry2x32(seed, stream, i, 0, words);
    const uniform = (words[0]! >>> 8) * 2 ** -24;
    y[i] = uniform >= threshold ? x[i]! * scale : 0;
  }
  return [y];
});
