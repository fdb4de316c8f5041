/** What differentiation promises apart from numbers: zeros, first order only, and clear refusals. */
import { expect, test } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import {
  globalNorm,
  gradients,
  maximum,
  mul,
  square,
  stopGradient,
  sum,
  tanh,
} from '../../../src/ops/index.js';

test('a second derivative through a fused backward operation is refused, not silently zero', () => {
  const graph = new Graph();
  const x = graph.input('x', [3]);
  const [slope] = gradients(sum(tanh(x)), [x]);
  expect(() => gradients(sum(square(slope!)), [x])).toThrow(ArgumentError);
  expect(() => gradients(sum(square(slope!)), [x])).toThrow(/"unaryBackward".*first order.*stopGradient/s);
});

test('a norm of gradients in a loss is refused unless it is stopped', () => {
  const graph = new Graph();
  const x = graph.input('x', [3]);
  expect(() => gradients(globalNorm([x]), [x])).toThrow(/"globalNorm": has no gradient rule/);
  const stopped = mul(stopGradient(globalNorm([x])), sum(x));
  expect(gradients(stopped, [x])[0]!.shape).toEqual([3]);
});

test('gradients are zero where nothing connects or a step function cuts', async () => {
  const graph = new Graph();
  const [x, y] = [graph.input('x', [2]), graph.input('y', [2])];
  const [dX, dY] = gradients(sum(mul(maximum(x, 0), stopGradient(x))), [x, y]);
  graph.output('dX', dX!);
  graph.output('dY', dY!);
  const plan = await new CpuExecutor({ precision: 'float64' }).compile(graph);
  const { outputs } = await plan.run(
    { x: Float64Array.of(3, -2), y: Float64Array.of(1, 1) },
    { read: ['dX', 'dY'] },
  );
  expect([...outputs.dX!]).toEqual([3, -0]);
  expect([...outputs.dY!]).toEqual([0, 0]);
});
