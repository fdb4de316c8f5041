/** The race itself, with entrants that only pretend, and its tables. */
import { describe, expect, it } from 'vitest';
import type { Entrant, Sample } from '../../../bench/contender.js';
import { race, shares } from '../../../bench/race.js';
import { markdown, raceTable, toJson, type Report } from '../../../bench/report.js';
import { WORKLOADS } from '../../../bench/workloads.js';

const workload = WORKLOADS['train-small']![0]!;

/** Time that passes only when an entrant works. */
class Clock {
  now = 0;
  readonly log: string[] = [];

  entrant(name: string, milliseconds: number, values: readonly number[] = [4, 3.9]): Entrant {
    let done = 0;
    const sample = (units: number): Promise<Sample> => {
      this.now += milliseconds * units;
      done += units;
      this.log.push(name);
      return Promise.resolve({
        milliseconds: milliseconds * units,
        units,
        values: [values[Math.min(done, values.length) - 1]!],
        gpu: { dispatches: 10 * units, submits: units, objects: 3 * units, bytes: 1e6 },
        description: `the library ${name}`,
      });
    };
    return {
      name,
      begin: () => sample(1),
      run: sample,
      dispose: () => {
        this.log.push(`${name} is disposed of`);
        return Promise.resolve();
      },
    };
  }

  race(entrants: readonly Entrant[], budgetMilliseconds = 60_000): ReturnType<typeof race> {
    return race(workload, entrants, { budgetMilliseconds, rounds: 5, now: () => this.now });
  }
}

describe('shares', () => {
  it('gives everyone all rounds where time allows', () => {
    expect(shares([10, 100], { milliseconds: 1000, rounds: 5 })).toEqual([5, 5]);
  });

  it('gives slow ones what quick ones leave, and at least one', () => {
    expect(shares([10, 3000], { milliseconds: 10_000, rounds: 5 })).toEqual([5, 3]);
    expect(shares([9000, 10], { milliseconds: 1000, rounds: 5 })).toEqual([1, 5]);
    expect(shares([9000], { milliseconds: -5, rounds: 5 })).toEqual([1]);
  });

  it('gives all but slow ones a few, whatever is left', () => {
    expect(shares([400, 9000], { milliseconds: -5, rounds: 9 })).toEqual([5, 1]);
  });
});

it('times entrants in turns, several units a sample where they are quick', async () => {
  const clock = new Clock();
  const [own, peer] = await clock.race([clock.entrant('own', 100), clock.entrant('peer', 1000)]);
  expect(own).toMatchObject({ state: 'timed', units: 4, values: [[4], [3.9]], firstMilliseconds: 100 });
  expect(own!.milliseconds).toMatchObject({ count: 5, median: 100 });
  expect(own!.gpu).toEqual({ dispatches: 10, submits: 1, objects: 3, bytes: 1e6 });
  expect(peer!.milliseconds).toMatchObject({ count: 5, median: 1000 });
  const rounds = clock.log.slice(-12, -2);
  expect(rounds).toEqual(['own', 'peer', 'own', 'peer', 'own', 'peer', 'own', 'peer', 'own', 'peer']);
  expect(clock.log.slice(-2)).toEqual(['own is disposed of', 'peer is disposed of']);
});

it('runs a slow one once, without more warm-up than the second unit', async () => {
  const clock = new Clock();
  const [, peer] = await clock.race([clock.entrant('own', 100), clock.entrant('peer', 40_000)]);
  expect(peer!.milliseconds!.count).toBe(1);
  expect(clock.log.filter((name) => name === 'peer')).toHaveLength(3);
});

it('does not time a wrong one', async () => {
  const clock = new Clock();
  const entrants = [
    clock.entrant('own', 100),
    clock.entrant('wrong', 100, [4.1]),
    clock.entrant('wrong-later', 100, [4, 4]),
    clock.entrant('not-finite', 100, [NaN]),
  ];
  const results = await clock.race(entrants);
  expect(results.map(({ state }) => state)).toEqual(['timed', 'wrong', 'wrong', 'wrong']);
  expect(results[1]!.problem).toBe('gives 4.1000 for 4.0000');
  expect(results[2]!.problem).toBe('gives 4.0000 for 3.9000 after one update');
  expect(clock.log.filter((name) => name === 'wrong')).toHaveLength(1);
});

it('goes on without one that fails', async () => {
  const clock = new Clock();
  const failing: Entrant = {
    ...clock.entrant('failing', 100),
    begin: () => Promise.reject(new Error('no device\nat the stack')),
  };
  const results = await clock.race([clock.entrant('own', 100), failing]);
  expect(results[1]).toMatchObject({ state: 'failed', problem: 'no device', milliseconds: null });
  expect(results[0]!.milliseconds!.count).toBe(5);
});

describe('report', () => {
  const run = async (): Promise<Report> => {
    const clock = new Clock();
    const entrants = [
      clock.entrant('own', 100),
      clock.entrant('peer', 250),
      clock.entrant('wrong', 100, [5]),
    ];
    const results = await clock.race(entrants);
    return {
      date: '2026-01-02T03:04:05Z',
      command: 'npm run bench -- train-small',
      machine: 'two cores',
      runtime: 'a browser',
      adapter: 'an adapter',
      races: [{ workload, results }],
      parts: [raceTable(workload, results)],
    };
  };

  it('has a row a contender, all of the same width', async () => {
    const { results } = (await run()).races[0]!;
    const rows = raceTable(workload, results)
      .split('\n')
      .filter((line) => line.startsWith('|'));
    expect(rows).toHaveLength(5);
    expect(new Set(rows.map((row) => row.split('|').length)).size).toBe(1);
    expect(rows[3]).toContain('| peer | 250 | 250–250 | 5×2 | 2.5 | 250 | 2.5 | 10 | 1 | 3 | 1 |');
    expect(rows[4]).toContain('| wrong | wrong |');
    expect(rows[4]).toContain('gives 5.0000 for 4.0000');
  });

  it('tells date, adapter, runtime and command', async () => {
    const text = markdown(await run());
    for (const part of [
      '2026-01-02',
      'an adapter',
      'a browser',
      'two cores',
      '`npm run bench -- train-small`',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('is one object for programs', async () => {
    const object = JSON.parse(toJson(await run())) as {
      races: { flops: number; leastBytes: number; results: { timesOurs: number | null }[] }[];
    };
    expect(object.races[0]!.flops).toBeGreaterThan(1e9);
    expect(object.races[0]!.leastBytes).toBeGreaterThan(1e6);
    expect(object.races[0]!.results.map(({ timesOurs }) => timesOurs)).toEqual([1, 2.5, null]);
  });
});
