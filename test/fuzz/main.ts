/** `npm run fuzz`: damages files and texts by the million bytes, led by what new code they reach, and tells what broke. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect, parseArgs } from 'node:util';
import { randomSource } from '../unit/support/random.js';
import { Coverage } from './coverage.js';
import { damage } from './damage.js';
import { choose, type Random } from './mutate.js';
import { createTargets } from './targets.js';
import { attempt, sizeOfInput, type Input, type Target } from './trial.js';

const { values } = parseArgs({
  options: {
    bytes: { type: 'string', default: '10000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const [bytes, seed] = [Number(values.bytes), Number(values.seed)];
if (!Number.isSafeInteger(bytes) || bytes < 1 || !Number.isSafeInteger(seed) || seed < 0) {
  console.error('usage: npm run fuzz -- [--bytes N] [--seed S] [--only TARGET]');
  process.exit(2);
}

/** Inputs that broke a rule are kept here. */
const OUT = 'out/fuzz';
/** An input takes a millisecond or so; one that takes this long has found a way to make the reader slow. */
const SLOW_MS = 2000;
/** Inputs that have grown beyond this are cut: growth by itself finds nothing. */
const LARGEST = 20_000;

let stray: unknown = null;
process.on('unhandledRejection', (reason) => (stray = reason));

interface Tally {
  inputs: number;
  bytes: number;
  accepted: number;
  kept: number;
  largest: number;
  slowest: number;
  readonly refusals: Map<string, number>;
  readonly problems: Map<string, Input>;
}

const began = performance.now();
const all = (await createTargets()).filter(({ name }) => name.includes(values.only));
const coverage = new Coverage();
const tallies: Tally[] = [];
const weights = all.map(({ form }) => (form === 'file' ? 10 : 1));
const share = bytes / weights.reduce((total, weight) => total + weight, 0);
for (const [index, target] of all.entries()) {
  tallies.push(await fuzz(target, weights[index]! * share, randomSource(seed * 1000 + index)));
  print(target, tallies.at(-1)!);
}
coverage.close();
const sum = (of: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + of(tally), 0);
const broken = sum(({ problems }) => problems.size);
console.log(
  `seed ${seed}: ${sum(({ inputs }) => inputs)} inputs, ${sum((tally) => tally.bytes)} bytes, ` +
    `${coverage.size} blocks of code reached, ${Math.round((performance.now() - began) / 1000)} s, ` +
    `peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB, ${broken} rules broken`,
);
process.exit(broken === 0 ? 0 : 1);

/** Damages inputs of one target, and goes on from those that reach something new. */
async function fuzz(target: Target, budget: number, random: Random): Promise<Tally> {
  const tally: Tally = {
    inputs: 0,
    bytes: 0,
    accepted: 0,
    kept: 0,
    largest: 0,
    slowest: 0,
    refusals: new Map(),
    problems: new Map(),
  };
  const corpus: Input[] = [...target.seeds];
  for (const input of target.seeds) await run(target, input, tally);
  coverage.takeNew();
  while (tally.bytes < budget) {
    // Half of the time from good inputs, which go deepest.
    const from = random() < 0.5 ? choose(random, target.seeds) : choose(random, corpus);
    const input = cut(damage(target, from, choose(random, corpus), random));
    await run(target, input, tally);
    if (coverage.takeNew() === 0) continue;
    corpus.push(input);
    tally.kept++;
  }
  return tally;
}

function cut(input: Input): Input {
  return typeof input === 'string' ? input.slice(0, LARGEST) : input.subarray(0, LARGEST);
}

async function run(target: Target, input: Input, tally: Tally): Promise<void> {
  const outcome = await attempt(target, input);
  const size = sizeOfInput(input);
  tally.inputs++;
  tally.bytes += size;
  if (outcome.refusal === null) tally.accepted++;
  else tally.refusals.set(outcome.refusal, (tally.refusals.get(outcome.refusal) ?? 0) + 1);
  tally.largest = Math.max(tally.largest, outcome.allocated / Math.max(1000, size));
  tally.slowest = Math.max(tally.slowest, outcome.milliseconds);
  const problem =
    outcome.problem ??
    (stray === null ? null : `an unhandled rejection: ${inspect(stray)}`) ??
    (outcome.milliseconds > SLOW_MS ? `took ${Math.round(outcome.milliseconds)} ms` : null);
  stray = null;
  if (problem === null) return;
  const kind = kindOf(problem);
  if (tally.problems.has(kind)) return;
  tally.problems.set(kind, input);
  const file = join(OUT, `${target.name.replace(/\W+/g, '-')}-${tally.problems.size}`);
  await mkdir(OUT, { recursive: true });
  await writeFile(file, input);
  console.log(`  ${target.name}: ${problem.split('\n').slice(0, 4).join('\n    ')}\n    kept as ${file}`);
}

/** What tells two broken rules apart: where they were found, else what was said, but for names and numbers. */
function kindOf(problem: string): string {
  const [message = '', ...trace] = problem.split('\n');
  const place = message.startsWith('BrokenRule') ? '' : (trace[0] ?? '');
  return message.replace(/"[^"]*"|\d+/g, '').slice(0, 50) + place;
}

function print({ name }: Target, tally: Tally): void {
  const refusals = [...tally.refusals]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');
  console.log(
    `${name}: ${tally.inputs} inputs, ${Math.round(tally.bytes)} bytes, ${tally.accepted} taken (${refusals}), ` +
      `${tally.kept} reached new code; at most ${tally.largest.toFixed(1)} bytes of arrays a byte, ` +
      `slowest ${tally.slowest.toFixed(0)} ms; ${tally.problems.size} rules broken`,
  );
}
