/** Every operation's gradient rule against central differences. */
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import * as ops from '../../../src/ops/index.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real, whole, type Fed } from '../support/evaluate.js';
import { randomArray, randomSource, randomTokens } from '../support/random.js';
import { sizeOf, type Shape } from '../../../src/graph/shape.js';

const random = randomSource(7);
const some = (shape: Shape, low = -1, high = 1): Fed =>
  real(shape, randomArray(random, sizeOf(shape), low, high));

/** Numbers by turns near `low` and `high`, one alone between them: so that of two arrays neither is always larger. */
const contrasting = (shape: Shape, low: number, high: number): Fed => {
  const size = sizeOf(shape);
  const near = (i: number): number => (size === 1 ? (low + high) / 2 : i % 2 === 0 ? low : high);
  return real(
    shape,
    Array.from({ length: size }, (_, i) => near(i) + 0.1 * random()),
  );
};

describe('unary', () => {
  const signed = ['neg', 'exp', 'square', 'tanh', 'sigmoid', 'softplus'] as const;
  it.each(signed)('%s', async (kind) => {
    await checkGradients({ inputs: { x: some([3, 5], -2, 2) }, record: ({ x }) => [ops[kind](x)] });
  });
  it.each(['log', 'sqrt', 'reciprocal'] as const)('%s of positive numbers', async (kind) => {
    await checkGradients({ inputs: { x: some([2, 7], 0.5, 2) }, record: ({ x }) => [ops[kind](x)] });
  });
  it.each(['relu', 'abs'] as const)('%s away from its kink', async (kind) => {
    const x = real([6], [-1.5, -0.3, 0.2, 0.9, -0.01, 2]);
    await checkGradients({ inputs: { x }, record: (v) => [ops[kind](v.x)] });
  });
  it.each([
    ...(['log', 'square', 'abs', 'softplus'] as const).map((kind) => [kind, 'x'] as const),
    ...([...signed, 'sqrt', 'reciprocal', 'relu'] as const)
      .filter((kind) => kind !== 'square' && kind !== 'softplus')
      .map((kind) => [kind, 'y'] as const),
  ])('that of %s reads %s', (kind, read) => {
    const graph = new Graph('kept');
    const x = graph.input('x', [3]);
    const y = ops[kind](x);
    ops.gradients(ops.sum(y), [x]);
    const backward = graph.nodes.find(({ operation }) => operation.name === 'unaryBackward')!;
    expect(backward.inputs[0]).toBe({ x, y }[read]);
  });
  it.each(['relu', 'abs'] as const)('%s has derivative 0 at its kink', async (kind) => {
    const [dX] = await evaluate({ x: real([3], [-1, 0, 1]) }, ({ x }) =>
      ops.gradients(ops.sum(ops[kind](x)), [x]),
    );
    expect([...dX!]).toEqual([kind === 'abs' ? -1 : 0, 0, 1]);
  });
});

describe('binary', () => {
  const kinds = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const;
  const shapes: [Shape, Shape][] = [
    [
      [3, 4],
      [3, 4],
    ],
    [[3, 4], [4]],
    [
      [2, 3, 4],
      [3, 1],
    ],
    [
      [2, 1, 4],
      [1, 3, 1],
    ],
    [[], [2, 3]],
    [[2, 3, 2, 2], [1]],
  ];
  const cases = kinds.flatMap((kind) => shapes.map(([a, b]) => [kind, a, b] as const));
  it.each(cases)('%s of %j and %j', async (kind, a, b) => {
    await checkGradients({
      inputs: { a: contrasting(a, 0.8, 1.6), b: contrasting(b, 1, 1.5) },
      record: (v) => [ops[kind](v.a, v.b)],
    });
  });
  it.each(kinds)('%s with a plain number on either side', async (kind) => {
    await checkGradients({
      inputs: { a: some([4], 0.5, 1.4) },
      record: ({ a }) => [ops[kind](ops.mul(a, 1.3), 0.9), ops[kind](1.1, a)],
    });
  });
  it.each(['maximum', 'minimum'] as const)('%s shares the gradient of a tie', async (kind) => {
    const inputs = { a: real([3], [1, 2, 3]), b: real([3], [3, 2, 1]) };
    const [dA, dB] = await evaluate(inputs, ({ a, b }) => ops.gradients(ops.sum(ops[kind](a, b)), [a, b]));
    expect([...dA!]).toEqual(kind === 'maximum' ? [0, 0.5, 1] : [1, 0.5, 0]);
    expect([...dB!]).toEqual(kind === 'maximum' ? [1, 0.5, 0] : [0, 0.5, 1]);
  });
  it('of one value with itself adds both gradients', async () => {
    await checkGradients({
      inputs: { a: some([4], 0.5, 2) },
      record: ({ a }) => [ops.mul(a, a), ops.div(a, ops.add(a, a))],
    });
  });
});

