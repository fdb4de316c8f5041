/** The CPU executor: feeds, outputs, histories, variables, memory, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, DisposedError, RnnError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { defineOperation } from '../../../src/graph/operation.js';
import { Variable } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';

function variable(name: string, numbers: readonly number[]): Variable {
  return new Variable({ name, shape: [numbers.length], initial: () => Float32Array.from(numbers) });
}

/** `y = 2·x + w`, `w ← y`, and a history of the sum. */
function accumulating(w: Variable): Graph {
  const graph = new Graph('accumulating');
  const y = ops.add(ops.mul(graph.input('x', [2]), 2), graph.read(w));
  graph.output('y', y);
  graph.output('total', ops.sum(y), { history: true });
  graph.update(w, y);
  return graph;
}

describe('feeds', () => {
  const graph = new Graph('fed');
  const x = graph.input('x', [2, 2]);
  const rate = graph.scalar('rate');
  const seed = graph.scalar('seed', 'int32');
  graph.output('y', ops.dropout(ops.mul(x, rate), seed, { p: 0.5, stream: 0 }));
  const feeds = { x: new Float32Array(4), rate: 0.5, seed: 1 };

  it('takes numbers for scalars and host arrays of either real type', async () => {
    for (const precision of ['float32', 'float64'] as const) {
      const executor = new CpuExecutor({ precision });
      const plan = await executor.compile(graph);
      const scalars = { rate: Float32Array.of(2), seed: Int32Array.of(3) };
      const single = await plan.run({ x: Float32Array.of(1, 2, 3, 4), ...scalars }, { read: ['y'] });
      const double = await plan.run({ x: Float64Array.of(1, 2, 3, 4), rate: 2, seed: 3 }, { read: ['y'] });
      expect([...single.outputs['y']!]).toEqual([...double.outputs['y']!]);
      expect(single.outputs['y']!.some((value: number) => value !== 0)).toBe(true);
    }
  });

  const wrong: [string, Record<string, unknown>, RegExp][] = [
    ['missing', { x: feeds.x, rate: 1 }, /"seed": is not fed; feed int32\[\]/],
    ['unknown', { ...feeds, z: 1 }, /"z": is fed but not declared; feed x, rate, seed/],
    ['too short', { ...feeds, x: new Float32Array(3) }, /"x": got 3 numbers.*\[2,2\] holds 4/],
    ['one number for many', { ...feeds, x: 1 }, /"x": got one number/],
    ['whole for real', { ...feeds, x: new Int32Array(4) }, /"x": got a Int32Array, it holds float32/],
    ['real for whole', { ...feeds, seed: new Float32Array(1) }, /"seed": got a Float32Array, it holds int32/],
    ['fraction for whole', { ...feeds, seed: 1.5 }, /"seed": got 1.5/],
    ['plain array', { ...feeds, x: [1, 2, 3, 4] }, /"x": is neither a number nor/],
    ['GPU buffer', { ...feeds, x: { size: 16, usage: 128, destroy: () => undefined } }, /WebGPU executor/],
  ];
  it.each(wrong)('refuses one that is %s, at once', async (_, bad, message) => {
    const plan = await new CpuExecutor().compile(graph);
    const attempt = (): unknown => plan.run(bad as Record<string, number>);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });

  it('refuses to read an output that does not exist', async () => {
    const plan = await new CpuExecutor().compile(graph);
    expect(() => plan.run(feeds, { read: ['z'] })).toThrow(/output "z": does not exist; ask for one of y/);
  });
});

