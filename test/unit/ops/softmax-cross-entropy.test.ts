/** Cross-entropy with its options: values against the definition written out, gradients against differences. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import type { Shape } from '../../../src/graph/shape.js';
import { Variable, type Value } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real, whole } from '../support/evaluate.js';
import { randomArray, randomSource } from '../support/random.js';

const random = randomSource(21);
const V = 5;
const LOGITS = randomArray(random, 3 * 2 * V, -3, 3);
const WEIGHT = [0.5, 2, 1.25, 0, 0.75];
const MASK = [1, 0, 0.5, 2, 1, 0.25];
/** With the ignored one, and class 3, whose weight is 0. */
const TARGETS = [4, 2, -100, 0, 3, 2];

/** Which options a case uses. */
interface Options {
  readonly reduction: ops.Reduction;
  readonly ignoring: boolean;
  readonly weighted: boolean;
  readonly masked: boolean;
  readonly labelSmoothing: number;
}

const SWITCHES = [false, true];
const combinations: Options[] = (['mean', 'sum', 'none'] as const).flatMap((reduction) =>
  SWITCHES.flatMap((ignoring) =>
    SWITCHES.flatMap((weighted) =>
      SWITCHES.flatMap((masked) =>
        [0, 0.3].map((labelSmoothing) => ({ reduction, ignoring, weighted, masked, labelSmoothing })),
      ),
    ),
  ),
);

/** Where nothing is to be ignored, −100 is replaced by a class. */
const targetsOf = ({ ignoring }: Options): number[] => TARGETS.map((t) => (t === -100 && !ignoring ? 1 : t));

const inputsOf = (options: Options) => ({
  logits: real([3, 2, V], LOGITS),
  targets: whole([3, 2], targetsOf(options)),
});

/** Numbers that are not differentiated. */
const constant = (graph: Graph, shape: Shape, numbers: readonly number[]): Value =>
  graph.read(new Variable({ name: 'constant', shape, initial: () => Float64Array.from(numbers) }));

function optionsOf({ reduction, weighted, masked }: Options, graph: Graph): ops.NllLossOptions {
  return {
    reduction,
    weight: weighted ? constant(graph, [V], WEIGHT) : null,
    mask: masked ? constant(graph, [3, 2], MASK) : null,
  };
}

function record(options: Options, logits: Value, targets: Value): Value {
  const { ignoring, labelSmoothing } = options;
  return ops.softmaxCrossEntropy(logits, targets, {
    ...optionsOf(options, logits.graph),
    labelSmoothing,
    ...(!ignoring && { ignoreIndex: null }),
  });
}

/** The losses by their definition, with probabilities that are not kept stable. */
function byDefinition(options: Options): number[] {
  const { weighted, masked, reduction, labelSmoothing: s } = options;
  const targets = targetsOf(options);
  const w = weighted ? WEIGHT : [1, 1, 1, 1, 1];
  let divisor = 0;
  const losses = targets.map((target, row) => {
    if (target === -100) return 0;
    const scores = [...LOGITS.slice(row * V, (row + 1) * V)].map((x) => Math.exp(x));
    const total = scores.reduce((a, b) => a + b);
    const nll = scores.map((x) => -Math.log(x / total));
    const m = masked ? MASK[row]! : 1;
    divisor += m * w[target]!;
    const smooth = nll.reduce((sum, x, c) => sum + (w[c]! * x) / V, 0);
    return m * ((1 - s) * w[target]! * nll[target]! + s * smooth);
  });
  const sum = losses.reduce((a, b) => a + b);
  return reduction === 'none' ? losses : [reduction === 'sum' ? sum : sum / divisor];
}

const describeOptions = (options: Options): string =>
  Object.entries(options)
    .filter(([, value]) => value !== false && value !== 0)
    .map(([name, value]) => (value === true ? name : `${name} ${value}`))
    .join(', ');

describe.each(combinations.map((options) => [describeOptions(options), options] as const))(
  'softmaxCrossEntropy, %s',
  (_name, options) => {
    it('is what it is defined to be', async () => {
      const [loss] = await evaluate(inputsOf(options), (v) => [record(options, v.logits, v.targets)]);
      expectClose(loss!, byDefinition(options));
    });
    it('has the right gradient', async () => {
      await checkGradients({
        inputs: inputsOf(options),
        record: ({ logits, targets }) => [record(options, logits, targets)],
      });
    });
  },
);

