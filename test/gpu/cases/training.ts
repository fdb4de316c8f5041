/** Training on the GPU: groups, gathered gradients and averages as on the reference, and resuming to the bit. */
import type { Executor } from '../../../src/graph/executor.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { applyDropout } from '../../../src/nn/dropout.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { LSTM } from '../../../src/nn/recurrent.js';
import { sub } from '../../../src/ops/binary.js';
import { mean } from '../../../src/ops/reduce-sum.js';
import { abs } from '../../../src/ops/unary.js';
import { AdamW } from '../../../src/optim/adam.js';
import { NAdam } from '../../../src/optim/nadam.js';
import type { Optimizer } from '../../../src/optim/optimizer.js';
import { ReduceOnPlateau } from '../../../src/optim/schedules.js';
import { SGD } from '../../../src/optim/sgd.js';
import { CharacterModel } from '../../../src/text/character-model.js';
import type { Dataset } from '../../../src/train/dataset.js';
import type { ModelFitOptions } from '../../../src/train/model-fit.js';
import { Model } from '../../../src/train/model.js';
import { ExponentialMovingAverage } from '../../../src/train/moving-average.js';
import { Trainer, type Batch } from '../../../src/train/trainer.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';
import { randomArray } from '../compare-executors.js';
import { check } from '../check.js';

interface Setup {
  readonly optimizer: () => Optimizer;
  readonly accumulate?: number;
  readonly dropout?: number;
}

const [TIME, BATCH, INPUT, HIDDEN] = [5, 3, 4, 7] as const;

/** A recurrent net whose state is carried from step to step. */
function create(executor: Executor, { optimizer, accumulate = 1, dropout = 0 }: Setup) {
  const net = new ModuleDict({
    rnn: new LSTM({ inputSize: INPUT, hiddenSize: HIDDEN, seed: 1 }),
    output: new Linear({ inputSize: HIDDEN, outputSize: 2, seed: 2 }),
  });
  const carried = net.modules.rnn.createState(BATCH);
  const average = new ExponentialMovingAverage({ executor, parameters: net, decay: 0.7 });
  const trainer = new Trainer({
    executor,
    parameters: net,
    optimizer: optimizer(),
    clipNorm: 0.5,
    clipValue: 0.1,
    accumulate,
    average,
    variables: carried.variables,
    record: (graph, { x, y }, context) => {
      const run = net.modules.rnn.forward(x!, carried.read(graph), context);
      carried.update(graph, run.state);
      const hidden = applyDropout(run.output, dropout, context, 'dropout');
      return meanSquaredError(net.modules.output.forward(hidden), y!);
    },
  });
  const dispose = (): void => {
    trainer.dispose();
    average.dispose();
    executor.release([...net.parameters(), ...carried.variables.values()]);
  };
  return { net, trainer, average, dispose };
}

function batch(step: number): Batch {
  return {
    x: { shape: [TIME, BATCH, INPUT], data: randomArray(TIME * BATCH * INPUT, step) },
    y: { shape: [TIME, BATCH, 2], data: randomArray(TIME * BATCH * 2, 1000 + step) },
  };
}

async function train(trainer: Trainer, from: number, to: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = from; step <= to; step++) {
    const { outputs } = await trainer.step(batch(step), { read: ['loss'] });
    losses.push(outputs['loss']![0]!);
    trainer.optimizer.adaptiveSchedule?.observe(1);
  }
  return losses;
}

const GROUPS = [{ match: /bias/, weightDecay: 0, learningRateFactor: 0.5 }];

const SETUPS: Readonly<Record<string, Setup>> = {
  'AdamW in groups': { optimizer: () => new AdamW({ learningRate: 0.02, groups: GROUPS }) },
  'gathered gradients': { optimizer: () => new AdamW({ learningRate: 0.02 }), accumulate: 3 },
  'gathered gradients in groups': {
    optimizer: () => new SGD({ learningRate: 0.05, momentum: 0.9, groups: GROUPS }),
    accumulate: 2,
  },
  'NAdam that waits for a plateau': {
    optimizer: () =>
      new NAdam({ learningRate: new ReduceOnPlateau({ initial: 0.02, factor: 0.5, patience: 1 }) }),
  },
};

