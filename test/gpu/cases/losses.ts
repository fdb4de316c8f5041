/** Losses on the GPU against the reference, with every option, and their gradients. */
import { Graph } from '../../../src/graph/graph.js';
import type { Value } from '../../../src/graph/value.js';
import * as losses from '../../../src/nn/losses.js';
import * as ops from '../../../src/ops/index.js';
import type { GpuCase } from '../case.js';
import {
  compareExecutors,
  outputWithGradients,
  randomArray,
  randomNumbers,
  randomTokens,
  type ComparisonOptions,
} from '../compare-executors.js';

function recorded(name: string, record: (graph: Graph) => void, options: ComparisonOptions = {}): GpuCase {
  return { name, run: (context) => compareExecutors(context, record, options) };
}

/** What a case of cross-entropy uses. */
interface CrossEntropyParts {
  readonly ignoring?: boolean;
  readonly weighted?: boolean;
  readonly masked?: boolean;
  readonly labelSmoothing?: number;
  readonly fromLogProbabilities?: boolean;
}

function crossEntropyCase(
  rows: number,
  V: number,
  reduction: ops.Reduction,
  parts: CrossEntropyParts,
): GpuCase {
  const { ignoring = false, weighted = false, masked = false, labelSmoothing = 0 } = parts;
  const targets = randomTokens(rows, V, 3);
  if (ignoring) targets.forEach((_, row) => row % 3 === 1 && (targets[row] = -100));
  const used = Object.entries(parts).map(([name, value]) => (value === true ? name : `${name} ${value}`));
  return recorded(
    `cross-entropy [${rows},${V}], ${reduction}, ${used.join(', ')}`,
    (graph) => {
      const logits = graph.input('logits', [rows, V]);
      const options = {
        reduction,
        ...(weighted && { weight: graph.input('weight', [V]) }),
        ...(masked && { mask: graph.input('mask', [rows]) }),
      };
      const labels = graph.input('targets', [rows], 'int32');
      const loss = parts.fromLogProbabilities
        ? ops.nllLoss(logits, labels, options)
        : ops.softmaxCrossEntropy(logits, labels, { ...options, labelSmoothing });
      outputWithGradients(graph, { loss }, { logits });
    },
    {
      feeds: {
        targets,
        logits: randomArray(rows * V, 4, -8, 8),
        weight: randomArray(V, 5, 0, 2),
        mask: randomArray(rows, 6, 0, 3).map((m) => (m < 1 ? 0 : m)),
      },
    },
  );
}

const SWITCHES = [false, true];

