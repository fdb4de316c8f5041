/** Long runs leave nothing behind: no memory of the device, no GPU object, no garbage that stays on the heap. */
import type { Executor } from '../../../src/graph/executor.js';
import { GpuExecutor } from '../../../src/gpu/executor.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { applyDropout } from '../../../src/nn/dropout.js';
import { Embedding } from '../../../src/nn/embedding.js';
import { Linear } from '../../../src/nn/linear.js';
import { crossEntropy, meanSquaredError } from '../../../src/nn/losses.js';
import { GRU, LSTM } from '../../../src/nn/recurrent.js';
import { Adam } from '../../../src/optim/adam.js';
import { CharacterModel } from '../../../src/text/character-model.js';
import { Model } from '../../../src/train/model.js';
import { Trainer, type Batch } from '../../../src/train/trainer.js';
import type { GpuCase, GpuContext } from '../case.js';
import { randomArray, randomTokens } from '../compare-executors.js';
import { HeapSlope } from '../long-runs/heap.js';
import { watchDevice, type DeviceWatch } from '../long-runs/watched-device.js';
import { check } from '../check.js';

/** What a step may leave on the heap: less than an object that could be kept, and more than browsers need themselves. */
const BYTES_PER_STEP = 64;

/** Objects that a step may make on the device. */
const OF_A_STEP = ['CommandBuffer', 'CommandEncoder', 'ComputePass'];

/** Throws where the heap grows; says by how much. */
function checkSlope(heap: HeapSlope, what: string, unit: string, most = BYTES_PER_STEP): void {
  const { bytesPerStep } = heap;
  if (bytesPerStep === null) return;
  console.info(`heap, ${what}: ${bytesPerStep.toFixed(2)} bytes a ${unit}`);
  check(
    bytesPerStep <= most,
    `${what}: the heap grows by ${bytesPerStep.toFixed(1)} bytes a ${unit} (${heap.points})`,
  );
}

async function watched(
  { executor }: GpuContext,
  run: (executor: GpuExecutor, watch: DeviceWatch) => Promise<void>,
): Promise<void> {
  const watch = watchDevice(executor.device);
  // Snapshots against a lost device would be counted too, on adapters so slow that one falls due.
  const own = await GpuExecutor.create({ device: watch.device, recovery: { snapshotPeriod: 1e9 } });
  try {
    await run(own, watch);
  } finally {
    own.dispose();
  }
  const left = watch.buffers();
  check(left.length === 0, `${left.length} buffers are left: ${left.map(({ label }) => label).join(', ')}`);
  const { bytesInUse, bytesAllocated } = own.memory();
  check(bytesInUse === 0 && bytesAllocated === 0, `${bytesInUse} of ${bytesAllocated} bytes are left`);
}

const [V, T, B, H] = [11, 4, 4, 8];

/** A small network with everything that a step can have: dropout, clipping, momenta, carried states. */
function createTrainer(executor: Executor) {
  const modules = new ModuleDict({
    embedding: new Embedding({ vocabSize: V, embeddingSize: H, seed: 1 }),
    rnn: new LSTM({ inputSize: H, hiddenSize: H, seed: 2 }),
    output: new Linear({ inputSize: H, outputSize: V, seed: 3 }),
  });
  const { embedding, rnn, output } = modules.modules;
  const carried = rnn.createState(B);
  const trainer = new Trainer({
    executor,
    parameters: modules,
    optimizer: new Adam({ learningRate: (step) => 0.01 / (1 + step / 1000) }),
    clipNorm: 1,
    variables: carried.variables,
    record: (graph, { tokens, targets }, context) => {
      const fits = tokens!.shape[1] === B;
      const x = embedding.forward(tokens!);
      const { output: y, state } = rnn.forward(x, fits ? carried.read(graph) : undefined, context);
      if (fits) carried.update(graph, state);
      return crossEntropy(output.forward(applyDropout(y, 0.1, context, 'dropout')), targets!);
    },
  });
  const dispose = (): void => {
    trainer.dispose();
    executor.release([...modules.parameters(), ...carried.variables.values()]);
  };
  return { trainer, dispose };
}

function createBatch(step: number, batchSize = B): Batch {
  const tokens = randomTokens(T * batchSize, V, step % 50);
  const next = { shape: [T, batchSize], data: tokens.map((token) => (token + 1) % V) };
  return { tokens: { shape: [T, batchSize], data: tokens }, targets: next };
}