const TEXT = 'ein männlein steht im walde ganz still und stumm; es hat von lauter purpur ein mäntlein um. ';

const resumedCharacterModel: GpuCase = {
  name: 'a character model: interrupted and resumed, the losses are the same to the bit',
  async run({ executor }) {
    const options = { batchSize: 3, sequenceLength: 8, validationFraction: 0.15, validateEvery: 2 };
    const create = (): CharacterModel =>
      CharacterModel.create({ executor, text: TEXT, hiddenSize: 10, numLayers: 2, dropout: 0.2, seed: 3 });
    const whole = create();
    const { losses } = await whole.fit(TEXT, { ...options, steps: 9 });
    const first = create();
    await first.fit(TEXT, { ...options, steps: 4 });
    const second = await CharacterModel.restore(await first.checkpoint(), { executor });
    const rest = await second.fit(TEXT, { ...options, steps: 9 });
    check(
      rest.losses.length === 5 && rest.losses.every((loss, i) => Object.is(loss, losses[4 + i])),
      `losses ${String(rest.losses)} are not ${String(losses.slice(4))}`,
    );
    const [saved, wanted] = [await second.checkpoint(), await whole.checkpoint()];
    check(saved.length === wanted.length && saved.every((byte, i) => byte === wanted[i]), 'the ends differ');
    for (const model of [whole, first, second]) model.dispose();
  },
};

function createModel(executor: Executor): Model {
  const modules = {
    rnn: new LSTM({ inputSize: 3, hiddenSize: 6, seed: 1 }),
    output: new Linear({ inputSize: 6, outputSize: 2, seed: 2 }),
  };
  return new Model({
    executor,
    network: new ModuleDict(modules),
    batchFirst: false,
    forward: (x, context) => {
      const hidden = applyDropout(modules.rnn.forward(x, undefined, context).output, 0.2, context, 'drop');
      return modules.output.forward(hidden);
    },
    loss: meanSquaredError,
    optimizer: new AdamW({ learningRate: 0.03 }),
    penalty: { l2: 1e-3 },
    metrics: { error: (prediction, target) => mean(abs(sub(prediction, target))) },
  });
}

const SEQUENCES: Dataset = {
  x: { shape: [11, 4, 3], data: randomArray(11 * 4 * 3, 71) },
  y: { shape: [11, 4, 2], data: randomArray(11 * 4 * 2, 72) },
};

