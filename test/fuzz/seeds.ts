/** Good inputs of every kind, small, to be damaged: files of models and checkpoints of trainings in mid-course. */
import { CpuExecutor } from '../../src/cpu/executor.js';
import { ModuleDict, Sequential } from '../../src/nn/containers.js';
import { Linear } from '../../src/nn/linear.js';
import { meanAbsoluteError, meanSquaredError } from '../../src/nn/losses.js';
import { GRU } from '../../src/nn/recurrent.js';
import { reshape } from '../../src/ops/reshape.js';
import { AdamW } from '../../src/optim/adam.js';
import { ReduceOnPlateau } from '../../src/optim/schedules.js';
import { SGD } from '../../src/optim/sgd.js';
import { CharacterModel, type FitOptions } from '../../src/text/character-model.js';
import type { Dataset } from '../../src/train/dataset.js';
import { Model } from '../../src/train/model.js';
import { ExponentialMovingAverage } from '../../src/train/moving-average.js';
import { Trainer, type Batch } from '../../src/train/trainer.js';
import { assemble } from './mutate.js';

/** A text to train character models with, and how. */
export const FIT_TEXT = 'abc é🙂\nabcabc cab 🙂é a\nbca';
export const FIT: FitOptions = { batchSize: 2, sequenceLength: 4, steps: 4, validationFraction: 0.2 };

const CELLS = [
  { cell: 'lstm', numLayers: 1, nonlinearity: 'tanh' },
  { cell: 'gru', numLayers: 2, nonlinearity: 'tanh' },
  { cell: 'rnn', numLayers: 1, nonlinearity: 'relu' },
] as const;

function createCharacterModel(kind: (typeof CELLS)[number]): CharacterModel {
  const executor = new CpuExecutor();
  return CharacterModel.create({
    executor,
    text: FIT_TEXT,
    embeddingSize: 2,
    hiddenSize: 2,
    seed: 1,
    ...kind,
  });
}

/** What `CharacterModel.save` gives, a file a cell. */
export async function characterFiles(): Promise<Uint8Array[]> {
  return Promise.all(CELLS.map((kind) => createCharacterModel(kind).save()));
}

/** What `CharacterModel.checkpoint` gives: fresh, and stopped in mid-course. */
export async function characterCheckpoints(): Promise<Uint8Array[]> {
  const files: Uint8Array[] = [await createCharacterModel(CELLS[0]).checkpoint()];
  for (const kind of CELLS.slice(1)) {
    const model = createCharacterModel(kind);
    await model.fit(FIT_TEXT, { ...FIT, steps: 2 });
    files.push(await model.checkpoint());
  }
  return files;
}

/** A trainer with a recurrent layer, gathered gradients, averages and a schedule that learns. */
export function createTrainer(): Trainer {
  const executor = new CpuExecutor();
  const net = new ModuleDict({
    rnn: new GRU({ inputSize: 1, hiddenSize: 2, seed: 1 }),
    output: new Linear({ inputSize: 2, outputSize: 1, seed: 2 }),
  });
  return new Trainer({
    executor,
    parameters: net,
    optimizer: new AdamW({ learningRate: new ReduceOnPlateau({ initial: 0.01 }) }),
    accumulate: 2,
    average: new ExponentialMovingAverage({ executor, parameters: net }),
    clipNorm: 1,
    record: (_graph, { x }, context) =>
      meanSquaredError(
        net.modules.output.forward(net.modules.rnn.forward(x!, undefined, context).output),
        x!,
      ),
  });
}

/** A batch for it. */
export function trainerBatch(step: number): Batch {
  return { x: { shape: [3, 2, 1], data: Float32Array.from({ length: 6 }, (_, i) => Math.sin(i + step)) } };
}

/** What its `checkpoint` gives, between two updates. */
export async function trainerCheckpoint(): Promise<Uint8Array> {
  const trainer = createTrainer();
  for (let step = 1; step <= 3; step++) await trainer.step(trainerBatch(step));
  trainer.optimizer.adaptiveSchedule!.observe(1);
  return trainer.checkpoint();
}

/** Samples for `createModel`. */
export const DATA: Dataset = {
  x: { shape: [4, 3, 1], data: Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)) },
  y: { shape: [4, 1], data: Float32Array.from({ length: 4 }, (_, i) => Math.cos(i)) },
};

/** A model with a metric, for fits with early stopping. */
export function createModel(): Model {
  const rnn = new GRU({ inputSize: 1, hiddenSize: 2, batchFirst: true, returnSequences: false, seed: 1 });
  return new Model({
    executor: new CpuExecutor(),
    network: new Sequential(
      rnn,
      (x) => reshape(x, [x.shape[0]!, 2]),
      new Linear({ inputSize: 2, outputSize: 1 }),
    ),
    loss: meanSquaredError,
    metrics: { error: meanAbsoluteError },
    optimizer: new SGD({ learningRate: 0.05, momentum: 0.5 }),
  });
}

/** What its `checkpoint` gives in the middle of the second epoch. */
export async function modelCheckpoint(): Promise<Uint8Array> {
  const model = createModel();
  let file: Uint8Array | null = null;
  await model.fit(DATA, {
    epochs: 2,
    batchSize: 2,
    validationData: DATA,
    earlyStopping: { patience: 2 },
    callbacks: {
      onBatchEnd: async ({ epoch, batch }) => {
        if (epoch === 2 && batch === 1) file = await model.checkpoint();
      },
    },
  });
  return file!;
}

/** A file with a tensor of every type that is read. */
export function allTypes(): Uint8Array {
  const types = {
    F64: 8,
    F32: 4,
    F16: 2,
    BF16: 2,
    I64: 8,
    I32: 4,
    I16: 2,
    I8: 1,
    U64: 8,
    U32: 4,
    U16: 2,
    U8: 1,
    BOOL: 1,
  };
  let at = 0;
  const entries = Object.entries(types).map(([dtype, bytes], i) => {
    const begin = at;
    at += 2 * bytes;
    return `"${i} ${dtype}":{"dtype":"${dtype}","shape":[1,2],"data_offsets":[${begin},${at}]}`;
  });
  const empty = `"none":{"dtype":"F32","shape":[0,7],"data_offsets":[${at},${at}]}`;
  const header = `{"__metadata__":{"a":"b"},${[...entries, empty].join(',')}}`;
  return assemble(
    header,
    Uint8Array.from({ length: at }, (_, i) => (i % 8 < 2 ? i : 0)),
  );
}
