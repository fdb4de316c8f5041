/** Layers compute what their formulas say, begin as PyTorch's do, and refuse wrong shapes in their own name. */
import { afterEach, describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import type { Feeds } from '../../../src/graph/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import { ModuleDict, Sequential } from '../../../src/nn/containers.js';
import { ForwardContext } from '../../../src/nn/context.js';
import { Dropout } from '../../../src/nn/dropout.js';
import { Embedding } from '../../../src/nn/embedding.js';
import { Linear } from '../../../src/nn/linear.js';
import { crossEntropy, meanSquaredError } from '../../../src/nn/losses.js';
import type { Module } from '../../../src/nn/module.js';
import { GRU, LSTM, RNN } from '../../../src/nn/recurrent.js';
import { relu, sigmoid } from '../../../src/ops/unary.js';

let executor = new CpuExecutor({ precision: 'float64' });
afterEach(() => {
  executor.dispose();
  executor = new CpuExecutor({ precision: 'float64' });
});

/** Sets parameters by name. */
function load(module: Module, values: Record<string, number[]>): void {
  const state = [...module.namedParameters()].map(([name, { shape }]) => {
    return [name, { shape, data: Float32Array.from(values[name]!) }] as const;
  });
  module.loadState(executor, new Map(state));
}

/** Runs one recording and gives its outputs. */
async function run(
  record: (graph: Graph) => Readonly<Record<string, Value>>,
  feeds: Feeds = {},
): Promise<Readonly<Record<string, HostArray>>> {
  const graph = new Graph('test');
  const outputs = record(graph);
  for (const [name, value] of Object.entries(outputs)) graph.output(name, value);
  const plan = await executor.compile(graph);
  return (await plan.run(feeds, { read: Object.keys(outputs) })).outputs;
}

const close = (actual: ArrayLike<number> | undefined, expected: readonly number[]): void => {
  expect(actual?.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual![i]).toBeCloseTo(value, 6));
};

describe('Linear', () => {
  it('is x·Wᵀ + b', async () => {
    const layer = new Linear({ inputSize: 2, outputSize: 3 });
    load(layer, { weight: [1, 2, 3, 4, 5, 6], bias: [0.5, 0, -1] });
    const { y } = await run((g) => ({ y: layer.forward(g.input('x', [1, 2, 2])) }), {
      x: Float32Array.of(1, -1, 2, 0),
    });
    close(y, [-0.5, -1, -2, 2.5, 6, 9]);
  });
  it('has no bias when asked', () => {
    const layer = new Linear({ inputSize: 2, outputSize: 3, bias: false });
    expect([...layer.namedParameters().keys()]).toEqual(['weight']);
    expect(layer.parameterCount).toBe(6);
  });
  it('begins U(±1/√I)', () => {
    const { weight, bias } = new Linear({ inputSize: 400, outputSize: 50, seed: 1 });
    for (const values of [weight.initialValue(), bias!.initialValue()]) {
      expect(Math.max(...values)).toBeLessThanOrEqual(0.05);
      expect(Math.max(...values)).toBeGreaterThan(0.045);
      expect(Math.min(...values)).toBeLessThan(-0.045);
    }
  });
  it('refuses another number of features in its own name', () => {
    const layer = new Linear({ inputSize: 64, outputSize: 3, name: 'head' });
    const x = new Graph('g').input('x', [2, 48]);
    expect(() => layer.forward(x)).toThrow(ShapeError);
    expect(() => layer.forward(x)).toThrow('linear "head": input is float32[2,48], inputSize is 64');
  });
});

describe('Embedding', () => {
  it('picks rows', async () => {
    const layer = new Embedding({ vocabSize: 3, embeddingSize: 2 });
    load(layer, { weight: [0, 1, 10, 11, 20, 21] });
    const { y } = await run((g) => ({ y: layer.forward(g.input('x', [2, 2], 'int32')) }), {
      x: Int32Array.of(2, 0, 1, 1),
    });
    close(y, [20, 21, 0, 1, 10, 11, 10, 11]);
  });
  it('begins N(0,1), the same for the same seed', () => {
    const make = (seed: number) =>
      new Embedding({ vocabSize: 100, embeddingSize: 100, seed }).weight.initialValue();
    const values = make(1);
    const variance = Array.from(values).reduce((sum, x) => sum + x * x, 0) / values.length;
    expect(Math.abs(variance - 1)).toBeLessThan(0.07);
    expect(make(1)).toEqual(values);
    expect(make(2)).not.toEqual(values);
  });
  it('refuses real numbers', () => {
    const x = new Graph('g').input('x', [2]);
    expect(() => new Embedding({ vocabSize: 3, embeddingSize: 2 }).forward(x)).toThrow(/int32 tokens/);
  });
});

