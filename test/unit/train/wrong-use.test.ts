/** Calls at the wrong time: two fits at once, dispose and abort in the middle, callbacks that throw or call back. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, DisposedError, RnnError } from '../../../src/graph/errors.js';
import type { Executor } from '../../../src/graph/executor.js';
import { GpuExecutor } from '../../../src/gpu/executor.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { GRU } from '../../../src/nn/recurrent.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { SGD } from '../../../src/optim/sgd.js';
import { CharacterModel } from '../../../src/text/character-model.js';
import type { Dataset } from '../../../src/train/dataset.js';
import { Model } from '../../../src/train/model.js';
import { Trainer, type Batch } from '../../../src/train/trainer.js';
import { SimulatedDevice, WEBGPU_CONSTANTS } from '../../support/simulated-device.js';

const TEXT = 'abcabbcabcacbbabcabcbacbabcabcab'.repeat(4);
const FIT = { batchSize: 2, sequenceLength: 4, steps: 12 };

beforeAll(() => {
  for (const [name, value] of Object.entries(WEBGPU_CONSTANTS)) vi.stubGlobal(name, value);
});

afterAll(() => vi.unstubAllGlobals());

const EXECUTORS: readonly (readonly [string, () => Promise<Executor>])[] = [
  ['cpu', () => Promise.resolve(new CpuExecutor())],
  ['gpu', () => GpuExecutor.create({ device: new SimulatedDevice() as unknown as GPUDevice })],
];

function line(samples: number): Dataset {
  const x = Float32Array.from({ length: 2 * samples }, (_, i) => Math.sin(1.7 * i));
  const y = Float32Array.from({ length: samples }, (_, i) => 3 * x[2 * i]! - x[2 * i + 1]!);
  return { x: { shape: [samples, 2], data: x }, y: { shape: [samples, 1], data: y } };
}

function createModel(executor: Executor = new CpuExecutor(), seed = 4): Model {
  return new Model({
    executor,
    network: new Linear({ inputSize: 2, outputSize: 1, seed }),
    loss: meanSquaredError,
    optimizer: new SGD({ learningRate: 0.1, momentum: 0.5 }),
  });
}

function createCharacters(executor: Executor = new CpuExecutor()): CharacterModel {
  return CharacterModel.create({
    executor,
    text: TEXT,
    cell: 'gru',
    hiddenSize: 4,
    embeddingSize: 2,
    seed: 1,
  });
}

async function weightsOf({ network, executor }: Model | CharacterModel): Promise<number[][]> {
  return [...(await network.state(executor)).values()].map(({ data }) => [...data]);
}

describe('two fits at once', () => {
  it('of one model: the second is refused, the first goes on undisturbed', async () => {
    const [model, alone] = [createModel(), createModel()];
    const first = model.fit(line(20), { epochs: 2 });
    await expect(model.fit(line(8))).rejects.toThrow(ArgumentError);
    await expect(model.fit(line(8))).rejects.toThrow(
      /already being trained; wait for the other call, or abort it/,
    );
    const { history } = await first;
    expect(history).toEqual((await alone.fit(line(20), { epochs: 2 })).history);
    expect(await weightsOf(model)).toEqual(await weightsOf(alone));
  });

  it('of one character model', async () => {
    const [model, alone] = [createCharacters(), createCharacters()];
    const first = model.fit(TEXT, FIT);
    await expect(model.fit(TEXT, FIT)).rejects.toThrow(/already being trained/);
    expect((await first).losses).toEqual((await alone.fit(TEXT, FIT)).losses);
  });

  it('of two models on one executor: each as if alone', async () => {
    const executor = new CpuExecutor();
    const both = [createModel(executor, 1), createModel(executor, 2)];
    const fits = await Promise.all(both.map((model) => model.fit(line(20), { epochs: 2, batchSize: 4 })));
    for (const [i, { history }] of fits.entries()) {
      const alone = createModel(new CpuExecutor(), i + 1);
      expect(history).toEqual((await alone.fit(line(20), { epochs: 2, batchSize: 4 })).history);
    }
  });

  it('of two models over one network: neither takes its weights away from the other', async () => {
    const executor = new CpuExecutor();
    const network = new Linear({ inputSize: 2, outputSize: 1, seed: 4 });
    const [first, second] = [0, 1].map(
      () =>
        new Model({ executor, network, loss: meanSquaredError, optimizer: new SGD({ learningRate: 0.1 }) }),
    ) as [Model, Model];
    await Promise.all([first.fit(line(8)), second.fit(line(8))]);
    const weights = await weightsOf(second);
    first.dispose();
    expect(await weightsOf(second)).toEqual(weights);
    const { shape } = await second.predict({ shape: [3, 2], data: new Float32Array(6) });
    expect(shape).toEqual([3, 1]);
    second.dispose();
    expect(executor.memory().bytesInUse).toBe(0);
  });
});

const AT_ONCE = ['save', 'statistics'];

describe.each(EXECUTORS)('dispose in the middle, on the %s executor', (_, createExecutor) => {
  const data = line(12);
  const models: readonly (readonly [string, (model: Model) => Promise<unknown>])[] = [
    ['fit', (model) => model.fit(data, { epochs: 3, batchSize: 4, validationSplit: 0.3 })],
    ['evaluate', (model) => model.evaluate(data, { batchSize: 2 })],
    ['predict', (model) => model.predict(data.x, { batchSize: 2 })],
    ['checkpoint', (model) => model.checkpoint()],
    ['save', (model) => model.save()],
  ];
  const characters: readonly (readonly [string, (model: CharacterModel) => Promise<unknown>])[] = [
    ['fit', (model) => model.fit(TEXT, { ...FIT, validationFraction: 0.3, validateEvery: 2 })],
    ['statistics', (model) => model.statistics()],
    ['checkpoint', (model) => model.checkpoint()],
    ['save', (model) => model.save()],
    [
      'generate',
      async (model) => {
        for await (const character of model.generate({ length: 100, prompt: 'abcab', seed: 1 })) {
          expect(character).toHaveLength(1);
        }
      },
    ],
  ];

  /** Disposes so many turns after the call: it is done by then, or ends as disposed; nothing is left. */
  async function disposing<M extends Model | CharacterModel>(
    create: (executor: Executor) => M,
    call: (model: M) => Promise<unknown>,
    what: 'model' | 'executor',
  ): Promise<number> {
    let interrupted = 0;
    for (const turns of [0, 1, 2, 4, 8, 16, 32, 64, 128]) {
      const executor = await createExecutor();
      const model = create(executor);
      const outcome = call(model).catch((error: unknown) => error);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      if (what === 'model') model.dispose();
      else executor.dispose();
      const error = await outcome;
      if (error instanceof Error) {
        expect(error, `after ${turns} turns: ${error.stack}`).toBeInstanceOf(DisposedError);
        interrupted++;
      }
      await new Promise((resolve) => setTimeout(resolve));
      expect(executor.memory().bytesInUse, `after ${turns} turns`).toBe(0);
      model.dispose();
      executor.dispose();
    }
    return interrupted;
  }

  it.each(models)('of a model during %s', async (name, call) => {
    const interrupted = await disposing(createModel, call, 'model');
    // The others ask for all they need at once.
    if (!AT_ONCE.includes(name)) expect(interrupted).toBeGreaterThan(0);
  });

  it.each(characters)('of a character model during %s', async (name, call) => {
    const interrupted = await disposing(createCharacters, call, 'model');
    // The others ask for all they need at once.
    if (!AT_ONCE.includes(name)) expect(interrupted).toBeGreaterThan(0);
  });

  it.each(models)('of the executor during %s of a model', async (name, call) => {
    const interrupted = await disposing(createModel, call, 'executor');
    // The others ask for all they need at once.
    if (!AT_ONCE.includes(name)) expect(interrupted).toBeGreaterThan(0);
  });

  it.each(characters)('of the executor during %s of a character model', async (name, call) => {
    const interrupted = await disposing(createCharacters, call, 'executor');
    // The others ask for all they need at once.
    if (!AT_ONCE.includes(name)) expect(interrupted).toBeGreaterThan(0);
  });
});

