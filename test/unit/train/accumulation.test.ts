/** Gradients of several batches make one update, as that of the big batch; averages follow the weights. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, DisposedError } from '../../../src/graph/errors.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { Adam } from '../../../src/optim/adam.js';
import { SGD } from '../../../src/optim/sgd.js';
import { ExponentialMovingAverage } from '../../../src/train/moving-average.js';
import { Trainer, type Batch, type TrainerOptions } from '../../../src/train/trainer.js';
import { expectClose } from '../support/evaluate.js';

function create(options: Partial<TrainerOptions> = {}) {
  const executor = new CpuExecutor({ precision: 'float64' });
  const layer = new Linear({ inputSize: 2, outputSize: 1, seed: 4 });
  const trainer = new Trainer({
    executor,
    parameters: layer,
    optimizer: new Adam({ learningRate: 0.1 }),
    record: (_graph, { x, y }) => meanSquaredError(layer.forward(x!), y!),
    ...options,
  });
  const weights = async (): Promise<number[]> => {
    const state = await layer.state(executor);
    return [...state.values()].flatMap(({ data }) => Array.from(data));
  };
  return { executor, layer, trainer, weights };
}

function points(from: number, to: number): Batch {
  const n = to - from;
  const x = Float64Array.from({ length: 2 * n }, (_, i) => Math.sin(2 * from + i));
  const y = Float64Array.from({ length: n }, (_, i) => Math.cos(from + i));
  return { x: { shape: [n, 2], data: x }, y: { shape: [n, 1], data: y } };
}

describe('accumulate', () => {
  it.each([0, 0.3])('n batches make the update of one big batch, clipNorm %f', async (clipNorm) => {
    const big = create({ clipNorm });
    const small = create({ clipNorm, accumulate: 3 });
    for (let update = 0; update < 4; update++) {
      const from = 12 * update;
      const read = ['loss', 'gradientNorm'];
      const { outputs: whole } = await big.trainer.step(points(from, from + 12), { read });
      const parts = [];
      for (let part = 0; part < 3; part++) {
        const before = await small.weights();
        const begin = from + 4 * part;
        parts.push((await small.trainer.step(points(begin, begin + 4), { read })).outputs);
        if (part < 2) expect(await small.weights()).toEqual(before);
      }
      expectClose(await small.weights(), await big.weights());
      expectClose([parts.reduce((sum, { loss }) => sum + loss![0]! / 3, 0)], whole['loss']!);
      expectClose(parts[2]!['gradientNorm']!, whole['gradientNorm']!);
    }
    expect([...(await small.executor.read(small.trainer.optimizerState.counters))].slice(0, 2)).toEqual([
      4, 0,
    ]);
  });

  it('schedules count updates, not batches', async () => {
    const asked: number[] = [];
    const learningRate = (update: number): number => {
      asked.push(update);
      return 0.1;
    };
    const { trainer } = create({ accumulate: 2, optimizer: new SGD({ learningRate }) });
    asked.length = 0;
    for (let i = 0; i < 6; i++) await trainer.step(points(i, i + 2));
    expect(asked).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('a gradient that is not finite spoils its own update only', async () => {
    const { trainer, weights } = create({ accumulate: 2 });
    const bad = points(0, 2);
    (bad['x']!.data as Float64Array)[0] = NaN;
    const before = await weights();
    const { records: first } = await trainer.step(bad, { flush: true });
    const { records: second } = await trainer.step(points(2, 4), { flush: true });
    expect([first[0]!.skipped, second[0]!.skipped]).toEqual([true, true]);
    expect(await weights()).toEqual(before);
    await trainer.step(points(4, 6));
    const { records } = await trainer.step(points(6, 8), { flush: true });
    expect(records.at(-1)!.skipped).toBe(false);
    expect(await weights()).not.toEqual(before);
  });

  it('frees what it gathered in', async () => {
    const { trainer, executor } = create({ accumulate: 2 });
    await trainer.step(points(0, 2));
    await trainer.step(points(0, 2));
    trainer.dispose();
    expect(executor.memory().bytesInUse).toBe(3 * 8);
  });

  it.each([0, 1.5, -1])('refuses %d', (accumulate) => {
    expect(() => create({ accumulate })).toThrow(/accumulate is/);
  });
});

describe('ExponentialMovingAverage', () => {
  it('follows the weights, and changes places with them', async () => {
    const { executor, layer, trainer, weights } = create();
    const average = new ExponentialMovingAverage({ executor, parameters: layer, decay: 0.75 });
    const averaged = create();
    let expected: number[] = [];
    await average.swap();
    expect(average.swapped).toBe(false);
    for (let i = 0; i < 5; i++) {
      await trainer.step(points(i, i + 4));
      await average.update();
      const now = await weights();
      expected = i === 0 ? now : expected.map((mean, k) => 0.75 * mean + 0.25 * now[k]!);
    }
    const trained = await weights();
    await average.during(async () => {
      expectClose(await weights(), expected);
      expect(average.swapped).toBe(true);
      await expect(average.update()).rejects.toThrow(ArgumentError);
    });
    expect(await weights()).toEqual(trained);
    await expect(average.during(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(await weights()).toEqual(trained);
    // Training goes on as if nothing had been.
    await trainer.step(points(9, 12));
    for (let i = 0; i < 5; i++) await averaged.trainer.step(points(i, i + 4));
    await averaged.trainer.step(points(9, 12));
    expect(await weights()).toEqual(await averaged.weights());
  });

  it('is kept by a Trainer, once an update', async () => {
    const { executor, layer } = create();
    const average = new ExponentialMovingAverage({ executor, parameters: layer, decay: 0.5 });
    const trainer = new Trainer({
      executor,
      parameters: layer,
      optimizer: new SGD({ learningRate: 0.1 }),
      accumulate: 2,
      average,
      record: (_graph, { x, y }) => meanSquaredError(layer.forward(x!), y!),
    });
    for (let i = 0; i < 6; i++) await trainer.step(points(i, i + 4));
    expect((await executor.read(average.variables.get('counters')!))[0]).toBe(3);
  });

  it('frees what it holds, and refuses to go on', async () => {
    const { executor, layer, trainer } = create();
    await trainer.step(points(0, 4));
    const before = executor.memory().bytesInUse;
    const average = new ExponentialMovingAverage({ executor, parameters: layer });
    await average.update();
    await average.swap();
    await average.swap();
    expect(executor.memory().bytesInUse).toBeGreaterThan(before);
    average.dispose();
    await Promise.resolve();
    expect(executor.memory().bytesInUse).toBe(before);
    await expect(average.update()).rejects.toThrow(DisposedError);
  });

  it.each([1, -0.1, NaN])('refuses a decay of %d', (decay) => {
    const { executor, layer } = create();
    expect(() => new ExponentialMovingAverage({ executor, parameters: layer, decay })).toThrow(ArgumentError);
  });
});
