/**
 * What the self-test computes: small graphs that together run every kernel. They are written with operations alone,
 * as layers and optimizers are no business of `src/gpu/`; what an application records are these operations too.
 */
import { Variable, type Value } from '../../graph/value.js';
import { add, div, maximum, minimum, mul, sub } from '../../ops/binary.js';
import { CELLS, type CellName } from '../../ops/cells.js';
import { concat } from '../../ops/concat.js';
import { correctTopK } from '../../ops/correct-top-k.js';
import { ctcLosses } from '../../ops/ctc-loss.js';
import { dropout } from '../../ops/dropout.js';
import { embedding } from '../../ops/embedding.js';
import { fill } from '../../ops/fill.js';
import { writeTokens } from '../../ops/generate.js';
import { globalNorm } from '../../ops/global-norm.js';
import { linear } from '../../ops/linear.js';
import { matmul } from '../../ops/matmul.js';
import { optimizerUpdate, slotNames, type OptimizerRule } from '../../ops/optimizer-update.js';
import { pointwiseLoss } from '../../ops/pointwise-loss.js';
import { recurrent, type RecurrentInputs, type RecurrentParameters } from '../../ops/recurrent.js';
import { mean, sum } from '../../ops/reduce-sum.js';
import { sequenceMask } from '../../ops/sequence-mask.js';
import { slice } from '../../ops/slice.js';
import { softmaxCrossEntropy } from '../../ops/softmax-cross-entropy.js';
import { logSoftmax, softmax } from '../../ops/softmax.js';
import { transpose } from '../../ops/transpose.js';
import {
  abs,
  exp,
  log,
  neg,
  reciprocal,
  relu,
  sigmoid,
  softplus,
  sqrt,
  square,
  tanh,
} from '../../ops/unary.js';
import type { Exercise } from './exercise.js';

/** One check: a graph, and whose variants it tries. */
export interface SelfTestGraph {
  /** What a user would call it. */
  readonly operation: string;
  readonly record: (exercise: Exercise) => void;
  /** Beginning of the families whose variants are tried, each at one place of the graph; none where it is null. */
  readonly family: string | null;
}

/** How many graphs the others are made of: with their kernels untested, those would come under suspicion too. */
export const FIRST = 3;

/** Operations without variants first: what follows is made of them. */
const basics = (): SelfTestGraph[] => [
  check('arithmetic', (to) => {
    const [a, b, positive] = [to.real([3, 7]), to.real([7]), to.real([3, 1], 0.5, 2)];
    to.compare(
      [...[add, sub, mul, maximum, minimum].map((apply) => apply(a, b)), div(a, positive)],
      [a, b, positive],
    );
  }),
  check('functions', (to) => {
    const [x, positive] = [to.real([5, 13], -4, 4), to.real([5, 13], 0.2, 3)];
    const values = [neg, square, abs, tanh, sigmoid, relu, softplus, exp].map((apply) => apply(x));
    to.compare([...values, ...[log, sqrt, reciprocal].map((apply) => apply(positive))], [x, positive]);
  }),
  check('copies', (to) => {
    const x = to.real([4, 5, 6]);
    const parts = [slice(x, [1, 2, 3], [2, 2, 3]), fill(to.graph, [2, 2, 2], 2.5)];
    to.compare([transpose(x, [2, 0, 1]), concat(parts, 2), sum(x, { axes: [0, 2] })], [x]);
  }),
  check('softmax', (to) => {
    const x = to.real([7, 70], -4, 4);
    to.compare([softmax(x), logSoftmax(x)], [x]);
  }),
  check('dropout', (to) => {
    const x = to.real([130]);
    to.compare([dropout(x, to.whole([], 1000), { p: 0.3, stream: 1 })], [x]);
  }),
  ...[
    [3, 20, 18],
    [67, 31, 130],
    [18, 2051, 33],
  ].map(([m, k, n]) =>
    check(
      'matmul',
      (to) => {
        // As products with weights and their gradients lie: transposed on the right, and on the left.
        const wide = k! > 2000;
        const a = to.real(wide ? [k!, m!] : [m!, k!]);
        if (wide) to.compare([matmul(a, to.real([k!, n!]), { transposeA: true })]);
        else to.compare([linear(a, to.real([n!, k!]), to.real([n!]))]);
      },
      'matmul',
    ),
  ),
  ...[
    [70_001, 1],
    [520, 65],
    // As many loop iterations as an invocation may count on: there are adapters that silently end longer loops.
    [60_000, 16],
  ].map(([rows, width]) =>
    check('sums', (to) => to.compare([mean(to.real([rows!, width!], 0, 1), { axes: 0 })]), 'reduce_sum'),
  ),
  ...[
    [65, 17, 131],
    [65, 8, 131],
    [300, 6, 9],
  ].map(([V, E, count]) =>
    check(
      'embedding',
      (to) => {
        const table = to.real([V!, E!]);
        to.compare([embedding(table, to.whole([count!], V!))], [table]);
      },
      'embedding_backward',
    ),
  ),
  check('cross-entropy', (to) => {
    const logits = to.real([70, 65], -8, 8);
    const [targets, mask] = [to.whole([70], 65), to.real([70], 0, 2)];
    const options = { mask, labelSmoothing: 0.1 };
    to.compare(
      [softmaxCrossEntropy(logits, targets), softmaxCrossEntropy(logits, targets, options)],
      [logits],
    );
  }),
  check('squared error', (to) => {
    const [x, y] = [to.real([70]), to.real([70])];
    to.compare([pointwiseLoss(x, y, 'squared')], [x, y]);
  }),
];

