/** Cells: as many steps as a layer takes at once, with the same weights. */
import { afterEach, describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import type { Value } from '../../../src/graph/value.js';
import { GRUCell, LSTMCell, RNNCell } from '../../../src/nn/cells.js';
import { ForwardContext } from '../../../src/nn/context.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { GRU, LSTM, RNN, type RecurrentLayer } from '../../../src/nn/recurrent.js';
import { concat } from '../../../src/ops/concat.js';
import { gradients } from '../../../src/ops/gradients.js';
import { sum } from '../../../src/ops/reduce-sum.js';
import { reshape } from '../../../src/ops/reshape.js';
import { scan } from '../../../src/ops/scan.js';
import { slice } from '../../../src/ops/slice.js';
import { copyParameters, expectEach, run, wave } from './run.js';

let executor = new CpuExecutor({ precision: 'float64' });
afterEach(() => {
  executor.dispose();
  executor = new CpuExecutor({ precision: 'float64' });
});

type State = Readonly<Record<string, Value>>;
type Layer = RecurrentLayer<State>;

const [T, B, I, H] = [4, 2, 3, 5];
const sizes = { inputSize: I, hiddenSize: H, seed: 11 };
const x = wave(T * B * I);

const layers: Readonly<Record<string, () => unknown>> = {
  rnn: () => new RNN({ ...sizes, nonlinearity: 'relu' }),
  lstm: () => new LSTM({ ...sizes, numLayers: 2, forgetBias: 1 }),
  'lstm, projected, with peepholes': () => new LSTM({ ...sizes, projSize: 2, peephole: true, cellClip: 0.1 }),
  'lstm, coupled, without biases': () => new LSTM({ ...sizes, coupled: true, bias: false, gateClip: 0.5 }),
  gru: () => new GRU({ ...sizes, numLayers: 3 }),
  'gru, reset before': () => new GRU({ ...sizes, resetAfter: false, zoneout: 0.25 }),
  'lstm, normalized': () => new LSTM({ ...sizes, layerNorm: true }),
  'gru with learned states, backwards': () =>
    new GRU({ ...sizes, numLayers: 2, learnedInitialState: true, goBackwards: true }),
};

describe('createCell', () => {
  it.each(Object.entries(layers))('%s: its steps are the layer', async (_name, make) => {
    const layer = make() as Layer;
    const backwards = _name.endsWith('backwards');
    for (const variable of layer.parameters()) {
      if (variable.name.startsWith('initial')) executor.write(variable, wave(variable.size, 4));
    }
    const cells = Array.from({ length: layer.numLayers }, (_, l) => layer.createCell(l));
    const result = await run(
      executor,
      (g) => {
        const input = g.input('x', [T, B, I]);
        const whole = layer.forward(input);
        const states: (State | undefined)[] = cells.map(() => undefined);
        const steps: Value[] = [];
        for (let k = 0; k < T; k++) {
          const t = backwards ? T - 1 - k : k;
          let value = reshape(slice(input, [t, 0, 0], [1, B, I]), [B, I]);
          cells.forEach((cell, l) => {
            states[l] = cell.step(value, states[l]);
            value = states[l]['h']!;
          });
          steps[t] = reshape(value, [1, ...value.shape]);
        }
        const finals = layer.cell.states.map(
          (name) =>
            [
              `step ${name}`,
              concat(
                states.map((state) => state![name]!),
                0,
              ),
            ] as const,
        );
        return {
          output: whole.output,
          ...whole.state,
          steps: concat(steps, 0),
          ...Object.fromEntries(finals),
        };
      },
      { x },
    );
    expectEach(result['steps'], result['output']!);
    for (const name of layer.cell.states) expectEach(result[`step ${name}`], result[name]!);
  });

  it('shares the parameters of its layer, named as by PyTorch', () => {
    const layer = new LSTM({ ...sizes, numLayers: 2, name: 'decoder', learnedInitialState: true });
    const cell = layer.createCell(1);
    expect([...cell.namedParameters()].map(([name, variable]) => [name, variable.name])).toEqual([
      ['weight_ih', 'decoder.weight_ih_l1'],
      ['weight_hh', 'decoder.weight_hh_l1'],
      ['bias_ih', 'decoder.bias_ih_l1'],
      ['bias_hh', 'decoder.bias_hh_l1'],
      ['initial_h', 'decoder.initial_h'],
      ['initial_c', 'decoder.initial_c'],
    ]);
    expect(new ModuleDict({ layer, cell }).parameters()).toEqual(layer.parameters());
    expect(cell.culprit).toBe('lstm cell "decoder.l1"');
    expect(cell.inputSize).toBe(H);
  });

  it('runs in a scan with weights from outside; gradients are those of the layer', async () => {
    const layer = new GRU(sizes);
    const cell = layer.createCell();
    const result = await run(
      executor,
      (g) => {
        const input = g.input('x', [T, B, I]);
        const weights = cell.readWeights(g);
        const { ys } = scan(
          { carry: [cell.initialState(g, B).h], xs: [input], consts: weights },
          (_graph, { carry, xs, consts }) => {
            const { h } = cell.step(xs[0]!, { h: carry[0]! }, consts);
            return { carry: [h], ys: [h] };
          },
        );
        const { output } = layer.forward(input);
        const [byScan, byLayer] = [ys[0]!, output].map((y) => gradients(sum(y), [input, ...weights]));
        const named = [byScan!, byLayer!].flatMap((list, k) =>
          list.map((value, i) => [`${k} ${i}`, value] as const),
        );
        return { scanned: ys[0]!, output, ...Object.fromEntries(named) };
      },
      { x },
    );
    expectEach(result['scanned'], result['output']!);
    for (let i = 0; i < 5; i++) expectEach(result[`0 ${i}`], result[`1 ${i}`]!);
  });

  it('refuses layers that do not exist or run both ways, and what does not fit', () => {
    const layer = new LSTM({ ...sizes, name: 'enc', projSize: 2 });
    expect(() => layer.createCell(1)).toThrow(
      /lstm "enc": layer is 1; pass a whole number below numLayers, 1/,
    );
    expect(() => layer.createCell(-1)).toThrow(ArgumentError);
    expect(() => new GRU({ ...sizes, bidirectional: true }).createCell()).toThrow(/gru: is bidirectional/);
    const g = new Graph('g');
    const cell = layer.createCell();
    const input = g.input('x', [B, I]);
    const h = g.input('h', [B, 2]);
    const c = g.input('c', [B, H]);
    expect(() => cell.step(g.input('a', [1, B, I]))).toThrow(
      /lstm cell "enc": input is float32\[1,2,3\]; pass real numbers of shape \[B,3\]/,
    );
    expect(() => cell.step(input, { h: c, c })).toThrow(/h is float32\[2,5\]; pass h of shape \[2,2\]/);
    expect(() => cell.step(input, { h } as never)).toThrow(ShapeError);
    expect(() => cell.step(input, { h, c }, [h])).toThrow(/got 1 weights; pass the 5 that readWeights gave/);
  });
});

describe('cells of their own', () => {
  const pairs: [string, LSTMCell | GRUCell | RNNCell, LSTM | GRU | RNN][] = [
    ['RNNCell', new RNNCell({ ...sizes }), new RNN(sizes)],
    ['LSTMCell', new LSTMCell({ ...sizes, peephole: true }), new LSTM({ ...sizes, peephole: true })],
    [
      'GRUCell',
      new GRUCell({ ...sizes, learnedInitialState: true }),
      new GRU({ ...sizes, learnedInitialState: true }),
    ],
  ];
  it.each(pairs)('%s is a layer of one step', async (_name, cell, layer) => {
    await copyParameters(executor, cell, layer, (name) => (name.startsWith('initial') ? name : `${name}_l0`));
    const result = await run(
      executor,
      (g) => {
        const whole = (layer as unknown as Layer).forward(g.input('x', [1, B, I])).state;
        const step = (cell as unknown as LSTMCell).step(g.input('one', [B, I])) as unknown as State;
        const named = layer.cell.states.map((name) => [`step ${name}`, step[name]!] as const);
        return { ...whole, ...Object.fromEntries(named) };
      },
      { x: x.slice(0, B * I), one: x.slice(0, B * I) },
    );
    for (const name of layer.cell.states) expectEach(result[`step ${name}`], result[name]!);
  });

  it('refuse options of layers', () => {
    expect(() => new LSTMCell({ ...sizes, numLayers: 2 } as never)).toThrow(
      /lstm cell: numLayers is for layers; leave it out, or make a layer and call its createCell/,
    );
    expect(() => new GRUCell({ ...sizes, projSize: 2, name: 'a' } as never)).toThrow(
      /gru cell "a": projSize is not for/,
    );
    expect(() => new RNNCell({ inputSize: 0, hiddenSize: 1 })).toThrow(ArgumentError);
  });

  it('take no part in dropout: a training context reaches layers alone', () => {
    const graph = new Graph('g');
    const context = new ForwardContext(graph, { training: true });
    new LSTM({ ...sizes, recurrentDropout: 0.5 }).createCell().step(graph.input('x', [B, I]));
    expect(context.usesSeed).toBe(false);
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x']);
  });
});
