/** The memory plan: nothing alive at once shares a buffer, what may be shared is, and nothing is larger than need be. */
import { describe, expect, test } from 'vitest';
import {
  alignUp,
  planMemory,
  type Lifetime,
  type Storage,
  type StorageRole,
} from '../../../src/gpu/memory.js';
import { randomSource } from '../support/random.js';

function storage(id: number, bytes: number, role: StorageRole = 'transient'): Storage {
  return { id, label: `s${id}`, bytes, role };
}

/** Whether two storages may not share: alive at one step, or kept for themselves. */
function meets(a: Storage, b: Storage, of: ReadonlyMap<Storage, Lifetime>, steps: number): boolean {
  const shared = (one: Storage): boolean => one.role === 'transient' || one.role === 'output';
  if (!shared(a) || !shared(b)) return true;
  const last = (one: Storage): number => (one.role === 'output' ? steps : of.get(one)!.last);
  return of.get(a)!.first <= last(b) && of.get(b)!.first <= last(a);
}

describe('planMemory', () => {
  test('arrays whose lives do not meet share one buffer, the size of the largest', () => {
    const [a, b, c] = [storage(0, 1000), storage(1, 4000), storage(2, 500)];
    const lifetimes = new Map([
      [a, { first: 0, last: 1 }],
      [b, { first: 2, last: 3 }],
      [c, { first: 4, last: 5 }],
    ]);
    const { buffers, peakBytes } = planMemory(lifetimes, 6);
    expect(buffers).toEqual([alignUp(4000)]);
    expect(peakBytes).toBe(alignUp(4000));
  });

  test('what one step reads and another array it writes are apart', () => {
    const [a, b] = [storage(0, 256), storage(1, 256)];
    const lifetimes = new Map([
      [a, { first: 0, last: 1 }],
      [b, { first: 1, last: 2 }],
    ]);
    const { assignment } = planMemory(lifetimes, 3);
    expect(assignment.get(a)).not.toBe(assignment.get(b));
  });

  test('inputs, outputs and what must stay zero are not written over', () => {
    const kept = (['input', 'zeroed', 'output'] as const).map((role, i) => storage(i, 256, role));
    const later = storage(9, 256);
    const lifetimes = new Map([
      ...kept.map((one) => [one, { first: 0, last: 0 }] as const),
      [later, { first: 3, last: 4 }],
    ]);
    const { assignment, buffers } = planMemory(lifetimes, 5);
    for (const one of kept) expect(assignment.get(one)).not.toBe(assignment.get(later));
    expect(buffers).toHaveLength(4);
  });

  test('hundreds of random plans: no two that meet share, all fit, and no more than a third above the peak on average', () => {
    const random = randomSource(5);
    const whole = (below: number): number => Math.floor(random() * below);
    let excess = 0;
    const plans = 300;
    for (let plan = 0; plan < plans; plan++) {
      const steps = 2 + whole(40);
      const roles: StorageRole[] = [
        'transient',
        'transient',
        'transient',
        'transient',
        'output',
        'input',
        'zeroed',
      ];
      const lifetimes = new Map<Storage, Lifetime>();
      for (let id = 0; id < 1 + whole(30); id++) {
        const first = whole(steps);
        const last = Math.min(steps - 1, first + whole(6));
        lifetimes.set(storage(id, 1 + whole(5000), roles[whole(roles.length)]), { first, last });
      }
      const { buffers, assignment, peakBytes } = planMemory(lifetimes, steps);
      const all = [...lifetimes.keys()];
      for (const [i, a] of all.entries()) {
        expect(buffers[assignment.get(a)!]).toBeGreaterThanOrEqual(a.bytes);
        for (const b of all.slice(i + 1)) {
          if (assignment.get(a) === assignment.get(b)) expect(meets(a, b, lifetimes, steps)).toBe(false);
        }
      }
      const total = buffers.reduce((sum, bytes) => sum + bytes, 0);
      expect(total).toBeGreaterThanOrEqual(peakBytes);
      excess += total / peakBytes - 1;
    }
    expect(excess / plans).toBeLessThan(1 / 3);
  });
});