const MOMENTS = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 };
const otherRules = (): OptimizerRule[] => [
  { name: 'sgd', momentum: 0.9, dampening: 0, nesterov: true, weightDecay: 0.1 },
  { name: 'rmsprop', alpha: 0.9, epsilon: 1e-6, weightDecay: 0, momentum: 0.9, centered: true },
  { name: 'adagrad', learningRateDecay: 0.1, weightDecay: 0, initialAccumulatorValue: 0, epsilon: 1e-8 },
  { name: 'adadelta', rho: 0.9, epsilon: 1e-6, weightDecay: 0 },
  { ...MOMENTS, name: 'adamax' },
  { ...MOMENTS, name: 'nadam', momentumDecay: 4e-3, decoupled: false },
  { name: 'lion', beta1: 0.9, beta2: 0.99, weightDecay: 0.1 },
  { name: 'average', weightDecay: 0 },
];

/** An update of two parameters, clipped by norm and by value. */
function optimizer(rule: OptimizerRule): SelfTestGraph {
  return check(rule.name, (to) => {
    const shapes = [[7, 5], [65]];
    const read = (shape: readonly number[]): Value => {
      const initial = (): Float32Array => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.25);
      return to.graph.read(new Variable({ name: 'updated', shape, initial }));
    };
    const parameters = shapes.map(read);
    const slots = slotNames(rule).map(() => shapes.map(read));
    const counters = read([4]);
    const gradients = shapes.map((shape) => to.real(shape));
    const updated = optimizerUpdate({
      rule,
      learningRate: to.real([], 0.1, 0.2),
      clipNorm: to.real([], 0.5, 0.6),
      clipValue: to.real([], 0.03, 0.04),
      gradientNorm: globalNorm(gradients),
      counters,
      parameters,
      gradients,
      slots,
    });
    const before = [counters, ...parameters, ...slots.flat()];
    [updated.counters, ...updated.parameters, ...updated.slots.flat()].forEach((value, i) => {
      const { source } = before[i]!;
      if (source.kind === 'variable') to.graph.update(source.variable, value);
    });
  });
}

/** Sizes of a recurrent layer, and what of its options is on. */
interface LayerOptions extends Partial<Omit<RecurrentInputs, 'cell' | 'x' | 'reverse' | 'direction'>> {
  /** Both directions, and sequences of different lengths. */
  readonly both?: boolean;
  readonly projected?: boolean;
  /** With masks that are drawn, which takes the kernels that know every option. */
  readonly drawn?: boolean;
}

