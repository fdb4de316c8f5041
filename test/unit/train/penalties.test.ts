/** Penalties add what their formulas say, to the parameters they name, and pull weights towards zero. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { Variable } from '../../../src/graph/value.js';
import { activityPenalty, weightPenalty, type WeightPenalty } from '../../../src/train/penalties.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real } from '../support/evaluate.js';

const PARAMETERS = new Map(
  [
    ['rnn.weight', [1, -2]],
    ['rnn.bias_ih_l0', [3, 4]],
    ['bias', [-5, 6]],
  ].map(([name, data]) => [
    name as string,
    new Variable({ name: name as string, shape: [2], initial: () => Float64Array.from(data as number[]) }),
  ]),
);

async function penaltyOf(options: WeightPenalty): Promise<number> {
  const executor = new CpuExecutor({ precision: 'float64' });
  const graph = new Graph('penalty');
  graph.output('penalty', weightPenalty(graph, PARAMETERS, options));
  const { outputs } = await (await executor.compile(graph)).run({}, { read: ['penalty'] });
  return outputs['penalty']![0]!;
}

describe('weightPenalty', () => {
  it.each<[WeightPenalty, number]>([
    [{ l2: 0.1 }, 0.5],
    [{ l1: 0.1 }, 0.3],
    [{ l1: 0.1, l2: 0.01, match: /bias/ }, 0.1 * 18 + 0.01 * 86],
    [{ l2: 1, match: ['bias', 'rnn.weight'] }, 66],
  ])('%j', async (options, expected) => {
    expectClose([await penaltyOf(options)], [expected]);
  });

  it.each<[WeightPenalty, RegExp]>([
    [{}, /l1 and l2 are 0/],
    [{ l2: -1 }, /l2 is -1/],
    [{ l1: 1, match: 'weight' }, /match fits none of the parameters/],
    [{ l3: 1 } as never, /no option "l3"/],
  ])('refuses %j', (options, message) => {
    const record = (): unknown => weightPenalty(new Graph('g'), PARAMETERS, options);
    expect(record).toThrow(ArgumentError);
    expect(record).toThrow(message);
  });
});

describe('activityPenalty', () => {
  const x = real([2, 3, 1], [1, -2, 3, -4, 5, -6]);
  it('is a mean over the batch', async () => {
    const [byTime, byRow] = await evaluate({ x }, ({ x }) => [
      activityPenalty(x, { l1: 0.3, l2: 0.6 }),
      activityPenalty(x, { l2: 0.6, batchAxis: 0 }),
    ]);
    expectClose(byTime!, [(0.3 * 21 + 0.6 * 91) / 3]);
    expectClose(byRow!, [(0.6 * 91) / 2]);
  });
  it('has a gradient', async () => {
    await checkGradients({ inputs: { x }, record: ({ x }) => [activityPenalty(x, { l1: 0.3, l2: 0.6 })] });
  });
  it('refuses an axis that x does not have', () => {
    const value = new Graph('g').input('x', [2, 3]);
    expect(() => activityPenalty(value, { l2: 1, batchAxis: 2 })).toThrow(ShapeError);
  });
});
