/** `scan`: loops that users write, their values and their gradients. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable, type Value } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real, whole, type Fed } from '../support/evaluate.js';
import { randomArray, randomSource } from '../support/random.js';
import { sizeOf, type Shape } from '../../../src/graph/shape.js';

const random = randomSource(31);
const some = (shape: Shape): Fed => real(shape, randomArray(random, sizeOf(shape), -0.8, 0.8));

type Values = Readonly<Record<string, Value>>;

/** An LSTM layer whose cell is written out in the body of a loop. */
function lstmByScan({ x, h, c, weightIh, weightHh, bias }: Values): Value[] {
  const [, B] = x!.shape as readonly [number, number, number];
  const H = weightHh!.shape[1]!;
  const { carry, ys } = ops.scan(
    { carry: [h!, c!], xs: [x!], consts: [weightIh!, weightHh!, bias!] },
    (_, step) => {
      const [hidden, cell] = step.carry as [Value, Value];
      const [wIh, wHh, b] = step.consts as [Value, Value, Value];
      const gates = ops.add(ops.linear(step.xs[0]!, wIh, b), ops.linear(hidden, wHh));
      const gate = (index: number): Value => ops.slice(gates, [0, index * H], [B, H]);
      const next = ops.add(
        ops.mul(ops.sigmoid(gate(1)), cell),
        ops.mul(ops.sigmoid(gate(0)), ops.tanh(gate(2))),
      );
      const output = ops.mul(ops.sigmoid(gate(3)), ops.tanh(next));
      return { carry: [output, next], ys: [output] };
    },
  );
  return [ys[0]!, ...carry];
}

const lstmInputs = {
  x: some([5, 3, 2]),
  h: some([3, 4]),
  c: some([3, 4]),
  weightIh: some([16, 2]),
  weightHh: some([16, 4]),
  bias: some([16]),
};