describe('callbacks', () => {
  const fault = new Error('the callback is broken');

  it.each(['onEpochBegin', 'onEpochEnd', 'onBatchEnd', 'yield'] as const)(
    'that throw in %s end the fit with their error, and it may be called again',
    async (name) => {
      const [model, other] = [createModel(), createModel()];
      const throwing = { [name]: () => Promise.reject(fault) };
      await expect(model.fit(line(20), { callbacks: throwing })).rejects.toBe(fault);
      const sync = {
        [name]: () => {
          throw fault;
        },
      };
      await expect(other.fit(line(20), { callbacks: sync })).rejects.toBe(fault);
      expect(await model.fit(line(20), { epochs: 2 })).toMatchObject({ stopped: null, epochs: 2 });
    },
  );

  it('that call fit again are told that it runs; what they do else they may', async () => {
    const [model, alone] = [createModel(), createModel()];
    const refused: unknown[] = [];
    const { history } = await model.fit(line(20), {
      epochs: 2,
      batchSize: 4,
      callbacks: {
        onBatchEnd: async () => {
          await model.fit(line(4)).catch((error: unknown) => refused.push(error));
          await model.evaluate(line(4));
          await model.predict(line(4).x);
          await model.save();
        },
      },
    });
    expect(refused).toHaveLength(10);
    expect(refused.every((error) => error instanceof ArgumentError)).toBe(true);
    expect(history).toEqual((await alone.fit(line(20), { epochs: 2, batchSize: 4 })).history);
  });

  it('of a character model that throw, fit again, or generate', async () => {
    const [model, alone] = [createCharacters(), createCharacters()];
    const throwing = { ...FIT, onProgress: () => Promise.reject(fault) };
    await expect(model.fit(TEXT, throwing)).rejects.toBe(fault);
    const fresh = createCharacters();
    let written = '';
    const { losses } = await fresh.fit(TEXT, {
      ...FIT,
      onProgress: async ({ step }) => {
        await expect(fresh.fit(TEXT, FIT)).rejects.toThrow(/already being trained/);
        if (step !== 3) return;
        for await (const character of fresh.generate({ length: 5, seed: 1 })) written += character;
      },
    });
    expect(written).toHaveLength(5);
    expect(losses).toEqual((await alone.fit(TEXT, FIT)).losses);
    expect((await model.fit(TEXT, FIT)).losses).toHaveLength(12);
  });

  it('that dispose end the fit as disposed', async () => {
    const model = createModel();
    const callbacks = { onBatchEnd: () => model.dispose() };
    await expect(model.fit(line(20), { batchSize: 2, callbacks })).rejects.toThrow(DisposedError);
    expect(model.executor.memory().bytesInUse).toBe(0);
    const characters = createCharacters();
    const onProgress = (): void => characters.dispose();
    await expect(characters.fit(TEXT, { ...FIT, onProgress })).rejects.toThrow(DisposedError);
    expect(characters.executor.memory().bytesInUse).toBe(0);
  });
});

