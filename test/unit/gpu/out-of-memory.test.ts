/** Every allocation of a training's life fails once, in each way: the call fails whole and typed, and nothing leaks. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GpuExecutor } from '../../../src/gpu/executor.js';
import { DeviceError, DisposedError, LimitError, OutOfMemoryError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { SGD } from '../../../src/optim/sgd.js';
import { CharacterModel } from '../../../src/text/character-model.js';
import { Trainer } from '../../../src/train/trainer.js';
import { SimulatedDevice, WEBGPU_CONSTANTS, type AllocationFault } from '../../support/simulated-device.js';

const TEXT = 'abcabbcabcacbbabcabcbacbabcabcab';
const FIT = { batchSize: 2, sequenceLength: 3, steps: 2, validationFraction: 0.3 };

beforeAll(() => {
  for (const [name, value] of Object.entries(WEBGPU_CONSTANTS)) vi.stubGlobal(name, value);
});

afterAll(() => vi.unstubAllGlobals());

/** What is trained, and what was made on the way. */
interface Life {
  readonly device: SimulatedDevice;
  readonly executor: GpuExecutor;
  readonly model: CharacterModel;
  /** Of the last checkpoint. */
  file: Uint8Array | null;
}

/** Without snapshots, which need memory that a training can do without. */
async function begin(device = new SimulatedDevice()): Promise<Life> {
  const executor = await GpuExecutor.create({ device: device as unknown as GPUDevice, recovery: false });
  const sizes = { cell: 'lstm', hiddenSize: 4, embeddingSize: 2, seed: 1 } as const;
  return { device, executor, model: CharacterModel.create({ executor, text: TEXT, ...sizes }), file: null };
}

/** The calls of a training's life, in order. What one leaves, the next finds. */
const CALLS: readonly (readonly [name: string, call: (life: Life) => Promise<unknown>])[] = [
  ['compile a training step', ({ model }) => model.statistics({ batchSize: 2, sequenceLength: 3 })],
  [
    'compile a validation',
    ({ model }) => model.statistics({ batchSize: 2, sequenceLength: 3, training: false }),
  ],
  ['train and validate', ({ model }) => model.fit(TEXT, FIT)],
  [
    'generate',
    async ({ model }) => {
      let count = 0;
      for await (const character of model.generate({ prompt: 'abcab', length: 40, seed: 1 })) {
        count += character.length;
      }
      expect(count).toBe(40);
    },
  ],
  ['save', ({ model }) => model.save()],
  ['checkpoint', async (life) => (life.file = await life.model.checkpoint())],
  [
    'restore and go on',
    async ({ executor, file }) => {
      const restored = await CharacterModel.restore(file!, { executor });
      try {
        await restored.fit(TEXT, { ...FIT, steps: 3 });
      } finally {
        restored.dispose();
      }
    },
  ],
  ['compile a second shape', ({ model }) => model.statistics({ batchSize: 4, sequenceLength: 2 })],
];

/** What must be as before once a call has failed. */
async function stateOf({ device, executor, model }: Life): Promise<object> {
  const { allocations } = device;
  const { bytesInUse } = executor.memory();
  const live = [...device.live].filter(({ label }) => label !== 'readback').length;
  const weights = [...(await model.network.state(executor)).values()].map(({ data }) => [...data]);
  device.allocations = allocations;
  return { bytesInUse, live, weights };
}

describe.each<AllocationFault>(['scope', 'throws', 'invalid'])('an allocation that fails by %s', (fault) => {
  it('leaves all as it was, wherever it is', async () => {
    const life = await begin();
    const { device, executor, model } = life;
    const failures: Record<string, number> = {};
    for (const [name, call] of CALLS) {
      failures[name] = 0;
      for (let at = 1; ; at++) {
        const before = await stateOf(life);
        device.allocations = 0;
        device.failing = { at, fault };
        let error: unknown = null;
        await call(life).catch((reason: unknown) => (error = reason));
        device.failing = { at: 0, fault };
        const what = `allocation ${at} of "${name}"`;
        if (device.allocations < at) {
          expect(error, what).toBeNull();
          break;
        }
        failures[name]++;
        expect(error, what).toBeInstanceOf(fault === 'invalid' ? DeviceError : OutOfMemoryError);
        expect(String(error), what).toMatch(/^\w+Error: .+: .+; use a smaller batch, sequence or model/);
        expect(await stateOf(life), what).toEqual(before);
      }
    }
    // Else the simulation has not reached what it is for.
    expect(Object.values(failures).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100);
    model.dispose();
    expect(executor.memory().bytesInUse).toBe(0);
    executor.dispose();
    expect(executor.memory()).toEqual({ bytesInUse: 0, bytesAllocated: 0 });
    expect([...device.live].map(({ label }) => label)).toEqual([]);
    expect(device.uncaptured).toEqual([]);
  }, 60_000);
});

