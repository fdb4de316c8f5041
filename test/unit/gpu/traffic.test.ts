/** The estimate of bytes that steps touch: weights at each dispatch, sequences once. */
import { expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import { lowerGraph } from '../../../src/gpu/lower/index.js';
import type { Program } from '../../../src/gpu/program.js';
import { stepTraffic } from '../../../src/gpu/traffic.js';
import { recurrent } from '../../../src/ops/index.js';

const [B, I, H] = [2, 4, 8];

function lstm(T: number): Program {
  const graph = new Graph('layer');
  const variable = (name: string, shape: readonly number[]) => graph.read(new Variable({ name, shape }));
  const { output } = recurrent({
    cell: 'lstm',
    x: graph.input('x', [T, B, I]),
    weightIh: variable('weight_ih', [4 * H, I]),
    weightHh: variable('weight_hh', [4 * H, H]),
  });
  graph.output('y', output);
  return lowerGraph(graph, Infinity, { software: true }).program;
}

/** Bytes of all steps of time together. */
function bytesOverTime(program: Program): { steps: number; bytes: number } {
  const traffic = stepTraffic(program);
  const forward = program.steps.flatMap((step, index) =>
    step.type === 'dispatch' && step.kernel.name.startsWith('recurrent_lstm_forward') ? [index] : [],
  );
  return { steps: forward.length, bytes: forward.reduce((sum, index) => sum + traffic[index]!, 0) };
}

it('reads the recurrent weights at every step and the sequences once', () => {
  const short = bytesOverTime(lstm(5));
  const long = bytesOverTime(lstm(9));
  expect([short.steps, long.steps]).toEqual([5, 9]);
  const weights = 4 * H * H * 4;
  // Gates, c and h of a step, and nothing that grows faster than time.
  const ofStep = (long.bytes - short.bytes) / 4;
  expect(ofStep - weights).toBeGreaterThanOrEqual(4 * B * H * 4);
  expect(ofStep - weights).toBeLessThanOrEqual((4 + 1 + 1 + 1) * B * H * 4);
});

it('has one number a step', () => {
  const program = lstm(3);
  expect(stepTraffic(program)).toHaveLength(program.steps.length);
  expect(stepTraffic(program).every((bytes) => bytes > 0)).toBe(true);
});
