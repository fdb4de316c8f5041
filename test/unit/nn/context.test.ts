/** A layer that acts by chance while training, and is not given the context of the training, says so. */
import { describe, expect, it, test } from 'vitest';
import {
  ArgumentError,
  CpuExecutor,
  Dropout,
  ForwardContext,
  Graph,
  GRU,
  LSTM,
  mean,
  Sequential,
  SGD,
  Trainer,
  type Module,
  type Value,
} from '../../../src/index.js';

const sizes = { inputSize: 2, hiddenSize: 3, seed: 1 };
const x = { shape: [4, 2, 2], data: new Float32Array(16) };

function trainerOf(layer: Module, forward: (x: Value, context: ForwardContext) => Value): Trainer {
  const rnn = new GRU(sizes);
  return new Trainer({
    executor: new CpuExecutor(),
    parameters: layer.parameterCount > 0 ? layer : rnn,
    optimizer: new SGD(),
    record: (_, inputs, context) => {
      const value = layer.parameterCount > 0 ? inputs['x']! : rnn.forward(inputs['x']!).output;
      return mean(forward(value, context));
    },
  });
}

describe('in a training', () => {
  const layers = {
    dropout: new LSTM({ ...sizes, numLayers: 2, dropout: 0.9 }),
    'recurrent dropout': new LSTM({ ...sizes, recurrentDropout: 0.5 }),
    zoneout: new GRU({ ...sizes, zoneout: 0.1 }),
  };
  it.each(Object.entries(layers))('%s without the context is refused', async (_, layer) => {
    const without = trainerOf(layer, (value) => layer.forward(value).output);
    await expect(without.step({ x })).rejects.toThrow(ArgumentError);
    await expect(without.step({ x })).rejects.toThrow(/^(lstm|gru): context is missing; pass on the one/);
    expect((await without.evaluate({ x })).loss).toBeTypeOf('number');
    const given = trainerOf(layer, (value, context) => layer.forward(value, undefined, context).output);
    expect((await given.step({ x })).step).toBe(1);
    // On purpose, such as for a teacher.
    const fixed = trainerOf(layer, (value) => {
      const context = new ForwardContext(value.graph, { training: false });
      return layer.forward(value, undefined, context).output;
    });
    expect((await fixed.step({ x })).step).toBe(1);
  });

  it('a Dropout layer without the context is refused, with it passes it on', async () => {
    const layer = new Dropout({ p: 0.5 });
    await expect(trainerOf(layer, (value) => layer.forward(value)).step({ x })).rejects.toThrow(
      /^dropout: context is missing/,
    );
    const row = new Sequential(layer);
    expect((await trainerOf(row, (value, context) => row.forward(value, context)).step({ x })).step).toBe(1);
  });

  it('layers that do nothing by chance need no context', async () => {
    for (const layer of [new LSTM(sizes), new LSTM({ ...sizes, numLayers: 2 })]) {
      expect((await trainerOf(layer, (value) => layer.forward(value).output).step({ x })).step).toBe(1);
    }
    const none = new Dropout({ p: 0 });
    expect((await trainerOf(none, (value) => none.forward(value)).step({ x })).step).toBe(1);
  });
});

test('outside of one, no context is inference', () => {
  const value = new Graph().input('x', [4, 2, 2]);
  expect(new Dropout().forward(value)).toBe(value);
  expect(new LSTM({ ...sizes, recurrentDropout: 0.5 }).forward(value).output.shape).toEqual([4, 2, 3]);
});

test.each<[string, (value: Value) => unknown, RegExp]>([
  [
    'the context in the place of the state',
    (value) => new ForwardContext(value.graph, { training: true }),
    /^lstm: state is a list or context; call forward\(x, \{ h, … \} or null, context\)/,
  ],
  ['a list', (value) => [value, value], /^lstm: state is a list or context; call forward/],
])('%s is refused by what it is', (_, stateOf, message) => {
  const value = new Graph().input('x', [4, 2, 2]);
  expect(() => new LSTM(sizes).forward(value, stateOf(value) as never)).toThrow(ArgumentError);
  expect(() => new LSTM(sizes).forward(value, stateOf(value) as never)).toThrow(message);
});

test('null is no state', () => {
  const value = new Graph().input('x', [4, 2, 2]);
  expect(new LSTM(sizes).forward(value, null).output.shape).toEqual([4, 2, 3]);
  expect(new LSTM(sizes).createCell().step(new Graph().input('x', [2, 2]), null).h.shape).toEqual([2, 3]);
});