describe('an abort at every boundary', () => {
  it('leaves the weights of the last finished step, and a later fit goes on', async () => {
    const data = line(16);
    const options = { epochs: 2, batchSize: 4 };
    const states: number[][][] = [];
    const whole = createModel();
    const watching = { yield: async () => void states.push(await weightsOf(whole)) };
    await whole.fit(data, { ...options, callbacks: watching });
    expect(states).toHaveLength(8);
    for (let at = 0; at < 8; at++) {
      const model = createModel();
      const stop = new AbortController();
      if (at === 0) stop.abort();
      const callbacks = { yield: () => (model.trainer.steps === at ? stop.abort() : undefined) };
      const { stopped } = await model.fit(data, { ...options, signal: stop.signal, callbacks });
      const { steps } = model.trainer;
      // Unless that was the last.
      expect(stopped, `aborted at ${at}`).toBe(steps === 8 ? null : 'signal');
      // A stop may take one more step, so that no loss is lost.
      expect(steps - at, `aborted at ${at}`).toBeLessThanOrEqual(1);
      if (steps > 0) expect(await weightsOf(model), `aborted at ${at}`).toEqual(states[steps - 1]);
      expect(await model.fit(data, { epochs: 1 })).toMatchObject({ stopped: null, epochs: 1 });
    }
  });

  it('of a character model', async () => {
    const whole = createCharacters();
    const { losses } = await whole.fit(TEXT, FIT);
    for (let at = 1; at < FIT.steps; at++) {
      const [model, shorter] = [createCharacters(), createCharacters()];
      const stop = new AbortController();
      const onProgress = ({ step }: { readonly step: number }): void => {
        if (step === at) stop.abort();
      };
      const { stopped, steps, ...result } = await model.fit(TEXT, {
        ...FIT,
        signal: stop.signal,
        onProgress,
      });
      expect(stopped || steps === FIT.steps).toBe(true);
      expect(result.losses).toEqual(losses.slice(0, steps));
      await shorter.fit(TEXT, { ...FIT, steps });
      expect(await weightsOf(model), `aborted at ${at}`).toEqual(await weightsOf(shorter));
    }
  });
});

describe('other lengths, batches and shapes at each step', () => {
  function createTrainer(executor: Executor): Trainer {
    const rnn = new GRU({ inputSize: 2, hiddenSize: 3, returnSequences: false, seed: 1 });
    const output = new Linear({ inputSize: 3, outputSize: 1, seed: 2 });
    return new Trainer({
      executor,
      parameters: new ModuleDict({ rnn, output }),
      optimizer: new SGD({ learningRate: 0.05 }),
      record: (_, { x, y }, context) =>
        meanSquaredError(output.forward(rnn.forward(x!, undefined, context).output), y!),
    });
  }

  function batch(step: number): Batch {
    const [T, B] = [1 + ((7 * step) % 5), 1 + ((5 * step) % 7)];
    const numbers = (count: number): Float32Array =>
      Float32Array.from({ length: count }, (_, i) => Math.sin(step + i));
    return {
      x: { shape: [T, B, 2], data: numbers(T * B * 2) },
      y: { shape: [B, 1], data: numbers(B) },
    };
  }

  it('give what a trainer gives that meets each shape for the first time', async () => {
    const one = createTrainer(new CpuExecutor());
    const [wrong, right] = [batch(1), batch(2)];
    const bad = { x: { ...wrong['x']!, shape: [1, 1, 3] }, y: wrong['y']! };
    let file = await one.checkpoint();
    for (let step = 1; step <= 40; step++) {
      // A step that does not fit changes nothing.
      await expect(one.step(bad)).rejects.toThrow(RnnError);
      const { records } = await one.step(batch(step), { flush: true });
      const fresh = createTrainer(new CpuExecutor());
      await fresh.restore(file);
      const expected = await fresh.step(batch(step), { flush: true });
      expect(records.at(-1)).toEqual(expected.records.at(-1));
      file = await one.checkpoint();
      expect(file).toEqual(await fresh.checkpoint());
    }
    expect((await one.evaluate(right)).loss).toBeGreaterThan(0);
  });
});
