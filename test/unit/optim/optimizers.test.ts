/** Optimizers have PyTorch's defaults, check their ranges, and follow their formulas through a Trainer. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import { Adadelta } from '../../../src/optim/adadelta.js';
import { Adagrad } from '../../../src/optim/adagrad.js';
import { Adam, AdamW } from '../../../src/optim/adam.js';
import { Adamax } from '../../../src/optim/adamax.js';
import { Lion } from '../../../src/optim/lion.js';
import { NAdam } from '../../../src/optim/nadam.js';
import type { Optimizer } from '../../../src/optim/optimizer.js';
import { RMSprop } from '../../../src/optim/rmsprop.js';
import { SGD } from '../../../src/optim/sgd.js';
import { add, mul, sub } from '../../../src/ops/binary.js';
import { sum } from '../../../src/ops/reduce-sum.js';
import { square } from '../../../src/ops/unary.js';
import { Trainer } from '../../../src/train/trainer.js';

/** Minimises Σ scale·(w − target)², whose gradient is 2·scale·(w − target), and gives w after each step. */
async function descend(
  optimizer: Optimizer,
  steps: number,
  clipNorm = 0,
  clipValue = 0,
): Promise<number[][]> {
  const executor = new CpuExecutor({ precision: 'float64' });
  const w = new Variable({ name: 'w', shape: [2], initial: () => Float64Array.from(START) });
  const trainer = new Trainer({
    executor,
    optimizer,
    clipNorm,
    clipValue,
    parameters: new Map([['w', w]]),
    record: (graph, { target, scale }) => sum(mul(scale!, square(sub(graph.read(w), target!)))),
  });
  const path: number[][] = [];
  for (let i = 0; i < steps; i++) {
    await trainer.step({
      target: { shape: [2], data: Float64Array.from(TARGET) },
      scale: { shape: [2], data: Float64Array.from(SCALE) },
    });
    path.push(Array.from(await executor.read(w)));
  }
  return path;
}

const START = [1, -2];
const TARGET = [0.5, 3];
const SCALE = [1, 0.25];
const gradient = (w: readonly number[]): number[] => w.map((x, i) => 2 * SCALE[i]! * (x - TARGET[i]!));

/** The same by hand: `update` moves one weight, given its gradient, its own memory and the step from 1. */
function byHand(
  update: (w: number, g: number, memory: Record<string, number>, t: number) => number,
  steps: number,
  clipNorm = Infinity,
): number[][] {
  let w = [...START];
  const memories = w.map(() => ({}));
  const path: number[][] = [];
  for (let t = 1; t <= steps; t++) {
    const g = gradient(w);
    const scale = Math.min(1, clipNorm / (Math.hypot(...g) + 1e-6));
    w = w.map((x, i) => update(x, g[i]! * scale, memories[i]!, t));
    path.push(w);
  }
  return path;
}

function expectSame(actual: number[][], expected: number[][]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((w, t) =>
    w.forEach((x, i) => expect(Math.abs(x - expected[t]![i]!), `step ${t + 1}, w[${i}]`).toBeLessThan(1e-12)),
  );
}

const adam =
  (lr: number, b1: number, b2: number, eps: number, decay: number, decoupled: boolean) =>
  (w: number, grad: number, m: Record<string, number>, t: number): number => {
    const g = decoupled ? grad : grad + decay * w;
    m.m = b1 * (m.m ?? 0) + (1 - b1) * g;
    m.v = b2 * (m.v ?? 0) + (1 - b2) * g * g;
    const shrunk = decoupled ? w * (1 - lr * decay) : w;
    const step = m.m / (1 - b1 ** t);
    return shrunk - (lr * step) / (Math.sqrt(m.v / (1 - b2 ** t)) + eps);
  };

