/** Each cell learns what takes memory: the parity of bits, and the adding problem. */
import { describe, expect, it } from 'vitest';
import { GRU, LSTM, RNN } from '../../../src/nn/recurrent.js';
import { adding, parity, trainTask } from './train-task.js';

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
