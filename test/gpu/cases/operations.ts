/** Every other operation on the GPU against the reference, over awkward shapes, with gradients. */
import type { Graph } from '../../../src/graph/graph.js';
import type { Shape } from '../../../src/graph/shape.js';
import type { Value } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import type { GpuCase } from '../case.js';
import {
  compareExecutors,
  outputWithGradients,
  randomArray,
  randomTokens,
  type ComparisonOptions,
} from '../compare-executors.js';

/** A case whose inputs are real arrays and whose result is one value; gradients by all inputs. */
function differentiable(
  name: string,
  shapes: readonly Shape[],
  apply: (...inputs: Value[]) => Value,
  options: ComparisonOptions = {},
): GpuCase {
  return {
    name,
    run: (context) =>
      compareExecutors(
        context,
        (graph) => {
          const inputs = shapes.map((shape, i) => graph.input(`x${i}`, shape));
          outputWithGradients(
            graph,
            { y: apply(...inputs) },
            Object.fromEntries(inputs.map((x, i) => [`x${i}`, x])),
          );
        },
        options,
      ),
  };
}

function recorded(name: string, record: (graph: Graph) => void, options: ComparisonOptions = {}): GpuCase {
  return { name, run: (context) => compareExecutors(context, record, options) };
}

/** Positive numbers, for functions with poles or cuts at zero. */
const positive = (count: number): ComparisonOptions => ({ feeds: { x0: randomArray(count, 7, 0.2, 3) } });

const unary: readonly GpuCase[] = [
  ...(['neg', 'exp', 'square', 'abs', 'tanh', 'sigmoid', 'relu', 'softplus'] as const).map((kind) =>
    differentiable(`${kind} [5,13]`, [[5, 13]], (x) => ops[kind](x)),
  ),
  ...(['log', 'sqrt', 'reciprocal'] as const).map((kind) =>
    differentiable(`${kind} [5,13]`, [[5, 13]], (x) => ops[kind](x), positive(65)),
  ),
  recorded(
    'tanh, sigmoid and softplus of large numbers are finite',
    (graph) => {
      const x = graph.input('x', [8]);
      graph.output('tanh', ops.tanh(x));
      graph.output('sigmoid', ops.sigmoid(x));
      graph.output('softplus', ops.softplus(x));
    },
    { feeds: { x: Float32Array.of(-1000, -89, -45, -15, 15, 45, 89, 1000) } },
  ),
];

const binary: readonly GpuCase[] = [
  ...(['add', 'sub', 'mul', 'maximum', 'minimum'] as const).flatMap((kind) => [
    differentiable(
      `${kind} [3,7]`,
      [
        [3, 7],
        [3, 7],
      ],
      (a, b) => ops[kind](a, b),
    ),
    differentiable(
      `${kind} [2,1,5] with [3,1]`,
      [
        [2, 1, 5],
        [3, 1],
      ],
      (a, b) => ops[kind](a, b),
    ),
    differentiable(`${kind} [4,3] with a scalar`, [[4, 3], []], (a, b) => ops[kind](a, b)),
  ]),
  differentiable('div [3,7] by [7]', [[3, 7], [7]], (a, b) => ops.div(a, b), {
    feeds: { x1: randomArray(7, 8, 0.5, 2) },
  }),
  differentiable(
    'add of four dimensions that all broadcast',
    [
      [2, 1, 3, 1],
      [1, 4, 1, 5],
    ],
    (a, b) => ops.add(a, b),
  ),
  recorded(
    'maximum and minimum share ties',
    (graph) => {
      const [a, b] = [graph.input('a', [3]), graph.input('b', [3])];
      outputWithGradients(graph, { max: ops.maximum(a, b), min: ops.minimum(a, b) }, { a, b });
    },
    { feeds: { a: Float32Array.of(1, 2, 3), b: Float32Array.of(1, 3, 2) } },
  ),
];

const shapes: readonly GpuCase[] = [
  differentiable('reshape [3,4] to [2,6]', [[3, 4]], (x) => ops.reshape(x, [2, 6])),
  differentiable('transpose [3,5]', [[3, 5]], (x) => ops.transpose(x)),
  differentiable('transpose [2,3,4,5] to [2,0,3,1]', [[2, 3, 4, 5]], (x) => ops.transpose(x, [2, 0, 3, 1])),
  differentiable('slice of rows, which nothing copies', [[7, 5]], (x) => ops.slice(x, [2, 0], [3, 5])),
  differentiable('slice of columns', [[7, 5]], (x) => ops.slice(x, [0, 1], [7, 3])),
  differentiable('slice of a block', [[4, 5, 6]], (x) => ops.slice(x, [1, 2, 3], [2, 2, 2])),
  differentiable('pad [2,3]', [[2, 3]], (x) => ops.pad(x, [1, 0], [0, 2])),
  differentiable(
    'concat along 0',
    [
      [2, 3],
      [1, 3],
      [4, 3],
    ],
    (...x) => ops.concat(x, 0),
  ),
  differentiable(
    'concat along 1',
    [
      [3, 2],
      [3, 1],
      [3, 4],
    ],
    (...x) => ops.concat(x, 1),
  ),
  differentiable('concat of one value with itself', [[2, 3]], (x) => ops.concat([x, x], 1)),
  differentiable(
    'stack along 1',
    [
      [3, 2],
      [3, 2],
    ],
    (...x) => ops.stack(x, 1),
  ),
  differentiable('broadcast [3,1] to [2,3,4]', [[3, 1]], (x) => ops.broadcastTo(x, [2, 3, 4])),
  differentiable('an unaligned slice, squared', [[5, 7]], (x) => ops.square(ops.slice(x, [1, 0], [2, 7]))),
  recorded('fill', (graph) => graph.output('y', ops.fill(graph, [3, 5], 2.5))),
  recorded(
    'whole numbers through slice and reshape',
    (graph) => {
      const tokens = graph.input('tokens', [4, 3], 'int32');
      graph.output('y', ops.reshape(ops.slice(tokens, [1, 0], [2, 3]), [6]));
    },
    { feeds: { tokens: randomTokens(12, 100, 5) } },
  ),
];