describe('scan', () => {
  it('with an LSTM cell equals the recurrent operation, in values and all gradients', async () => {
    const compute = (record: (v: Values) => Value[]): ReturnType<typeof evaluate> =>
      evaluate(lstmInputs, (v, graph) => {
        const targets = record(v);
        const upstream = targets.map((target, i) => ops.fill(graph, target.shape, 0.5 - i));
        return [...targets, ...ops.vectorJacobian(targets, upstream, Object.values(v))];
      });
    const got = await compute(lstmByScan);
    const wanted = await compute(({ x, h, c, weightIh, weightHh, bias }) => {
      const { output, finalStates } = ops.recurrent({
        cell: 'lstm',
        x: x!,
        weightIh: weightIh!,
        weightHh: weightHh!,
        biasIh: bias!,
        initialStates: [h!, c!],
      });
      return [output, ...finalStates];
    });
    expect(got.length).toBe(9);
    got.forEach((array, i) => expectClose(array, wanted[i]!));
  });

  it('matches central differences', async () => {
    await checkGradients({ inputs: lstmInputs, record: lstmByScan });
  });

  it('matches them for one step', async () => {
    await checkGradients({ inputs: { ...lstmInputs, x: some([1, 3, 2]) }, record: lstmByScan });
  });

  it('matches them running from the last slice to the first', async () => {
    const inputs = { x: some([4, 3]), h: some([3]), w: some([3]) };
    await checkGradients({
      inputs,
      record: ({ x, h, w }) => {
        const { carry, ys } = ops.scan({ carry: [h], xs: [x], consts: [w], reverse: true }, (_, step) => {
          const next = ops.tanh(ops.add(ops.mul(step.carry[0]!, step.consts[0]!), step.xs[0]!));
          return { carry: [next], ys: [ops.square(next)] };
        });
        return [...carry, ...ys];
      },
    });
  });

  it('runs in order and keeps places', async () => {
    const inputs = { x: real([3], [1, 2, 3]), start: real([], [10]) };
    const run = (reverse: boolean): ReturnType<typeof evaluate> =>
      evaluate(inputs, ({ x, start }) => {
        const { carry, ys } = ops.scan({ carry: [start], xs: [x], reverse }, (_, step) => {
          const next = ops.sub(ops.mul(step.carry[0]!, 2), step.xs[0]!);
          return { carry: [next], ys: [next] };
        });
        return [carry[0]!, ys[0]!];
      });
    const [final, all] = await run(false);
    expect([[...final!], [...all!]]).toEqual([[69], [19, 36, 69]]);
    const [reversed, allReversed] = await run(true);
    expect([[...reversed!], [...allReversed!]]).toEqual([[63], [63, 32, 17]]);
  });

  it('carries and hands out whole numbers, and lets gradients pass them by', async () => {
    const inputs = { table: some([4, 2]), tokens: whole([3], [2, 0, 3]), first: whole([1], [1]) };
    const body = ({ table, tokens, first }: Record<'table' | 'tokens' | 'first', Value>): Value[] => {
      const { carry, ys } = ops.scan({ carry: [first], xs: [tokens], consts: [table] }, (_, step) => ({
        carry: [ops.reshape(step.xs[0]!, [1])],
        ys: [ops.square(ops.embedding(step.consts[0]!, step.carry[0]!)), step.carry[0]!],
      }));
      return [ys[0]!, ys[1]!, carry[0]!];
    };
    const [, seen, last] = await evaluate(inputs, body);
    expect([[...seen!], [...last!]]).toEqual([[1, 2, 0], [3]]);
    await checkGradients({ inputs, record: (v) => body(v).slice(0, 1) });
  });

  it('runs a given number of steps without slices, with a carry swapped each time', async () => {
    const inputs = { a: real([2], [1, 2]), b: real([2], [3, 4]) };
    const [a, b] = await evaluate(
      inputs,
      (v) =>
        ops.scan({ carry: [v.a, v.b], length: 3 }, (_, { carry: [a, b] }) => ({ carry: [b!, a!] })).carry,
    );
    expect([[...a!], [...b!]]).toEqual([
      [3, 4],
      [1, 2],
    ]);
    await checkGradients({
      inputs,
      record: (v) =>
        ops.scan({ carry: [v.a, v.b], length: 3 }, (_, { carry: [a, b] }) => ({
          carry: [b!, ops.mul(a!, b!)],
        })).carry,
    });
  });

  it('nests, with a dropout in the inner loop', async () => {
    const inputs = { x: some([2, 3, 4]), w: some([4]), seed: whole([], [5]) };
    await checkGradients({
      inputs,
      record: ({ x, w, seed }) => {
        const start = ops.fill(x.graph, [4], 0.1);
        return ops.scan({ carry: [start], xs: [x], consts: [w, seed] }, (_, outer) => {
          const inner = ops.scan(
            { carry: outer.carry, xs: outer.xs, consts: outer.consts },
            (_, { carry, xs, consts }) => {
              const kept = ops.dropout(ops.mul(consts[0]!, xs[0]!), consts[1]!, { p: 0.3, stream: 1 });
              return { carry: [ops.tanh(ops.add(kept, carry[0]!))] };
            },
          );
          return { carry: inner.carry };
        }).carry;
      },
    });
  });

  it('refuses bodies that reach outside, and shapes that do not fit', () => {
    const graph = new Graph('outer');
    const x = graph.input('x', [3, 2]);
    const start = graph.input('start', [2]);
    const variable = new Variable({ name: 'weight', shape: [2] });
    const loop = (body: Parameters<typeof ops.scan>[1]) => () => ops.scan({ carry: [start], xs: [x] }, body);

    expect(loop((step, { carry }) => ({ carry: [ops.mul(carry[0]!, step.read(variable))] }))).toThrow(
      /body uses variable "weight".*consts/,
    );
    expect(loop((_, { carry }) => ({ carry: [ops.add(carry[0]!, start)] }))).toThrow(ArgumentError);
    expect(loop((_, { carry }) => ({ carry: [ops.sum(carry[0]!)] }))).toThrow(ShapeError);
    expect(loop(() => ({ carry: [] }))).toThrow(/returns 0 carried values/);
    expect(() => ops.scan({ carry: [start] }, (_, { carry }) => ({ carry }))).toThrow(/number of steps/);
    expect(() => ops.scan({ carry: [start], xs: [x], length: 4 }, (_, { carry }) => ({ carry }))).toThrow(
      /\[3,2\].*4 steps/,
    );
    expect(() => ops.scan({ carry: [] }, () => ({ carry: [] }))).toThrow(/no values/);
  });
});
