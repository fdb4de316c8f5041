/** Losses on the GPU against the reference, with every option, and their gradients. */
import type { Graph } from '../../../src/graph/graph.js';
import * as ops from '../../../src/ops/index.js';
import type { GpuCase } from '../case.js';
import {
  compareExecutors,
  outputWithGradients,
  randomArray,
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

export const cases: readonly GpuCase[] = [...crossEntropies];