const longTraining: GpuCase = {
  name: '2,000 steps of training: memory, GPU objects and heap stay as they are, and the loss is as fresh',
  run: (context) =>
    watched(context, async (executor, watch) => {
      // The engine's compiler settles over the first steps.
      const [WARM_UP, STEPS, MORE] = [600, 2000, 20];
      const { trainer, dispose } = createTrainer(executor);
      for (let step = 1; step <= WARM_UP; step++) await trainer.step(createBatch(step));
      await trainer.settle();
      const before = executor.memory();
      const heap = new HeapSlope();
      watch.forget();
      for (let step = 1; step <= STEPS; step++) {
        await trainer.step(createBatch(step));
        if (step % 200 === 0) await heap.measure(step);
      }
      await trainer.settle();
      const { created } = watch;
      const others = Object.keys(created).filter((kind) => !OF_A_STEP.includes(kind));
      check(others.length === 0, `steps have made ${JSON.stringify(created)}`);
      check(
        created['CommandBuffer'] === STEPS,
        `${created['CommandBuffer']} command buffers in ${STEPS} steps`,
      );
      check(created['CommandEncoder'] === STEPS, `${created['CommandEncoder']} encoders in ${STEPS} steps`);
      const after = executor.memory();
      check(
        JSON.stringify(after) === JSON.stringify(before),
        `memory was ${JSON.stringify(before)}, is ${JSON.stringify(after)}`,
      );
      checkSlope(heap, 'training', 'step');

      const checkpoint = await trainer.checkpoint();
      const losses = await lossesOf(trainer, MORE);
      dispose();
      const fresh = await GpuExecutor.create({ device: context.executor.device });
      const again = createTrainer(fresh);
      await again.trainer.restore(checkpoint);
      const wanted = await lossesOf(again.trainer, MORE);
      fresh.dispose();
      check(losses.every(Number.isFinite), `losses are ${losses.join()}`);
      check(losses.join() === wanted.join(), `losses are ${losses.join()}, fresh ones ${wanted.join()}`);
    }),
};

async function lossesOf(trainer: Trainer, count: number): Promise<number[]> {
  const losses: number[] = [];
  for (let i = 1; i <= count; i++) {
    const { outputs } = await trainer.step(createBatch(i), { read: ['loss'] });
    losses.push(outputs['loss']![0]!);
  }
  return losses;
}

function createModel(executor: Executor): Model {
  const rnn = new GRU({ inputSize: 3, hiddenSize: H, seed: 1 });
  const output = new Linear({ inputSize: H, outputSize: 2, seed: 2 });
  return new Model({
    executor,
    network: new ModuleDict({ rnn, output }),
    batchFirst: false,
    forward: (x, context) => output.forward(rnn.forward(x, undefined, context).output),
    loss: meanSquaredError,
    optimizer: new Adam({ learningRate: 0.01 }),
  });
}

const SAMPLES = {
  x: { shape: [T, 6, 3], data: randomArray(T * 6 * 3, 1) },
  y: { shape: [T, 6, 2], data: randomArray(T * 6 * 2, 2) },
};

const TEXT = 'in einem bächlein helle, da schoss in froher eil die launische forelle vorüber wie ein pfeil. ';

/** Each creates something, works it and disposes of it. */
const LIVES: readonly ((executor: Executor) => Promise<void>)[] = [
  async (executor) => {
    const { trainer, dispose } = createTrainer(executor);
    for (let step = 1; step <= 3; step++) await trainer.step(createBatch(step));
    await trainer.evaluate(createBatch(4));
    await trainer.checkpoint();
    dispose();
  },
  async (executor) => {
    const model = createModel(executor);
    await model.fit(SAMPLES, { epochs: 2, batchSize: 4 });
    await model.evaluate(SAMPLES, { batchSize: 4 });
    await model.predict(SAMPLES.x, { batchSize: 4 });
    model.dispose();
  },
  async (executor) => {
    const model = CharacterModel.create({ executor, text: TEXT, hiddenSize: H, embeddingSize: H, seed: 1 });
    await model.fit(TEXT, { steps: 3, batchSize: 2, sequenceLength: 8, validationFraction: 0.2 });
    let length = 0;
    for await (const character of model.generate({ length: 20, seed: 1 })) length += character.length;
    check(length >= 20, `wrote ${length} characters`);
    model.dispose();
  },
];

const lives: GpuCase = {
  name: '51 models created, trained and disposed of: nothing is left each time',
  run: (context) =>
    watched(context, async (executor) => {
      const heap = new HeapSlope();
      let kept = 0;
      for (let cycle = 1; cycle <= 51; cycle++) {
        await LIVES[cycle % LIVES.length]!(executor);
        const { bytesInUse, bytesAllocated } = executor.memory();
        check(bytesInUse === 0, `after ${cycle} lives, ${bytesInUse} bytes are in use`);
        // What is allocated now are buffers to read back into, which all share: as many as were in flight at once.
        if (cycle <= 24) kept = Math.max(kept, bytesAllocated);
        else check(bytesAllocated <= 2 * kept, `after ${cycle} lives ${bytesAllocated} bytes are kept`);
        if (cycle % LIVES.length === 0 && cycle >= 24) await heap.measure(cycle);
      }
      // A plan that is kept takes 40,000; compiled code is still being added.
      checkSlope(heap, 'lives', 'life', 12_000);
    }),
};