/** A layer with all its gradients; for several sequences with both directions, and lengths. */
function layer(
  cell: CellName,
  B: number,
  { projected = false, drawn = false, ...attributes }: LayerOptions = {},
): SelfTestGraph {
  const [T, I, H] = B > 2 ? [5, 3, 34] : [4, 3, 20];
  return check(
    cell,
    (to) => {
      const { gates, states } = CELLS[cell];
      const [G, R] = [gates.length, projected ? 12 : H];
      const x = to.real([T, B, I]);
      const sources = [x];
      const near = (shape: readonly number[]): Value => {
        // As layers begin: larger weights of a simple cell would magnify rounding from step to step.
        const value = to.real(shape, -1 / Math.sqrt(H), 1 / Math.sqrt(H));
        sources.push(value);
        return value;
      };
      const parameters = (): RecurrentParameters => ({
        weightIh: near([G * H, I]),
        weightHh: near([G * H, R]),
        biasIh: near([G * H]),
        biasHh: near([G * H]),
        weightHr: projected ? near([R, H]) : null,
        ...(attributes.layerNorm && {
          normIh: near([2, G * H]),
          normHh: near([2, G * H]),
          normC: cell === 'lstm' ? near([2, H]) : null,
        }),
        initialStates: states.map((_, s) => near([B, s === 0 ? R : H])),
      });
      const { output, finalStates } = recurrent({
        cell,
        x,
        ...attributes,
        ...parameters(),
        ...(drawn && { training: true, zoneout: states.map(() => 0.2), seed: to.whole([], 1000) }),
        ...(B > 2 && { reverse: parameters(), mask: sequenceMask(to.whole([B], T + 1, 1), T) }),
      });
      to.compare([output, ...finalStates], sources);
    },
    'recurrent',
  );
}

/** A layer with few sequences, and one with many. */
function layers(cell: CellName, options: LayerOptions = {}): SelfTestGraph[] {
  return [layer(cell, 2, options), layer(cell, 17, options)];
}

/** What else a cell can do, each with the kernels that know every option and with those that do not. */
function others(cell: CellName): SelfTestGraph[] {
  const own = { lstm: [{ projected: true }], gru: [{ resetAfter: false }], rnn: [] };
  return [{}, { layerNorm: true }, ...own[cell]].flatMap((options) => [
    ...(Object.keys(options).length > 0 ? layers(cell, options) : []),
    ...layers(cell, { ...options, drawn: true }),
  ]);
}

/** Writes a few tokens with a layer of this cell; with a vocabulary that large, logits are made apart. */
function writing(cell: CellName, V: number, cut = false): SelfTestGraph {
  return check('writing', (to) => {
    const [B, E, H, G] = [3, 6, 12, CELLS[cell].gates.length];
    // As float16 has them too.
    const weight = (rows: number, columns: number, bound: number): Value =>
      to.real([rows, columns], -bound, bound, 2 ** -10);
    const { tokens } = writeTokens({
      cell,
      table: to.real([V, E]),
      layers: [
        { weightIh: weight(G * H, E, 0.3), weightHh: weight(G * H, H, 0.3), biasIh: to.real([G * H]) },
      ],
      states: Object.fromEntries(CELLS[cell].states.map((name) => [name, to.real([1, B, H])])),
      token: to.whole([B], V),
      length: 3,
      outputWeight: weight(V, H, 2),
      outputBias: to.real([V]),
      sampler: {
        temperature: to.real([], 0.8, 0.9),
        topK: cut ? to.whole([], 9, 5) : null,
        topP: cut ? to.real([], 0.7, 0.9) : null,
        seeds: to.whole([B, 2], 2 ** 31),
        position: to.whole([], 9),
      },
    });
    to.compare([tokens]);
  });
}

function ctc(): SelfTestGraph {
  const [T, B, C, S] = [12, 5, 6, 3];
  return check('CTC', (to) => {
    const logits = to.real([T, B, C], -3, 3);
    const loss = ctcLosses(
      {
        logProbabilities: logSoftmax(logits),
        targets: to.whole([B, S], C, 1),
        inputLengths: to.whole([B], T + 1, 8),
        targetLengths: to.whole([B], S + 1, 1),
      },
      { blank: 0, zeroInfinity: false, perLabel: false },
    );
    to.compare([loss], [logits]);
  });
}

/** What usual models are made of; `thorough` adds all other kernels. */
export function selfTestGraphs(thorough: boolean): SelfTestGraph[] {
  return [
    ...basics(),
    optimizer({ ...MOMENTS, name: 'adam', decoupled: true }),
    ...layers('lstm'),
    ...layers('gru'),
    ...layers('rnn'),
    writing('lstm', 65),
    writing('gru', 65),
    writing('rnn', 65, true),
    ...(thorough
      ? [
          ...otherRules().map(optimizer),
          check('correct of k', (to) => {
            to.compare([correctTopK(to.real([70, 9]), to.whole([70], 9), { k: 2 })]);
          }),
          ctc(),
          ...(['lstm', 'gru', 'rnn'] as const).flatMap(others),
          writing('lstm', 3000),
        ]
      : []),
  ];
}

function check(
  operation: string,
  record: (exercise: Exercise) => void,
  family: string | null = null,
): SelfTestGraph {
  return { operation, record, family };
}
