/** The losses of `nn`: values against their definitions, gradients against differences, and what they refuse. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable, type Value } from '../../../src/graph/value.js';
import * as losses from '../../../src/nn/losses.js';
import { gradients, logSoftmax, pointwiseLoss, sum } from '../../../src/ops/index.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real, whole } from '../support/evaluate.js';

const SHAPE = [2, 3] as const;
const PREDICTION = [1.5, -0.7, 0.2, 2.4, -1.9, 0.6];
const TARGET = [1.1, 0.9, -0.4, 0.3, -0.2, 0.5];
/** For binary cross-entropy: from 0 to 1. */
const CHANCES = [1, 0, 0.25, 0.8, 0, 1];
const MASK = [1, 0, 2, 0.5, 1, 0];

type Reduction = 'mean' | 'sum' | 'none';
const REDUCTIONS: readonly Reduction[] = ['mean', 'sum', 'none'];

const constant = (graph: Graph, shape: readonly number[], numbers: readonly number[]): Value =>
  graph.read(new Variable({ name: 'constant', shape, initial: () => Float64Array.from(numbers) }));

function reduced(each: readonly number[], reduction: Reduction, mask?: readonly number[]): number[] {
  const counted = each.map((x, i) => x * (mask?.[i] ?? 1));
  const total = counted.reduce((a, b) => a + b);
  const divisor = mask ? mask.reduce((a, b) => a + b) : each.length;
  return reduction === 'none' ? counted : [reduction === 'sum' ? total : total / divisor];
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const huber = (e: number, delta: number): number =>
  Math.abs(e) <= delta ? 0.5 * e * e : delta * (Math.abs(e) - 0.5 * delta);
const errors = PREDICTION.map((x, i) => x - TARGET[i]!);
const POS_WEIGHT = [0.5, 1, 3];
const WEIGHT = [2, 0.25];

/** A loss under test: what it records, its targets, and each element's loss by definition. */
interface Tested {
  readonly name: string;
  readonly record: (x: Value, y: Value, options: losses.PointwiseReduction) => Value;
  readonly target: readonly number[];
  readonly each: readonly number[];
}

const TESTED: readonly Tested[] = [
  {
    name: 'meanSquaredError',
    record: losses.meanSquaredError,
    target: TARGET,
    each: errors.map((e) => e * e),
  },
  { name: 'meanAbsoluteError', record: losses.meanAbsoluteError, target: TARGET, each: errors.map(Math.abs) },
  { name: 'huber', record: losses.huber, target: TARGET, each: errors.map((e) => huber(e, 1)) },
  {
    name: 'huber with delta 0.5',
    record: (x, y, options) => losses.huber(x, y, { ...options, delta: 0.5 }),
    target: TARGET,
    each: errors.map((e) => huber(e, 0.5)),
  },
  {
    name: 'binaryCrossEntropyWithLogits',
    record: losses.binaryCrossEntropyWithLogits,
    target: CHANCES,
    each: PREDICTION.map(
      (x, i) => -CHANCES[i]! * Math.log(sigmoid(x)) - (1 - CHANCES[i]!) * Math.log(1 - sigmoid(x)),
    ),
  },
  {
    name: 'binaryCrossEntropyWithLogits with weights of classes and rows',
    record: (x, y, options) =>
      losses.binaryCrossEntropyWithLogits(x, y, {
        ...options,
        posWeight: constant(x.graph, [3], POS_WEIGHT),
        weight: constant(x.graph, [2, 1], WEIGHT),
      }),
    target: CHANCES,
    each: PREDICTION.map((x, i) => {
      const positive = POS_WEIGHT[i % 3]! * CHANCES[i]! * Math.log(sigmoid(x));
      const negative = (1 - CHANCES[i]!) * Math.log(1 - sigmoid(x));
      return -WEIGHT[Math.floor(i / 3)]! * (positive + negative);
    }),
  },
];

describe.each(TESTED)('$name', ({ record, target, each }) => {
  const inputs = { x: real(SHAPE, PREDICTION), y: real(SHAPE, target) };
  const cases = REDUCTIONS.flatMap((reduction) => [false, true].map((masked) => ({ reduction, masked })));
  it.each(cases)('is what it is defined to be, %j', async ({ reduction, masked }) => {
    const [loss] = await evaluate(inputs, ({ x, y }, graph) => [
      record(x, y, { reduction, mask: masked ? constant(graph, SHAPE, MASK) : null }),
    ]);
    expectClose(loss!, reduced(each, reduction, masked ? MASK : undefined));
  });
  it.each(cases)('has the right gradients by both, %j', async ({ reduction, masked }) => {
    await checkGradients({
      inputs,
      record: ({ x, y }, graph) => [
        record(x, y, { reduction, mask: masked ? constant(graph, SHAPE, MASK) : null }),
      ],
    });
  });
  it('takes the mean of its elements by default', async () => {
    const [loss] = await evaluate(inputs, ({ x, y }) => [record(x, y, {})]);
    expectClose(loss!, reduced(each, 'mean'));
  });
  it('broadcasts a mask of rows', async () => {
    const [loss] = await evaluate(inputs, ({ x, y }, graph) => [
      record(x, y, { mask: constant(graph, [2, 1], [0, 3]) }),
    ]);
    expectClose(loss!, reduced(each.slice(3), 'mean'));
  });
  it('is 0 where nothing counts', async () => {
    const results = await evaluate(inputs, ({ x, y }, graph) => {
      const loss = record(x, y, { mask: constant(graph, [1], [0]) });
      return [loss, ...gradients(loss, [x])];
    });
    expect(results.flatMap((result) => [...result].map(Math.abs))).toEqual(new Array(7).fill(0));
  });
  it('has a gradient by its mask', async () => {
    await checkGradients({
      inputs: { ...inputs, mask: real([2, 1], [0.5, 1.5]) },
      record: ({ x, y, mask }) => [record(x, y, { mask })],
    });
  });
});

describe('pointwise losses', () => {
  it('of logits and errors of ±10,000 are finite and exact', async () => {
    const inputs = { x: real([4], [1e4, -1e4, 1e4, -1e4]), y: real([4], [1, 0, 0, 1]) };
    const [cross, dCross, squared, far] = await evaluate(inputs, ({ x, y }) => {
      const loss = losses.binaryCrossEntropyWithLogits(x, y, { reduction: 'none' });
      return [
        loss,
        gradients(sum(loss), [x])[0]!,
        losses.meanSquaredError(x, y, { reduction: 'none' }),
        losses.huber(x, y, { reduction: 'none' }),
      ];
    });
    expectClose(cross!, [0, 0, 1e4, 1e4]);
    expectClose(dCross!, [0, 0, 1, -1]);
    expectClose(squared!, [9999 ** 2, 1e8, 1e8, 10001 ** 2]);
    expectClose(far!, [9998.5, 9999.5, 9999.5, 10000.5]);
  });
  it('have derivative 0 where prediction and target are equal', async () => {
    const inputs = { x: real([2], [1, -3]), y: real([2], [1, -3]) };
    const [absolute, round] = await evaluate(inputs, ({ x, y }) => [
      gradients(losses.meanAbsoluteError(x, y), [x])[0]!,
      gradients(losses.huber(x, y), [x])[0]!,
    ]);
    expect([...absolute!, ...round!]).toEqual([0, 0, 0, 0]);
  });

  const graph = new Graph('test');
  const matrix = graph.input('matrix', [2, 3]);
  const row = graph.input('row', [3]);
  const column = graph.input('column', [2]);
  const cube = graph.input('cube', [4, 2, 3]);
  const flags = graph.input('flags', [2, 3], 'int32');
  it.each([
    [
      'other shapes',
      () => losses.huber(matrix, row),
      ShapeError,
      /huber: prediction has shape \[2,3\], target \[3\]/,
    ],
    [
      'other shapes of logits',
      () => losses.binaryCrossEntropyWithLogits(matrix, row),
      ShapeError,
      /logits have shape \[2,3\], targets \[3\]/,
    ],
    ['whole targets', () => losses.meanSquaredError(matrix, flags), ShapeError, /target holds int32/],
    [
      'a delta of 0',
      () => losses.huber(matrix, matrix, { delta: 0 }),
      ArgumentError,
      /huber: delta is 0.*greater than 0/,
    ],
    [
      'a mask that is larger',
      () => losses.meanAbsoluteError(matrix, matrix, { mask: cube }),
      ShapeError,
      /mask has shape \[4,2,3\], the losses \[2,3\]/,
    ],
    ['a mask of flags', () => losses.huber(matrix, matrix, { mask: flags }), ShapeError, /mask holds int32/],
    [
      'a weight that does not fit',
      () => losses.binaryCrossEntropyWithLogits(matrix, matrix, { weight: column }),
      ShapeError,
      /weight: shapes \[2\] and \[2,3\] do not broadcast/,
    ],
    [
      'a weight of positives that does not fit',
      () => losses.binaryCrossEntropyWithLogits(matrix, matrix, { posWeight: column }),
      ShapeError,
      /posWeight has shape \[2\]/,
    ],
    [
      'a weight of positives for squares',
      () => pointwiseLoss(matrix, matrix, 'squared', { posWeight: row }),
      ShapeError,
      /posWeight/,
    ],
    [
      'a weight of positives that is differentiated',
      () => gradients(losses.binaryCrossEntropyWithLogits(matrix, matrix, { posWeight: row }), [row]),
      ArgumentError,
      /posWeight is differentiated.*stopGradient/,
    ],
    [
      'no such reduction',
      () => losses.meanSquaredError(matrix, matrix, { reduction: 'max' as 'mean' }),
      ArgumentError,
      /meanSquaredError: reduction is "max"/,
    ],
    [
      'no such option',
      () => losses.meanSquaredError(matrix, matrix, { weight: row } as object),
      ArgumentError,
      /no option "weight"/,
    ],
  ])('refuse %s', (_name, call, type, message) => {
    expect(call).toThrow(type);
    expect(call).toThrow(message);
  });
});

describe('ctcLoss', () => {
  const inputs = {
    x: real(
      [4, 3, 3],
      [...Array(36).keys()].map((i) => Math.sin(3 * i)),
    ),
    y: whole([3, 2], [1, 2, 2, 0, 0, 0]),
    inputLengths: whole([3], [4, 3, 2]),
    targetLengths: whole([3], [2, 1, 0]),
  };
  const run = (options: losses.CtcLossOptions, normalize = true) =>
    evaluate(inputs, (v) => [
      losses.ctcLoss(normalize ? logSoftmax(v.x) : v.x, v.y, v.inputLengths, v.targetLengths, options),
    ]);

  it('divides by target lengths for a mean, by nothing for a sum', async () => {
    const [none] = await run({ reduction: 'none' });
    const [one, two, three] = [...none!] as [number, number, number];
    expectClose((await run({ reduction: 'sum' }))[0]!, [one + two + three]);
    expectClose((await run({}))[0]!, [(one / 2 + two + three) / 3]);
  });
  it('takes the log softmax of logits', async () => {
    expectClose((await run({ fromLogits: true }, false))[0]!, (await run({}))[0]!);
  });
  it.each(REDUCTIONS)('has the right gradient, reduction %s', async (reduction) => {
    await checkGradients({
      inputs,
      record: (v) => [
        losses.ctcLoss(v.x, v.y, v.inputLengths, v.targetLengths, { reduction, fromLogits: true }),
      ],
    });
  });
  it('refuses what it does not know', async () => {
    await expect(run({ reduction: 'max' as 'mean' })).rejects.toThrow(/reduction is "max"/);
    await expect(run({ blanks: 1 } as object)).rejects.toThrow(/no option "blanks"/);
    await expect(run({ fromLogits: 1 as unknown as boolean })).rejects.toThrow(/fromLogits is 1/);
  });
});