describe('recurrent layers', () => {
  const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

  it('LSTM: PyTorch’s gates i,f,g,o, two steps by hand', async () => {
    const layer = new LSTM({ inputSize: 1, hiddenSize: 1 });
    load(layer, {
      weight_ih_l0: [0.5, -0.4, 0.3, 0.2],
      weight_hh_l0: [0.1, 0.6, -0.7, 0.8],
      bias_ih_l0: [0.01, 0.02, 0.03, 0.04],
      bias_hh_l0: [-0.1, 0.2, 0.1, -0.2],
    });
    let [h, c] = [0.3, -0.2];
    const ys: number[] = [];
    for (const x of [1.5, -0.5]) {
      const i = logistic(0.5 * x + 0.01 + 0.1 * h - 0.1);
      const f = logistic(-0.4 * x + 0.02 + 0.6 * h + 0.2);
      const g = Math.tanh(0.3 * x + 0.03 - 0.7 * h + 0.1);
      const o = logistic(0.2 * x + 0.04 + 0.8 * h - 0.2);
      c = f * c + i * g;
      h = o * Math.tanh(c);
      ys.push(h);
    }
    const results = await run(
      (graph) => {
        const state = { h: graph.input('h', [1, 1, 1]), c: graph.input('c', [1, 1, 1]) };
        const { output, state: final } = layer.forward(graph.input('x', [2, 1, 1]), state);
        expect(output.shape).toEqual([2, 1, 1]);
        expect(final.h.shape).toEqual([1, 1, 1]);
        return { output, h: final.h, c: final.c };
      },
      { x: Float32Array.of(1.5, -0.5), h: Float32Array.of(0.3), c: Float32Array.of(-0.2) },
    );
    close(results['output'], ys);
    close(results['h'], [h]);
    close(results['c'], [c]);
  });

  it('several layers are single layers one on another', async () => {
    const sizes = { inputSize: 3, hiddenSize: 2, seed: 7 };
    const both = new GRU({ ...sizes, numLayers: 2 });
    const below = new GRU(sizes);
    const above = new GRU({ ...sizes, inputSize: 2 });
    const state = await both.state(executor);
    const part = (layer: number) =>
      new Map(
        [...state]
          .filter(([name]) => name.endsWith(String(layer)))
          .map(([name, tensor]) => [name.replace(/\d$/, '0'), tensor] as const),
      );
    below.loadState(executor, part(0));
    above.loadState(executor, part(1));
    const x = Float32Array.from({ length: 4 * 2 * 3 }, (_, i) => Math.sin(i));
    const h = Float32Array.from({ length: 2 * 2 * 2 }, (_, i) => Math.cos(i));
    const stacked = await run(
      (graph) => {
        const run = both.forward(graph.input('x', [4, 2, 3]), { h: graph.input('h', [2, 2, 2]) });
        return { output: run.output, h: run.state.h };
      },
      { x, h },
    );
    const single = await run(
      (graph) => {
        const first = below.forward(graph.input('x', [4, 2, 3]), { h: graph.input('h0', [1, 2, 2]) });
        const second = above.forward(first.output, { h: graph.input('h1', [1, 2, 2]) });
        return { output: second.output, h0: first.state.h, h1: second.state.h };
      },
      { x, h0: h.slice(0, 4), h1: h.slice(4) },
    );
    close(stacked['output'], [...single['output']!]);
    close(stacked['h'], [...single['h0']!, ...single['h1']!]);
  });

  it('a single layer slices and stacks nothing', () => {
    const graph = new Graph('g');
    const layer = new LSTM({ inputSize: 2, hiddenSize: 3 });
    const carried = layer.createState(2);
    carried.update(graph, layer.forward(graph.input('x', [4, 2, 2]), carried.read(graph)).state);
    expect(new Set(graph.nodes.map((node) => node.operation.name))).toEqual(
      new Set(['reshape', 'recurrent']),
    );
    expect(graph.updates.map(({ variable }) => variable.shape)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('carries its state from run to run, and forgets it when told', async () => {
    const layer = new RNN({ inputSize: 1, hiddenSize: 2, numLayers: 2, seed: 3 });
    const carried = layer.createState(1);
    const graph = new Graph('g');
    const { output, state } = layer.forward(graph.input('x', [2, 1, 1]), carried.read(graph));
    carried.update(graph, state);
    graph.output('output', output);
    const plan = await executor.compile(graph);
    const step = async (...x: number[]) =>
      (await plan.run({ x: Float32Array.from(x) }, { read: ['output'] })).outputs['output']!;
    const halves = [...(await step(1, 2)), ...(await step(3, 4))];
    const whole = await run((g) => ({ y: layer.forward(g.input('x', [4, 1, 1])).output }), {
      x: Float32Array.of(1, 2, 3, 4),
    });
    close(whole['y'], halves);
    carried.reset(executor);
    close(await step(1, 2), halves.slice(0, 4));
  });

  it("has PyTorch's names, shapes and first values", () => {
    const layer = new LSTM({ inputSize: 5, hiddenSize: 100, numLayers: 2, seed: 1 });
    const shapes = [...layer.namedParameters()].map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual([
      ['weight_ih_l0', [400, 5]],
      ['weight_hh_l0', [400, 100]],
      ['bias_ih_l0', [400]],
      ['bias_hh_l0', [400]],
      ['weight_ih_l1', [400, 100]],
      ['weight_hh_l1', [400, 100]],
      ['bias_ih_l1', [400]],
      ['bias_hh_l1', [400]],
    ]);
    const seen = new Set<number>();
    for (const variable of layer.parameters()) {
      const values = variable.initialValue();
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(Math.fround(0.1));
      expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0.097);
      seen.add(values[0]!);
    }
    expect(seen.size).toBe(8);
    const bare = new GRU({ inputSize: 5, hiddenSize: 2, bias: false });
    expect([...bare.namedParameters().keys()]).toEqual(['weight_ih_l0', 'weight_hh_l0']);
  });

  it('drops out between layers but not after the last, only while training', () => {
    const dropouts = (numLayers: number, training: boolean | null): number => {
      const graph = new Graph('g');
      const context = training === null ? undefined : new ForwardContext(graph, { training });
      const layer = new LSTM({ inputSize: 2, hiddenSize: 3, numLayers, dropout: 0.5 });
      layer.forward(graph.input('x', [4, 2, 2]), undefined, context);
      const nodes = graph.nodes.filter((node) => node.operation.name === 'dropout');
      const streams = nodes.map((node) => (node.attributes as { stream: number }).stream);
      expect(new Set(streams).size).toBe(nodes.length);
      return nodes.length;
    };
    expect([dropouts(1, true), dropouts(3, true), dropouts(3, false), dropouts(3, null)]).toEqual([
      0, 2, 0, 0,
    ]);
  });

  it('refuses wrong inputs and states in its own name', () => {
    const layer = new LSTM({ inputSize: 64, hiddenSize: 8, numLayers: 2, name: 'encoder' });
    const g = new Graph('g');
    const x = g.input('x', [3, 2, 64]);
    const h = g.input('h', [2, 2, 8]);
    let inputs = 0;
    const bad = (...shape: number[]): Value => g.input(`bad${inputs++}`, shape);
    const cases: [() => unknown, string][] = [
      [() => layer.forward(bad(3, 2, 48)), 'lstm "encoder": input has 48 features, inputSize is 64'],
      [() => layer.forward(bad(3, 64)), 'lstm "encoder": input has shape [3,64]'],
      [
        () => layer.forward(g.input(`tokens${inputs++}`, [3, 2, 64], 'int32')),
        'lstm "encoder": input is int32',
      ],
      [() => layer.forward(x, { h, c: bad(2, 3, 8) }), 'initial c is float32[2,3,8]'],
      [() => layer.forward(x, { h, c: bad(1, 2, 8) }), 'pass h and c of shape [2,2,8]'],
      [() => layer.forward(x, { h } as never), 'initial c is missing'],
    ];
    for (const [call, message] of cases) {
      expect(call).toThrow(ShapeError);
      expect(call).toThrow(message);
    }
    expect(() => layer.forward(x, { h, c: h, m: h } as never)).toThrow(/no option "m"/);
    const gru = new GRU({ inputSize: 64, hiddenSize: 8, numLayers: 2 });
    expect(() => gru.forward(x, { h, c: h } as never)).toThrow(/no option "c"/);
  });

  const wrong: [object, RegExp][] = [
    [{ inputSize: 0 }, /lstm "a": inputSize is 0/],
    [{ hiddenSize: -1 }, /hiddenSize is -1/],
    [{ hiddenSize: 2.5 }, /hiddenSize is 2.5/],
    [{ hiddenSize: '8' }, /hiddenSize is "8"/],
    [{ numLayers: 0 }, /numLayers is 0/],
    [{ numLayers: Infinity }, /numLayers is Infinity/],
    [{ dropout: 1 }, /dropout is 1/],
    [{ dropout: -0.1 }, /dropout is -0.1/],
    [{ bias: 1 }, /bias is 1/],
    [{ seed: -1 }, /seed is -1/],
    [{ bidirectonal: true }, /no option "bidirectonal"/],
  ];
  it.each(wrong)('refuses the options %j', (options, message) => {
    const make = () => new LSTM({ inputSize: 4, hiddenSize: 4, name: 'a', ...options });
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });

  it('refuses an unknown nonlinearity, and one where there is none', () => {
    const sizes = { inputSize: 1, hiddenSize: 1 };
    expect(() => new RNN({ ...sizes, nonlinearity: 'sin' as 'tanh' })).toThrow(/nonlinearity is "sin"/);
    expect(() => new GRU({ ...sizes, nonlinearity: 'relu' } as never)).toThrow(/no option "nonlinearity"/);
  });
});

describe('Dropout', () => {
  it('zeroes about p of the elements and scales the others', async () => {
    const layer = new Dropout({ p: 0.25 });
    const { y } = await run(
      (g) => ({ y: layer.forward(g.input('x', [4000]), new ForwardContext(g, { training: true })) }),
      { x: new Float32Array(4000).fill(3), dropoutSeed: 5 },
    );
    const zeros = y!.filter((value) => value === 0).length;
    expect(Math.abs(zeros - 1000)).toBeLessThan(5 * Math.sqrt(4000 * 0.25 * 0.75));
    expect(new Set(y)).toEqual(new Set([0, 4]));
  });
  it.each([-0.1, 1, NaN])('refuses p = %s', (p) => {
    expect(() => new Dropout({ p })).toThrow(ArgumentError);
  });
});

describe('Sequential and ModuleDict', () => {
  it('runs parts in a row and names them by position', async () => {
    const net = new Sequential(
      new Linear({ inputSize: 1, outputSize: 2 }),
      relu,
      new Linear({ inputSize: 2, outputSize: 1, bias: false }),
    );
    load(net, { '0.weight': [1, -1], '0.bias': [0, 0], '2.weight': [2, 3] });
    const { y } = await run((g) => ({ y: net.forward(g.input('x', [2, 1])) }), { x: Float32Array.of(5, -7) });
    close(y, [10, 21]);
    expect(() => new Sequential(5 as never)).toThrow(ArgumentError);
  });
  it('lets the output of recurrent layers through', async () => {
    const rnn = new LSTM({ inputSize: 2, hiddenSize: 3, returnSequences: false, seed: 1 });
    const net = new Sequential(rnn, new Linear({ inputSize: 3, outputSize: 1, seed: 2 }), sigmoid);
    const x = Float32Array.from({ length: 8 }, (_, i) => Math.sin(i));
    const { y } = await run((g) => ({ y: net.forward(g.input('x', [4, 1, 2])) }), { x });
    const { h } = await run((g) => ({ h: rnn.forward(g.input('x', [4, 1, 2])).state.h }), { x });
    const parameters = net.namedParameters();
    const weight = await executor.read(parameters.get('1.weight')!);
    const bias = await executor.read(parameters.get('1.bias')!);
    const logit = Array.from(weight).reduce((sum, w, i) => sum + w * h![i]!, bias[0]!);
    close(y, [1 / (1 + Math.exp(-logit))]);
  });
  it('nests names with dots, and names what is shared once', () => {
    const shared = new Linear({ inputSize: 2, outputSize: 2 });
    const net = new ModuleDict({ a: shared, b: new Sequential(shared) });
    expect([...net.namedParameters().keys()]).toEqual(['a.weight', 'a.bias']);
    expect(net.parameterCount).toBe(6);
    // Named by the parent that came first.
    expect(shared.name).toBe('0');
  });
});

describe('losses', () => {
  it('mean squared error', async () => {
    const results = await run(
      (g) => {
        const x = g.input('x', [2, 2]);
        const y = g.input('y', [2, 2]);
        return {
          mean: meanSquaredError(x, y),
          sum: meanSquaredError(x, y, { reduction: 'sum' }),
          none: meanSquaredError(x, y, { reduction: 'none' }),
        };
      },
      { x: Float32Array.of(1, 2, 3, 4), y: Float32Array.of(1, 0, 6, 4) },
    );
    close(results['mean'], [13 / 4]);
    close(results['sum'], [13]);
    close(results['none'], [0, 4, 9, 0]);
    const g = new Graph('g');
    expect(() => meanSquaredError(g.input('a', [2, 1]), g.input('b', [2, 2]))).toThrow(ShapeError);
  });
  it('cross-entropy in nats', async () => {
    const { loss } = await run(
      (g) => ({ loss: crossEntropy(g.input('x', [2, 2]), g.input('t', [2], 'int32')) }),
      { x: Float32Array.of(0, 0, Math.log(3), 0), t: Int32Array.of(0, 0) },
    );
    close(loss, [(Math.log(2) - Math.log(0.75)) / 2]);
  });
});
