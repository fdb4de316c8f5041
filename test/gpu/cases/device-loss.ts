/** Devices that are lost anywhere in training, validating and writing: the numbers are those of an undisturbed run, to the bit. */
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { noteLoss } from '../../../src/gpu/first-device.js';
import { DeviceError, DeviceLostError, DisposedError } from '../../../src/graph/errors.js';
import type { Executor } from '../../../src/graph/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import { PlanCache } from '../../../src/graph/plan-cache.js';
import { Variable } from '../../../src/graph/value.js';
import { Linear } from '../../../src/nn/linear.js';
import { LSTM } from '../../../src/nn/recurrent.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { applyDropout } from '../../../src/nn/dropout.js';
import { add, mul } from '../../../src/ops/binary.js';
import { Adam } from '../../../src/optim/adam.js';
import { SGD } from '../../../src/optim/sgd.js';
import { CharacterModel, type FitOptions } from '../../../src/text/character-model.js';
import type { RecoveredSteps } from '../../../src/train/recovery.js';
import { Model } from '../../../src/train/model.js';
import { ExponentialMovingAverage } from '../../../src/train/moving-average.js';
import { Trainer, type Batch } from '../../../src/train/trainer.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { CaseContext, GpuCase } from '../case.js';
import { check, checkSame } from '../check.js';
import { randomArray } from '../compare-executors.js';
import { LosingGpu } from '../losing-gpu.js';

function checkBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  check(
    actual.length === expected.length && actual.every((byte, i) => byte === expected[i]),
    `${what} differs`,
  );
}

/** The error that something must fail with. */
async function lossOf(work: () => unknown): Promise<DeviceLostError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DeviceLostError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Destroys a device, and waits until that is known: Firefox tells after some 100 ms. */
async function destroyed(device: GPUDevice): Promise<void> {
  device.destroy();
  await device.lost;
}

/** An executor on devices that can be lost, with a snapshot after every step, or after the first only. */
async function openLosing({ open, gpu }: CaseContext, { attempts = 100, snapshotPeriod = 0 } = {}) {
  const losing = new LosingGpu(gpu);
  const executor = await open({ gpu: losing.gpu, recovery: { attempts, delay: 0, snapshotPeriod } });
  return { losing, executor };
}

const SAMPLES = {
  x: { shape: [7, 3], data: randomArray(21, 1) },
  y: { shape: [7, 2], data: randomArray(14, 2) },
};

/** Fits a single layer, and tells all that came of it. */
async function fitLayer(executor: Executor, onRecovered?: () => void): Promise<unknown> {
  const layer = new Linear({ inputSize: 3, outputSize: 2, seed: 1 });
  const told: string[] = [];
  const model = new Model({
    executor,
    network: layer,
    forward: (x, context) => layer.forward(applyDropout(x, 0.2, context, 'drop')),
    loss: meanSquaredError,
    optimizer: new SGD({ learningRate: 0.05, momentum: 0.9 }),
  });
  const { history, bestEpoch } = await model.fit(SAMPLES, {
    epochs: 3,
    batchSize: 2,
    validationSplit: 0.3,
    earlyStopping: { patience: 5 },
    callbacks: {
      onEpochBegin: (epoch) => void told.push(`begin ${epoch}`),
      onEpochEnd: (epoch) => void told.push(`end ${epoch}`),
      onBatchEnd: ({ step, loss }) => {
        told.push(`step ${step} ${loss}`);
        // Steps that are made again take the rates that they had.
        if (step === 4) model.optimizer.learningRate = 0.02;
      },
      ...(onRecovered && { onRecovered }),
    },
  });
  const { data } = await model.predict(SAMPLES.x);
  const checkpoint = await model.checkpoint();
  model.dispose();
  return { history, bestEpoch, told, predicted: [...data], checkpoint: [...checkpoint] };
}

/**
 * Fits a recurrent layer that carries its state from batch to batch, with averages of its weights and gradients that
 * accumulate, and tells all that came of it.
 */