const crossEntropies: readonly GpuCase[] = [
  ...(['mean', 'sum', 'none'] as const).flatMap((reduction) =>
    SWITCHES.flatMap((weighted) =>
      SWITCHES.map((masked) =>
        crossEntropyCase(70, 9, reduction, { ignoring: true, weighted, masked, labelSmoothing: 0.1 }),
      ),
    ),
  ),
  crossEntropyCase(1, 1, 'mean', { labelSmoothing: 0.3 }),
  crossEntropyCase(130, 65, 'mean', { ignoring: true }),
  crossEntropyCase(5, 513, 'mean', { ignoring: true, weighted: true, masked: true, labelSmoothing: 0.2 }),
  crossEntropyCase(40, 513, 'mean', { weighted: true, masked: true, labelSmoothing: 0.2 }),
  crossEntropyCase(5, 600, 'none', { ignoring: true, masked: true }),
  crossEntropyCase(66, 7, 'mean', { fromLogProbabilities: true }),
  crossEntropyCase(3, 700, 'sum', {
    fromLogProbabilities: true,
    ignoring: true,
    weighted: true,
    masked: true,
  }),
  recorded(
    'cross-entropy with a mask and label smoothing, differentiated alone, writes its gradient over the logits',
    (graph) => {
      const x = graph.input('x', [9, 4]);
      const weight = graph.input('weight', [11, 4]);
      const loss = ops.softmaxCrossEntropy(ops.linear(x, weight), graph.input('targets', [9], 'int32'), {
        mask: graph.input('mask', [9]),
        labelSmoothing: 0.2,
      });
      graph.output('loss', loss);
      const [dX, dWeight] = ops.gradients(loss, [x, weight]);
      graph.output('d x', dX!);
      graph.output('d weight', dWeight!);
    },
    { feeds: { targets: randomTokens(9, 11, 3), mask: randomArray(9, 6, 0, 3) } },
  ),
  recorded(
    'cross-entropy of nothing that counts is 0',
    (graph) => {
      const logits = graph.input('logits', [2, 5]);
      const loss = ops.softmaxCrossEntropy(logits, graph.input('targets', [2], 'int32'));
      outputWithGradients(graph, { loss }, { logits });
    },
    { feeds: { targets: Int32Array.of(-100, -100) } },
  ),
  recorded(
    'cross-entropy of logits of ±10,000',
    (graph) => {
      const logits = graph.input('logits', [3, 4]);
      const loss = ops.softmaxCrossEntropy(logits, graph.input('targets', [3], 'int32'), {
        reduction: 'none',
        labelSmoothing: 0.1,
      });
      outputWithGradients(graph, { loss }, { logits });
    },
    {
      feeds: {
        targets: Int32Array.of(0, 1, 2),
        logits: Float32Array.of(1e4, -1e4, 0, 5, 1e4, -1e4, 0, 5, -1e4, -1e4, -1e4, -1e4),
      },
    },
  ),
];

/** A batch of CTC: what is not given is random and possible. */
interface CtcBatch {
  readonly T: number;
  readonly B: number;
  readonly C: number;
  readonly S: number;
  readonly blank?: number;
  readonly targets?: Int32Array;
  readonly inputLengths?: Int32Array;
  readonly targetLengths?: Int32Array;
  /** Bound of the logits. */
  readonly spread?: number;
  /** Highest label in use, to have the same often. */
  readonly highest?: number;
}

function ctcFeeds(batch: CtcBatch) {
  const { T, B, C, S, blank = 0, spread = 3, highest = C - 1 } = batch;
  const random = randomNumbers(17);
  const targetLengths =
    batch.targetLengths ?? Int32Array.from({ length: B }, (_, b) => (b === 0 ? S : Math.floor(random() * S)));
  // Enough for a blank between any two labels, where T has room for it.
  const inputLengths =
    batch.inputLengths ??
    targetLengths.map((length, b) => (b === 0 ? T : Math.min(T, 2 * length + 1 + Math.floor(random() * T))));
  const labels = Array.from({ length: C }, (_, c) => c).filter((c) => c !== blank && c <= highest);
  const targets =
    batch.targets ?? Int32Array.from({ length: B * S }, () => labels[Math.floor(random() * labels.length)]!);
  return { logits: randomArray(T * B * C, 18, -spread, spread), targets, inputLengths, targetLengths };
}

function recordCtc(
  graph: Graph,
  { T, B, C, S, blank = 0 }: CtcBatch,
  attributes: Partial<ops.CtcLossAttributes>,
): void {
  const logits = graph.input('logits', [T, B, C]);
  const loss = ops.ctcLosses(
    {
      logProbabilities: ops.logSoftmax(logits),
      targets: graph.input('targets', [B, S], 'int32'),
      inputLengths: graph.input('inputLengths', [B], 'int32'),
      targetLengths: graph.input('targetLengths', [B], 'int32'),
    },
    { blank, zeroInfinity: false, perLabel: false, ...attributes },
  );
  outputWithGradients(graph, { loss }, { logits });
}

