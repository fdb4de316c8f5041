/** The optimizers' rules, over several steps, against PyTorch's pseudocode worked out with plain numbers. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import { globalNorm } from '../../../src/ops/global-norm.js';
import { optimizerUpdate, slotNames, type OptimizerRule } from '../../../src/ops/optimizer-update.js';
import { expectClose } from '../support/evaluate.js';

const START = [0.5, -1.25];
const LEARNING_RATE = 0.1;
const GRADIENTS = [
  [0.3, -0.7],
  [-0.2, 0.4],
  [0.9, 0.1],
  [0.05, -0.6],
];

interface Run {
  readonly parameters: number[][];
  readonly slots: Record<string, number[]>;
  readonly counters: number[];
}

/** Applies a rule to two parameters of one element each, a step a gradient. */
async function run(
  rule: OptimizerRule,
  gradients: readonly (readonly number[])[] = GRADIENTS,
  clipNorm = 0,
): Promise<Run> {
  const executor = new CpuExecutor({ precision: 'float64' });
  const graph = new Graph('update');
  const names = slotNames(rule);
  const parameters = START.map(
    (value, i) => new Variable({ name: `p${i}`, shape: [1], initial: () => Float64Array.of(value) }),
  );
  const slots = names.map((name) =>
    parameters.map((p) => new Variable({ name: `${p.name}.${name}`, shape: [1] })),
  );
  const counters = new Variable({ name: 'counters', shape: [4] });
  const values = START.map((_, i) => graph.input(`g${i}`, [1]));
  const updated = optimizerUpdate({
    rule,
    learningRate: graph.scalar('learningRate'),
    gradientNorm: globalNorm(values),
    clipNorm: graph.scalar('clipNorm'),
    counters: graph.read(counters),
    parameters: parameters.map((p) => graph.read(p)),
    gradients: values,
    slots: slots.map((list) => list.map((slot) => graph.read(slot))),
  });
  graph.update(counters, updated.counters);
  parameters.forEach((p, i) => graph.update(p, updated.parameters[i]!));
  slots.forEach((list, k) => list.forEach((slot, i) => graph.update(slot, updated.slots[k]![i]!)));
  const plan = await executor.compile(graph);
  const history: number[][] = [];
  for (const [g0, g1] of gradients) {
    const feeds = {
      g0: Float64Array.of(g0!),
      g1: Float64Array.of(g1!),
      learningRate: LEARNING_RATE,
      clipNorm,
    };
    await plan.run(feeds);
    history.push(await Promise.all(parameters.map(async (p) => (await executor.read(p))[0]!)));
  }
  const slotValues: Record<string, number[]> = {};
  for (const [k, name] of names.entries()) {
    slotValues[name] = await Promise.all(slots[k]!.map(async (slot) => (await executor.read(slot))[0]!));
  }
  const result = { parameters: history, slots: slotValues, counters: [...(await executor.read(counters))] };
  executor.dispose();
  return result;
}

/** Runs one parameter at a time through a function of gradient and step. */
function expected(
  step: (i: number) => (p: number, g: number, t: number) => number,
  gradients = GRADIENTS,
): number[][] {
  const current = [...START];
  const steps = current.map((_, i) => step(i));
  return gradients.map((row, t) => row.map((g, i) => (current[i] = steps[i]!(current[i]!, g, t + 1))));
}

function expectHistory(got: Run, wanted: number[][]): void {
  expect(got.parameters.length).toBe(wanted.length);
  got.parameters.forEach((row, t) => expectClose(row, wanted[t]!));
}

const sgd = { name: 'sgd', momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 } as const;
const adam = {
  name: 'adam',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  decoupled: false,
} as const;
const rmsprop = {
  name: 'rmsprop',
  alpha: 0.99,
  epsilon: 1e-8,
  weightDecay: 0,
  momentum: 0,
  centered: false,
} as const;

describe('sgd', () => {
  it('plain', async () => {
    const got = await run(sgd);
    expectHistory(
      got,
      expected(() => (p, g) => p - 0.1 * g),
    );
    expect(got.counters).toEqual([4, 0, 0, 0]);
  });
  it('weight decay', async () => {
    expectHistory(
      await run({ ...sgd, weightDecay: 0.05 }),
      expected(() => (p, g) => p - 0.1 * (g + 0.05 * p)),
    );
  });
  it('momentum: the first step takes the gradient whole, dampening begins at the second', async () => {
    const got = await run({ ...sgd, momentum: 0.9, dampening: 0.25 });
    expectClose(got.parameters[0]!, [0.5 - 0.1 * 0.3, -1.25 + 0.1 * 0.7]);
    const buffers: number[] = [];
    expectHistory(
      got,
      expected((i) => (p, g, t) => {
        buffers[i] = t === 1 ? g : 0.9 * buffers[i]! + 0.75 * g;
        return p - 0.1 * buffers[i];
      }),
    );
    expectClose(got.slots['momentum_buffer']!, buffers);
  });
  it('Nesterov momentum with weight decay', async () => {
    expectHistory(
      await run({ ...sgd, momentum: 0.8, nesterov: true, weightDecay: 0.02 }),
      expected(() => {
        let buffer = 0;
        return (p, gradient, t) => {
          const g = gradient + 0.02 * p;
          buffer = t === 1 ? g : 0.8 * buffer + g;
          return p - 0.1 * (g + 0.8 * buffer);
        };
      }),
    );
  });
});