async function fitCarried(executor: Executor): Promise<unknown> {
  const [N, T] = [9, 3];
  const layer = new LSTM({
    inputSize: 2,
    hiddenSize: 4,
    batchFirst: true,
    returnSequences: false,
    stateful: true,
    seed: 1,
  });
  const model = new Model({
    executor,
    network: layer,
    forward: (x) => layer.forward(x).output,
    loss: meanSquaredError,
    optimizer: new Adam({ learningRate: 0.05 }),
    averageDecay: 0.7,
    accumulate: 2,
  });
  const x = { shape: [N, T, 2], data: randomArray(N * T * 2, 1) };
  const losses: number[] = [];
  const { history } = await model.fit(
    { x, y: { shape: [N, 4], data: randomArray(N * 4, 2) } },
    { epochs: 3, batchSize: 2, callbacks: { onBatchEnd: ({ loss }) => void losses.push(loss) } },
  );
  const predict = (): Promise<number[]> =>
    model.average!.during(async () => [...(await model.predict(x)).data]);
  // A prediction that carries a state is not repeated by itself: the training, back after its last step, tells.
  const averaged = await predict().catch((error: unknown) => {
    if (error instanceof DeviceLostError && error.step !== null) return predict();
    throw error;
  });
  const checkpoint = [...(await model.checkpoint())];
  model.dispose();
  return { history, losses, averaged, checkpoint };
}

/** Lets a training diverge, and tells all that came of it. */
async function diverge(executor: Executor): Promise<unknown> {
  const model = CharacterModel.create({
    executor,
    text: TEXT,
    cell: 'rnn',
    nonlinearity: 'relu',
    hiddenSize: 6,
    embeddingSize: 4,
    seed: 3,
  });
  const { stopped, error, losses } = await model.fit(TEXT, {
    batchSize: 3,
    sequenceLength: 8,
    steps: 20,
    clipNorm: 0,
    optimizer: new SGD(),
    learningRate: (step) => (step === 5 ? 1e30 : 0.01),
  });
  check(stopped && error !== null, `it has not diverged: ${losses.join()}`);
  const saved = [...(await model.save())];
  model.dispose();
  return { message: error!.message, losses, saved };
}

const TEXT = 'ein männlein steht im walde ganz still und stumm; es hat von lauter purpur ein mäntlein um. ';
const FIT = { batchSize: 3, sequenceLength: 8, validationFraction: 0.15, validateEvery: 4, steps: 12 };
const WRITE = { prompt: 'ein ', length: 24, seed: 5 };

function createWriter(executor: Executor): CharacterModel {
  return CharacterModel.create({
    executor,
    text: TEXT,
    cell: 'rnn',
    hiddenSize: 6,
    embeddingSize: 4,
    seed: 3,
  });
}

async function written(model: CharacterModel): Promise<string> {
  let text = '';
  for await (const character of model.generate(WRITE)) text += character;
  return text;
}

/** Fits a character model that writes as it learns, and tells all that came of it. */
async function fitWriter(executor: Executor, options: FitOptions = {}) {
  const model = createWriter(executor);
  const told: unknown[] = [];
  const { losses, validation, gradientNorms } = await model.fit(TEXT, {
    ...FIT,
    ...options,
    onProgress: async ({ step, loss, validationLoss }) => {
      told.push(step, loss, validationLoss);
      if (step === 6) told.push(await written(model));
      await options.onProgress?.({ step } as never);
    },
  });
  told.push(await written(model));
  return { model, result: { losses, validation, gradientNorms, told } };
}

function batch(step: number): Batch {
  return {
    x: { shape: [4, 3], data: randomArray(12, step) },
    y: { shape: [4, 2], data: randomArray(8, 100 + step) },
  };
}

/** Steps a recurrent layer by hand, whose state is carried, gradients accumulate and weights are averaged. */
async function stepCarried(executor: Executor, disturb: (step: number) => void): Promise<unknown> {
  const [T, B, H] = [3, 2, 4];
  const layer = new LSTM({ inputSize: 2, hiddenSize: H, seed: 1 });
  const carried = layer.createState(B);
  const average = new ExponentialMovingAverage({ executor, parameters: layer, decay: 0.7 });
  const trainer = new Trainer({
    executor,
    parameters: layer,
    optimizer: new Adam({ learningRate: 0.03 }),
    accumulate: 2,
    average,
    variables: carried.variables,
    record: (graph, { x, y }) => {
      const { output, state } = layer.forward(x!, carried.read(graph));
      carried.update(graph, state);
      return meanSquaredError(output, y!);
    },
  });
  const losses: number[] = [];
  for (let step = 1; step <= 12;) {
    disturb(step);
    const data = {
      x: { shape: [T, B, 2], data: randomArray(T * B * 2, step) },
      y: { shape: [T, B, H], data: randomArray(T * B * H, 100 + step) },
    };
    try {
      const { records } = await trainer.step(data, { flush: true });
      for (const record of records) losses[record.step] = record.loss;
      step++;
    } catch (error) {
      check(error instanceof DeviceLostError && error.step === trainer.steps, String(error));
      step = trainer.steps + 1;
    }
  }
  const checkpoint = [...(await trainer.checkpoint())];
  const averages = await average.during(async () => {
    return [...(await layer.state(executor)).values()].map(({ data }) => [...data]);
  });
  trainer.dispose();
  average.dispose();
  return { losses, checkpoint, averages };
}

