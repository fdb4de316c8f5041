/** The benchmark's figures of work, memory and traffic, against the model itself and by hand. */
import { describe, expect, it } from 'vitest';
import {
  flopsOf,
  leastBytes,
  leastTraffic,
  parameterCount,
  tableFlops,
  WORKLOADS,
  type TrainingWorkload,
} from '../../../bench/workloads.js';
import { createWeights } from '../../../bench/data.js';

const training = Object.values(WORKLOADS)
  .flat()
  .filter((workload): workload is TrainingWorkload => workload.kind === 'training');
const named = (name: string): TrainingWorkload => training.find((workload) => workload.name === name)!;

it('counts the work of train-small as 24·B·T·H·(D+H) and 6·B·T·H·V', () => {
  const small = named('train-small');
  expect(flopsOf(small)).toBe(24 * 32 * 64 * 128 * (64 + 128) + 6 * 32 * 64 * 128 * 65);
  expect(tableFlops(small)).toBe(24 * 32 * 64 * 128 * 128 + 6 * 32 * 64 * 128 * 65);
});

it('counts nothing for the input of one-hot rows, and one step of output where only the last is read', () => {
  expect(flopsOf(named('train-keras'))).toBe(24 * 128 * 40 * 128 * 128 + 6 * 128 * 128 * 65);
});

it('counts three gates in four for a GRU', () => {
  const gru = training.find(({ cell }) => cell === 'gru')!;
  const lstm = { ...gru, cell: 'lstm' as const };
  expect(flopsOf(gru) / flopsOf(lstm)).toBe(0.75);
  expect(leastTraffic(gru) / leastTraffic(lstm)).toBe(0.75);
});

it('counts products as m·k·n multiplications and additions', () => {
  expect(flopsOf(WORKLOADS['matmul']![0]!)).toBe(8 * 2 * 512 * 512 * 192);
});

describe('parameters', () => {
  const gru: TrainingWorkload = {
    ...named('train-charrnn'),
    name: 'a GRU',
    cell: 'gru',
    input: 'dense',
    inputSize: 7,
  };
  const small = [...training.filter(({ hiddenSize }) => hiddenSize <= 128), gru];
  it.each(small.map((workload) => [workload.name, workload] as const))('of %s', (_, workload) => {
    let count = 0;
    for (const { data } of createWeights(workload).values()) count += data.length;
    expect(parameterCount(workload)).toBe(count);
  });
});

describe('least bytes alive at once', () => {
  /** One of everything. */
  const tiny: TrainingWorkload = {
    ...named('train-small'),
    input: 'embedding',
    inputSize: 1,
    hiddenSize: 1,
    numLayers: 1,
    batchSize: 1,
    sequenceLength: 1,
    vocabSize: 1,
    optimizer: 'adam',
  };

  it('are those of the loss where the logits outweigh the gradients', () => {
    // Parameters: 1 embedding, 4·(1+1+2) of the layer, 2 of the output. Then gates 4, h 2, c 2.
    const parameters = 1 + 16 + 2;
    const many = { ...tiny, sequenceLength: 100 };
    expect(leastBytes(many)).toBe(4 * (3 * parameters + 100 + 100 + 400 + 101 + 101 + 100));
  });

  it('are those of the last gradients where parameters outweigh the logits', () => {
    const parameters = 1 + 16 + 2;
    expect(leastBytes(tiny)).toBe(4 * (4 * parameters + 1 + 1 + 4 + 2));
  });

  it('grow with the sequences of every layer', () => {
    const sizes = { ...named('train-charrnn'), numLayers: 1 };
    const [B, T, H] = [50, 50, 128];
    const more = leastBytes({ ...sizes, numLayers: 2 }) - leastBytes(sizes);
    // Another layer's parameters with one moment, its gates, h and c.
    expect(more).toBe(4 * (2 * 4 * H * (2 * H + 2) + 4 * B * T * H + 2 * (T + 1) * B * H));
  });
});
