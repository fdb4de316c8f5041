/** Numbers packed into sixteen bits: the nearest there are, rows of an even length. */
import { expect, test } from 'vitest';
import { toFloat16 } from '../../../src/gpu/float16.js';
import { roundToFloat16 } from '../../support/float16.js';
import { randomSource } from '../support/random.js';

/** What the bits of a float16 stand for. */
function valueOf(half: number): number {
  const [exponent, digits] = [(half >> 10) & 31, half & 1023];
  if (exponent === 31) return digits > 0 ? NaN : half >> 15 ? -Infinity : Infinity;
  const size = exponent === 0 ? digits * 2 ** -24 : (1024 + digits) * 2 ** (exponent - 25);
  return half >> 15 ? -size : size;
}

test('each number is the nearest there is', () => {
  const random = randomSource(5);
  const bits = Uint32Array.from({ length: 50_000 }, () => Math.floor(random() * 2 ** 32));
  const near = bits.map((word) => 0x38000000 + (word & 0x0fffffff));
  const middles = bits.map((word) => (0x38800000 + (word & 0x0effffff)) & ~0xfff);
  for (const words of [bits, near, middles]) {
    const numbers = new Float32Array(words.buffer);
    const values = Array.from(toFloat16(numbers, numbers.length), valueOf);
    const wrong = values.findIndex(
      (value, i) => !Object.is(Math.abs(value), Math.abs(roundToFloat16(numbers[i]!))),
    );
    expect(wrong, `${numbers[wrong]} has become ${values[wrong]}`).toBe(-1);
    expect(
      values.every((value, i) => value === 0 || Number.isNaN(value) || value > 0 === numbers[i]! > 0),
    ).toBe(true);
  }
});

test('rows of an odd length end with a zero, and infinities stay', () => {
  const rows = toFloat16(Float32Array.of(1, -2, 0.1, 4, -Infinity, 1e9), 3);
  expect(Array.from(rows, valueOf)).toEqual([1, -2, 0.0999755859375, 0, 4, -Infinity, 65504, 0]);
});