describe('through a Trainer, against formulas by hand', () => {
  it('SGD', async () => {
    expectSame(
      await descend(new SGD({ learningRate: 0.1 }), 5),
      byHand((w, g) => w - 0.1 * g, 5),
    );
  });
  it('SGD with clipping', async () => {
    const expected = byHand((w, g) => w - 0.1 * g, 5, 0.7);
    expectSame(await descend(new SGD({ learningRate: 0.1 }), 5, 0.7), expected);
  });
  it('SGD with momentum, dampening and weight decay', async () => {
    const optimizer = new SGD({ learningRate: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.01 });
    const expected = byHand((w, g0, m) => {
      const g = g0 + 0.01 * w;
      m.b = m.b === undefined ? g : 0.9 * m.b + 0.7 * g;
      return w - 0.1 * m.b;
    }, 5);
    expectSame(await descend(optimizer, 5), expected);
  });
  it('SGD with Nesterov momentum', async () => {
    const expected = byHand((w, g, m) => {
      m.b = m.b === undefined ? g : 0.9 * m.b + g;
      return w - 0.1 * (g + 0.9 * m.b);
    }, 5);
    expectSame(await descend(new SGD({ learningRate: 0.1, momentum: 0.9, nesterov: true }), 5), expected);
  });
  it('Adam at its defaults', async () => {
    expectSame(await descend(new Adam(), 5), byHand(adam(1e-3, 0.9, 0.999, 1e-8, 0, false), 5));
  });
  it('Adam with weight decay', async () => {
    const optimizer = new Adam({ learningRate: 0.05, betas: [0.8, 0.95], epsilon: 1e-3, weightDecay: 0.1 });
    expectSame(await descend(optimizer, 5), byHand(adam(0.05, 0.8, 0.95, 1e-3, 0.1, false), 5));
  });
  it('AdamW at its defaults', async () => {
    expectSame(await descend(new AdamW(), 5), byHand(adam(1e-3, 0.9, 0.999, 1e-8, 0.01, true), 5));
  });
  it('RMSprop at its defaults', async () => {
    const expected = byHand((w, g, m) => {
      m.v = 0.99 * (m.v ?? 0) + 0.01 * g * g;
      return w - (0.01 * g) / (Math.sqrt(m.v) + 1e-8);
    }, 5);
    expectSame(await descend(new RMSprop(), 5), expected);
  });
  it('RMSprop, centered, with momentum', async () => {
    const optimizer = new RMSprop({ alpha: 0.9, momentum: 0.5, centered: true, weightDecay: 0.1 });
    const expected = byHand((w, g0, m) => {
      const g = g0 + 0.1 * w;
      m.v = 0.9 * (m.v ?? 0) + 0.1 * g * g;
      m.a = 0.9 * (m.a ?? 0) + 0.1 * g;
      m.b = 0.5 * (m.b ?? 0) + g / (Math.sqrt(m.v - m.a * m.a) + 1e-8);
      return w - 0.01 * m.b;
    }, 5);
    expectSame(await descend(optimizer, 5), expected);
  });
});

