/** Each cell learns what takes memory: a symbol over 50 steps, the parity of bits, and the adding problem. */
import { describe, expect, it } from 'vitest';
import { GRU, LSTM, RNN } from '../../../src/nn/recurrent.js';
import { adding, copyMemory, parity, trainTask } from './train-task.js';

describe('copy memory across 50 steps, below 0.1 nats (knowing nothing: 1.39)', () => {
  const size = { inputSize: 4, hiddenSize: 16, returnSequences: false, seed: 1 };
  it('LSTM', { timeout: 60_000 }, async () => {
    const layer = new LSTM({ ...size, forgetBias: 5 });
    expect(await trainTask(layer, copyMemory(50), { steps: 1200, learningRate: 0.02 })).toBeLessThan(0.1);
  });
  it('GRU', { timeout: 60_000 }, async () => {
    // Its update gate begins open to the past, as the LSTM's forget gate does.
    const layer = new GRU({ ...size, biasInit: { name: 'constant', value: 1.5 } });
    expect(await trainTask(layer, copyMemory(50), { steps: 700, learningRate: 0.02 })).toBeLessThan(0.1);
  });
});

describe('parity of 1 to 8 bits, below 0.05 nats (knowing nothing: 0.69)', () => {
  const size = { inputSize: 1, hiddenSize: 16, seed: 1 };
  it.each([
    ['RNN', () => new RNN(size)],
    ['LSTM', () => new LSTM(size)],
    ['GRU', () => new GRU(size)],
  ] as const)('%s', { timeout: 60_000 }, async (_, create) => {
    const layer = create();
    expect(await trainTask<object>(layer, parity(8), { steps: 800 })).toBeLessThan(0.05);
  });
});

describe('adding problem over 20 steps, below 0.04 (always 1: 0.167)', () => {
  const size = { inputSize: 2, hiddenSize: 24, returnSequences: false, seed: 1 };
  it.each([
    ['LSTM', () => new LSTM(size)],
    ['GRU', () => new GRU(size)],
  ] as const)('%s', { timeout: 60_000 }, async (_, create) => {
    expect(await trainTask<object>(create(), adding(20), { steps: 600 })).toBeLessThan(0.04);
  });
});
