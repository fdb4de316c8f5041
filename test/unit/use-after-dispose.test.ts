/** Every method of everything that can be disposed, called afterwards: a DisposedError, or an answer that needs nothing. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CpuFrozenRunner } from '../../src/cpu/frozen.js';
import { CpuExecutor } from '../../src/cpu/executor.js';
import { GpuExecutor } from '../../src/gpu/executor.js';
import { DisposedError } from '../../src/graph/errors.js';
import type { Executor, Plan } from '../../src/graph/executor.js';
import { Graph } from '../../src/graph/graph.js';
import { PlanCache } from '../../src/graph/plan-cache.js';
import { Variable } from '../../src/graph/value.js';
import { CheckpointReader, CheckpointWriter } from '../../src/io/checkpoint.js';
import { Linear } from '../../src/nn/linear.js';
import { meanSquaredError } from '../../src/nn/losses.js';
import { mul } from '../../src/ops/binary.js';
import { Adam } from '../../src/optim/adam.js';
import { CharacterModel } from '../../src/text/character-model.js';
import { readCharacterFile } from '../../src/text/character-file.js';
import { frozenNetwork } from '../../src/text/frozen-network.js';
import { TextGenerator } from '../../src/text/text-generator.js';
import { Model } from '../../src/train/model.js';
import { ExponentialMovingAverage } from '../../src/train/moving-average.js';
import { Trainer } from '../../src/train/trainer.js';
import { SimulatedDevice, WEBGPU_CONSTANTS } from '../support/simulated-device.js';

const TEXT = 'abcabbcabcacbbabcabcbacbabcabcab';
const x = { shape: [2, 2], data: new Float32Array(4) };
const y = { shape: [2, 1], data: new Float32Array(2) };
const variable = new Variable({ name: 'w', shape: [2] });

beforeAll(() => {
  for (const [name, value] of Object.entries(WEBGPU_CONSTANTS)) vi.stubGlobal(name, value);
});

afterAll(() => vi.unstubAllGlobals());

function doubling(): Graph {
  const graph = new Graph('doubling');
  graph.output('y', mul(graph.read(variable), 2));
  return graph;
}

function createModel(executor: Executor): Model {
  const network = new Linear({ inputSize: 2, outputSize: 1, seed: 1 });
  return new Model({ executor, network, loss: meanSquaredError });
}

function createTrainer(executor: Executor): Trainer {
  const network = new Linear({ inputSize: 2, outputSize: 1, seed: 1 });
  return new Trainer({
    executor,
    parameters: network,
    optimizer: new Adam(),
    record: (_, inputs) => meanSquaredError(network.forward(inputs['x']!), inputs['y']!),
  });
}

function createCharacters(executor: Executor): CharacterModel {
  return CharacterModel.create({ executor, text: TEXT, hiddenSize: 4, embeddingSize: 2 });
}

async function all(iterator: AsyncIterable<unknown>): Promise<void> {
  for await (const item of iterator) expect(item).toBeDefined();
}

/** What is disposed of, how each of its methods is called, and which of them still answer. */
interface Case {
  readonly name: string;
  readonly create: (executor: Executor) => Promise<{ dispose(): void }> | { dispose(): void };
  /** `never` stands for the thing: each call knows what it is of. */
  readonly calls: Readonly<Record<string, (thing: never) => unknown>>;
  readonly answers: readonly string[];
}

function caseOf<T extends { dispose(): void }>(
  name: string,
  create: (executor: Executor) => T | Promise<T>,
  calls: Readonly<Record<string, (thing: T) => unknown>>,
  answers: readonly (keyof T & string)[],
): Case {
  return { name, create, calls, answers };
}