describe('the rules of fewer users, against formulas by hand', () => {
  it('Adagrad', async () => {
    const optimizer = new Adagrad({
      learningRate: 0.1,
      learningRateDecay: 0.2,
      weightDecay: 0.05,
      initialAccumulatorValue: 0.3,
      epsilon: 1e-3,
    });
    const expected = byHand((w, grad, m, t) => {
      const g = grad + 0.05 * w;
      m.s = (m.s ?? 0.3) + g * g;
      return w - ((0.1 / (1 + (t - 1) * 0.2)) * g) / (Math.sqrt(m.s) + 1e-3);
    }, 6);
    expectSame(await descend(optimizer, 6), expected);
  });
  it('Adadelta', async () => {
    const optimizer = new Adadelta({ learningRate: 0.5, rho: 0.8, epsilon: 1e-4, weightDecay: 0.1 });
    const expected = byHand((w, grad, m) => {
      const g = grad + 0.1 * w;
      m.v = 0.8 * (m.v ?? 0) + 0.2 * g * g;
      const change = Math.sqrt(((m.u ?? 0) + 1e-4) / (m.v + 1e-4)) * g;
      m.u = 0.8 * (m.u ?? 0) + 0.2 * change * change;
      return w - 0.5 * change;
    }, 6);
    expectSame(await descend(optimizer, 6), expected);
  });
  it('Adamax', async () => {
    const optimizer = new Adamax({ learningRate: 0.1, betas: [0.8, 0.7], epsilon: 1e-3, weightDecay: 0.2 });
    const expected = byHand((w, grad, m, t) => {
      const g = grad + 0.2 * w;
      m.m = 0.8 * (m.m ?? 0) + 0.2 * g;
      m.u = Math.max(0.7 * (m.u ?? 0), Math.abs(g) + 1e-3);
      return w - ((0.1 / (1 - 0.8 ** t)) * m.m) / m.u;
    }, 6);
    expectSame(await descend(optimizer, 6), expected);
  });
  it('Adamax without ε leaves alone what never had a gradient', async () => {
    const path = await descend(new Adamax({ epsilon: 0, learningRate: 0 }), 2);
    expect(path[1]).toEqual(START);
  });
  it.each([false, true])('NAdam, with decoupled weight decay: %s', async (decoupledWeightDecay) => {
    const settings = { learningRate: 0.1, betas: [0.85, 0.95] as const, epsilon: 1e-3, momentumDecay: 0.02 };
    const optimizer = new NAdam({ ...settings, weightDecay: 0.1, decoupledWeightDecay });
    const mu = (t: number): number => 0.85 * (1 - 0.5 * 0.96 ** (t * 0.02));
    const expected = byHand((w, grad, m, t) => {
      const g = decoupledWeightDecay ? grad : grad + 0.1 * w;
      const shrunk = decoupledWeightDecay ? w * (1 - 0.1 * 0.1) : w;
      m.m = 0.85 * (m.m ?? 0) + 0.15 * g;
      m.v = 0.95 * (m.v ?? 0) + 0.05 * g * g;
      m.product = (m.product ?? 1) * mu(t);
      const denominator = Math.sqrt(m.v / (1 - 0.95 ** t)) + 1e-3;
      const now = (0.1 * (1 - mu(t)) * g) / (1 - m.product);
      const next = (0.1 * mu(t + 1) * m.m) / (1 - m.product * mu(t + 1));
      return shrunk - (now + next) / denominator;
    }, 6);
    expectSame(await descend(optimizer, 6), expected);
  });
  it('Lion', async () => {
    const optimizer = new Lion({ learningRate: 0.1, betas: [0.5, 0.8], weightDecay: 0.3 });
    const expected = byHand((w, g, m) => {
      const direction = Math.sign(0.5 * (m.m ?? 0) + 0.5 * g);
      m.m = 0.8 * (m.m ?? 0) + 0.2 * g;
      return w - 0.1 * (direction + 0.3 * w);
    }, 30);
    expectSame(await descend(optimizer, 30), expected);
  });
  it('clipping by value, and by norm before it', async () => {
    const clip = (bound: number, g: number): number => Math.max(-bound, Math.min(bound, g));
    const byValue = byHand((w, g) => w - 0.1 * clip(0.8, g), 5);
    expectSame(await descend(new SGD({ learningRate: 0.1 }), 5, 0, 0.8), byValue);
    const both = byHand((w, g) => w - 0.1 * clip(0.6, g), 5, 0.7);
    expectSame(await descend(new SGD({ learningRate: 0.1 }), 5, 0.7, 0.6), both);
  });
});