describe('runs', () => {
  it('reads back only what is asked for, as arrays of the caller', async () => {
    const executor = new CpuExecutor();
    const plan = await executor.compile(accumulating(variable('w', [1, 1])));
    const x = Float32Array.of(1, 2);
    expect((await plan.run({ x })).outputs).toEqual({});
    const { outputs } = await plan.run({ x }, { read: ['y'] });
    expect([...outputs['y']!]).toEqual([5, 9]);
    const before = outputs['y']!.slice();
    await plan.run({ x: Float32Array.of(100, 100) });
    expect(outputs['y']).toEqual(before);
    expect([...x]).toEqual([1, 2]);
  });

  it('keeps a number a run of each history until it is asked for', async () => {
    const plan = await new CpuExecutor().compile(accumulating(variable('w', [0, 0])));
    const x = Float32Array.of(1, 2);
    await plan.run({ x });
    await plan.run({ x });
    expect((await plan.run({ x }, { history: true })).history).toEqual({ total: Float32Array.of(6, 12, 18) });
    expect((await plan.run({ x })).history).toEqual({});
    expect((await plan.run({ x }, { history: true })).history).toEqual({ total: Float32Array.of(24, 30) });
  });

  it('take effect in the order of their calls', async () => {
    const executor = new CpuExecutor();
    const w = variable('w', [0, 0]);
    const plan = await executor.compile(accumulating(w));
    const first = plan.run({ x: Float32Array.of(1, 1) }, { read: ['y'] });
    executor.write(w, Float32Array.of(10, 20));
    const second = plan.run({ x: Float32Array.of(1, 1) }, { read: ['y'] });
    expect([...(await first).outputs['y']!]).toEqual([2, 2]);
    expect([...(await second).outputs['y']!]).toEqual([12, 22]);
  });

  it('give an input or a variable that is itself an output', async () => {
    const graph = new Graph();
    const w = variable('w', [3, 4]);
    graph.output('x', graph.input('x', [2]));
    graph.output('w', graph.read(w));
    const plan = await new CpuExecutor().compile(graph);
    const { outputs } = await plan.run({ x: Float32Array.of(1, 2) }, { read: ['x', 'w'] });
    expect([[...outputs['x']!], [...outputs['w']!]]).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('that fail leave variables as they were, and the plan fit to go on', async () => {
    const executor = new CpuExecutor();
    const graph = new Graph();
    const table = new Variable({ name: 'table', shape: [3, 1], initial: () => Float32Array.of(1, 2, 3) });
    const read = graph.read(table);
    const rows = ops.embedding(ops.mul(read, 2), graph.input('tokens', [2], 'int32'), 'characters');
    graph.update(table, ops.add(read, ops.sum(rows)));
    const plan = await executor.compile(graph);
    const fail = (): unknown => plan.run({ tokens: Int32Array.of(0, 3) });
    expect(fail).toThrow(ArgumentError);
    expect(fail).toThrow(/embedding "characters": token 3 at place 1 is none of 3/);
    expect([...(await executor.read(table))]).toEqual([1, 2, 3]);
    await plan.run({ tokens: Int32Array.of(0, 1) });
    expect([...(await executor.read(table))]).toEqual([7, 8, 9]);
  });

  it('refuse targets outside the classes', async () => {
    const graph = new Graph();
    const targets = graph.input('targets', [1], 'int32');
    graph.output('loss', ops.softmaxCrossEntropy(graph.input('logits', [1, 4]), targets));
    const plan = await new CpuExecutor().compile(graph);
    const run = (): unknown => plan.run({ logits: new Float32Array(4), targets: Int32Array.of(-1) });
    expect(run).toThrow(/^crossEntropy: class -1 at place 0 is none of 4/);
  });

  it('let timers through while many follow each other', async () => {
    const plan = await new CpuExecutor().compile(accumulating(variable('w', [0, 0])));
    const timer = { fired: false };
    setTimeout(() => (timer.fired = true), 0);
    const begin = performance.now();
    while (!timer.fired && performance.now() - begin < 2000) await plan.run({ x: Float32Array.of(1, 2) });
    expect(timer.fired).toBe(true);
  });
});

describe('variables', () => {
  it('are shared by plans, read and written', async () => {
    const executor = new CpuExecutor();
    const w = variable('w', [1, 2]);
    const first = await executor.compile(accumulating(w));
    const second = await executor.compile(accumulating(w));
    await first.run({ x: Float32Array.of(1, 1) });
    const { outputs } = await second.run({ x: Float32Array.of(0, 0) }, { read: ['y'] });
    expect([...outputs['y']!]).toEqual([3, 4]);
    executor.write(w, Float64Array.of(7, 8));
    const got = await executor.read(w);
    expect([...got]).toEqual([7, 8]);
    got[0] = 100;
    expect([...(await executor.read(w))]).toEqual([7, 8]);
  });

  it('begin as zeros, or from their initial value, separately on each executor', async () => {
    const w = variable('w', [1, 2]);
    const zeros = new Variable({ name: 'zeros', shape: [2], dtype: 'int32' });
    const one = new CpuExecutor();
    const other = new CpuExecutor({ precision: 'float64' });
    one.write(w, Float32Array.of(5, 5));
    expect([...(await one.read(w))]).toEqual([5, 5]);
    expect(await other.read(w)).toEqual(Float64Array.of(1, 2));
    expect(await one.read(zeros)).toEqual(new Int32Array(2));
  });

  it('refuse arrays that do not fit', () => {
    const executor = new CpuExecutor();
    const w = variable('w', [1, 2]);
    expect(() => executor.write(w, new Float32Array(3))).toThrow(
      /variable "w": got 3 numbers.*\[2\] holds 2/,
    );
    expect(() => executor.write(w, new Int32Array(2))).toThrow(ShapeError);
  });

  it('are gone once released; compiling again begins them anew', async () => {
    const executor = new CpuExecutor();
    const w = variable('w', [1, 2]);
    const graph = accumulating(w);
    const plan = await executor.compile(graph);
    await plan.run({ x: Float32Array.of(1, 1) });
    executor.release([w]);
    expect(executor.memory().bytesInUse).toBe(0);
    const run = (): unknown => plan.run({ x: new Float32Array(2) });
    expect(run).toThrow(DisposedError);
    expect(run).toThrow(/variable "w": was released/);
    await executor.compile(graph);
    expect([...(await executor.read(w))]).toEqual([1, 2]);
  });
});

describe('memory', () => {
  it('counts variables as in use and adds what plans keep', async () => {
    const executor = new CpuExecutor();
    const plan = await executor.compile(accumulating(variable('w', [1, 2])));
    expect(executor.memory()).toEqual({ bytesInUse: 8, bytesAllocated: 8 });
    await plan.run({ x: new Float32Array(2) });
    const { bytesAllocated } = executor.memory();
    expect(bytesAllocated).toBe(8 + plan.statistics.bytes);
    expect(plan.statistics.bytes).toBeGreaterThan(0);
    plan.dispose();
    expect(executor.memory()).toEqual({ bytesInUse: 8, bytesAllocated: 8 });
  });

  it('does not grow from run to run, and reuses arrays of dead values', async () => {
    const executor = new CpuExecutor();
    const graph = new Graph();
    let y = graph.input('x', [1000]);
    for (let i = 0; i < 20; i++) y = ops.tanh(y);
    graph.output('y', y);
    const plan = await executor.compile(graph);
    await plan.run({ x: new Float32Array(1000) });
    const { bytes } = plan.statistics;
    expect(bytes).toBe(2 * 4000);
    for (let i = 0; i < 5; i++) await plan.run({ x: new Float32Array(1000) }, { read: ['y'] });
    expect(plan.statistics.bytes).toBe(bytes);
  });

  it('does not grow with a loop, a recurrent layer and their gradients', async () => {
    const graph = new Graph();
    const x = graph.input('x', [6, 2, 3]);
    const weights = { weightIh: graph.input('ih', [12, 3]), weightHh: graph.input('hh', [12, 3]) };
    const { output } = ops.recurrent({ cell: 'lstm', x, ...weights });
    const start = ops.fill(graph, [2, 3], 0);
    const { ys } = ops.scan(
      { carry: [start], xs: [output], consts: [weights.weightIh] },
      (_, { carry, xs, consts }) => {
        const next = ops.tanh(ops.add(ops.slice(ops.linear(carry[0]!, consts[0]!), [0, 0], [2, 3]), xs[0]!));
        return { carry: [next], ys: [next, next] };
      },
    );
    const loss = ops.sum(ops.mul(ys[0]!, ys[1]!));
    ops
      .gradients(loss, [x, weights.weightIh])
      .forEach((gradient, i) => graph.output(`gradient${i}`, gradient));
    const plan = await new CpuExecutor().compile(graph);
    const feeds = {
      x: new Float32Array(36).fill(0.5),
      ih: new Float32Array(36).fill(0.2),
      hh: new Float32Array(36),
    };
    await plan.run(feeds);
    const { bytes } = plan.statistics;
    for (let i = 0; i < 3; i++) await plan.run(feeds);
    expect(plan.statistics.bytes).toBe(bytes);
  });
});

describe('plans', () => {
  it('run nothing that no output or update needs', async () => {
    const graph = new Graph();
    const x = graph.input('x', [1]);
    const tokens = graph.input('tokens', [1], 'int32');
    ops.embedding(graph.input('table', [2, 1]), tokens);
    graph.output('y', ops.neg(x));
    const plan = await new CpuExecutor().compile(graph);
    expect(plan.statistics.dispatches).toBe(1);
    // The token is outside the table, which would throw if the embedding ran.
    const feeds = { x: 1, tokens: 9, table: new Float32Array(2) };
    expect([...(await plan.run(feeds, { read: ['y'] })).outputs['y']!]).toEqual([-1]);
  });

  it('describe their nodes with shapes and floating-point operations', async () => {
    const graph = new Graph('small');
    const y = ops.linear(
      graph.input('x', [3, 4]),
      graph.read(new Variable({ name: 'weight', shape: [5, 4] })),
      null,
      'output',
    );
    graph.output('y', ops.tanh(y));
    const plan = await new CpuExecutor().compile(graph);
    expect(plan.statistics.flops).toBe(2 * 3 * 4 * 5 + 15);
    expect(plan.describe().split('\n')).toEqual([
      'plan "small" on cpu float32: 2 nodes, 135 flops, 0 bytes',
      'input "x" float32[3,4]',
      'variable "weight" float32[5,4]',
      '   0  linear "output": [3,4] [5,4] - -> [3,5], 120 flops',
      '   1  unary tanh: [3,5] -> [3,5], 15 flops',
      'output "y" [3,5]',
    ]);
  });

  it('refuse operations that the CPU has no function for', async () => {
    const odd = defineOperation<null>({
      name: 'odd',
      infer: () => [{ shape: [], dtype: 'float32' }],
      gradient: null,
    });
    const graph = new Graph();
    graph.output('y', graph.record(odd, [], null)[0]!);
    await expect(new CpuExecutor().compile(graph)).rejects.toThrow(
      /operation odd: has no function for the CPU/,
    );
  });
});

describe('after dispose', () => {
  it('a plan refuses to run, and disposing twice is harmless', async () => {
    const plan = await new CpuExecutor().compile(accumulating(variable('w', [0, 0])));
    plan.dispose();
    plan.dispose();
    expect(() => plan.run({ x: new Float32Array(2) })).toThrow(DisposedError);
  });

  it('an executor and its plans refuse everything', async () => {
    const executor = new CpuExecutor();
    const w = variable('w', [0, 0]);
    const graph = accumulating(w);
    const plan = await executor.compile(graph);
    expect(executor.disposed).toBe(false);
    executor.dispose();
    executor.dispose();
    expect(executor.disposed).toBe(true);
    expect(executor.memory()).toEqual({ bytesInUse: 0, bytesAllocated: 0 });
    expect(() => plan.run({ x: new Float32Array(2) })).toThrow(DisposedError);
    expect(() => executor.write(w, new Float32Array(2))).toThrow(DisposedError);
    expect(() => executor.release([w])).not.toThrow();
    await expect(executor.read(w)).rejects.toThrow(DisposedError);
    await expect(executor.compile(graph)).rejects.toThrow(DisposedError);
    await expect(executor.synchronize()).rejects.toThrow(/cpu float32: was disposed/);
  });

  it('unknown options are refused', () => {
    expect(() => new CpuExecutor({ precision: 'float16' as 'float32' })).toThrow(/precision is "float16"/);
    expect(() => new CpuExecutor({ precison: 'float64' } as object)).toThrow(RnnError);
  });
});