describe('softmaxCrossEntropy', () => {
  it('ignores a class that is named', async () => {
    const inputs = { logits: real([2, 3], [1, 2, 3, 3, 2, 1]), targets: whole([2], [0, 1]) };
    const [loss, dLogits] = await evaluate(inputs, ({ logits, targets }) => {
      const result = ops.softmaxCrossEntropy(logits, targets, { ignoreIndex: 1 });
      return [result, ops.gradients(result, [logits])[0]!];
    });
    expectClose(loss!, [Math.log(1 + Math.E + Math.E ** 2)]);
    expect([...dLogits!.slice(3)]).toEqual([0, 0, 0]);
  });
  it('is 0, with no gradient, where nothing counts', async () => {
    const inputs = { logits: real([2, 3], [1, 2, 3, 3, 2, 1]), targets: whole([2], [-100, -100]) };
    const results = await evaluate(inputs, ({ logits, targets }) => {
      const loss = ops.softmaxCrossEntropy(logits, targets);
      return [loss, ops.gradients(loss, [logits])[0]!];
    });
    expect(results.map((result) => [...result])).toEqual([[0], [0, 0, 0, 0, 0, 0]]);
  });
  it('refuses the targets that it is not told to ignore', async () => {
    const inputs = { logits: real([1, 3], [1, 2, 3]), targets: whole([1], [-100]) };
    await expect(
      evaluate(inputs, ({ logits, targets }) => [
        ops.softmaxCrossEntropy(logits, targets, { ignoreIndex: null }),
      ]),
    ).rejects.toThrow(/class -100 at place 0/);
    await expect(
      evaluate(inputs, ({ logits, targets }) => [
        ops.softmaxCrossEntropy(logits, targets, { ignoreIndex: -1 }),
      ]),
    ).rejects.toThrow(/from 0 to 2, or -1 to ignore one/);
  });

  const graph = new Graph('test');
  const logits = graph.input('logits', [3, 4]);
  const targets = graph.input('targets', [3], 'int32');
  const four = graph.input('four', [4]);
  const three = graph.input('three', [3]);
  const apply = (options: ops.SoftmaxCrossEntropyOptions) => () =>
    ops.softmaxCrossEntropy(logits, targets, options);
  it.each([
    ['smoothing of 1', apply({ labelSmoothing: 1 }), ArgumentError, /labelSmoothing is 1.*less than 1/],
    ['negative smoothing', apply({ labelSmoothing: -0.1 }), ArgumentError, /labelSmoothing is -0.1/],
    ['a fraction to ignore', apply({ ignoreIndex: 0.5 }), ArgumentError, /ignoreIndex is 0.5.*or null/],
    ['too large an index', apply({ ignoreIndex: 2 ** 31 }), ArgumentError, /ignoreIndex is 2147483648/],
    ['weights of targets', apply({ weight: three }), ShapeError, /weight has shape \[3\].*\[4\], which is/],
    ['a mask of classes', apply({ mask: four }), ShapeError, /mask has shape \[4\].*\[3\]/],
    ['a mask of whole numbers', apply({ mask: targets }), ShapeError, /mask holds int32/],
    ['no such reduction', apply({ reduction: 'max' as 'mean' }), ArgumentError, /reduction is "max"/],
    ['no such option', apply({ weights: four } as object), ArgumentError, /no option "weights"/],
    [
      'a mask that is differentiated',
      () => ops.gradients(apply({ mask: ops.mul(three, 2) })(), [three]),
      ArgumentError,
      /its mask is differentiated.*stopGradient/,
    ],
    [
      'a weight that is differentiated',
      () => ops.gradients(apply({ weight: four })(), [four]),
      ArgumentError,
      /its weight is differentiated/,
    ],
  ])('refuses %s', (_name, call, type, message) => {
    expect(call).toThrow(type);
    expect(call).toThrow(message);
  });
});

describe.each(combinations.filter(({ labelSmoothing }) => labelSmoothing === 0))('nllLoss, %j', (options) => {
  const ignoreIndex = options.ignoring ? -100 : null;
  it('after logSoftmax is cross-entropy', async () => {
    const [loss] = await evaluate(inputsOf(options), ({ logits, targets }, graph) => [
      ops.nllLoss(ops.logSoftmax(logits), targets, { ...optionsOf(options, graph), ignoreIndex }),
    ]);
    expectClose(loss!, byDefinition(options));
  });
  it('has the right gradient', async () => {
    await checkGradients({
      inputs: inputsOf(options),
      record: ({ logits, targets }, graph) => [
        ops.nllLoss(logits, targets, { ...optionsOf(options, graph), ignoreIndex }),
      ],
    });
  });
});

describe('nllLoss', () => {
  it('has no label smoothing', () => {
    const graph = new Graph('test');
    const call = () =>
      ops.nllLoss(graph.input('x', [3]), graph.input('y', [], 'int32'), { labelSmoothing: 0.1 } as object);
    expect(call).toThrow(/no option "labelSmoothing"/);
  });
});