describe('parameter groups', () => {
  const NAMES = ['rnn.weight', 'rnn.bias', 'norm.weight', 'output.weight'];
  const parameters = (): Map<string, Variable> =>
    new Map(
      NAMES.map((name, i) => [
        name,
        new Variable({ name, shape: [2], initial: () => Float64Array.of(i + 1, -i - 2) }),
      ]),
    );

  /** Weights after three updates, by name. */
  async function train(optimizer: Optimizer, clipNorm = 0): Promise<Record<string, number[]>> {
    const executor = new CpuExecutor({ precision: 'float64' });
    const named = parameters();
    const trainer = new Trainer({
      executor,
      optimizer,
      clipNorm,
      parameters: named,
      record: (graph) =>
        [...named.values()].map((w) => sum(square(graph.read(w)))).reduce((a, b) => add(a, b)),
    });
    for (let i = 0; i < 3; i++) await trainer.step({});
    const entries = [...named].map(async ([name, w]) => [name, [...(await executor.read(w))]] as const);
    return Object.fromEntries(await Promise.all(entries)) as Record<string, number[]>;
  }

  it('have their own rate and weight decay, the first match counts', async () => {
    const groups = [
      { match: /bias|norm/g, weightDecay: 0, learningRateFactor: 0.1 },
      { match: 'output.weight', learningRateFactor: 0 },
      { match: (name: string) => name.startsWith('rnn'), weightDecay: 0.5 },
    ];
    const got = await train(new AdamW({ learningRate: 0.01, weightDecay: 0.2, groups }));
    const alone = await train(new AdamW({ learningRate: 0.001, weightDecay: 0 }));
    const decayed = await train(new AdamW({ learningRate: 0.01, weightDecay: 0.5 }));
    expectSame(
      NAMES.map((name) => got[name]!),
      [decayed['rnn.weight']!, alone['rnn.bias']!, alone['norm.weight']!, [4, -5]],
    );
  });

  it('share one global norm', async () => {
    const plain = await train(new SGD({ learningRate: 0.01 }), 0.5);
    const grouped = await train(
      new SGD({ learningRate: 0.01, groups: [{ match: ['rnn.bias', 'norm.weight'] }] }),
      0.5,
    );
    expect(grouped).toEqual(plain);
  });

  it('name their counters, and may cover all parameters', () => {
    const state = new Adam({ groups: [{ match: /bias/ }, { match: /./ }] }).createState(parameters());
    expect([...state.variables.keys()].slice(0, 3)).toEqual([
      'counters.group0',
      'counters.group1',
      'exp_avg.rnn.weight',
    ]);
    expect(state.counters).toBe(state.variables.get('counters.group0'));
    expect(state.description).not.toBe(new Adam().createState(parameters()).description);
  });

  const wrong: [unknown, RegExp][] = [
    [{ match: /bias/ }, /groups is not a list/],
    [[{ match: 5 }], /group 0: match is number/],
    [[{ match: ['a', 3] }], /group 0: match is object/],
    [[{ match: /a/, learningRateFactor: -1 }], /group 0: learningRateFactor is -1/],
    [[{ match: /a/ }, { match: /b/, weightDecay: NaN }], /group 1: weightDecay is NaN/],
    [[{ match: /a/, lr: 1 }], /group 0: there is no option "lr"/],
  ];
  it.each(wrong)('refuses %j', (groups, message) => {
    expect(() => new Adam({ groups: groups as never })).toThrow(ArgumentError);
    expect(() => new Adam({ groups: groups as never })).toThrow(message);
  });

  it('refuses a group that no parameter is left for', () => {
    const optimizer = new Adam({ groups: [{ match: /bias/ }, { match: 'rnn.bias' }] });
    expect(() => optimizer.createState(parameters())).toThrow(/group 1: rnn.bias matches no parameter/);
  });
});

