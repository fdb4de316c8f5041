/** Every variant of every kernel that has some, against the reference and, within an order class, bit for bit. */
import type { Graph } from '../../../src/graph/graph.js';
import type { Value } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import type { GpuCase } from '../case.js';
import { outputWithGradients, randomTokens } from '../compare-executors.js';
import { compareVariants, type VariantOptions } from '../compare-variants.js';

function variants(name: string, record: (graph: Graph) => void, options: VariantOptions = {}): GpuCase {
  return { name, run: (context) => compareVariants(context, record, options) };
}

const TILES = ['16x16', '8x8'];

/** Sizes m, n, k, and variants that they must bring. */
const SIZES = [
  [1, 1, 1, ['row']],
  [2, 3, 5, ['row']],
  [3, 66, 4, ['row']],
  [7, 9, 6, ['row']],
  [16, 16, 16, ['shared']],
  [17, 65, 13, ['shared']],
  [67, 17, 31, ['shared']],
  [129, 130, 67, ['shared']],
  [19, 5, 514, ['16x16 in 4 parts', '8x8 in 4 parts']],
  [18, 33, 2051, ['16x16 in 16 parts', 'shared in 4 parts', 'shared in 16 parts']],
] as const;

const products = SIZES.flatMap(([m, n, k, expected]) =>
  [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) =>
      variants(
        `matmul [${m},${k}]${transposeA ? 'ᵀ' : ''}·[${k},${n}]${transposeB ? 'ᵀ' : ''}`,
        (graph) => {
          const a = graph.input('a', transposeA ? [k, m] : [m, k]);
          const b = graph.input('b', transposeB ? [n, k] : [k, n]);
          graph.output('c', ops.matmul(a, b, { transposeA, transposeB }));
        },
        { expected: [...TILES, ...expected], together: '16x16 together' },
      ),
    ),
  ),
);

/** Batches, and variants that they must bring: leading dimensions of either side, m, n, k. */
const batches = (
  [
    [[5], [5], 1, 6, 9, ['row']],
    [[3], [3], 17, 66, 13, ['shared']],
    [[2, 2], [2, 2], 9, 5, 514, ['row', '16x16 in 4 parts', '8x8 in 4 parts']],
    [[], [3], 18, 19, 7, ['shared']],
  ] as const
).flatMap(([leading, others, m, n, k, expected]) =>
  [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => {
      const shapes = [
        [...leading, ...(transposeA ? [k, m] : [m, k])],
        [...others, ...(transposeB ? [n, k] : [k, n])],
      ] as const;
      return variants(
        `matmul [${shapes[0].join(',')}]${transposeA ? 'ᵀ' : ''}·[${shapes[1].join(',')}]${transposeB ? 'ᵀ' : ''}`,
        (graph) => {
          const [a, b] = [graph.input('a', shapes[0]), graph.input('b', shapes[1])];
          graph.output('c', ops.matmul(a, b, { transposeA, transposeB }));
        },
        { expected: [...TILES, ...expected], together: '16x16 together' },
      );
    }),
  ),
);

const edges: readonly GpuCase[] = [
  variants(
    'linear [35,70] to 33 with a bias',
    (graph) => {
      const [x, w, b] = [graph.input('x', [5, 7, 70]), graph.input('w', [33, 70]), graph.input('b', [33])];
      graph.output('y', ops.linear(x, w, b));
    },
    { expected: [...TILES, 'shared'] },
  ),
  variants(
    'linear [17,600] to 19 with a bias, in parts',
    (graph) => {
      const [x, w, b] = [graph.input('x', [17, 600]), graph.input('w', [19, 600]), graph.input('b', [19])];
      graph.output('y', ops.linear(x, w, b));
    },
    { expected: ['16x16 in 4 parts', 'shared in 4 parts'] },
  ),
  variants(
    'both directions of a layer: rows apart, offsets, sums that are added to',
    (graph) => {
      const [T, B, I, H] = [35, 17, 6, 5];
      const sources: Record<string, Value> = { x: graph.input('x', [T, B, I]) };
      const parameters = (suffix: string): ops.RecurrentParameters => {
        const declare = (name: string, shape: readonly number[]): Value =>
          (sources[name + suffix] = graph.input(name + suffix, shape));
        return {
          weightIh: declare('weightIh', [3 * H, I]),
          weightHh: declare('weightHh', [3 * H, H]),
          biasIh: declare('biasIh', [3 * H]),
          biasHh: declare('biasHh', [3 * H]),
        };
      };
      const { output } = ops.recurrent({
        cell: 'gru',
        x: sources['x']!,
        ...parameters(''),
        reverse: parameters(' reverse'),
      });
      outputWithGradients(graph, { output }, sources);
    },
    { family: 'matmul', expected: [...TILES, '16x16 in 4 parts'] },
  ),
];

const sums: readonly GpuCase[] = (
  [
    [512, 4, 'in 16 parts'],
    [520, 65, 'in 8 parts'],
    [1024, 130, 'in 32 parts'],
  ] as const
).map(([rows, width, parts]) =>
  variants(
    `sums over ${rows} rows of ${width}`,
    (graph) => graph.output('y', ops.mean(graph.input('x', [rows, width]), { axes: 0 })),
    { family: 'reduce_sum', expected: ['whole', parts] },
  ),
);

function embedding(V: number, E: number, count: number, other: string): GpuCase {
  return variants(
    `gradient of a table [${V},${E}] from ${count} tokens`,
    (graph) => {
      const table = graph.input('table', [V, E]);
      const tokens = graph.input('tokens', [count], 'int32');
      outputWithGradients(graph, { y: ops.embedding(table, tokens) }, { table });
    },
    {
      feeds: { tokens: randomTokens(count, V, 3) },
      family: 'embedding_backward',
      expected: ['scatter', other],
    },
  );
}

const tables: readonly GpuCase[] = [
  embedding(1, 1, 1, 'gather'),
  embedding(5, 7, 130, 'gather'),
  embedding(65, 17, 511, 'gather'),
  embedding(300, 6, 9, 'sparse'),
];

export const cases: readonly GpuCase[] = [...products, ...batches, ...edges, ...sums, ...tables];
