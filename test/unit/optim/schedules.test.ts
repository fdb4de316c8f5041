/** Schedules give the rates their formulas say, combine, and go on from their state. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, FormatError } from '../../../src/graph/errors.js';
import { Adam } from '../../../src/optim/adam.js';
import {
  cosineSchedule,
  exponentialSchedule,
  oneCycleSchedule,
  ReduceOnPlateau,
  sequentialSchedule,
  stepSchedule,
  warmupSchedule,
  type Schedule,
} from '../../../src/optim/schedules.js';

function expectRates(schedule: Schedule, expected: Readonly<Record<number, number>>): void {
  for (const [step, rate] of Object.entries(expected)) {
    expect(schedule(Number(step)), `step ${step}`).toBeCloseTo(rate, 12);
  }
}

describe('schedules', () => {
  it('step', () => {
    expectRates(stepSchedule({ initial: 0.5, every: 3, factor: 0.2 }), {
      1: 0.5,
      3: 0.5,
      4: 0.1,
      6: 0.1,
      7: 0.02,
    });
  });
  it('exponential', () => {
    expectRates(exponentialSchedule({ initial: 2, factor: 0.5 }), { 1: 2, 2: 1, 4: 0.25 });
    expectRates(exponentialSchedule({ initial: 2, factor: 0.25, every: 4 }), { 1: 2, 3: 1, 5: 0.5 });
  });
  it('cosine', () => {
    const half = Math.SQRT1_2;
    expectRates(cosineSchedule({ initial: 3, final: 1, steps: 4 }), {
      1: 3,
      2: 2 + half,
      3: 2,
      4: 2 - half,
      5: 1,
      90: 1,
    });
  });
  it('warm-up, then a number or another schedule', () => {
    expectRates(warmupSchedule({ steps: 4, then: 0.8 }), { 1: 0.2, 2: 0.4, 4: 0.8, 5: 0.8, 50: 0.8 });
    const then = exponentialSchedule({ initial: 1, factor: 0.5 });
    expectRates(warmupSchedule({ steps: 2, from: 0.5, then }), { 1: 0.75, 2: 1, 3: 1, 4: 0.5 });
  });
  it('one cycle, as PyTorch lists it', () => {
    // torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10), worked out by its formula:
    // the top is at index 2, the end at index 9.
    const cosine = (a: number, b: number, x: number): number =>
      b + ((a - b) / 2) * (1 + Math.cos(Math.PI * x));
    expectRates(oneCycleSchedule({ max: 0.1, steps: 10 }), {
      1: 0.004,
      2: cosine(0.004, 0.1, 0.5),
      3: 0.1,
      4: cosine(0.1, 4e-7, 1 / 7),
      9: cosine(0.1, 4e-7, 6 / 7),
      10: 4e-7,
      11: 4e-7,
    });
    expectRates(oneCycleSchedule({ max: 1, steps: 11, warmupFraction: 0.5, divisor: 10, shape: 'linear' }), {
      1: 0.1,
      2: 0.1 + 0.9 / 4.5,
      11: 1e-5,
    });
    expectRates(oneCycleSchedule({ max: 1, steps: 5, warmupFraction: 0 }), { 1: 1, 5: 4e-6 });
  });
  it('one after another', () => {
    const schedule = sequentialSchedule(
      { steps: 2, schedule: 0.3 },
      { steps: 3, schedule: exponentialSchedule({ initial: 1, factor: 0.5 }) },
      { schedule: 0.01 },
    );
    expectRates(schedule, { 1: 0.3, 2: 0.3, 3: 1, 5: 0.25, 6: 0.01, 99: 0.01 });
  });

  const wrong: [string, () => unknown, RegExp][] = [
    ['every 0', () => stepSchedule({ initial: 1, every: 0 }), /stepSchedule: every is 0/],
    ['a factor of 0', () => exponentialSchedule({ initial: 1, factor: 0 }), /factor is 0/],
    ['steps 1.5', () => cosineSchedule({ initial: 1, steps: 1.5 }), /cosineSchedule: steps is 1.5/],
    ['a rate below 0', () => warmupSchedule({ steps: 3, then: -1 }), /warmupSchedule: then is -1/],
    ['one step', () => oneCycleSchedule({ max: 1, steps: 1 }), /oneCycleSchedule: steps is 1/],
    ['no part', () => sequentialSchedule(), /no parts/],
    ['a part without steps', () => sequentialSchedule({ schedule: 1 }, { schedule: 1 }), /part 0: steps/],
    ['an option that is none', () => stepSchedule({ initial: 1, every: 1, gamma: 1 } as never), /"gamma"/],
    ['a factor of 1', () => new ReduceOnPlateau({ initial: 1, factor: 1 }), /factor is 1/],
    ['patience -1', () => new ReduceOnPlateau({ initial: 1, patience: -1 }), /patience is -1/],
  ];
  it.each(wrong)('refuse %s', (_, make, message) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });
});

describe('ReduceOnPlateau', () => {
  it('goes on from a state in which the rate has become too small for a number', () => {
    const schedule = new ReduceOnPlateau({ initial: 1, factor: 0.1, patience: 0 });
    for (let i = 0; i < 400; i++) schedule.observe(1);
    expect(schedule.rateAt(1)).toBe(0);
    const again = new ReduceOnPlateau({ initial: 1, factor: 0.1, patience: 0 });
    again.restore(schedule.state());
    expect(again.state()).toEqual(schedule.state());
  });

  /** The rates after each measurement. */
  const follow = (schedule: ReduceOnPlateau, values: readonly number[]): number[] =>
    values.map((value, i) => {
      schedule.observe(value);
      return schedule.rateAt(i + 1);
    });

  it('lowers the rate after `patience` measurements without improvement', () => {
    const schedule = new ReduceOnPlateau({ initial: 1, factor: 0.5, patience: 1 });
    expect(follow(schedule, [5, 4, 4, 4, 4, 4, 3, 3, NaN])).toEqual([
      1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125,
    ]);
  });
  it('puts up with `cooldown` measurements more, and stops at `min`', () => {
    const options = { initial: 1, factor: 0.5, patience: 0, cooldown: 1, min: 0.2 };
    expect(follow(new ReduceOnPlateau(options), [1, 1, 1, 1, 1, 1, 1, 1])).toEqual([
      1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2,
    ]);
  });
  it('waits for larger measurements with mode max', () => {
    const schedule = new ReduceOnPlateau({ initial: 1, factor: 0.5, patience: 0, mode: 'max' });
    expect(follow(schedule, [0.5, 0.6, 0.6, 0.5, 0.7])).toEqual([1, 1, 0.5, 0.25, 0.25]);
  });
  it('scales another schedule', () => {
    const schedule = new ReduceOnPlateau({
      initial: exponentialSchedule({ initial: 8, factor: 0.5 }),
      factor: 0.1,
      patience: 0,
    });
    expect(schedule.rateAt(3)).toBe(2);
    follow(schedule, [1, 1]);
    expect(schedule.rateAt(3)).toBeCloseTo(0.2, 12);
  });
  it('goes on from its state', () => {
    const options = { initial: 1, factor: 0.5, patience: 2, cooldown: 1 };
    const values = [3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2];
    const whole = follow(new ReduceOnPlateau(options), values);
    for (let cut = 0; cut <= values.length; cut++) {
      const first = new ReduceOnPlateau(options);
      const begin = follow(first, values.slice(0, cut));
      const second = new ReduceOnPlateau(options);
      second.restore(JSON.parse(JSON.stringify(first.state())) as Record<string, number>);
      expect([...begin, ...follow(second, values.slice(cut))]).toEqual(whole);
    }
  });
  it.each([{}, { scale: 2, waited: 0, cooling: 0 }, { scale: 1, waited: 0.5, cooling: 0 }])(
    'refuses the state %j, and keeps its own',
    (state) => {
      const schedule = new ReduceOnPlateau({ initial: 1 });
      const before = schedule.state();
      expect(() => schedule.restore(state)).toThrow(FormatError);
      expect(schedule.state()).toEqual(before);
    },
  );
});

describe('an optimizer with a schedule', () => {
  it('takes its rate for each update, or the one it is given', () => {
    const optimizer = new Adam({ learningRate: (step) => 1 / step });
    expect(optimizer.learningRate).toBe(1);
    expect(optimizer.prepare(4)).toBe(0.25);
    expect(optimizer.learningRate).toBe(0.25);
    expect(optimizer.prepare(5, 0.7)).toBe(0.7);
    expect(optimizer.learningRate).toBe(0.25);
    expect(optimizer.prepare(8)).toBe(0.125);
    optimizer.learningRate = 0.5;
    expect(optimizer.prepare(9, (update) => update)).toBe(9);
    expect(optimizer.prepare(10)).toBe(0.5);
    expect(optimizer.learningRate).toBe(0.5);
  });
  it('knows whether its schedule follows measurements', () => {
    const plateau = new ReduceOnPlateau({ initial: 0.1 });
    expect(new Adam({ learningRate: plateau }).adaptiveSchedule).toBe(plateau);
    expect(new Adam({ learningRate: () => 1 }).adaptiveSchedule).toBeNull();
    expect(() => new Adam({ learningRate: {} as never })).toThrow(ArgumentError);
  });
});
