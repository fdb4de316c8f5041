/** Sequences of different lengths: the mask, and what a layer makes of steps that do not count. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import { CELLS, type CellName } from '../../../src/ops/cells.js';
import * as ops from '../../../src/ops/index.js';
import { TOLERANCES } from '../../support/tolerances.js';
import { evaluate, expectClose, real, whole, type Fed } from '../support/evaluate.js';
import { randomArray, randomSource } from '../support/random.js';

describe('sequenceMask', () => {
  it('marks the steps each sequence has', async () => {
    const [mask] = await evaluate({ lengths: whole([3], [2, 4, 1]) }, ({ lengths }) => [
      ops.sequenceMask(lengths, 4),
    ]);
    expect(mask).toEqual(Int32Array.of(1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0));
  });

  it.each([0, -1, 5])('refuses length %i of 4 steps', async (length) => {
    const result = evaluate({ lengths: whole([2], [4, length]) }, ({ lengths }) => [
      ops.sequenceMask(lengths, 4, 'padding'),
    ]);
    await expect(result).rejects.toThrow(ArgumentError);
    await expect(result).rejects.toThrow(
      new RegExp(`sequenceMask "padding": the length at index 1 is ${length}.*from 1 to 4`, 's'),
    );
  });

  it('refuses lengths that are no vector of whole numbers, and a T that is no count', () => {
    const graph = new Graph('test');
    const lengths = graph.input('lengths', [2], 'int32');
    expect(() => ops.sequenceMask(graph.input('real', [2]), 4)).toThrow(/lengths holds float32/);
    expect(() => ops.sequenceMask(graph.input('matrix', [2, 2], 'int32'), 4)).toThrow(/lengths has shape/);
    expect(() => ops.sequenceMask(lengths, 0)).toThrow(/T is 0/);
  });

  it('lets a graph that holds it be differentiated', async () => {
    const [dX] = await evaluate(
      { x: real([2, 1, 1], [1, 2]), lengths: whole([1], [1]), weight: real([1, 1], [1]) },
      ({ x, lengths, weight }) => {
        const mask = ops.sequenceMask(lengths, 2);
        const options = { cell: 'rnn', activation: 'linear' } as const;
        const { output } = ops.recurrent({ ...options, x, mask, weightIh: weight, weightHh: weight });
        return ops.gradients(ops.sum(output), [x]);
      },
    );
    expect([...dX!]).toEqual([1, 0]);
  });
});

describe.each(Object.keys(CELLS) as CellName[])('%s with lengths', (cell) => {
  const random = randomSource(3);
  const [T, B, I, H] = [5, 3, 2, 4] as const;
  const rows = CELLS[cell].gates.length * H;
  const lengths = [3, 5, 1];
  const states = CELLS[cell].states;
  const some = (...shape: number[]): Fed =>
    real(
      shape,
      randomArray(
        random,
        shape.reduce((a, b) => a * b),
      ),
    );
  const weights = {
    forwardIh: some(rows, I),
    forwardHh: some(rows, H),
    reverseIh: some(rows, I),
    reverseHh: some(rows, H),
  };
  const x = some(T, B, I);

  function layer(v: Readonly<Record<string, Value>>, mask: Value | null): Value[] {
    const { output, finalStates } = ops.recurrent({
      cell,
      x: v['x']!,
      mask,
      weightIh: v['forwardIh']!,
      weightHh: v['forwardHh']!,
      reverse: { weightIh: v['reverseIh']!, weightHh: v['reverseHh']! },
    });
    return [output, ...finalStates];
  }

  /** Outputs, final states and the gradient by x of all of them with weights of their own. */
  function compute(fed: Fed, mask: Fed | null): Promise<HostArray[]> {
    const inputs: Record<string, Fed> = { x: fed, ...weights, ...(mask ? { lengths: mask } : {}) };
    return evaluate(inputs, (v, graph) => {
      const results = layer(v, mask && ops.sequenceMask(v['lengths']!, T));
      const upstream = results.map((result, i) => ops.fill(graph, result.shape, 0.5 + i));
      return [...results, ...ops.vectorJacobian(results, upstream, [v['x']!])];
    });
  }

  /** Column `b` of `[…,B,width]`. */
  const column = (array: HostArray, b: number, width: number, steps: number): number[] =>
    Array.from({ length: steps }, (_, t) => [
      ...array.slice((t * B + b) * width, (t * B + b + 1) * width),
    ]).flat();

  it('treats each sequence as if it were alone', async () => {
    const together = await compute(x, whole([B], lengths));
    for (const [b, length] of lengths.entries()) {
      const alone = await compute(real([length, 1, I], column(x.data, b, I, length)), null);
      const [y, ...rest] = alone;
      const dX = rest.pop()!;
      const what = `sequence ${b}`;
      expectClose(column(together[0]!, b, 2 * H, length), y!, TOLERANCES.float64, `${what}, y`);
      expectClose(column(together.at(-1)!, b, I, length), dX, TOLERANCES.float64, `${what}, dX`);
      rest.forEach((final, s) =>
        expectClose(column(together[1 + s]!, b, H, 1), final, TOLERANCES.float64, `${what}, state ${s}`),
      );
    }
    expect(together.length).toBe(2 + 2 * states.length);
  });

  it('gives 0 after the end, and nothing from there comes back', async () => {
    const [y, ...rest] = await compute(x, whole([B], lengths));
    const changed = { shape: x.shape, data: x.data.slice() };
    lengths.forEach((length, b) => {
      for (let t = length; t < T; t++) changed.data.fill(77, (t * B + b) * I, (t * B + b + 1) * I);
    });
    const [otherY, ...others] = await compute(changed, whole([B], lengths));
    expect([...otherY!]).toEqual([...y!]);
    others.forEach((other, i) => expect([...other]).toEqual([...rest[i]!]));
    const dX = rest.at(-1)!;
    lengths.forEach((length, b) => {
      for (let t = length; t < T; t++) {
        const row = t * B + b;
        expect([...y!.slice(row * 2 * H, (row + 1) * 2 * H)].every((value) => value === 0)).toBe(true);
        expect([...dX.slice(row * I, (row + 1) * I)].every((value) => value === 0)).toBe(true);
      }
    });
  });

  it('with full lengths is as without a mask, to the bit', async () => {
    const masked = await compute(x, whole([B], [T, T, T]));
    const plain = await compute(x, null);
    masked.forEach((array, i) => expect([...array]).toEqual([...plain[i]!]));
  });

  it('runs again with other lengths in the same plan', async () => {
    const executor = new CpuExecutor({ precision: 'float64' });
    const graph = new Graph('test');
    const inputs: Record<string, Fed> = { x, ...weights };
    const values = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape }]) => [name, graph.input(name, shape)]),
    );
    const mask = ops.sequenceMask(graph.input('lengths', [B], 'int32'), T);
    graph.output('y', layer(values, mask)[0]!);
    const plan = await executor.compile(graph);
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, data]));
    const run = async (...given: number[]): Promise<HostArray> => {
      const { outputs } = await plan.run({ ...feeds, lengths: Int32Array.from(given) }, { read: ['y'] });
      return outputs['y']!.slice();
    };
    const first = await run(3, 5, 1);
    const full = await run(5, 5, 5);
    expect([...full]).not.toEqual([...first]);
    expect([...(await run(3, 5, 1))]).toEqual([...first]);
    executor.dispose();
  });
});
