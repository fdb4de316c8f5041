/** How the cost of a training step grows with T, H, B and L: a table, a plot, and the worst jump between neighbours. */
import { mkdirSync, writeFileSync } from 'node:fs';
import type { RaceRuntime } from './browser-runtime.js';
import { worstStep, type Point } from './growth.js';
import { number } from './numbers.js';
import { race } from './race.js';
import { plotSvg, type Curve } from './plot.js';
import { flopsOf, WORKLOADS, type TrainingWorkload } from './workloads.js';

/** Milliseconds for each point. */
const BUDGET = 6000;
const ROUNDS = 5;

/** Sizes around edges of tiles, one dimension at a time, the others as in {@link BASE}. */
const SIZES = {
  sequenceLength: [8, 16, 32, 64],
  hiddenSize: [31, 32, 33, 63, 64, 65, 96],
  batchSize: [7, 8, 9, 15, 16, 17, 32],
  numLayers: [1, 2, 3],
} as const;

const LETTERS = { sequenceLength: 'T', hiddenSize: 'H', batchSize: 'B', numLayers: 'L' } as const;

const BASE: TrainingWorkload = {
  ...(WORKLOADS['train-small']![0] as TrainingWorkload),
  inputSize: 32,
  hiddenSize: 64,
  batchSize: 16,
  sequenceLength: 16,
};

/** Runs the sweep; writes `out/sweep.svg`. */
export async function runSweep(
  runtime: RaceRuntime,
  folder: string,
  say: (line: string) => void,
): Promise<string> {
  const curves: Curve[] = [];
  const rows: string[] = [];
  for (const dimension of Object.keys(SIZES) as (keyof typeof SIZES)[]) {
    const points: Point[] = [];
    for (const size of SIZES[dimension]) {
      const name = `${LETTERS[dimension]} ${size}`;
      const workload: TrainingWorkload = { ...BASE, name, [dimension]: size };
      const own = runtime.entrant('webgpu-rnn', 'own', 'webgpu');
      const [result] = await race(workload, [own], { budgetMilliseconds: BUDGET, rounds: ROUNDS });
      const milliseconds = result!.milliseconds?.min ?? NaN;
      say(`${SWEEP_TITLE}: ${name}, ${number(milliseconds)} ms`);
      points.push({ size, work: flopsOf(workload), milliseconds });
    }
    const { size, ratio } = worstStep(points);
    const letter = LETTERS[dimension];
    const shown = points.map((point) => `${point.size}: ${number(point.milliseconds)}`);
    rows.push(`| ${letter} | ${shown.join(', ')} | ${number(ratio)} at ${letter} ${size} |`);
    curves.push({ name: letter, points: points.map((point) => [point.size, point.milliseconds]) });
  }
  mkdirSync(`${folder}out`, { recursive: true });
  writeFileSync(`${folder}out/sweep.svg`, plotSvg(SWEEP_TITLE, curves));
  const { hiddenSize, batchSize, sequenceLength, numLayers } = BASE;
  return [
    '### sweep',
    '',
    `A training step around LSTM ${numLayers}×${hiddenSize}, B ${batchSize}, T ${sequenceLength}: one size varied at a time, the quickest of ${ROUNDS} samples. The last column is the worst growth between neighbours, relative to that of the work: above 1.5 would be a cliff. Plot: bench/out/sweep.svg.`,
    '',
    '| | ms a step | worst growth |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n');
}

const SWEEP_TITLE = 'Milliseconds a training step';