describe('options', () => {
  it("defaults are PyTorch's", () => {
    expect(new SGD()).toMatchObject({
      learningRate: 1e-3,
      rule: { name: 'sgd', momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 },
    });
    const adam = { name: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    expect(new Adam()).toMatchObject({
      learningRate: 1e-3,
      rule: { ...adam, weightDecay: 0, decoupled: false },
    });
    expect(new AdamW()).toMatchObject({
      learningRate: 1e-3,
      rule: { ...adam, weightDecay: 0.01, decoupled: true },
    });
    expect(new RMSprop()).toMatchObject({
      learningRate: 1e-2,
      rule: { name: 'rmsprop', alpha: 0.99, epsilon: 1e-8, weightDecay: 0, momentum: 0, centered: false },
    });
    expect(new Adagrad()).toMatchObject({
      learningRate: 1e-2,
      rule: { learningRateDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, epsilon: 1e-10 },
    });
    expect(new Adadelta()).toMatchObject({
      learningRate: 1,
      rule: { rho: 0.9, epsilon: 1e-6, weightDecay: 0 },
    });
    const moments = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
    expect(new Adamax()).toMatchObject({ learningRate: 2e-3, rule: { name: 'adamax', ...moments } });
    expect(new NAdam()).toMatchObject({
      learningRate: 2e-3,
      rule: { name: 'nadam', ...moments, momentumDecay: 4e-3, decoupled: false },
    });
    expect(new Lion()).toMatchObject({
      learningRate: 1e-4,
      rule: { name: 'lion', beta1: 0.9, beta2: 0.99, weightDecay: 0 },
    });
  });

  const wrong: [string, () => unknown, RegExp][] = [
    ['a negative learningRate', () => new Adam({ learningRate: -1 }), /Adam: learningRate is -1/],
    ['a learningRate of NaN', () => new SGD({ learningRate: NaN }), /SGD: learningRate is NaN/],
    ['a beta of 1', () => new Adam({ betas: [0.9, 1] }), /Adam: betas\[1\] is 1/],
    ['one beta', () => new AdamW({ betas: [0.9] as never }), /AdamW: betas is not a pair/],
    ['a negative epsilon', () => new Adam({ epsilon: -1e-8 }), /epsilon/],
    ['a negative weightDecay', () => new AdamW({ weightDecay: -1 }), /weightDecay/],
    ['a negative momentum', () => new SGD({ momentum: -1 }), /momentum is -1/],
    ['nesterov without momentum', () => new SGD({ nesterov: true }), /nesterov/],
    ['nesterov with dampening', () => new SGD({ nesterov: true, momentum: 0.9, dampening: 0.1 }), /nesterov/],
    ['a negative alpha', () => new RMSprop({ alpha: -0.1 }), /RMSprop: alpha/],
    ['centered 1', () => new RMSprop({ centered: 1 as never }), /centered is 1/],
    ['a negative learningRateDecay', () => new Adagrad({ learningRateDecay: -1 }), /learningRateDecay is -1/],
    [
      'a negative initialAccumulatorValue',
      () => new Adagrad({ initialAccumulatorValue: -1 }),
      /initialAccumulatorValue is -1/,
    ],
    ['a rho above 1', () => new Adadelta({ rho: 1.1 }), /Adadelta: rho is 1.1/],
    ['a beta of 1 in Adamax', () => new Adamax({ betas: [1, 0.9] }), /Adamax: betas\[0\] is 1/],
    ['a negative momentumDecay', () => new NAdam({ momentumDecay: -1 }), /NAdam: momentumDecay is -1/],
    ['a negative weightDecay in Lion', () => new Lion({ weightDecay: -1 }), /Lion: weightDecay is -1/],
    ['three betas', () => new Lion({ betas: [0.9, 0.9, 0.9] as never }), /Lion: betas is not a pair/],
    ['a schedule below 0', () => new Adam({ learningRate: () => -1 }), /Adam: learningRate is -1/],
    ['an option that is none', () => new Adam({ lr: 1 } as never), /Adam: there is no option "lr"/],
    ['null', () => new Adam(null as never), /Adam: got null/],
    ['a later learningRate of -1', () => (new Adam().learningRate = -1), /learningRate is -1/],
  ];
  it.each(wrong)('refuses %s', (_, make, message) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });
});

describe('OptimizerState', () => {
  const parameter = (name: string): Variable => new Variable({ name, shape: [2] });

  it('names its variables for checkpoints, shared parameters once', () => {
    const [a, b] = [parameter('a'), parameter('b')];
    const state = new Adam().createState(
      new Map([
        ['x.a', a],
        ['x.b', b],
        ['y.a', a],
      ]),
    );
    expect([...state.variables.keys()]).toEqual([
      'counters',
      'exp_avg.y.a',
      'exp_avg.x.b',
      'exp_avg_sq.y.a',
      'exp_avg_sq.x.b',
    ]);
    expect(state.parameters).toEqual([a, b]);
    expect([...new SGD().createState(new Map([['a', a]])).variables.keys()]).toEqual(['counters']);
  });

  it('refuses another number of gradients, or none at all', () => {
    const graph = new Graph('g');
    const state = new SGD().createState(
      new Map([
        ['a', parameter('a')],
        ['b', parameter('b')],
      ]),
    );
    const learningRate = graph.scalar('learningRate');
    expect(() => state.record(graph, [null, null], { learningRate })).toThrow(ArgumentError);
    expect(() => state.record(graph, [graph.input('g', [2])], { learningRate })).toThrow(ArgumentError);
  });
});
