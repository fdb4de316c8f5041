/** Snapshots that find no memory are tried again now and then, and what is kept for steps made again has a bound. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { outOfMemory } from '../../../src/graph/errors.js';
import type { HostArray, Variable } from '../../../src/graph/value.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { SGD } from '../../../src/optim/sgd.js';
import { Recovery, type Companion, type RecoveryHost } from '../../../src/train/recovery.js';
import { Trainer } from '../../../src/train/trainer.js';

/** Milliseconds that have passed, as the tests tell. */
let clock = 0;
beforeEach(() => {
  clock = 5000;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** An executor whose snapshots find no memory while `full`. */
class Crowded extends CpuExecutor {
  readonly snapshotPeriod = 100;
  full = true;
  attempts: number[] = [];

  override async snapshot(variables: readonly Variable[]): Promise<readonly HostArray[]> {
    this.attempts.push(clock);
    if (this.full) throw outOfMemory('variables', 'there is no memory');
    return super.snapshot(variables);
  }
}

it('a snapshot that found no memory is tried again after longer and longer', async () => {
  const executor = new Crowded();
  const layer = new Linear({ inputSize: 1, outputSize: 1, seed: 1 });
  const trainer = new Trainer({
    executor,
    parameters: layer,
    optimizer: new SGD({ learningRate: 0 }),
    record: (_graph, { x }) => meanSquaredError(layer.forward(x!), x!),
  });
  const train = async (steps: number): Promise<number[]> => {
    executor.attempts = [];
    for (let i = 0; i < steps; i++) {
      await trainer.step({ x: { shape: [1, 1], data: Float32Array.of(1) } });
      clock += 50;
    }
    return executor.attempts.map((time) => time - 5000);
  };
  expect(await train(100)).toEqual([0, 1000, 3000]);
  executor.full = false;
  expect(await train(50)).toEqual([7000, 7100, 7200, 7300, 7400]);
  executor.full = true;
  expect(await train(50)).toEqual([7500, 8500]);
  // A state of another origin is kept at once.
  await trainer.restore(await trainer.checkpoint());
  expect((await train(1))[0]).toBe(clock - 50 - 5000);
});

describe('rates', () => {
  function create(snapshot: () => Promise<void>): Recovery {
    const host: RecoveryHost = {
      executor: new Crowded(),
      gather: snapshot,
      prepareRestore: () => () => Promise.resolve(),
      steps: () => 0,
      rates: [9, 5, 0],
    };
    return new Recovery(host);
  }
  const companion: Companion = { capture: () => new Map(), prepareRestore: () => () => undefined };
  const untold = (): Promise<void> => Promise.resolve();

  it('of steps after a snapshot are those of the first time, for as many as it knows', async () => {
    const recovery = create(() => Promise.resolve());
    await recovery.lead(
      companion,
      async () => {
        await recovery.begin();
        for (let step = 1; step <= 70_000; step++) recovery.ratesOf(step, 1);
        expect(recovery.ratesOf(1, 2)).toEqual([1, 5, 0]);
        expect(recovery.ratesOf(65_536, 2)).toEqual([1, 5, 0]);
        expect(recovery.ratesOf(70_000, 2)).toEqual([2, 5, 0]);
      },
      untold,
    );
  });

  it('are the present ones where there is no snapshot to go back to', async () => {
    const recovery = create(() => Promise.reject(outOfMemory('variables', 'there is no memory')));
    await recovery.lead(
      companion,
      async () => {
        await recovery.begin();
        expect(recovery.ratesOf(1, 1)).toEqual([1, 5, 0]);
        expect(recovery.ratesOf(1, 2)).toEqual([2, 5, 0]);
      },
      untold,
    );
  });
});
