/** Every option of recurrent layers learns a task, down to a stated loss on new data. */
import { describe, expect, it } from 'vitest';
import { GRU, LSTM, RNN, type RecurrentLayer } from '../../../src/nn/recurrent.js';
import { adding, lastBit, neighbours, trainTask } from './train-task.js';

const size = { inputSize: 2, hiddenSize: 16, returnSequences: false, seed: 1 };
const bits = { inputSize: 1, hiddenSize: 12, seed: 1 };

describe('adding problem over 10 steps, below 0.04 (always 1: 0.167)', () => {
  const layers: Readonly<Record<string, () => RecurrentLayer<object>>> = {
    'RNN tanh': () => new RNN(size),
    'RNN relu, identity': () => new RNN({ ...size, nonlinearity: 'relu', recurrentInit: 'identity' }),
    LSTM: () => new LSTM(size),
    'LSTM with forget bias 1': () => new LSTM({ ...size, forgetBias: 1 }),
    'LSTM with peepholes': () => new LSTM({ ...size, peephole: true }),
    'LSTM with projection': () => new LSTM({ ...size, projSize: 8 }),
    'LSTM, coupled gates': () => new LSTM({ ...size, coupled: true }),
    'LSTM, clipped': () => new LSTM({ ...size, cellClip: 3, gateClip: 10 }),
    'LSTM, layer norm': () => new LSTM({ ...size, layerNorm: true }),
    'LSTM, zoneout': () => new LSTM({ ...size, zoneout: 0.05 }),
    'LSTM, recurrent dropout': () => new LSTM({ ...size, recurrentDropout: 0.1 }),
    'LSTM, learned initial state': () => new LSTM({ ...size, learnedInitialState: true }),
    'LSTM, recomputed by segments': () => new LSTM({ ...size, segment: 3 }),
    'LSTM, hard sigmoid': () => new LSTM({ ...size, gateActivation: 'hardSigmoid' }),
    'LSTM, backwards': () => new LSTM({ ...size, goBackwards: true }),
    'two LSTMs with dropout': () => new LSTM({ ...size, numLayers: 2, dropout: 0.05 }),
    GRU: () => new GRU(size),
    'GRU, reset before the product': () => new GRU({ ...size, resetAfter: false }),
    'GRU, layer norm': () => new GRU({ ...size, layerNorm: true }),
    'GRU, zoneout': () => new GRU({ ...size, zoneout: 0.05 }),
  };
  it.each(Object.keys(layers))('%s', { timeout: 60_000 }, async (name) => {
    expect(await trainTask(layers[name]!(), adding(10), { steps: 500 })).toBeLessThan(0.04);
  });
});

describe('tasks that need the option', () => {
  it.each(['concat', 'sum', 'ave'] as const)(
    'bidirectional, %s: sees the future',
    { timeout: 60_000 },
    async (merge) => {
      const both = new GRU({ ...bits, bidirectional: true, merge });
      expect(await trainTask(both, neighbours(10), { steps: 300 })).toBeLessThan(0.02);
    },
  );

  it('one direction cannot: half of the target is unknown to it', { timeout: 60_000 }, async () => {
    expect(await trainTask(new GRU(bits), neighbours(10), { steps: 300 })).toBeGreaterThan(0.15);
  });

  it('lengths: the answer is at its own end', { timeout: 60_000 }, async () => {
    const ends = new GRU({ ...bits, returnSequences: false });
    expect(await trainTask(ends, lastBit(10), { steps: 250 })).toBeLessThan(0.05);
  });
});
