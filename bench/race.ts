/** Races contenders: first results compared, then timed in turns, within a budget of time. */
import type { Entrant, GpuUse, Sample } from './contender.js';
import { agree, summarize, type Summary } from './statistics.js';
import type { Workload } from './workloads.js';

/** How much first results may differ, relative to them: float32 sums in another order. */
export const FIRST_TOLERANCE = 1e-3;
/**
 * How much results of the second unit may differ: after one update. Wider, because frameworks differ in details of
 * optimizers.
 */
export const SECOND_TOLERANCE = 2e-2;

/** What a quick contender's sample takes at least, in milliseconds; a slow one's is a single unit. */
const SAMPLE_MILLISECONDS = 400;
const MOST_UNITS = 200;
/** Samples that all but slow contenders get, whatever is left of the budget. */
const LEAST_SAMPLES = 5;
/** A contender whose unit takes longer is slow: no warm-up but the second unit, and as few samples as must be. */
const SLOW_MILLISECONDS = 2500;

/** How one contender fared. */
export interface Result {
  readonly name: string;
  readonly state: 'timed' | 'wrong' | 'failed';
  /** What is wrong, or what failed. */
  readonly problem: string;
  readonly description: string;
  /** Of the first unit, making the model included. */
  readonly firstMilliseconds: number;
  /** The numbers that were compared: of the first unit, and of the second. */
  readonly values: readonly (readonly number[])[];
  /** Milliseconds a unit, a number a sample; null unless timed. */
  readonly milliseconds: Summary | null;
  /** Units a sample. */
  readonly units: number;
  /** A unit's, bytes apart, which are those after it. */
  readonly gpu: GpuUse | null;
}

/** Options of {@link race}. */
export interface RaceOptions {
  readonly budgetMilliseconds: number;
  readonly rounds?: number;
  readonly say?: (line: string) => void;
  /** The clock, in milliseconds. */
  readonly now?: () => number;
}

/** One that is still in the race. */
interface Runner {
  readonly entrant: Entrant;
  readonly first: Sample;
  readonly second: Sample;
  readonly units: number;
  readonly estimate: number;
  readonly samples: Sample[];
}

/** Races entrants; the first of them sets the results that the others must agree with. */
export async function race(
  workload: Workload,
  entrants: readonly Entrant[],
  options: RaceOptions,
): Promise<Result[]> {
  const { budgetMilliseconds, rounds = 9, say = () => undefined, now = () => performance.now() } = options;
  const began = now();
  const results = new Map<string, Result>();
  const runners: Runner[] = [];
  for (const entrant of entrants) {
    say(`${workload.name}: ${entrant.name} begins`);
    try {
      const outcome = await warmUp(entrant, workload, runners[0]);
      if ('state' in outcome) results.set(entrant.name, outcome);
      else runners.push(outcome);
    } catch (error) {
      results.set(entrant.name, failure(entrant.name, error));
    }
  }
  const left = budgetMilliseconds - (now() - began);
  const counts = shares(
    runners.map(({ estimate, units }) => estimate * units),
    { milliseconds: left, rounds },
  );
  for (let round = 0; round < rounds; round++) {
    for (const [index, runner] of runners.entries()) {
      const count = counts[index]!;
      // Those with fewer samples spread them over the rounds.
      const due = Math.floor(((round + 1) * count) / rounds) > Math.floor((round * count) / rounds);
      if (!due || results.has(runner.entrant.name)) continue;
      say(`${workload.name}: round ${round + 1} of ${rounds}, ${runner.entrant.name}`);
      try {
        runner.samples.push(await runner.entrant.run(runner.units));
      } catch (error) {
        results.set(runner.entrant.name, failure(runner.entrant.name, error));
      }
    }
  }
  for (const runner of runners) {
    if (!results.has(runner.entrant.name)) results.set(runner.entrant.name, finish(runner));
  }
  for (const entrant of entrants) await entrant.dispose().catch(() => undefined);
  return entrants.map(({ name }) => results.get(name)!);
}

async function warmUp(
  entrant: Entrant,
  workload: Workload,
  reference: Runner | undefined,
): Promise<Runner | Result> {
  const first = await entrant.begin(workload);
  const wrong = (problem: string, values: readonly (readonly number[])[]): Result => ({
    name: entrant.name,
    state: 'wrong',
    problem,
    description: first.description,
    firstMilliseconds: first.milliseconds,
    values,
    milliseconds: null,
    units: 0,
    gpu: null,
  });
  const expected = reference?.first.values ?? first.values;
  if (!first.values.every(Number.isFinite) || !agree(first.values, expected, FIRST_TOLERANCE)) {
    return wrong(`gives ${show(first.values)} for ${show(expected)}`, [first.values]);
  }
  const second = await entrant.run(1);
  const after = reference?.second.values ?? second.values;
  if (!second.values.every(Number.isFinite) || !agree(second.values, after, SECOND_TOLERANCE)) {
    const problem = `gives ${show(second.values)} for ${show(after)} after one update`;
    return wrong(problem, [first.values, second.values]);
  }
  let estimate = second.milliseconds;
  if (estimate < SLOW_MILLISECONDS) {
    for (let trial = 0; trial < 2; trial++) {
      const { milliseconds, units } = await entrant.run(unitsFor(estimate));
      estimate = milliseconds / units;
    }
  }
  return { entrant, first, second, units: unitsFor(estimate), estimate, samples: [] };
}

function unitsFor(milliseconds: number): number {
  return Math.min(MOST_UNITS, Math.max(1, Math.round(SAMPLE_MILLISECONDS / Math.max(milliseconds, 1e-3))));
}

/**
 * Samples of each contender: as many as there are rounds where the time allows, quick ones first; at least
 * one of slow contenders, and a few of all others.
 */
export function shares(
  milliseconds: readonly number[],
  budget: { readonly milliseconds: number; readonly rounds: number },
): number[] {
  const counts = milliseconds.map(() => 0);
  const order = milliseconds.map((_, index) => index).sort((a, b) => milliseconds[a]! - milliseconds[b]!);
  let left = budget.milliseconds;
  order.forEach((index, position) => {
    const share = left / (order.length - position);
    const fitting = Math.floor(share / milliseconds[index]!);
    const least = milliseconds[index]! > SLOW_MILLISECONDS ? 1 : LEAST_SAMPLES;
    counts[index] = Math.min(budget.rounds, Math.max(least, fitting));
    left -= counts[index] * milliseconds[index]!;
  });
  return counts;
}

function finish({ entrant, first, second, units, samples }: Runner): Result {
  const last = samples.at(-1)!;
  return {
    name: entrant.name,
    state: 'timed',
    problem: '',
    description: first.description,
    firstMilliseconds: first.milliseconds,
    values: [first.values, second.values],
    milliseconds: summarize(samples.map((sample) => sample.milliseconds / sample.units)),
    units,
    gpu: last.gpu && {
      dispatches: last.gpu.dispatches / last.units,
      submits: last.gpu.submits / last.units,
      objects: last.gpu.objects / last.units,
      bytes: last.gpu.bytes,
    },
  };
}

function failure(name: string, error: unknown): Result {
  return {
    name,
    state: 'failed',
    problem: (error instanceof Error ? error.message : String(error)).split('\n')[0]!,
    description: '',
    firstMilliseconds: NaN,
    values: [],
    milliseconds: null,
    units: 0,
    gpu: null,
  };
}

function show(values: readonly number[]): string {
  return values.map((value) => value.toPrecision(5)).join(', ');
}