describe('shape', () => {
  it.each([
    [undefined, false],
    [0, false],
    [[1], true],
    [[-1, 0], false],
    [[0, 1, 2], true],
  ] as const)('sum and mean over %j, keepDims %j', async (axes, keepDims) => {
    const options = axes === undefined ? { keepDims } : { axes, keepDims };
    await checkGradients({
      inputs: { x: some([2, 3, 4]) },
      record: ({ x }) => [ops.sum(x, options), ops.mean(x, options)],
    });
  });
  it.each([
    [
      [3, 1],
      [2, 3, 4],
    ],
    [[4], [2, 3, 4]],
    [[], [3]],
    [
      [2, 1, 1],
      [2, 3, 2],
    ],
  ] as const)('broadcast %j to %j and back', async (from, to) => {
    await checkGradients({
      inputs: { x: some(from), y: some(to) },
      record: ({ x, y }) => [ops.broadcastTo(x, to), ops.sumTo(y, from)],
    });
  });
  it('reshape', async () => {
    await checkGradients({ inputs: { x: some([2, 6]) }, record: ({ x }) => [ops.reshape(x, [3, -1])] });
  });
  it.each([[[1, 0, 2]], [[2, 0, 1]], [[0, 2, 1]], [undefined]])('transpose %j', async (permutation) => {
    await checkGradients({
      inputs: { x: some([2, 3, 4]) },
      record: ({ x }) => [ops.transpose(x, permutation)],
    });
  });
  it('slice and pad', async () => {
    await checkGradients({
      inputs: { x: some([3, 4, 2]) },
      record: ({ x }) => [ops.slice(x, [1, 0, 1], [-1, 3, 1]), ops.pad(x, [1, 0, 2], [0, 3, 1])],
    });
  });
  it.each([0, 1, -1])('concat along %i', async (axis) => {
    const shapes = [0, 1, 2].map((i) => [2, 3, 2].map((d, k) => (k === (axis + 3) % 3 ? d + i : d)));
    await checkGradients({
      inputs: { a: some(shapes[0]!), b: some(shapes[1]!), c: some(shapes[2]!) },
      record: ({ a, b, c }) => [ops.concat([a, b, c, a], axis)],
    });
  });
  it.each([0, 1, 2])('stack along %i', async (axis) => {
    await checkGradients({
      inputs: { a: some([2, 3]), b: some([2, 3]) },
      record: ({ a, b }) => [ops.stack([a, b], axis)],
    });
  });
});

describe('products', () => {
  const flags = [false, true].flatMap((a) => [false, true].map((b) => [a, b] as const));
  it.each(flags)('matmul, transposeA %j, transposeB %j', async (transposeA, transposeB) => {
    await checkGradients({
      inputs: { a: some(transposeA ? [5, 3] : [3, 5]), b: some(transposeB ? [7, 5] : [5, 7]) },
      record: ({ a, b }) => [ops.matmul(a, b, { transposeA, transposeB })],
    });
  });
  it.each(
    flags.flatMap(([transposeA, transposeB]) =>
      [
        [[3], [3]],
        [
          [2, 3],
          [2, 3],
        ],
        [[3], []],
        [[2, 3], []],
        [[], [2, 3]],
      ].map((leading) => [leading, transposeA, transposeB] as const),
    ),
  )('matmul of batches %j, transposeA %j, transposeB %j', async ([of, by], transposeA, transposeB) => {
    await checkGradients({
      inputs: {
        a: some([...of!, ...(transposeA ? [4, 2] : [2, 4])]),
        b: some([...by!, ...(transposeB ? [3, 4] : [4, 3])]),
      },
      record: ({ a, b }) => [ops.matmul(a, b, { transposeA, transposeB })],
    });
  });
  it.each([[[5]], [[2, 5]], [[3, 2, 5]]])('linear of %j', async (shape) => {
    await checkGradients({
      inputs: { x: some(shape), weight: some([4, 5]), bias: some([4]) },
      record: ({ x, weight, bias }) => [ops.linear(x, weight, bias), ops.linear(x, weight)],
    });
  });
  it('embedding, with repeated and unused tokens', async () => {
    await checkGradients({
      inputs: { table: some([5, 3]), tokens: whole([2, 3], [4, 0, 4, 2, 0, 4]) },
      record: ({ table, tokens }) => [ops.embedding(table, tokens)],
    });
  });
});

describe('losses and noise', () => {
  it.each(['softmax', 'logSoftmax'] as const)('%s', async (kind) => {
    await checkGradients({ inputs: { x: some([2, 3, 5], -3, 3) }, record: ({ x }) => [ops[kind](x)] });
  });
  it.each(['mean', 'sum', 'none'] as const)('softmaxCrossEntropy, reduction %s', async (reduction) => {
    await checkGradients({
      inputs: { logits: some([3, 2, 5], -3, 3), targets: whole([3, 2], randomTokens(random, 6, 5)) },
      record: ({ logits, targets }) => [ops.softmaxCrossEntropy(logits, targets, { reduction })],
    });
  });
  it('dropout draws the same mask backward', async () => {
    await checkGradients({
      inputs: { x: some([4, 8]), seed: whole([], [123]) },
      record: ({ x, seed }) => [ops.dropout(x, seed, { p: 0.4, stream: 3 })],
    });
  });
  it('stopGradient lets nothing through', async () => {
    const inputs = { x: real([2], [3, 4]) };
    const [dX] = await evaluate(inputs, ({ x }) =>
      ops.gradients(ops.sum(ops.mul(x, ops.stopGradient(x))), [x]),
    );
    expectClose(dX!, [3, 4]);
  });
  it('gives zeros where nothing depends on a source', async () => {
    const [dX] = await evaluate({ x: real([2], [3, 4]), y: real([2], [1, 2]) }, ({ x, y }) =>
      ops.gradients(ops.sum(y), [x]),
    );
    expect([...dX!]).toEqual([0, 0]);
  });
  it('differentiates a chain in which a value is used many times', async () => {
    await checkGradients({
      inputs: { x: some([3, 4]), w: some([4, 4]) },
      record: ({ x, w }) => {
        const h = ops.tanh(ops.matmul(x, w));
        const g = ops.sigmoid(ops.matmul(h, w, { transposeB: true }));
        return [ops.mean(ops.square(ops.sub(ops.mul(h, g), x)))];
      },
    });
  });
});
