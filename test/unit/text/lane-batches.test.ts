/** Lanes are contiguous, go on from batch to batch, and begin anew with a flag. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, TextError } from '../../../src/graph/errors.js';
import { LaneBatches } from '../../../src/text/lane-batches.js';

const tokens = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

describe('LaneBatches', () => {
  it('cuts lanes and windows, time-major, targets one later', () => {
    const batches = new LaneBatches(tokens(12), { batchSize: 2, sequenceLength: 2 });
    expect(batches.laneLength).toBe(5);
    expect(batches.batchesPerPass).toBe(2);
    const first = batches.next();
    expect(first.inputs).toEqual(new Int32Array([0, 5, 1, 6]));
    expect(first.targets).toEqual(new Int32Array([1, 6, 2, 7]));
    expect(first).toMatchObject({ length: 2, reset: true });
    const second = batches.next();
    expect(second.inputs).toEqual(new Int32Array([2, 7, 3, 8]));
    expect(second.reset).toBe(false);
    const third = batches.next();
    expect(third.inputs).toEqual(first.inputs);
    expect(third.reset).toBe(true);
  });

  it('passes over every step of every lane once', () => {
    const batches = new LaneBatches(tokens(16), { batchSize: 3, sequenceLength: 2 });
    const seen: number[] = [];
    const lengths: number[] = [];
    for (const batch of batches.pass()) {
      seen.push(...batch.inputs);
      lengths.push(batch.length);
    }
    expect(lengths).toEqual([2, 2, 1]);
    expect(seen.sort((a, b) => a - b)).toEqual([...tokens(15)]);
  });

  it('takes a text of just enough characters', () => {
    expect(new LaneBatches(tokens(7), { batchSize: 2, sequenceLength: 3 }).batchesPerPass).toBe(1);
  });

  it('says how much is needed and what would fit', () => {
    const make = (n: number, batchSize: number, sequenceLength: number) => () =>
      new LaneBatches(tokens(n), { batchSize, sequenceLength }, 'corpus');
    expect(make(6, 2, 3)).toThrow(TextError);
    expect(make(6, 2, 3)).toThrow(
      'corpus: has 6 characters, batchSize 2 × sequenceLength 3 needs at least 7',
    );
    expect(make(6, 2, 3)).toThrow('set batchSize 1 or sequenceLength 2');
    expect(make(4, 8, 5)).toThrow('set batchSize 1 and sequenceLength 3');
    expect(make(1, 1, 1)).toThrow('at least two characters');
  });

  it.each([0, -1, 1.5, NaN, Infinity, '3' as unknown as number])('refuses the size %s', (size) => {
    expect(() => new LaneBatches(tokens(99), { batchSize: size, sequenceLength: 1 })).toThrow(ArgumentError);
    expect(() => new LaneBatches(tokens(99), { batchSize: 1, sequenceLength: size })).toThrow(
      /sequenceLength/,
    );
  });
});