const shapes: GpuCase = {
  name: '200 changes of shape: no more plans are kept than the cache holds',
  run: (context) =>
    watched(context, async (executor, watch) => {
      const [CHANGES, DISTINCT, CAPACITY] = [200, 40, 16];
      const { trainer } = createTrainer(executor);
      const heap = new HeapSlope();
      let round: number | null = null;
      for (let change = 1; change <= CHANGES; change++) {
        await trainer.step(createBatch(change, 1 + ((change * 7) % DISTINCT)));
        const labels = watch.buffers().map(({ label }) => label);
        const plans = labels.filter((label) => label === 'trainer parameters').length;
        check(plans <= CAPACITY, `${plans} plans are kept, the cache holds ${CAPACITY}`);
        const readbacks = labels.filter((label) => label === 'readback').length;
        check(readbacks <= CAPACITY, `${readbacks} buffers are there to read ${plans} plans back`);
        if (change % DISTINCT !== 0) continue;
        await trainer.settle();
        // After each round the same shapes are the last.
        const { bytesInUse } = executor.memory();
        round ??= bytesInUse;
        check(bytesInUse === round, `${bytesInUse} bytes after ${change} changes, before ${round}`);
        await heap.measure(change);
      }
      checkSlope(heap, 'changes of shape', 'change', 2048);
    }),
};

const generating: GpuCase = {
  name: '2,000 characters generated again and again',
  run: (context) =>
    watched(context, async (executor, watch) => {
      // Prompts of one size, texts of five.
      const [ROUNDS, LENGTH, SIZES] = [9, 2000, 6];
      const model = CharacterModel.create({ executor, text: TEXT, hiddenSize: H, embeddingSize: H, seed: 1 });
      const write = async (): Promise<string> => {
        let text = '';
        for await (const part of model.generate({ prompt: 'in ', length: LENGTH, seed: 5 })) text += part;
        return text;
      };
      const first = await write();
      const heap = new HeapSlope();
      // How many characters a run writes is a matter of pace, so that plans may join: one a size.
      const memory = new Map<number, string>();
      for (let round = 1; round <= ROUNDS; round++) {
        const text = await write();
        check(text === first, `round ${round} wrote another text`);
        const plans = watch.buffers().filter(({ label }) => label === 'generate parameters').length;
        check(plans <= SIZES, `there are ${plans} plans for ${SIZES} sizes`);
        const used = JSON.stringify(executor.memory());
        const before = memory.get(plans) ?? used;
        memory.set(plans, used);
        check(used === before, `with ${plans} plans memory was ${before}, is ${used}`);
        if (round > 3) await heap.measure(round * LENGTH);
      }
      checkSlope(heap, 'generating', 'character', 2);
      model.dispose();
    }),
};

const measuring: GpuCase = {
  name: '600 evaluations and predictions',
  run: (context) =>
    watched(context, async (executor, watch) => {
      // Until some 600 rounds the engine's compiler adds 300 bytes a round; after that 10 to 20 are left.
      const [WARM_UP, ROUNDS] = [600, 600];
      const model = createModel(executor);
      const round = async (): Promise<string> => {
        const { loss } = await model.evaluate(SAMPLES, { batchSize: 4 });
        const { data } = await model.predict(SAMPLES.x, { batchSize: 4 });
        return `${loss!} ${data.join()}`;
      };
      const first = await round();
      for (let i = 1; i < WARM_UP; i++) await round();
      const before = executor.memory();
      const heap = new HeapSlope();
      watch.forget();
      for (let i = 1; i <= ROUNDS; i++) {
        const now = await round();
        check(now === first, `round ${i} gives ${now}, the first ${first}`);
        if (i % 75 === 0) await heap.measure(i);
      }
      const others = Object.keys(watch.created).filter((kind) => !OF_A_STEP.includes(kind));
      check(others.length === 0, `measuring has made ${JSON.stringify(watch.created)}`);
      const after = executor.memory();
      check(
        JSON.stringify(after) === JSON.stringify(before),
        `memory was ${JSON.stringify(before)}, is ${JSON.stringify(after)}`,
      );
      // Four runs with a reading each.
      checkSlope(heap, 'evaluating and predicting', 'round', 96);
      model.dispose();
    }),
};

export const cases: readonly GpuCase[] = [longTraining, lives, shapes, generating, measuring];
