/**
 * Work just below and just above what one invocation may loop through: lavapipe, which Firefox and Deno use where
 * there is no GPU, ends loops after 65,535 iterations without a word. Only the long dimension is long.
 */
import type { Graph } from '../../../src/graph/graph.js';
import { MAX_ITERATIONS } from '../../../src/gpu/lower/limits.js';
import * as ops from '../../../src/ops/index.js';
import type { GpuCase } from '../../gpu/case.js';
import {
  compareExecutors,
  outputWithGradients,
  randomArray,
  randomTokens,
} from '../../gpu/compare-executors.js';
import { compareVariants, type VariantOptions } from '../../gpu/compare-variants.js';
import { ctcCase } from '../../gpu/cases/losses.js';
import { persistentCase } from '../../gpu/cases/recurrent-persistent.js';

function variants(name: string, record: (graph: Graph) => void, options: VariantOptions): GpuCase {
  return { name, run: (context) => compareVariants(context, record, options) };
}

/** Four k an iteration, and what is left one by one. */
const FOURS = 4 * (MAX_ITERATIONS - 4);

const products = (
  [
    [1, 1, FOURS, 'row'],
    [1, 1, FOURS + 1, 'row'],
    [1, 1, FOURS + 7, '8x8'],
    [16, 16, MAX_ITERATIONS / 2, 'shared'],
    [16, 16, MAX_ITERATIONS / 2 + 1, 'shared'],
  ] as const
).map(([m, n, k, expected]) =>
  variants(
    `a product of [${m},${k}] and [${k},${n}]`,
    (graph) => graph.output('c', ops.matmul(graph.input('a', [m, k]), graph.input('b', [k, n]))),
    { family: 'matmul', expected: [expected] },
  ),
);

const sums = (
  [
    [MAX_ITERATIONS, 16],
    [MAX_ITERATIONS + 1, 16],
    [64 * MAX_ITERATIONS + 1, 1],
  ] as const
).map(([rows, width]) =>
  variants(
    `sums over ${rows} rows of ${width}`,
    (graph) => graph.output('y', ops.mean(graph.input('x', [rows, width]), { axes: 0 })),
    { family: 'reduce_sum' },
  ),
);

const tables = (
  [
    [2, MAX_ITERATIONS, 'gather'],
    [2, MAX_ITERATIONS + 1, 'gather'],
  ] as const
).map(([V, count, expected]) =>
  variants(
    `the gradient of a table of ${V} from ${count} tokens`,
    (graph) => {
      const table = graph.input('table', [V, 1]);
      const tokens = graph.input('tokens', [count], 'int32');
      outputWithGradients(graph, { y: ops.embedding(table, tokens) }, { table });
    },
    {
      family: 'embedding_backward',
      expected: [expected],
      feeds: { tokens: randomTokens(count, V, 3) },
    },
  ),
);

/** More rows than the kernel of the divisor goes through at once. */
const divisor: GpuCase = {
  name: 'a mean over more rows than one dispatch counts',
  run(context) {
    const rows = 64 * MAX_ITERATIONS + 1;
    return compareExecutors(
      context,
      (graph) => {
        const loss = ops.softmaxCrossEntropy(
          graph.input('logits', [rows, 2]),
          graph.input('targets', [rows], 'int32'),
          { mask: graph.input('mask', [rows]) },
        );
        graph.output('loss', loss);
      },
      { feeds: { targets: randomTokens(rows, 2, 4), mask: randomArray(rows, 5, 0.5, 1) } },
    );
  },
};

/** Rows as long as may be read four times: by a workgroup of 64; by one invocation, as of many rows on software. */
const classes: readonly GpuCase[] = [
  { rows: 1, classes: 16 * (MAX_ITERATIONS - 8) },
  { rows: 32, classes: MAX_ITERATIONS / 4 - 2 },
].map(({ rows, classes }): GpuCase => ({
  name: `cross-entropy of as many classes as there may be in ${rows} rows`,
  run(context) {
    return compareExecutors(
      context,
      (graph) => {
        const logits = graph.input('logits', [rows, classes]);
        const targets = graph.input('targets', [rows], 'int32');
        const loss = ops.softmaxCrossEntropy(logits, targets, { labelSmoothing: 0.1 });
        graph.output('loss', loss);
        graph.output('y', ops.softmax(logits));
        graph.output('d logits', ops.gradients(loss, [logits])[0]!);
      },
      { feeds: { targets: new Int32Array(rows).fill(classes - 1) } },
    );
  },
}));

/** Drawing with both cuts goes through a row 26 times. */
const draw: GpuCase = {
  name: 'a draw with both cuts from as many tokens as there may be',
  run(context) {
    const classes = 2 ** 17;
    return compareExecutors(
      context,
      (graph) => {
        const logits = graph.input('logits', [2, classes]);
        const tokens = ops.drawTokens(logits, {
          temperature: graph.scalar('temperature'),
          topK: graph.scalar('topK', 'int32'),
          topP: graph.scalar('topP'),
          seeds: graph.input('seeds', [2, 2], 'int32'),
          position: graph.scalar('position', 'int32'),
        });
        graph.output('tokens', tokens);
      },
      {
        feeds: {
          logits: randomArray(2 * classes, 6, -9, 9),
          temperature: 1,
          topK: 50,
          topP: 0.9,
          seeds: randomTokens(4, 2 ** 31, 9),
          position: 5,
        },
      },
    );
  },
};

const [ONE, EIGHT] = ['persistent, 1 row', 'persistent, 8 rows'];
const NARROW = { B: 1, I: 1, H: 1 };
const BATCH = { B: 5, I: 1, H: 1 };

export const cases: readonly GpuCase[] = [
  ...products,
  ...sums,
  ...tables,
  divisor,
  ...classes,
  draw,
  ctcCase('as many steps as one dispatch takes', { T: 14_999, B: 1, C: 2, S: 1 }),
  ctcCase('one step more', { T: 15_000, B: 1, C: 2, S: 1 }),
  ctcCase('states for several turns of a lane', { T: 9_000, B: 1, C: 3, S: 40 }),
  ...(['lstm', 'gru', 'rnn'] as const).flatMap((cell) => [
    persistentCase(cell, { T: 14_000, ...NARROW }, [ONE], { gradients: false, readsFinals: false }),
    persistentCase(cell, { T: 6_500, ...NARROW }, [ONE]),
    persistentCase(cell, { T: 5_000, ...BATCH }, [EIGHT, ONE], { gradients: false, readsFinals: false }),
    persistentCase(cell, { T: 1_500, ...BATCH }, [EIGHT, ONE]),
  ]),
];