export function ctcCase(
  name: string,
  batch: CtcBatch,
  attributes: Partial<ops.CtcLossAttributes> = {},
): GpuCase {
  const { T, B, C, S } = batch;
  return recorded(
    `CTC [${T},${B},${C}], ${S} labels, ${name}`,
    (graph) => recordCtc(graph, batch, attributes),
    { feeds: ctcFeeds(batch) },
  );
}

const ctc: readonly GpuCase[] = [
  ctcCase('one step', { T: 1, B: 2, C: 2, S: 1 }),
  ctcCase('lengths by chance', { T: 12, B: 5, C: 4, S: 5 }),
  ctcCase('per label, the last class as blank', { T: 12, B: 5, C: 4, S: 5, blank: 3 }, { perLabel: true }),
  ctcCase('one label over and over', { T: 20, B: 3, C: 3, S: 7, highest: 1 }),
  ctcCase('one state more than two a lane', { T: 70, B: 3, C: 5, S: 32 }),
  ctcCase('some lanes with a state more', { T: 150, B: 2, C: 70, S: 66 }),
  ctcCase('hundreds of labels', { T: 700, B: 2, C: 11, S: 300 }),
  ctcCase('empty targets, no input and padding that is no class', {
    T: 6,
    B: 4,
    C: 3,
    S: 2,
    targets: Int32Array.of(-1, -1, 1, -1, -5, 9, 2, 2),
    targetLengths: Int32Array.of(0, 1, 0, 2),
    inputLengths: Int32Array.of(6, 4, 0, 3),
  }),
  ctcCase(
    'inputs too short, zeroInfinity',
    {
      T: 6,
      B: 4,
      C: 3,
      S: 3,
      targets: Int32Array.of(1, 2, 1, 1, 1, 1, 2, 1, 2, 1, 2, 2),
      targetLengths: Int32Array.of(3, 3, 1, 3),
      inputLengths: Int32Array.of(2, 4, 0, 6),
    },
    { zeroInfinity: true },
  ),
  ctcCase('logits of ±10,000', { T: 9, B: 3, C: 4, S: 3, spread: 1e4 }),
  ctcCase('more steps than one dispatch may take', { T: 30_011, B: 2, C: 2, S: 1 }),
  ctcCase('a state short of one a lane', { T: 33, B: 2, C: 4, S: 15 }),
  ctcCase('as speech is', { T: 200, B: 32, C: 29, S: 40 }),
  {
    name: 'CTC without a path has infinite loss and no number for a gradient',
    async run({ executor }) {
      const batch: CtcBatch = {
        T: 3,
        B: 2,
        C: 3,
        S: 2,
        targets: Int32Array.of(1, 1, 1, 2),
        targetLengths: Int32Array.of(2, 2),
        inputLengths: Int32Array.of(2, 3),
      };
      const graph = new Graph('ctc');
      recordCtc(graph, batch, {});
      const plan = await executor.compile(graph);
      const { outputs } = await plan.run(
        { ...ctcFeeds(batch), 'upstream loss': Float32Array.of(1, 1) },
        { read: ['loss', 'd logits'] },
      );
      plan.dispose();
      const [loss, gradient] = [outputs['loss']!, outputs['d logits']!];
      const found = [...loss, gradient[0], gradient[6], gradient[3], gradient[12]].map((x) =>
        Number.isFinite(x) ? 'finite' : String(x),
      );
      const wanted = ['Infinity', 'finite', 'NaN', 'NaN', 'finite', 'finite'];
      if (found.join() !== wanted.join()) throw new Error(`got ${found.join()}, expected ${wanted.join()}`);
    },
  },
];

