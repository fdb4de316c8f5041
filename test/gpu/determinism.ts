/** Trainings that must repeat to the bit: each runs up to a step, from its begin or from a checkpoint. */
import type { Executor } from '../../src/graph/executor.js';
import { ModuleDict } from '../../src/nn/containers.js';
import { applyDropout } from '../../src/nn/dropout.js';
import { Linear } from '../../src/nn/linear.js';
import { meanSquaredError } from '../../src/nn/losses.js';
import { GRU, LSTM } from '../../src/nn/recurrent.js';
import { Adam } from '../../src/optim/adam.js';
import { NAdam } from '../../src/optim/nadam.js';
import { cosineSchedule } from '../../src/optim/schedules.js';
import { CharacterModel } from '../../src/text/character-model.js';
import { Model } from '../../src/train/model.js';
import { Trainer } from '../../src/train/trainer.js';
import { randomArray } from './compare-executors.js';

/** What a run gives. */
export interface Outcome {
  /** Steps taken in all, those before the checkpoint included. */
  readonly steps: number;
  /** Of the steps of this run. */
  readonly losses: readonly number[];
  readonly checkpoint: Uint8Array;
}

/** A training of {@link STEPS} steps, or of some of them. */
export interface Training {
  readonly name: string;
  /** @param until the step after which it is interrupted, or a little later */
  readonly run: (executor: Executor, until: number, from: Uint8Array | null) => Promise<Outcome>;
}

export const STEPS = 200;

const [T, B, I, H] = [5, 4, 3, 17] as const;

const trainerTraining: Training = {
  name: 'a trainer: lstm, dropout, Adam with a schedule',
  async run(executor, until, from) {
    const rnn = new LSTM({ inputSize: I, hiddenSize: H, numLayers: 2, dropout: 0.2, seed: 1 });
    const output = new Linear({ inputSize: H, outputSize: 2, seed: 2 });
    const carried = rnn.createState(B);
    const parameters = new ModuleDict({ rnn, output });
    const trainer = new Trainer({
      executor,
      parameters,
      optimizer: new Adam({ learningRate: cosineSchedule({ initial: 0.02, steps: STEPS }) }),
      clipNorm: 0.5,
      variables: carried.variables,
      record: (graph, { x, y }, context) => {
        const result = rnn.forward(x!, carried.read(graph), context);
        carried.update(graph, result.state);
        return meanSquaredError(output.forward(applyDropout(result.output, 0.3, context, 'dropout')), y!);
      },
    });
    if (from) await trainer.restore(from);
    const losses: number[] = [];
    while (trainer.steps < until) {
      const step = trainer.steps + 1;
      const { records } = await trainer.step(
        {
          x: { shape: [T, B, I], data: randomArray(T * B * I, step) },
          y: { shape: [T, B, 2], data: randomArray(T * B * 2, 1000 + step) },
        },
        { flush: step === until },
      );
      losses.push(...records.map(({ loss }) => loss));
    }
    const checkpoint = await trainer.checkpoint();
    const { steps } = trainer;
    trainer.dispose();
    executor.release([...parameters.parameters(), ...carried.variables.values()]);
    return { steps, losses, checkpoint };
  },
};

/** Samples of an epoch: the last batch is smaller than the others. */
const [SAMPLES, BATCH] = [38, 8];

const modelTraining: Training = {
  name: 'a model: gru, shuffled batches, NAdam',
  async run(executor, until, from) {
    const rnn = new GRU({ inputSize: I, hiddenSize: H, bidirectional: true, seed: 1 });
    const output = new Linear({ inputSize: rnn.outputSize, outputSize: 2, seed: 2 });
    const model = new Model({
      executor,
      network: new ModuleDict({ rnn, output }),
      batchFirst: false,
      forward: (x, context) =>
        output.forward(applyDropout(rnn.forward(x, undefined, context).output, 0.2, context, 'dropout')),
      loss: meanSquaredError,
      optimizer: new NAdam({ learningRate: 0.01 }),
    });
    if (from) await model.restore(from);
    const losses: number[] = [];
    const stop = new AbortController();
    await model.fit(
      {
        x: { shape: [SAMPLES, T, I], data: randomArray(T * SAMPLES * I, 1) },
        y: { shape: [SAMPLES, T, 2], data: randomArray(T * SAMPLES * 2, 2) },
      },
      {
        epochs: STEPS / Math.ceil(SAMPLES / BATCH),
        batchSize: BATCH,
        seed: 4,
        signal: stop.signal,
        callbacks: {
          onBatchEnd: ({ step, loss }) => {
            losses.push(loss);
            if (step === until && until < STEPS) stop.abort();
          },
        },
      },
    );
    const { steps } = model.trainer;
    const checkpoint = await model.checkpoint();
    model.dispose();
    return { steps, losses, checkpoint };
  },
};

const TEXT = 'sah ein knab ein röslein stehn, röslein auf der heiden, war so jung und morgenschön. ';

const characterTraining: Training = {
  name: 'a character model: gru, dropout',
  async run(executor, until, from) {
    const sizes = { cell: 'gru', hiddenSize: H, numLayers: 2, dropout: 0.2, seed: 3 } as const;
    const model = from
      ? await CharacterModel.restore(from, { executor })
      : CharacterModel.create({ executor, text: TEXT, ...sizes });
    const { losses } = await model.fit(TEXT, { steps: until, batchSize: 3, sequenceLength: 6 });
    const checkpoint = await model.checkpoint();
    model.dispose();
    return { steps: until, losses, checkpoint };
  },
};

export const TRAININGS: readonly Training[] = [trainerTraining, modelTraining, characterTraining];