function createTrainer(executor: Executor): Trainer {
  const layer = new Linear({ inputSize: 3, outputSize: 2, seed: 1 });
  return new Trainer({
    executor,
    parameters: layer,
    optimizer: new Adam({ learningRate: 0.03 }),
    accumulate: 2,
    record: (_, { x, y }) => meanSquaredError(layer.forward(x!), y!),
  });
}

/** Does it once undisturbed, and then with the device lost in each of so many parts of its calls. */
async function loseInParts(
  context: CaseContext,
  work: (executor: Executor) => Promise<unknown>,
  parts: number,
): Promise<void> {
  const { losing, executor } = await openLosing(context);
  const expected = await work(executor);
  const calls = losing.calls.length;
  check(calls > 100, `${calls} calls are too few to be all`);
  const first = losing.devices;
  for (let part = 0; part < parts; part++) {
    const at = losing.calls.length + Math.floor(((part + 0.5) / parts) * calls);
    // The pipelines are there already, so that all calls are of the work itself.
    losing.loses = (_, count) => count === at;
    const before = losing.devices;
    const actual = await work(executor);
    if (losing.devices === before) continue;
    checkSame(actual, expected, `lost at call ${part} of ${parts}, ${losing.calls[at - 1]}`);
  }
  check(losing.devices >= first + parts - 1, `only ${losing.devices - first} devices were lost`);
}

