/** What operations compute, against numbers worked out by hand or by the plainest loops. */
import { describe, expect, it } from 'vitest';
import { sizeOf, type Shape } from '../../../src/graph/shape.js';
import type { Value } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { evaluate, expectClose, real, whole } from '../support/evaluate.js';
import { randomArray, randomSource } from '../support/random.js';

describe('values', () => {
  it('unary functions, at numbers that overflow careless formulas too', async () => {
    const x = real([5], [-1000, -2, 0, 2, 1000]);
    const results = await evaluate({ x }, (v) => [
      ops.sigmoid(v.x),
      ops.tanh(v.x),
      ops.softplus(v.x),
      ops.relu(v.x),
      ops.abs(v.x),
      ops.neg(v.x),
      ops.square(v.x),
    ]);
    const sigmoid2 = 1 / (1 + Math.exp(-2));
    expectClose(results[0]!, [0, 1 - sigmoid2, 0.5, sigmoid2, 1]);
    expectClose(results[1]!, [-1, -Math.tanh(2), 0, Math.tanh(2), 1]);
    expectClose(results[2]!, [0, Math.log(1 + Math.exp(-2)), Math.log(2), Math.log(1 + Math.exp(2)), 1000]);
    expectClose(results[3]!, [0, 0, 0, 2, 1000]);
    expectClose(results[4]!, [1000, 2, 0, 2, 1000]);
    expectClose(results[5]!, [1000, 2, 0, -2, -1000]);
    expectClose(results[6]!, [1e6, 4, 0, 4, 1e6]);
    const [e, l, r, q] = await evaluate({ y: real([2], [1, 4]) }, ({ y }) => [
      ops.exp(y),
      ops.log(y),
      ops.reciprocal(y),
      ops.sqrt(y),
    ]);
    expectClose(e!, [Math.E, Math.exp(4)]);
    expectClose(l!, [0, Math.log(4)]);
    expectClose(r!, [1, 0.25]);
    expectClose(q!, [1, 2]);
  });

  it('arithmetic that broadcasts', async () => {
    const inputs = { a: real([2, 3], [1, 2, 3, 4, 5, 6]), b: real([2, 1], [10, 2]) };
    const [sum, difference, product, quotient, larger, smaller] = await evaluate(inputs, ({ a, b }) => [
      ops.add(a, b),
      ops.sub(b, a),
      ops.mul(a, 2),
      ops.div(a, b),
      ops.maximum(a, 3),
      ops.minimum(5, a),
    ]);
    expect([...sum!]).toEqual([11, 12, 13, 6, 7, 8]);
    expect([...difference!]).toEqual([9, 8, 7, -2, -3, -4]);
    expect([...product!]).toEqual([2, 4, 6, 8, 10, 12]);
    expectClose(quotient!, [0.1, 0.2, 0.3, 2, 2.5, 3]);
    expect([...larger!]).toEqual([3, 3, 3, 4, 5, 6]);
    expect([...smaller!]).toEqual([1, 2, 3, 4, 5, 5]);
  });

  it('sums and means over axes', async () => {
    const x = real([2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const [all, outer, middle, last, both] = await evaluate({ x }, (v) => [
      ops.sum(v.x),
      ops.sum(v.x, { axes: 0 }),
      ops.mean(v.x, { axes: 1 }),
      ops.sum(v.x, { axes: -1, keepDims: true }),
      ops.mean(v.x, { axes: [2, 0] }),
    ]);
    expect([...all!]).toEqual([78]);
    expect([...outer!]).toEqual([8, 10, 12, 14, 16, 18]);
    expect([...middle!]).toEqual([3, 4, 9, 10]);
    expect([...last!]).toEqual([3, 7, 11, 15, 19, 23]);
    expect([...both!]).toEqual([4.5, 6.5, 8.5]);
  });

  it('rearranging, of whole numbers too', async () => {
    const inputs = { x: real([2, 3], [1, 2, 3, 4, 5, 6]), n: whole([2, 2], [7, 8, 9, 10]) };
    const results = await evaluate(inputs, ({ x, n }) => [
      ops.transpose(x),
      ops.slice(x, [0, 1], [-1, 2]),
      ops.pad(x, [1, 0], [0, 1]),
      ops.concat([x, x], 1),
      ops.stack([x, x], 1),
      ops.broadcastTo(ops.slice(x, [1, 0], [1, 3]), [2, 2, 3]),
      ops.transpose(n),
      ops.concat([n, ops.slice(n, [0, 0], [1, 2])], 0),
      ops.reshape(n, [-1]),
      ops.stopGradient(n),
    ]);
    expect(results.map((result) => [...result])).toEqual([
      [1, 4, 2, 5, 3, 6],
      [2, 3, 5, 6],
      [0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0],
      [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6],
      [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6],
      [4, 5, 6, 4, 5, 6, 4, 5, 6, 4, 5, 6],
      [7, 9, 8, 10],
      [7, 8, 9, 10, 7, 8],
      [7, 8, 9, 10],
      [7, 8, 9, 10],
    ]);
    expect(results[6]).toBeInstanceOf(Int32Array);
  });

  it.each([
    [1, 1, 1],
    [2, 3, 4],
    [3, 5, 7],
    [5, 66, 9],
    [1, 9, 130],
    [4, 17, 9000],
  ])('matmul of %i by %i over %i equals three plain loops', async (M, N, K) => {
    const random = randomSource(M + N + K);
    const a = randomArray(random, M * K);
    const b = randomArray(random, K * N);
    const wanted = new Float64Array(M * N);
    for (let i = 0; i < M; i++) {
      for (let j = 0; j < N; j++) {
        for (let k = 0; k < K; k++) wanted[i * N + j]! += a[i * K + k]! * b[k * N + j]!;
      }
    }
    const [got] = await evaluate({ a: real([M, K], a), b: real([K, N], b) }, (v) => [ops.matmul(v.a, v.b)]);
    expectClose(got!, wanted);
  });

  it.each([
    [[], [6]],
    [[6], []],
    [[6], [6]],
    [
      [2, 3],
      [2, 3],
    ],
    [[1], [1]],
  ])('matmul of batches %j and %j is that of each two of their matrices', async (leading, others) => {
    const [M, N, K] = [3, 5, 4];
    const flags = [false, true].flatMap((a) => [false, true].map((b) => [a, b] as const));
    for (const [transposeA, transposeB] of flags) {
      const random = randomSource(17);
      const [first, second] = [transposeA ? [K, M] : [M, K], transposeB ? [N, K] : [K, N]];
      const a = real([...leading, ...first], randomArray(random, sizeOf(leading) * M * K));
      const b = real([...others, ...second], randomArray(random, sizeOf(others) * K * N));
      const count = Math.max(sizeOf(leading), sizeOf(others));
      const matrix = (x: Value, shape: Shape, i: number): Value =>
        x.shape.length === 2
          ? x
          : ops.reshape(ops.slice(ops.reshape(x, [count, ...shape]), [i, 0, 0], [1, -1, -1]), shape);
      const [got, ...each] = await evaluate({ a, b }, (v) => {
        const options = { transposeA, transposeB };
        const y = ops.matmul(v.a, v.b, options);
        expect(y.shape).toEqual([...(leading.length > 0 ? leading : others), M, N]);
        return [
          y,
          ...Array.from({ length: count }, (_, i) =>
            ops.matmul(matrix(v.a, first, i), matrix(v.b, second, i), options),
          ),
        ];
      });
      expectClose(
        got!,
        each.flatMap((part) => [...part]),
      );
    }
  });

  it('linear and embedding', async () => {
    const inputs = {
      x: real([1, 2], [1, 2]),
      weight: real([3, 2], [1, 0, 0, 1, 1, 1]),
      bias: real([3], [10, 20, 30]),
      tokens: whole([2, 2], [2, 0, 1, 2]),
    };
    const [y, rows] = await evaluate(inputs, ({ x, weight, bias, tokens }) => [
      ops.linear(x, weight, bias),
      ops.embedding(weight, tokens),
    ]);
    expect([...y!]).toEqual([11, 22, 33]);
    expect([...rows!]).toEqual([1, 1, 1, 0, 0, 1, 1, 1]);
  });

  it('softmax and cross-entropy, with logits far apart', async () => {
    const logits = real([2, 3], [1, 2, 3, 1000, 0, -1000]);
    const [probabilities, logProbabilities, each, mean, sum] = await evaluate(
      { logits, targets: whole([2], [2, 1]) },
      (v) => [
        ops.softmax(v.logits),
        ops.logSoftmax(v.logits),
        ops.softmaxCrossEntropy(v.logits, v.targets, { reduction: 'none' }),
        ops.softmaxCrossEntropy(v.logits, v.targets),
        ops.softmaxCrossEntropy(v.logits, v.targets, { reduction: 'sum' }),
      ],
    );
    const total = Math.exp(-2) + Math.exp(-1) + 1;
    const first = [-2, -1, 0].map((d) => d - Math.log(total));
    expectClose(probabilities!, [...first.map(Math.exp), 1, 0, 0]);
    expectClose(logProbabilities!, [...first, 0, -1000, -2000]);
    expectClose(each!, [Math.log(total), 1000]);
    expectClose(mean!, [(Math.log(total) + 1000) / 2]);
    expectClose(sum!, [Math.log(total) + 1000]);
  });

  it('globalNorm takes all arrays as one vector', async () => {
    const inputs = { a: real([2], [1, 2]), b: real([1, 2], [4, 10]) };
    const [norm] = await evaluate(inputs, ({ a, b }) => [ops.globalNorm([a, b])]);
    expectClose(norm!, [11]);
  });

  it('float32 results lie within float32 rounding of float64 ones', async () => {
    const random = randomSource(5);
    const inputs = { a: real([9, 40], randomArray(random, 360)), b: real([40, 6], randomArray(random, 240)) };
    const record = ({
      a,
      b,
    }: Record<'a' | 'b', ReturnType<typeof ops.tanh>>): ReturnType<typeof ops.tanh>[] => [
      ops.softmax(ops.tanh(ops.matmul(a, b))),
    ];
    const [single] = await evaluate(inputs, record, 'float32');
    const [double] = await evaluate(inputs, record);
    expect(single).toBeInstanceOf(Float32Array);
    expect(double).toBeInstanceOf(Float64Array);
    expectClose(single!, double!, { value: 1e-6, reason: 'a few roundings to float32 of numbers below 1' });
    expect([...single!]).not.toEqual([...double!]);
  });
});
