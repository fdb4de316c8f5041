/** Whatever reads what others have written refuses damage by an error of its own, changes nothing, and takes no undue memory. */
import { describe, expect, it } from 'vitest';
import { damage } from '../../fuzz/damage.js';
import { AllocationError, metered } from '../../fuzz/meter.js';
import { choose } from '../../fuzz/mutate.js';
import { createTargets } from '../../fuzz/targets.js';
import { attempt, BrokenRule, type Target } from '../../fuzz/trial.js';
import { randomSource } from '../support/random.js';

const targets = await createTargets();

/** Few, so that they take a second or two: `npm run fuzz` tries many more of the same kind. */
const INPUTS = { file: 60, bytes: 300, json: 300, text: 300 } as const;

describe.each(targets.map((target) => [target.name, target] as const))('%s', (_name, target) => {
  it('takes what is good', async () => {
    for (const seed of target.seeds) expect((await attempt(target, seed)).problem).toBeNull();
  });

  it('keeps the rules whatever it is given', async () => {
    const random = randomSource(target.name.length);
    let refused = 0;
    for (let count = 0; count < INPUTS[target.form]; count++) {
      const input = damage(target, choose(random, target.seeds), choose(random, target.seeds), random);
      const { problem, refusal } = await attempt(target, input);
      expect(problem, JSON.stringify(typeof input === 'string' ? input : [...input])).toBeNull();
      if (refusal !== null) refused++;
    }
    // A target that takes everything, such as a link, has nothing to refuse.
    if (target.form === 'file') expect(refused).toBeGreaterThan(INPUTS.file / 4);
  });
});

describe('a trial', () => {
  const target: Target = { name: 'x', form: 'text', seeds: [''], read: () => undefined };
  const problemOf = async (parts: Partial<Target>): Promise<string | null> =>
    (await attempt({ ...target, ...parts }, 'input')).problem;

  it('finds each broken rule', async () => {
    const refusing = (error: Error) => () => {
      throw error;
    };
    expect(await problemOf({})).toBeNull();
    expect(await problemOf({ read: refusing(new TypeError('of the language')) })).toContain(
      'of the language',
    );
    expect(await problemOf({ use: refusing(new BrokenRule('a rule')) })).toContain('a rule');
    expect(await problemOf({ read: refusing(new RangeError('told')), allows: () => true })).toBeNull();
    expect(await problemOf({ read: () => new Float32Array(1e6) })).toContain('AllocationError');
    expect(await problemOf({ read: refusing(new Error('x'.repeat(9999))), allows: () => true })).toContain(
      'a message of 9999',
    );
    let state = 0;
    const changing = () => {
      state++;
      throw new Error('refused');
    };
    expect(await problemOf({ read: changing, state: () => String(state), allows: () => true })).toContain(
      'was changed',
    );
  });

  it('finds a changed prototype', async () => {
    const polluting = () =>
      Object.defineProperty(Object.prototype, 'polluted', { value: 1, configurable: true });
    try {
      expect(await problemOf({ read: polluting })).toContain('prototype');
    } finally {
      delete (Object.prototype as { polluted?: number }).polluted;
    }
  });

  it('counts arrays however they are made', async () => {
    const bytesOf = async (work: () => unknown): Promise<number> => (await metered(1e6, work)).bytes();
    expect(await bytesOf(() => new Float64Array(10))).toBe(80);
    expect(await bytesOf(() => Float32Array.from({ length: 10 }, () => 1))).toBe(40);
    expect(await bytesOf(() => new Uint8Array(new Set([1, 2, 3])))).toBe(3);
    const given = new Int32Array(5);
    expect(await bytesOf(() => given.slice())).toBe(20);
    expect(await bytesOf(() => given.subarray(1))).toBe(0);
    expect(await bytesOf(() => new Float32Array(new ArrayBuffer(8)))).toBe(8);
    expect(await metered(100, () => new Uint8Array(101))).toHaveProperty('error.name', AllocationError.name);
  });
});