const modelCases: readonly GpuCase[] = [
  {
    name: 'a model: interrupted and resumed, history and weights are the same to the bit',
    async run({ executor }) {
      const options = { epochs: 3, batchSize: 3, validationSplit: 0.2, earlyStopping: { patience: 3 } };
      const whole = createModel(executor);
      const { history } = await whole.fit(SEQUENCES, options);
      const controller = new AbortController();
      const first = createModel(executor);
      const begin = await first.fit(SEQUENCES, {
        ...options,
        signal: controller.signal,
        callbacks: { onBatchEnd: ({ step }) => (step === 4 ? controller.abort() : undefined) },
      });
      check(begin.stopped === 'signal', 'it was not interrupted');
      const second = createModel(executor);
      await second.restore(await first.checkpoint());
      const rest = await second.fit(SEQUENCES, options);
      check(
        JSON.stringify(rest.history) === JSON.stringify(history),
        `history ${JSON.stringify(rest.history)} is not ${JSON.stringify(history)}`,
      );
      const [saved, wanted] = [await second.checkpoint(), await whole.checkpoint()];
      check(
        saved.length === wanted.length && saved.every((byte, i) => byte === wanted[i]),
        'the ends differ',
      );
      for (const model of [whole, first, second]) model.dispose();
    },
  },
  {
    name: 'a model: fitting, evaluating and predicting as on the reference; the best weights are restored',
    async run(context) {
      const reference = context.reference();
      const [actual, expected] = [createModel(context.executor), createModel(reference)];
      const options = {
        epochs: 4,
        batchSize: 4,
        validationData: { x: SEQUENCES.x, y: { ...SEQUENCES.y, data: SEQUENCES.y.data.map((v) => -v) } },
        earlyStopping: { patience: 2 },
      } as ModelFitOptions;
      const result = await actual.fit(SEQUENCES, options);
      const wanted = await expected.fit(SEQUENCES, options);
      check(result.bestEpoch === wanted.bestEpoch, `best epoch ${result.bestEpoch}, not ${wanted.bestEpoch}`);
      for (const [name, column] of Object.entries(wanted.history)) {
        expectClose(result.history[name]!, column, TOLERANCES.trainingLoss, name);
      }
      const best = wanted.history['validationLoss']![wanted.bestEpoch! - 1]!;
      const { loss } = await actual.evaluate(options.validationData!, { batchSize: 5 });
      expectClose([loss!], [best], TOLERANCES.trainingLoss, 'the best validation loss');
      const [made, right] = [await actual.predict(SEQUENCES.x), await expected.predict(SEQUENCES.x)];
      check(String(made.shape) === '11,4,2', `predictions have shape ${String(made.shape)}`);
      expectClose(made.data, right.data, TOLERANCES.finalParameter, 'predictions');
      actual.dispose();
      expected.dispose();
      reference.dispose();
    },
  },
  {
    name: 'a model: diverging ends a fit with good weights',
    async run({ executor }) {
      const model = createModel(executor);
      const before = await model.save();
      model.optimizer.learningRate = 1e30;
      const { stopped } = await model.fit(SEQUENCES, { epochs: 3, batchSize: 2 });
      check(stopped === 'nonFinite', `stopped is ${stopped}`);
      const after = await model.save();
      check(
        before.every((byte, i) => byte === after[i]),
        'the weights have changed',
      );
      model.dispose();
    },
  },
];

export const cases: readonly GpuCase[] = [
  ...Object.entries(SETUPS).flatMap(([name, setup]): GpuCase[] => [
    {
      name: `${name}: losses, weights and averages as on the reference`,
      async run(context) {
        const reference = context.reference();
        const [actual, expected] = [create(context.executor, setup), create(reference, setup)];
        const losses = await train(actual.trainer, 1, 7);
        expectClose(losses, await train(expected.trainer, 1, 7), TOLERANCES.trainingLoss, 'losses');
        const compare = async (what: string): Promise<void> => {
          const state = await actual.net.state(context.executor);
          for (const [key, { data }] of await expected.net.state(reference)) {
            expectClose(state.get(key)!.data, data, TOLERANCES.finalParameter, `${what} ${key}`);
          }
        };
        await compare('weight');
        await Promise.all([actual.average.swap(), expected.average.swap()]);
        await compare('average of');
        await Promise.all([actual.average.swap(), expected.average.swap()]);
        await compare('again, weight');
        actual.dispose();
        expected.dispose();
        reference.dispose();
      },
    },
    {
      name: `${name}: interrupted and resumed, the losses are the same to the bit`,
      async run({ executor }) {
        const wet = { ...setup, dropout: 0.3 };
        const whole = create(executor, wet);
        const losses = await train(whole.trainer, 1, 9);
        const end = await whole.trainer.checkpoint();
        for (const cut of [1, 4]) {
          const first = create(executor, wet);
          await train(first.trainer, 1, cut);
          const bytes = await first.trainer.checkpoint();
          first.dispose();
          const second = create(executor, wet);
          await train(second.trainer, 50, 51);
          await second.trainer.restore(bytes);
          const rest = await train(second.trainer, cut + 1, 9);
          check(
            rest.every((loss, i) => Object.is(loss, losses[cut + i])),
            `after step ${cut}: losses ${String(rest)} are not ${String(losses.slice(cut))}`,
          );
          const again = await second.trainer.checkpoint();
          check(
            again.length === end.length && again.every((byte, i) => byte === end[i]),
            `after step ${cut}: the last checkpoints differ`,
          );
          second.dispose();
        }
        whole.dispose();
      },
    },
  ]),
  resumedCharacterModel,
  ...modelCases,
];
