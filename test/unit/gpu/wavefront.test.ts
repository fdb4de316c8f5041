/** The order of two layers side by side: every step once, nobody ahead of what feeds them, few dispatches. */
import { describe, expect, test } from 'vitest';
import { chunkOf, wavefront, type Runner } from '../../../src/gpu/lower/recurrent/wavefront.js';

/** Dispatches of an order, after each rule has been held against it. */
function dispatches(T: number, chunk: number, atOnce: number, alone: readonly [boolean, boolean]): number {
  const done: Record<Runner, number> = { leader: 0, follower: 0 };
  const begun: Record<Runner, number> = { leader: 0, follower: 0 };
  let count = 0;
  for (const turn of wavefront(T, chunk, { atOnce, alone })) {
    if (!('runs' in turn)) {
      const { begins, chunk: steps } = turn;
      expect(steps.begin).toBe(done[begins]);
      expect(steps.begin).toBe(begun[begins]);
      expect(steps.end - steps.begin).toBeLessThanOrEqual(chunk);
      begun[begins] = steps.end;
      // The leader has made all that is handed over now.
      if (begins === 'follower') expect(done.leader).toBeGreaterThanOrEqual(steps.end);
      continue;
    }
    count++;
    const steps = turn.runs.map(({ step }) => step);
    expect(turn.count).toBeGreaterThan(0);
    expect(turn.count).toBeLessThanOrEqual(atOnce);
    expect(new Set(turn.runs.map(({ runner }) => runner)).size).toBe(turn.runs.length);
    for (const { runner, step, chunk: within } of turn.runs) {
      expect(step).toBe(done[runner]);
      expect(step).toBeGreaterThanOrEqual(within.begin);
      expect(step + turn.count).toBeLessThanOrEqual(within.end);
      expect(within.end).toBe(begun[runner]);
      done[runner] += turn.count;
    }
    const ends = [...(alone[0] ? [0] : []), ...(alone[1] ? [T - 1] : [])];
    const withEnd = steps.some((step) => ends.some((end) => end >= step && end < step + turn.count));
    if (withEnd) expect(turn.runs).toHaveLength(1);
  }
  expect(done).toEqual({ leader: T, follower: T });
  return count;
}

const ENDS = [
  [false, false],
  [true, false],
  [true, true],
] as const;

describe('two layers side by side', () => {
  test.each(ENDS)('whatever the sizes, with the ends alone: %s, %s', (...alone) => {
    for (const T of [1, 2, 3, 7, 12]) {
      for (const chunk of [1, 2, 3, 5, 7, 13]) {
        for (const atOnce of [1, 3, 100]) dispatches(T, chunk, atOnce, alone);
      }
    }
  });

  test('T steps and a chunk, and one more for each end that is alone', () => {
    expect(dispatches(50, 8, 1, [false, false])).toBe(58);
    expect(dispatches(50, 8, 1, [true, false])).toBe(59);
    expect(dispatches(50, 8, 1, [true, true])).toBe(60);
    expect(dispatches(56, 8, 8, [false, false])).toBe(8);
  });

  test('chunks are about √T steps', () => {
    const chunks = (T: number, persistent: boolean): number | null =>
      chunkOf({ T, B: 50, software: false, persistent });
    expect([7, 9, 50, 100, 1000].map((T) => chunks(T, false))).toEqual([3, 3, 8, 10, 32]);
    expect([1, 2, 5, 6].map((T) => chunks(T, false))).toEqual([null, null, null, null]);
    expect([83, 84, 1000].map((T) => chunks(T, true))).toEqual([null, 28, 112]);
  });

  test('on software adapters they make products of 64 rows, or there are none', () => {
    const chunks = (T: number, B: number): number | null =>
      chunkOf({ T, B, software: true, persistent: false });
    expect([50, 4, 1].map((B) => chunks(50, B))).toEqual([8, 16, null]);
    expect(chunks(129, 1)).toBe(64);
  });
});
