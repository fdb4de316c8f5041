/** Batches that the host has no memory for are told by type. */
import { describe, expect, it } from 'vitest';
import { OutOfMemoryError } from '../../../src/graph/errors.js';
import { fingerprintOf, gatherBatch, sampleOrder } from '../../../src/train/dataset.js';

describe.each([Float32Array, Float64Array, Int32Array])('%o', (Numbers) => {
  it('gathers no batch that does not fit into memory', () => {
    const tensor = { shape: [1, 2, 3], data: new Numbers(6) };
    for (const timeMajor of [false, true]) {
      expect(() => gatherBatch(tensor, { length: 2 ** 44 }, timeMajor)).toThrow(OutOfMemoryError);
    }
  });

  it('has a fingerprint of its numbers, wherever they lie', () => {
    const numbers = Array.from({ length: 5 }, (_, i) => i - 2);
    const whole = { shape: [5], data: Numbers.from(numbers) };
    const part = { shape: [5], data: Numbers.from([9, ...numbers, 9]).subarray(1, 6) };
    expect(fingerprintOf([part])).toBe(fingerprintOf([whole]));
    expect(fingerprintOf([{ shape: [5], data: Numbers.from([9, 0, 0, 0, 0]) }])).not.toBe(
      fingerprintOf([whole]),
    );
  });
});

it('orders no more samples than there is memory for', () => {
  expect(() => sampleOrder(2 ** 44, null)).toThrow(OutOfMemoryError);
});