const CASES: readonly Case[] = [
  caseOf<Executor>(
    'an executor',
    (executor) => executor,
    {
      compile: (executor) => executor.compile(doubling()),
      read: (executor) => executor.read(variable),
      snapshot: (executor) => executor.snapshot([variable]),
      write: (executor) => executor.write(variable, new Float32Array(2)),
      synchronize: (executor) => executor.synchronize(),
    },
    ['release', 'memory'],
  ),
  caseOf<Plan>(
    'a plan',
    (executor) => executor.compile(doubling()),
    {
      run: (plan) => plan.run(),
      readHistory: (plan) => plan.readHistory(),
      // Of the GPU alone.
      outputBuffer: (plan) => (plan as Partial<{ outputBuffer(name: string): void }>).outputBuffer?.('y'),
      profile: (plan) => (plan as Partial<{ profile(): Promise<void> }>).profile?.(),
    },
    ['describe'],
  ),
  caseOf(
    'a plan cache',
    (executor) => new PlanCache<{ n: number }>({ executor, name: 'cache', record: () => undefined }),
    { get: (cache) => cache.get({ n: 1 }) },
    [],
  ),
  caseOf(
    'a trainer',
    createTrainer,
    {
      plan: (trainer) => trainer.plan({ x, y }),
      step: (trainer) => trainer.step({ x, y }),
      settle: (trainer) => trainer.settle(),
      evaluate: (trainer) => trainer.evaluate({ x, y }),
      gradientNorms: (trainer) => trainer.gradientNorms({ x, y }),
      resetOptimizer: (trainer) => trainer.resetOptimizer(),
      checkpoint: (trainer) => trainer.checkpoint(),
      capture: (trainer) => trainer.capture(new CheckpointWriter('trainer')),
      restore: async (trainer) => trainer.restore(await createTrainer(new CpuExecutor()).checkpoint()),
      prepareRestore: async (trainer) =>
        trainer.prepareRestore(
          new CheckpointReader(await createTrainer(new CpuExecutor()).checkpoint(), 'trainer'),
        ),
    },
    [],
  ),
  caseOf(
    'an average',
    (executor) =>
      new ExponentialMovingAverage({ executor, parameters: new Map([['w', variable]]), decay: 0.9 }),
    {
      update: (average) => average.update(),
      swap: (average) => average.swap(),
      during: (average) => average.during(() => Promise.resolve()),
    },
    [],
  ),
  caseOf(
    'a model',
    createModel,
    {
      fit: (model) => model.fit({ x, y }),
      evaluate: (model) => model.evaluate({ x, y }),
      predict: (model) => model.predict(x),
      save: (model) => model.save(),
      load: async (model) => model.load(await createModel(new CpuExecutor()).save()),
      checkpoint: (model) => model.checkpoint(),
      restore: async (model) => model.restore(await createModel(new CpuExecutor()).checkpoint()),
    },
    ['summary'],
  ),
  caseOf(
    'a character model',
    createCharacters,
    {
      fit: (model) => model.fit(TEXT, { steps: 1, batchSize: 1, sequenceLength: 4 }),
      generate: (model) => all(model.generate({ length: 2 })),
      generateBatch: (model) => all(model.generateBatch({ length: 2, samples: 2 })),
      save: (model) => model.save(),
      checkpoint: (model) => model.checkpoint(),
      describe: (model) => model.describe(),
      statistics: (model) => model.statistics(),
    },
    ['summary', 'memory'],
  ),
  caseOf(
    'a text generator',
    async (executor) => {
      const { config, tokenizer, state } = readCharacterFile(await createCharacters(executor).save());
      return new TextGenerator(
        new CpuFrozenRunner(frozenNetwork(config, tokenizer.size, state)),
        tokenizer,
        config,
      );
    },
    {
      predict: (generator) => generator.predict('ab'),
      generate: (generator) => all(generator.generate({ length: 2 })),
    },
    [],
  ),
];

const EXECUTORS: readonly (readonly [string, () => Executor | Promise<Executor>])[] = [
  ['cpu', () => new CpuExecutor()],
  ['gpu', () => GpuExecutor.create({ device: new SimulatedDevice() as unknown as GPUDevice })],
];

/** Methods for other parts of the library. */
const INTERNAL = ['storage', 'breathe', 'tuned', 'replaceBy', 'leaveOut', 'move', 'restored', 'noteUpdates'];

describe.each(EXECUTORS)('on the %s executor', (_, createExecutor) => {
  describe.each(CASES)('$name', ({ create, calls, answers }) => {
    it.each(Object.entries(calls))('%s is refused once it is disposed', async (name, call) => {
      const thing = await create(await createExecutor());
      thing.dispose();
      thing.dispose();
      // What only the GPU's plans have.
      if ((name === 'outputBuffer' || name === 'profile') && !(name in thing)) return;
      await expect((async () => call(thing as never))()).rejects.toThrow(DisposedError);
      await expect((async () => call(thing as never))()).rejects.toThrow(/was (disposed|released)/);
    });

    it.each(Object.entries(calls))('%s is refused once its executor is disposed', async (__, call) => {
      const executor = await createExecutor();
      const thing = await create(executor);
      executor.dispose();
      const outcome: unknown = await (async () => call(thing as never))().catch((error: unknown) => error);
      // What needs no executor may answer.
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(DisposedError);
      thing.dispose();
      expect(executor.memory()).toEqual({ bytesInUse: 0, bytesAllocated: 0 });
    });

    it('has no other methods', async () => {
      const thing = await create(await createExecutor());
      const prototype = Object.getPrototypeOf(thing) as object;
      const methods = Object.getOwnPropertyNames(prototype).filter(
        (name) => typeof Object.getOwnPropertyDescriptor(prototype, name)!.value === 'function',
      );
      const known = [...Object.keys(calls), ...answers, ...INTERNAL, 'constructor', 'dispose'];
      expect(methods.filter((name) => !known.includes(name))).toEqual([]);
      thing.dispose();
      for (const name of answers) {
        const answer = (thing as unknown as Record<string, (argument: unknown) => unknown>)[name]!;
        expect(() => answer.call(thing, [])).not.toThrow();
      }
    });
  });
});