const sums: readonly GpuCase[] = [
  differentiable('sum of everything [3,5,7]', [[3, 5, 7]], (x) => ops.sum(x)),
  differentiable('sum of 70,001 numbers', [[70_001]], (x) => ops.sum(x)),
  differentiable('mean over the first axis', [[130, 7]], (x) => ops.mean(x, { axes: 0 })),
  differentiable('mean over the last axis, kept', [[7, 130]], (x) =>
    ops.mean(x, { axes: -1, keepDims: true }),
  ),
  differentiable('mean over the last axis of more than a few rows', [[20, 130]], (x) =>
    ops.mean(x, { axes: -1 }),
  ),
  differentiable('sum over the middle axis', [[3, 5, 7]], (x) => ops.sum(x, { axes: 1 })),
  differentiable('sum over axes that are apart', [[3, 5, 7]], (x) => ops.sum(x, { axes: [0, 2] })),
];

/** Batches of products, with these leading dimensions on either side. */
function batched(
  [m, n, k]: readonly [number, number, number],
  [leading, others]: readonly [Shape, Shape],
  { transposeA = false, transposeB = false }: Partial<ops.MatmulAttributes> = {},
): GpuCase {
  const a = [...leading, ...(transposeA ? [k, m] : [m, k])];
  const b = [...others, ...(transposeB ? [n, k] : [k, n])];
  return differentiable(
    `matmul [${a.join(',')}]${transposeA ? 'ᵀ' : ''}·[${b.join(',')}]${transposeB ? 'ᵀ' : ''}`,
    [a, b],
    (x, y) => ops.matmul(x, y, { transposeA, transposeB }),
  );
}

const products: readonly GpuCase[] = [
  ...(
    [
      [1, 1, 1],
      [2, 3, 5],
      [8, 8, 8],
      [9, 65, 4],
      [65, 9, 33],
      [64, 64, 64],
      [7, 130, 3],
      [130, 4, 129],
    ] as const
  ).flatMap(([m, n, k]) =>
    [false, true].flatMap((transposeA) =>
      [false, true].map((transposeB) =>
        differentiable(
          `matmul [${m},${k}]${transposeA ? 'ᵀ' : ''}·[${k},${n}]${transposeB ? 'ᵀ' : ''}`,
          [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]],
          (a, b) => ops.matmul(a, b, { transposeA, transposeB }),
        ),
      ),
    ),
  ),
  ...(
    [
      [[7], 1, 33, 18],
      [[2, 3], 5, 9, 7],
      [[1], 3, 4, 2],
      [[3], 17, 66, 35],
      [[300], 2, 3, 5],
    ] as const
  ).flatMap(([leading, m, n, k]) =>
    [false, true].flatMap((transposeA) =>
      [false, true].map((transposeB) => batched([m, n, k], [leading, leading], { transposeA, transposeB })),
    ),
  ),
  batched([1, 9, 5], [[4], []]),
  batched([3, 17, 5], [[2, 9], []], { transposeB: true }),
  batched([3, 17, 5], [[2, 9], []], { transposeA: true }),
  batched([18, 3, 5], [[], [4]]),
  batched([18, 3, 5], [[], [2, 2]], { transposeA: true, transposeB: true }),
  recorded('products of more matrices than there are workgroups in one dimension', (graph) => {
    const [a, b] = [graph.input('a', [62_000, 1, 1]), graph.input('b', [62_000, 1, 65])];
    graph.output('y', ops.matmul(a, b));
  }),
  differentiable('linear [3,5,7] to 65', [[3, 5, 7], [65, 7], [65]], (x, w, b) => ops.linear(x, w, b)),
  differentiable(
    'linear [6,8] to 4 without bias',
    [
      [6, 8],
      [4, 8],
    ],
    (x, w) => ops.linear(x, w),
  ),
];

function embeddingCase(V: number, E: number, count: number): GpuCase {
  return recorded(
    `embedding [${V},${E}] by ${count} tokens`,
    (graph) => {
      const table = graph.input('table', [V, E]);
      const tokens = graph.input('tokens', [count], 'int32');
      outputWithGradients(graph, { y: ops.embedding(table, tokens) }, { table });
    },
    { feeds: { tokens: randomTokens(count, V, 3) } },
  );
}