describe('adam', () => {
  const reference = (weightDecay: number, decoupled: boolean): number[][] =>
    expected(() => {
      let m = 0;
      let v = 0;
      return (p, gradient, t) => {
        const g = decoupled ? gradient : gradient + weightDecay * p;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        const unbiased = m / (1 - 0.9 ** t);
        const shrunk = decoupled ? p - 0.1 * weightDecay * p : p;
        return shrunk - (0.1 * unbiased) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
      };
    });
  it('plain, with its counters', async () => {
    const got = await run(adam);
    expectHistory(got, reference(0, false));
    expectClose(got.counters, [4, 0, 1 - 0.9 ** 4, 1 - 0.999 ** 4]);
    expect(Object.keys(got.slots)).toEqual(['exp_avg', 'exp_avg_sq']);
  });
  it('weight decay in the gradient', async () => {
    expectHistory(await run({ ...adam, weightDecay: 0.1 }), reference(0.1, false));
  });
  it('weight decay decoupled, as AdamW', async () => {
    expectHistory(await run({ ...adam, weightDecay: 0.1, decoupled: true }), reference(0.1, true));
  });
  it('its first step is the learning rate, whatever the size of the gradient', async () => {
    const { parameters } = await run(adam, [[1e-3, -500]]);
    expectClose(parameters[0]!, [0.5 - 0.1, -1.25 + 0.1], {
      value: 1e-5,
      reason: 'epsilon against a gradient of 1e-3',
    });
  });
});

describe('rmsprop', () => {
  const reference = (centered: boolean, momentum: number, weightDecay: number): number[][] =>
    expected(() => {
      let square = 0;
      let mean = 0;
      let buffer = 0;
      return (p, gradient) => {
        const g = gradient + weightDecay * p;
        square = 0.99 * square + 0.01 * g * g;
        mean = 0.99 * mean + 0.01 * g;
        buffer = momentum * buffer + g / (Math.sqrt(centered ? square - mean * mean : square) + 1e-8);
        return p - 0.1 * buffer;
      };
    });
  it('plain', async () => {
    const got = await run(rmsprop);
    expectHistory(got, reference(false, 0, 0));
    expect(got.counters).toEqual([4, 0, 0, 0]);
  });
  it('centered, with momentum and weight decay', async () => {
    const got = await run({ ...rmsprop, centered: true, momentum: 0.9, weightDecay: 0.03 });
    expectHistory(got, reference(true, 0.9, 0.03));
    expect(Object.keys(got.slots)).toEqual(['square_avg', 'grad_avg', 'momentum_buffer']);
  });
  it('with momentum alone', async () => {
    expectHistory(await run({ ...rmsprop, momentum: 0.5 }), reference(false, 0.5, 0));
  });
});

describe('clipping and skipping', () => {
  it('scales gradients to the norm asked for, and leaves smaller ones alone', async () => {
    const { parameters } = await run(
      sgd,
      [
        [3, 4],
        [0.3, 0.4],
      ],
      1,
    );
    const scale = 1 / (5 + 1e-6);
    const first = [0.5 - 0.1 * 3 * scale, -1.25 - 0.1 * 4 * scale];
    expectClose(parameters[0]!, first);
    expectClose(parameters[1]!, [first[0]! - 0.03, first[1]! - 0.04]);
  });
  it.each([NaN, Infinity, -Infinity])(
    'a gradient of %f changes nothing but the count of skipped updates',
    async (bad) => {
      for (const rule of [{ ...sgd, momentum: 0.9 }, adam, rmsprop]) {
        const skipped = await run(rule, [GRADIENTS[0]!, [0.1, bad], GRADIENTS[1]!], 5);
        const plain = await run(rule, [GRADIENTS[0]!, GRADIENTS[1]!], 5);
        expect(skipped.parameters[1]).toEqual(skipped.parameters[0]);
        expect(skipped.parameters[2]).toEqual(plain.parameters[1]);
        expect(skipped.slots).toEqual(plain.slots);
        expect(skipped.counters).toEqual([2, 1, ...plain.counters.slice(2)]);
      }
    },
  );
  it('a skipped first update leaves the first momentum step to the next', async () => {
    const { parameters } = await run({ ...sgd, momentum: 0.9, dampening: 0.5 }, [
      [NaN, 0],
      [0.3, -0.7],
    ]);
    expectClose(parameters[1]!, [0.5 - 0.03, -1.25 + 0.07]);
  });
});