export const cases: readonly GpuCase[] = [
  {
    name: 'carried states, averages of weights and accumulated gradients are the same wherever the device is lost',
    run: (context) => loseInParts(context, fitCarried, 2),
  },
  {
    name: 'a training that diverges ends the same wherever its device is lost, with the good weights',
    run: (context) => loseInParts(context, diverge, 3),
  },
  {
    name: 'steps by hand with a carried state, averages and accumulated gradients go on to the same bits',
    async run(context) {
      const { losing, executor } = await openLosing(context, { snapshotPeriod: 1e9 });
      const expected = await stepCarried(executor, () => undefined);
      const every = await openLosing(context);
      for (const { losing: one, executor: its, at } of [
        // Back to the first step, and to the one before.
        { losing, executor, at: [4, 9] },
        { ...every, at: [3, 8] },
      ]) {
        const left = [...at];
        const actual = await stepCarried(its, (step) => {
          if (step !== left[0]) return;
          one.loseAt(left.length === 1 ? 'mapAsync' : 'submit');
          left.shift();
        });
        check(left.length === 0 && one.devices === 3, `${one.devices} devices`);
        checkSame(actual, expected, 'what came of it');
      }
    },
  },
  {
    name: 'a fit goes on to the same end wherever its device is lost',
    run: (context) => loseInParts(context, fitLayer, 5),
  },
  {
    name: 'a character model learns and writes the same when devices are lost while compiling, reading and writing',
    async run(context) {
      const { losing, executor } = await openLosing(context);
      const whole = await fitWriter(executor);
      const recovered: RecoveredSteps[] = [];
      losing.loseAt('createCommandEncoder read variables', 3);
      losing.schedule.push(
        // The second one is lost while plans are made ready on it.
        ['createComputePipelineAsync', 2],
        ['submit', 12],
        ['createCommandEncoder generate', 2],
      );
      const disturbed = await fitWriter(executor, { onRecovered: (steps) => void recovered.push(steps) });
      checkSame(disturbed.result, whole.result, 'what was learned and written');
      checkBytes(await disturbed.model.checkpoint(), await whole.model.checkpoint(), 'the last state');
      check(recovered.length > 1 && losing.devices === 5, `${recovered.length} of ${losing.devices} devices`);
      check(
        recovered.every(({ fromStep, toStep }) => fromStep >= toStep),
        JSON.stringify(recovered),
      );
      // After the fit the weights are on the host: writing goes on by itself.
      const text = await written(whole.model);
      losing.loseAt('createCommandEncoder generate', 3);
      checkSame(await written(whole.model), text, 'the text');
      for (const { model } of [whole, disturbed]) model.dispose();
    },
  },
  {
    name: 'a trainer that is stepped by hand tells to which step it has gone back',
    async run(context) {
      const { losing, executor } = await openLosing(context, { snapshotPeriod: 1e9 });
      const train = async (disturb: (step: number) => void): Promise<readonly number[]> => {
        const trainer = createTrainer(executor);
        const losses: number[] = [];
        let lost = 0;
        for (let step = 1; step <= 9;) {
          disturb(step);
          try {
            const { records } = await trainer.step(batch(step), { flush: true });
            for (const record of records) losses[record.step] = record.loss;
            step++;
          } catch (error) {
            check(error instanceof DeviceLostError && error.step === trainer.steps, String(error));
            lost++;
            step = trainer.steps + 1;
          }
        }
        check(lost <= 2, `${lost} losses`);
        losses.push((await trainer.evaluate(batch(1))).loss);
        trainer.dispose();
        return losses;
      };
      const expected = await train(() => undefined);
      let devices = 0;
      const actual = await train((step) => {
        if ((step === 5 && devices === 0) || (step === 8 && devices === 1)) {
          devices++;
          losing.loseAt(step === 5 ? 'submit' : 'mapAsync');
        }
      });
      check(devices === 2, `${devices} devices were lost`);
      checkSame(actual, expected, 'losses');
    },
  },
  {
    name: 'plans and their variables move to the next device; what a run had changed is told to be lost',
    async run(context) {
      const { losing, executor } = await openLosing(context);
      const weight = new Variable({ name: 'weight', shape: [3], initial: () => Float32Array.of(1, 2, 3) });
      const count = new Variable({ name: 'count', shape: [3] });
      const cache = new PlanCache<{ readonly n: number }>({
        executor,
        name: 'times',
        record: (graph) => graph.output('y', mul(graph.input('x', [3]), graph.read(weight))),
      });
      const counting = new Graph('count');
      counting.update(count, add(counting.read(count), 1));
      counting.output('count', counting.read(count));
      const counter = await executor.compile(counting);
      const answer = async (): Promise<string> => {
        const plan = await cache.get({ n: 3 });
        const { outputs } = await plan.run({ x: new Float32Array([1, 10, 100]) }, { read: ['y'] });
        return [...outputs['y']!].join();
      };
      checkSame(await answer(), '1,20,300', 'first');
      await counter.run();
      executor.write(weight, Float32Array.of(4, 5, 6));
      losing.loseAt('mapAsync');
      checkSame(await answer(), '4,50,600', 'a run that was in flight');
      const { losses, final, step } = await lossOf(() => counter.run());
      checkSame([losses, final, step], [1, false, null], 'the loss');
      await lossOf(() => executor.read(count));
      // The next device is not there yet; all takes effect in its order.
      await destroyed(executor.device);
      executor.write(count, Float32Array.of(7, 7, 7));
      const runs = [counter.run(), counter.run({}, { read: ['count'] })];
      executor.write(weight, Float32Array.of(0, 0, 1));
      checkSame([...(await executor.read(count))], [9, 9, 9], 'the count');
      checkSame([...(await runs[1]!).outputs['count']!], [8, 8, 8], 'the count before');
      checkSame(await answer(), '0,0,100', 'last');
      check(losing.devices === 3, `${losing.devices} devices`);
      // What was read since is known on the host.
      await executor.snapshot([count]);
      executor.device.destroy();
      checkSame([...(await executor.read(count))], [9, 9, 9], 'the count that was kept');
      executor.release([count]);
      await counter.run().then(
        () => check(false, 'a released variable came back'),
        (error: unknown) => check(error instanceof DisposedError, String(error)),
      );
    },
  },
  {
    name: 'a browser that does not answer is asked again',
    async run({ open, gpu }) {
      const losing = new LosingGpu(gpu);
      const executor = await open({ gpu: losing.gpu, recovery: { attempts: 3, delay: 0, timeout: 2000 } });
      const variable = new Variable({ name: 'v', shape: [1], initial: () => Float32Array.of(5) });
      losing.silences = 1;
      await destroyed(executor.device);
      checkSame([...(await executor.read(variable))], [5], 'the value');
      await executor.synchronize();
      check(losing.asked === 3, `${losing.asked} adapters were asked for`);
    },
  },
  {
    name: 'an adapter that is refused at first is asked for a moment later, and only where that may help',
    async run({ open, gpu }) {
      const losing = new LosingGpu(gpu);
      losing.refusals = 1;
      await (await open({ gpu: losing.gpu })).synchronize();
      check(losing.asked === 2, `${losing.asked} adapters were asked for`);
      const refused = async (): Promise<number> => {
        const { asked } = losing;
        const error: unknown = await open({ gpu: losing.gpu }).then(String, (cause: unknown) => cause);
        check(error instanceof DeviceError && error.message.includes('offers no adapter'), String(error));
        return losing.asked - asked;
      };
      losing.refusals = Infinity;
      checkSame([await refused(), await refused()], [2, 1], 'requests where there is no GPU');
      // After a device was lost to a crash there will be adapters again.
      noteLoss();
      checkSame(await refused(), 4, 'requests after a crash');
      losing.refusals = 0;
      await open({ gpu: losing.gpu });
    },
  },
  {
    name: 'after adapters are refused for good the model is still there, to be saved and to go on',
    async run(context) {
      const { losing, executor } = await openLosing(context, { attempts: 3 });
      const { result } = await fitWriter(executor);
      const model = createWriter(executor);
      const error = await lossOf(() =>
        model.fit(TEXT, {
          ...FIT,
          onProgress: ({ step }) => {
            if (step !== 7) return;
            losing.refusals = Infinity;
            losing.loseAt('submit');
          },
        }),
      );
      check(error.final && error.step !== null && error.step >= 3, `${error.final} ${error.step}`);
      check(losing.asked === 4, `${losing.asked} adapters were asked for`);
      check(error.message.includes(`after step ${error.step}`), error.message);
      checkBytes(await model.save(), await model.save(), 'the saved model');
      const checkpoint = await model.checkpoint();
      check((await lossOf(() => written(model))).final, 'it wrote all the same');
      losing.refusals = 0;
      const again = await CharacterModel.restore(checkpoint, { executor: context.executor });
      const rest = await again.fit(TEXT, FIT);
      checkSame(rest.losses, result.losses.slice(error.step!), 'losses of the rest');
      const slow = await CharacterModel.restore(checkpoint, { executor: new CpuExecutor() });
      const { losses } = await slow.fit(TEXT, { ...FIT, steps: error.step! + 1 });
      expectClose(losses.slice(0, 1), rest.losses.slice(0, 1), TOLERANCES.result, 'loss on the CPU');
      again.dispose();
    },
  },
  {
    name: "a caller's device is replaced by the caller's next one, or not at all",
    async run({ open, gpu }) {
      const device = async (): Promise<GPUDevice> => (await gpu.requestAdapter())!.requestDevice();
      const told: string[] = [];
      const first = await device();
      const executor = await open({
        device: first,
        recovery: { device, onLost: () => told.push('lost'), onRecovered: () => told.push('recovered') },
      });
      const variable = new Variable({ name: 'v', shape: [1], initial: () => Float32Array.of(5) });
      const wrong = { 'matmul: shared': 'gives other numbers' };
      await executor.leaveOut(wrong);
      await destroyed(first);
      checkSame([...(await executor.read(variable))], [5], 'the value');
      await executor.synchronize();
      checkSame(executor.leftOut, wrong, 'what is left out');
      checkSame(told, ['lost', 'recovered'], 'told');
      check(executor.device !== first, 'it is the same device');
      const second = executor.device;
      executor.dispose();
      // It is not the library's to destroy.
      await second.queue.onSubmittedWorkDone();
      const alone = await open({ device: second });
      second.destroy();
      const error = await lossOf(async () => {
        await second.lost;
        await alone.synchronize();
      });
      check(error.final, error.message);
    },
  },
];