function crossEntropyCase(rows: number, V: number, reduction: 'mean' | 'sum' | 'none'): GpuCase {
  return recorded(
    `softmax cross-entropy [${rows},${V}], ${reduction}`,
    (graph) => {
      const logits = graph.input('logits', [rows, V]);
      const targets = graph.input('targets', [rows], 'int32');
      outputWithGradients(
        graph,
        { loss: ops.softmaxCrossEntropy(logits, targets, { reduction }) },
        { logits },
      );
    },
    { feeds: { targets: randomTokens(rows, V, 3), logits: randomArray(rows * V, 4, -8, 8) } },
  );
}

const rows: readonly GpuCase[] = [
  ...[1, 5, 65, 511, 513].flatMap((classes) => [
    differentiable(`softmax [3,${classes}]`, [[3, classes]], (x) => ops.softmax(x)),
    differentiable(`log softmax [3,${classes}]`, [[3, classes]], (x) => ops.logSoftmax(x)),
  ]),
  differentiable('softmax [33,513]', [[33, 513]], (x) => ops.softmax(x)),
  embeddingCase(1, 1, 1),
  embeddingCase(5, 7, 130),
  embeddingCase(65, 16, 70),
  embeddingCase(300, 6, 9),
  crossEntropyCase(1, 1, 'mean'),
  crossEntropyCase(7, 65, 'mean'),
  crossEntropyCase(130, 3, 'sum'),
  crossEntropyCase(5, 600, 'none'),
  recorded(
    'cross-entropy differentiated alone writes its gradient over the logits',
    (graph) => {
      const x = graph.input('x', [9, 4]);
      const weight = graph.input('weight', [11, 4]);
      const loss = ops.softmaxCrossEntropy(ops.linear(x, weight), graph.input('targets', [9], 'int32'));
      graph.output('loss', loss);
      const [dX, dWeight] = ops.gradients(loss, [x, weight]);
      graph.output('d x', dX!);
      graph.output('d weight', dWeight!);
    },
    { feeds: { targets: randomTokens(9, 11, 3) } },
  ),
  recorded(
    'logits that are read again are not written over',
    (graph) => {
      const x = graph.input('x', [9, 4]);
      const logits = ops.linear(x, graph.input('weight', [11, 4]));
      const loss = ops.softmaxCrossEntropy(logits, graph.input('targets', [9], 'int32'));
      graph.output('loss', loss);
      graph.output('d x', ops.gradients(loss, [x])[0]!);
      graph.output('doubled', ops.mul(ops.reshape(logits, [99]), 2));
    },
    { feeds: { targets: randomTokens(9, 11, 3) } },
  ),
];

const others: readonly GpuCase[] = [
  recorded(
    'dropout draws the same mask on both, forward and backward',
    (graph) => {
      const x = graph.input('x', [7, 65]);
      const y = ops.dropout(x, graph.scalar('seed', 'int32'), { p: 0.3, stream: 5 });
      outputWithGradients(graph, { y }, { x });
    },
    { feeds: { seed: -123456 } },
  ),
  differentiable('stopGradient', [[3]], (x) => ops.mul(x, ops.stopGradient(x))),
  recorded('global norm of several arrays', (graph) => {
    const arrays = [[3, 5], [1], [70, 33]].map((shape, i) => graph.input(`g${i}`, shape));
    graph.output('norm', ops.globalNorm(arrays));
  }),
  recorded('global norm of one array twice', (graph) => {
    const array = graph.input('g', [3, 5]);
    graph.output('norm', ops.globalNorm([array, array]));
  }),
  recorded('scan: a cell written by hand, with gradients to states, inputs and weights', (graph) => {
    const [x, h, w] = [graph.input('x', [4, 3, 5]), graph.input('h', [3, 6]), graph.input('w', [6, 11])];
    const { carry, ys } = ops.scan({ carry: [h], xs: [x], consts: [w] }, (_, step) => {
      const next = ops.tanh(ops.linear(ops.concat([step.xs[0]!, step.carry[0]!], 1), step.consts[0]!));
      return { carry: [next], ys: [ops.square(next)] };
    });
    outputWithGradients(graph, { final: carry[0]!, ys: ys[0]! }, { x, h, w });
  }),
  recorded('scan in reverse', (graph) => {
    const [x, h] = [graph.input('x', [5, 3]), graph.input('h', [3])];
    const { carry, ys } = ops.scan({ carry: [h], xs: [x], reverse: true }, (_, step) => {
      const next = ops.add(ops.mul(step.carry[0]!, 0.5), step.xs[0]!);
      return { carry: [next], ys: [ops.mul(next, next)] };
    });
    outputWithGradients(graph, { final: carry[0]!, ys: ys[0]! }, { x, h });
  }),
];

export const cases: readonly GpuCase[] = [
  ...unary,
  ...binary,
  ...shapes,
  ...sums,
  ...products,
  ...rows,
  ...others,
];