/** Losses of single numbers, with the range of their targets. */
const POINTWISE: readonly (readonly [
  name: string,
  record: (x: Value, y: Value, options: losses.PointwiseReduction) => Value,
  low: number,
])[] = [
  ['mean squared error', losses.meanSquaredError, -2],
  ['mean absolute error', losses.meanAbsoluteError, -2],
  ['Huber', (x, y, options) => losses.huber(x, y, { ...options, delta: 0.7 }), -2],
  ['binary cross-entropy', losses.binaryCrossEntropyWithLogits, 0],
  [
    'binary cross-entropy with weights',
    (x, y, options) =>
      losses.binaryCrossEntropyWithLogits(x, y, {
        ...options,
        posWeight: x.graph.input('posWeight', [13]),
        weight: x.graph.input('weight', [7, 1]),
      }),
    0,
  ],
];

const pointwise: readonly GpuCase[] = POINTWISE.flatMap(([name, record, low]) =>
  (['mean', 'sum', 'none'] as const).flatMap((reduction) =>
    SWITCHES.map((masked) =>
      recorded(
        `${name} [7,13], ${reduction}${masked ? ', masked' : ''}`,
        (graph) => {
          const [x, y] = [graph.input('x', [7, 13]), graph.input('y', [7, 13])];
          const mask = masked ? graph.input('mask', [7, 13]) : null;
          outputWithGradients(graph, { loss: record(x, y, { reduction, mask }) }, { x, y });
        },
        {
          feeds: {
            x: randomArray(91, 1, -3, 3),
            y: randomArray(91, 2, low, 1),
            mask: randomArray(91, 3, -1, 2).map((m) => Math.max(0, m)),
            posWeight: randomArray(13, 4, 0.2, 3),
          },
        },
      ),
    ),
  ),
);

const extremes: readonly GpuCase[] = [
  recorded(
    'binary cross-entropy of logits of ±10,000',
    (graph) => {
      const [x, y] = [graph.input('x', [6]), graph.input('y', [6])];
      const loss = losses.binaryCrossEntropyWithLogits(x, y, { reduction: 'none' });
      outputWithGradients(graph, { loss }, { x });
    },
    { feeds: { x: Float32Array.of(1e4, -1e4, 1e4, -1e4, 90, -90), y: Float32Array.of(1, 0, 0, 1, 0, 1) } },
  ),
  recorded(
    'CTC from logits, the mean over labels',
    (graph) => {
      const logits = graph.input('logits', [9, 4, 5]);
      const loss = losses.ctcLoss(
        logits,
        graph.input('targets', [4, 3], 'int32'),
        graph.input('inputLengths', [4], 'int32'),
        graph.input('targetLengths', [4], 'int32'),
        { fromLogits: true },
      );
      outputWithGradients(graph, { loss }, { logits });
    },
    { feeds: ctcFeeds({ T: 9, B: 4, C: 5, S: 3 }) },
  ),
];

const metrics: readonly GpuCase[] = [
  ...([1, 3, 9] as const).flatMap((k) =>
    [7, 600].map((V) =>
      recorded(
        `correctTopK [70,${V}], k ${k}`,
        (graph) => {
          const scores = graph.input('scores', [7, 10, V]);
          const correct = ops.correctTopK(scores, graph.input('targets', [7, 10], 'int32'), { k });
          graph.output('correct', correct);
          graph.output('accuracy', ops.mean(correct));
        },
        {
          feeds: {
            // Few different scores, so that many are equal.
            scores: randomArray(70 * V, 9, 0, 12).map(Math.floor),
            targets: randomTokens(70, V + 4, 10).map((target) => target - 2),
          },
        },
      ),
    ),
  ),
  recorded(
    'correctTopK of a score that is no number',
    (graph) => {
      const scores = graph.input('scores', [3, 3]);
      graph.output('correct', ops.correctTopK(scores, graph.input('targets', [3], 'int32'), { k: 3 }));
    },
    {
      feeds: {
        scores: Float32Array.of(1, NaN, 2, NaN, NaN, NaN, 1, 2, 3),
        targets: Int32Array.of(1, 0, 0),
      },
    },
  ),
];

export const cases: readonly GpuCase[] = [...crossEntropies, ...ctc, ...pointwise, ...extremes, ...metrics];
