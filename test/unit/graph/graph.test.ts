/** Graphs: declarations, what a run sees of variables, differentiation, and what recording refuses. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { differentiate } from '../../../src/graph/differentiate.js';
import type { RnnError } from '../../../src/graph/errors.js';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph, liveNodes } from '../../../src/graph/graph.js';
import { defineOperation } from '../../../src/graph/operation.js';
import { PlanCache } from '../../../src/graph/plan-cache.js';
import { Variable } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';

function variable(name: string, numbers: readonly number[]): Variable {
  return new Variable({ name, shape: [numbers.length], initial: () => Float64Array.from(numbers) });
}

describe('reads and updates', () => {
  it('a read sees the value from before the run, wherever the update stands', async () => {
    const executor = new CpuExecutor({ precision: 'float64' });
    const graph = new Graph();
    const w = variable('w', [1, 2]);
    graph.update(w, ops.mul(graph.read(w), 10));
    graph.output('later', ops.add(graph.read(w), 1));
    const plan = await executor.compile(graph);
    const { outputs } = await plan.run({}, { read: ['later'] });
    expect([...outputs['later']!]).toEqual([2, 3]);
    expect([...(await executor.read(w))]).toEqual([10, 20]);
  });

  it('variables can swap their values', async () => {
    const executor = new CpuExecutor({ precision: 'float64' });
    const graph = new Graph();
    const a = variable('a', [1, 2]);
    const b = variable('b', [3, 4]);
    graph.update(a, graph.read(b));
    graph.update(b, graph.read(a));
    const plan = await executor.compile(graph);
    await plan.run();
    expect([[...(await executor.read(a))], [...(await executor.read(b))]]).toEqual([
      [3, 4],
      [1, 2],
    ]);
  });

  it('one value can go to two variables and an output', async () => {
    const executor = new CpuExecutor({ precision: 'float64' });
    const graph = new Graph();
    const a = variable('a', [1]);
    const b = variable('b', [2]);
    const sum = ops.add(graph.read(a), graph.read(b));
    graph.update(a, sum);
    graph.update(b, sum);
    graph.output('sum', sum);
    const plan = await executor.compile(graph);
    await plan.run();
    const { outputs } = await plan.run({}, { read: ['sum'] });
    expect([...outputs['sum']!]).toEqual([6]);
    expect([[...(await executor.read(a))], [...(await executor.read(b))]]).toEqual([[6], [6]]);
  });

  it('reading a variable twice gives one value', () => {
    const graph = new Graph();
    const w = variable('w', [1]);
    expect(graph.read(w)).toBe(graph.read(w));
    expect([...graph.reads.keys()]).toEqual([w]);
  });
});

describe('liveNodes', () => {
  it('keeps what outputs and updates need, in order, and nothing else', () => {
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const used = ops.neg(x);
    ops.exp(used);
    const result = ops.tanh(used);
    const carried = ops.square(x);
    graph.output('result', result);
    graph.update(variable('w', [0, 0]), carried);
    expect(liveNodes(graph).map((node) => (node.attributes as { kind: string }).kind)).toEqual([
      'neg',
      'tanh',
      'square',
    ]);
  });
});

describe('differentiate', () => {
  it('records nothing for what does not depend on a source', () => {
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const y = graph.input('y', [2]);
    const loss = ops.sum(ops.mul(x, ops.exp(y)));
    const before = graph.nodes.length;
    const [dX] = differentiate([loss], [ops.fill(graph, [], 1)], [x], ops);
    expect(dX).not.toBeNull();
    const recorded = graph.nodes.slice(before).map((node) => node.operation.name);
    expect(recorded).not.toContain('unaryBackward');
  });

  it('gives null for a source that nothing connects, and for none of its targets weighed', () => {
    const graph = new Graph();
    const x = graph.input('x', []);
    const y = ops.neg(x);
    expect(differentiate([y], [null], [x], ops)).toEqual([null]);
    expect(differentiate([y], [x], [graph.input('z', [])], ops)).toEqual([null]);
  });

  it('differentiates by a value in between, without what lies before it', async () => {
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const middle = ops.square(x);
    const [d] = ops.gradients(ops.sum(ops.square(middle)), [middle]);
    graph.output('d', d!);
    const plan = await new CpuExecutor({ precision: 'float64' }).compile(graph);
    const { outputs } = await plan.run({ x: Float64Array.of(2, 3) }, { read: ['d'] });
    expect([...outputs['d']!]).toEqual([8, 18]);
  });

  it('refuses a rule whose gradient has another shape, and sources of another graph', () => {
    const wrong = defineOperation<null>({
      name: 'wrong',
      infer: (inputs) => [inputs[0]!],
      gradient: (_, dOutputs) => [ops.sum(dOutputs[0]!)],
    });
    const graph = new Graph('here');
    const x = graph.input('x', [2]);
    const y = graph.record(wrong, [x], null)[0]!;
    expect(() => ops.gradients(ops.sum(y), [x])).toThrow(/gradient rule of wrong.*\[2\].*\[\]/);
    const other = new Graph('there').input('x', [2]);
    expect(() => ops.gradients(ops.sum(y), [other])).toThrow(/"there".*"here"/);
  });
});

describe('recording refuses', () => {
  const graph = new Graph('test');
  const x = graph.input('x', [2]);
  const w = variable('w', [1, 2]);
  const other = new Graph('other').input('x', [2]);
  graph.output('y', x);
  graph.update(w, x);
  const mistakes: [string, () => unknown, typeof RnnError, RegExp][] = [
    ['an input twice', () => graph.input('x', [1]), ArgumentError, /input "x": is declared twice/],
    ['an input without elements', () => graph.input('empty', [0]), ArgumentError, /dimension is 0/],
    ['a fractional dimension', () => graph.input('half', [1.5]), ArgumentError, /dimension is 1.5/],
    ['an output twice', () => graph.output('y', x), ArgumentError, /output "y": is declared twice/],
    [
      'a history of an array',
      () => graph.output('h', x, { history: true }),
      ShapeError,
      /shape \[2\], a history/,
    ],
    ['an output of another graph', () => graph.output('z', other), ArgumentError, /belongs to graph "other"/],
    ['an update twice', () => graph.update(w, x), ArgumentError, /update of "w": is given twice/],
    [
      'an update of another shape',
      () => graph.update(variable('v', [1]), x),
      ShapeError,
      /float32\[2\], the variable float32\[1\]/,
    ],
    [
      'a variable without elements',
      () => new Variable({ name: 'v', shape: [0] }),
      ArgumentError,
      /variable "v": dimension is 0/,
    ],
    [
      'a wrong initial value',
      () => new Variable({ name: 'v', shape: [2], initial: () => new Float32Array(3) }).initialValue(),
      ShapeError,
      /3 numbers.*\[2\] holds 2/,
    ],
  ];
  it.each(mistakes)('%s', (_, record, type, message) => {
    expect(record).toThrow(type);
    expect(record).toThrow(message);
  });
});

describe('PlanCache', () => {
  const w = variable('w', [1]);
  const cache = (capacity: number): { plans: PlanCache<{ size: number }>; recorded: number[] } => {
    const recorded: number[] = [];
    const plans = new PlanCache<{ size: number }>({
      executor: new CpuExecutor(),
      name: 'cached',
      capacity,
      record(graph, { size }) {
        recorded.push(size);
        graph.output('y', ops.add(graph.input('x', [size]), graph.read(w)));
      },
    });
    return { plans, recorded };
  };

  it('compiles once a key and drops the one unused longest', async () => {
    const { plans, recorded } = cache(2);
    const first = await plans.get({ size: 1 });
    await plans.get({ size: 2 });
    expect(await plans.get({ size: 1 })).toBe(first);
    await plans.get({ size: 3 });
    expect(plans.size).toBe(2);
    expect(await plans.get({ size: 1 })).toBe(first);
    await plans.get({ size: 2 });
    expect(recorded).toEqual([1, 2, 3, 2]);
  });

  it('forgets a recording that failed', async () => {
    const { plans } = cache(2);
    await expect(plans.get({ size: 0 })).rejects.toThrow(ArgumentError);
    expect(plans.size).toBe(0);
    plans.dispose();
    expect(() => plans.get({ size: 1 })).toThrow(/was disposed/);
  });
});