it('goes on without the snapshots that there is no memory for', async () => {
  const device = new SimulatedDevice();
  const recovery = { snapshotPeriod: 0 };
  const executor = await GpuExecutor.create({ device: device as unknown as GPUDevice, recovery });
  const model = CharacterModel.create({ executor, text: TEXT, hiddenSize: 4, embeddingSize: 2 });
  await model.fit(TEXT, FIT);
  device.allocations = 0;
  await model.fit(TEXT, FIT);
  const { allocations } = device;
  expect(allocations).toBeGreaterThan(0);
  for (let at = 1; at <= allocations; at++) {
    device.allocations = 0;
    device.failing = { at, fault: 'scope' };
    await expect(model.fit(TEXT, FIT), `allocation ${at}`).resolves.toMatchObject({ steps: 2 });
  }
  device.failing = { at: 0, fault: 'scope' };
  model.dispose();
  executor.dispose();
  expect([...device.live]).toEqual([]);
  expect(device.uncaptured).toEqual([]);
});

describe('memory of the host', () => {
  it('is missing when results are mapped: the losses come with the next step', async () => {
    const { device, executor } = await begin();
    const weight = new Variable({ name: 'weight', shape: [2] });
    const trainer = new Trainer({
      executor,
      parameters: new Map([['weight', weight]]),
      optimizer: new SGD({ learningRate: 0.1 }),
      record: (graph, { x }) => ops.mean(ops.mul(graph.read(weight), x!)),
    });
    const batch = { x: { shape: [2], data: Float32Array.of(1, 2) } };
    device.mappingsUntilFault = 0;
    const failing = trainer.step(batch, { flush: true });
    await expect(failing).rejects.toThrow(OutOfMemoryError);
    await expect(failing).rejects.toThrow(/plan "trainer": memory of the host could not be allocated/);
    expect(trainer.steps).toBe(1);
    const { records } = await trainer.step(batch, { flush: true });
    expect(records.map(({ step }) => step)).toEqual([1, 2]);
    expect(trainer.unreported).toBe(0);
    device.mappingsUntilFault = 0;
    await expect(executor.read(weight)).rejects.toThrow(OutOfMemoryError);
    expect([...(await executor.read(weight))]).toEqual([0, 0]);
    executor.dispose();
    expect(device.live.size).toBe(0);
    expect(device.uncaptured).toEqual([]);
  });

  it('is missing for first values: nothing is kept', async () => {
    const { device, executor } = await begin();
    let missing = true;
    const weight = new Variable({
      name: 'weight',
      shape: [2],
      initial: () => (missing ? new Float32Array(-1) : Float32Array.of(3, 4)),
    });
    const graph = new Graph('graph');
    graph.output('y', ops.mul(graph.read(weight), 2));
    await expect(executor.compile(graph)).rejects.toThrow(OutOfMemoryError);
    await expect(executor.read(weight)).rejects.toThrow(OutOfMemoryError);
    expect(executor.memory()).toEqual({ bytesInUse: 0, bytesAllocated: 0 });
    missing = false;
    await executor.compile(graph);
    expect([...(await executor.read(weight))]).toEqual([3, 4]);
    executor.dispose();
    expect(device.live.size).toBe(0);
  });
});

describe('limits', () => {
  it('are named before anything is allocated', async () => {
    const { device, executor, model } = await begin();
    await expect(model.statistics({ batchSize: 2 ** 20, sequenceLength: 2 ** 8 })).rejects.toThrow(
      LimitError,
    );
    expect(executor.memory()).toEqual({ bytesInUse: 0, bytesAllocated: 0 });
    expect(device.live.size).toBe(0);
  });
});

describe('buffers to read back into', () => {
  it('are shared by plans, however many are compiled and disposed of', async () => {
    const { executor } = await begin();
    const compile = async (size: number): Promise<number> => {
      const graph = new Graph('graph');
      graph.output('y', ops.mul(graph.input('x', [size]), 2));
      graph.output('loss', ops.sum(graph.input('z', [size])), { history: true });
      (await executor.compile(graph)).dispose();
      return executor.memory().bytesAllocated;
    };
    const after = await compile(1);
    for (let size = 2; size < 20; size++) expect(await compile(size)).toBe(after);
  });
});

describe('what is disposed while it is being compiled', () => {
  it.each([0, 1, 2, 3, 5, 8, 13])('leaves nothing behind, %d turns after the call', async (turns) => {
    const { device, executor, model } = await begin();
    const compiling = model.statistics({ batchSize: 2, sequenceLength: 3 }).catch((error: unknown) => error);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    model.dispose();
    await compiling;
    await new Promise((resolve) => setTimeout(resolve));
    expect(executor.memory().bytesInUse).toBe(0);
    executor.dispose();
    expect(device.live.size).toBe(0);
    expect(device.uncaptured).toEqual([]);
  });

  it.each([0, 1, 2, 3, 5, 8, 13])('with its executor, %d turns after the call', async (turns) => {
    const { device, executor, model } = await begin();
    const compiling = model.statistics({ batchSize: 2, sequenceLength: 3 }).catch((error: unknown) => error);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    executor.dispose();
    // It may have been done by then.
    const outcome = await compiling;
    if (turns < 5 || outcome instanceof Error) expect(outcome).toBeInstanceOf(DisposedError);
    expect(device.live.size).toBe(0);
    expect(device.uncaptured).toEqual([]);
  });
});
