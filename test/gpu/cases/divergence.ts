/** Losses that are not finite, on the GPU: noticed and explained as on the CPU, and taken back. */
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { NonFiniteError } from '../../../src/graph/errors.js';
import type { Executor } from '../../../src/graph/executor.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { SGD } from '../../../src/optim/sgd.js';
import { CharacterModel } from '../../../src/text/character-model.js';
import { Model } from '../../../src/train/model.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';
import { check } from '../check.js';

async function weightsOf({ network, executor }: Model | CharacterModel): Promise<number[]> {
  return [...(await network.state(executor)).values()].flatMap(({ data }) => [...data]);
}

/** Fits a line whose data turn bad in the third epoch. */
async function fitLine(executor: Executor, bad: number) {
  const samples = 12;
  const x = Float32Array.from({ length: 2 * samples }, (_, i) => Math.sin(1.7 * i));
  const y = Float32Array.from({ length: samples }, (_, i) => 3 * x[2 * i]! - x[2 * i + 1]!);
  const network = new ModuleDict({
    first: new Linear({ inputSize: 2, outputSize: 3, seed: 4 }),
    second: new Linear({ inputSize: 3, outputSize: 1, seed: 5 }),
  });
  const { first, second } = network.modules;
  const model = new Model({
    executor,
    network,
    forward: (input) => second.forward(first.forward(input)),
    loss: meanSquaredError,
    optimizer: new SGD({ learningRate: 0.01, momentum: 0.9 }),
    averageDecay: 0.5,
  });
  const data = { x: { shape: [samples, 2], data: x }, y: { shape: [samples, 1], data: y } };
  let last = 0;
  const { stopped, epochs, error } = await model.fit(data, {
    batchSize: 3,
    epochs: 20,
    callbacks: {
      onEpochBegin: (epoch) => {
        if (epoch === 2) x[7] = bad;
      },
      onBatchEnd: ({ step }) => void (last = step),
    },
  });
  const weights = await weightsOf(model);
  const averages = await model.average!.during(() => weightsOf(model));
  const { steps } = model.trainer;
  // What is there is good: it learns on.
  x[7] = 0.5;
  const more = await model.fit(data, { batchSize: 3, epochs: 2 });
  const outcome = { stopped, epochs, message: error?.message, last, more: more.stopped };
  check(error instanceof NonFiniteError, String(error));
  check(steps - last <= 32, `${steps} steps for a loss of step ${last}`);
  model.dispose();
  return { outcome, weights, averages };
}

export const cases: readonly GpuCase[] = [
  ...[NaN, Infinity].map((bad): GpuCase => ({
    name: `a loss that ${bad} in the data spoils ends a fit as on the CPU`,
    async run({ executor }) {
      const [actual, wanted] = [await fitLine(executor, bad), await fitLine(new CpuExecutor(), bad)];
      const [a, b] = [JSON.stringify(actual.outcome), JSON.stringify(wanted.outcome)];
      check(a === b, `${a} is not ${b}`);
      const said = /step 8\) is (NaN|Infinity), the gradient of "first.weight" is not finite/;
      check(said.test(actual.outcome.message ?? ''), a);
      expectClose(actual.weights, wanted.weights, TOLERANCES.result, 'weights');
      expectClose(actual.averages, wanted.averages, TOLERANCES.result, 'averages');
    },
  })),
  {
    name: 'a character model whose rate is beyond all bounds for one step comes back to the good weights, to the bit',
    async run({ executor }) {
      const text = 'abcabbcabcacbbabcabcbacbabcabcabbbaccab'.repeat(20);
      const options = { batchSize: 2, sequenceLength: 3, clipNorm: 0 };
      const create = (): CharacterModel =>
        CharacterModel.create({
          executor,
          text,
          cell: 'rnn',
          nonlinearity: 'relu',
          hiddenSize: 4,
          embeddingSize: 2,
          seed: 1,
        });
      const fast = create();
      const result = await fast.fit(text, {
        ...options,
        steps: 90,
        optimizer: new SGD(),
        learningRate: (step) => (step === 75 ? 1e30 : 0.01),
      });
      const { error, losses, stopped } = result;
      const { length } = losses;
      check(
        stopped && error instanceof NonFiniteError && length > 75 && length < 85,
        `${length} ${String(error)}`,
      );
      check(
        new RegExp(`the loss of step ${length} is (NaN|-?Infinity), the gradient of ".+" is not finite`).test(
          error!.message,
        ),
        error!.message,
      );
      check(losses.slice(0, -1).every(Number.isFinite), losses.join());
      const healthy = create();
      await healthy.fit(text, { ...options, steps: 64, optimizer: new SGD({ learningRate: 0.01 }) });
      expectClose(await weightsOf(fast), await weightsOf(healthy), TOLERANCES.exact, 'weights');
      await fast.save();
      const again = await fast.fit(text, {
        ...options,
        steps: 20,
        optimizer: new SGD({ learningRate: 0.01 }),
      });
      check(again.error === null && again.losses.every(Number.isFinite), again.losses.join());
      for (const model of [fast, healthy]) model.dispose();
    },
  },
];
