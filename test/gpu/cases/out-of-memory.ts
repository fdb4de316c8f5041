/** Plans that the adapter's limits or the device's memory do not hold: the call fails whole, and training goes on. */
import { GpuFrozenRunner } from '../../../src/gpu/frozen.js';
import { DeviceError, LimitError, OutOfMemoryError } from '../../../src/graph/errors.js';
import type { Executor } from '../../../src/graph/executor.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { Adam } from '../../../src/optim/adam.js';
import { Trainer } from '../../../src/train/trainer.js';
import type { GpuCase } from '../case.js';
import { randomArray } from '../compare-executors.js';
import { FailingGpu, type Failure } from '../failing-gpu.js';
import { createFrozenNetwork } from '../frozen-network.js';
import { check, checkSame } from '../check.js';

function createTrainer(executor: Executor): Trainer {
  const layer = new Linear({ inputSize: 3, outputSize: 2, seed: 1 });
  return new Trainer({
    executor,
    parameters: layer,
    optimizer: new Adam({ learningRate: 0.03 }),
    record: (_, { x, y }) => meanSquaredError(layer.forward(x!), y!),
  });
}

/** A step of the training, and its loss. */
async function step(trainer: Trainer): Promise<number> {
  const batch = {
    x: { shape: [4, 3], data: randomArray(12, trainer.steps) },
    y: { shape: [4, 2], data: randomArray(8, 100 + trainer.steps) },
  };
  return (await trainer.step(batch, { flush: true })).records.at(-1)!.loss;
}

/** Gets a plan for batches of this size. */
function compile(trainer: Trainer, size: number): Promise<unknown> {
  return trainer.plan({ x: { shape: [size, 3] }, y: { shape: [size, 2] } });
}

/** The error that something fails with, or null. */
async function errorOf(work: Promise<unknown>): Promise<Error | null> {
  return work.then(
    () => null,
    (error: unknown) => error as Error,
  );
}

export const cases: readonly GpuCase[] = [
  {
    name: 'a plan that the limits of the adapter or the memory of the device do not hold is refused whole, wherever that is noticed',
    async run({ open, gpu }) {
      const failing = new FailingGpu(gpu);
      // Without snapshots, which a training can do without.
      const executor = await open({ gpu: failing.gpu, recovery: false });
      const whole = createTrainer(executor);
      const expected: number[] = [];
      for (let round = 0; round < 5; round++) expected.push(await step(whole));
      const from = failing.allocations;
      await compile(whole, 5);
      const allocations = failing.allocations - from;
      check(allocations > 3, `${allocations} allocations are too few`);
      whole.dispose();

      const trainer = createTrainer(executor);
      const losses = [await step(trainer)];
      const before = executor.memory().bytesInUse;
      const limited = await errorOf(compile(trainer, 2 ** 28));
      check(limited instanceof LimitError, String(limited));
      check(/needs \d+ .*, (this adapter's )?max\w+ is \d+/.test(String(limited)), String(limited));
      checkSame(executor.memory().bytesInUse, before, 'bytes in use');
      losses.push(await step(trainer));
      const failures: Record<Failure, number> = { full: 0, refused: 0, mapped: 0 };
      for (const failure of ['full', 'refused', 'mapped'] as const) {
        for (let at = 1; at <= allocations; at++) {
          failing.failAt(at, failure);
          const error = await errorOf(compile(trainer, 5));
          failing.failAt(0);
          const what = `allocation ${at}, ${failure}`;
          // Some implementations have room for what others have not.
          if (error === null) break;
          failures[failure]++;
          check(error instanceof DeviceError, `${what}: ${String(error)}`);
          check(failure !== 'full' || error instanceof OutOfMemoryError, `${what}: ${String(error)}`);
          checkSame(executor.memory().bytesInUse, before, `${what}: bytes in use`);
        }
        losses.push(await step(trainer));
      }
      check(failures.refused === allocations, JSON.stringify(failures));
      checkSame(losses, expected, 'losses');
      trainer.dispose();
    },
  },
  {
    name: 'a trained network that the device has no room for leaves nothing there, nor do its readers',
    async run({ gpu }) {
      const failing = new FailingGpu(gpu);
      const network = createFrozenNetwork('gru', 'tanh', { V: 5, E: 3, H: 4, L: 1 });
      const create = (): Promise<GpuFrozenRunner> =>
        GpuFrozenRunner.create(network, { gpu: failing.gpu, recovery: false });
      failing.failAt(2, 'refused');
      check((await errorOf(create())) instanceof DeviceError, 'it was created');
      const runner = await create();
      const wanted = await runner.start().predict(1);
      for (const failure of ['full', 'refused', 'mapped'] as const) {
        const reader = runner.start();
        failing.failAt(2, failure);
        const error = await errorOf(reader.synchronize());
        failing.failAt(0);
        check(error instanceof DeviceError || (error === null && failure !== 'refused'), String(error));
        // Where there was room, a buffer is larger than it should be.
        if (error) checkSame(Array.from(await reader.predict(1)), Array.from(wanted), 'logits');
        reader.dispose();
      }
      runner.dispose();
    },
  },
];
