/** The Trainer steps atomically and in order, keeps plans by shape, and reports every loss once. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, DisposedError, ShapeError } from '../../../src/graph/errors.js';
import type { Executor, Feeds, Plan, RunOptions } from '../../../src/graph/executor.js';
import type { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import { Dropout } from '../../../src/nn/dropout.js';
import { Embedding } from '../../../src/nn/embedding.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { Adam } from '../../../src/optim/adam.js';
import { SGD } from '../../../src/optim/sgd.js';
import { mul } from '../../../src/ops/binary.js';
import { sum } from '../../../src/ops/reduce-sum.js';
import { reshape } from '../../../src/ops/reshape.js';
import type { StepRecord } from '../../../src/train/pacer.js';
import { Trainer, type Batch, type TrainerOptions } from '../../../src/train/trainer.js';

/** An executor that counts, and whose steps take as long as a test says. */
class Probe {
  readonly executor: Executor;
  compiled = 0;
  runs: { feeds: Feeds; options: RunOptions }[] = [];
  mostUnread = 0;
  #unread = 0;

  constructor(millisecondsPerStep = 0) {
    const inner = new CpuExecutor({ precision: 'float32' });
    const wrap = (plan: Plan): Plan =>
      new Proxy(plan, {
        get: (target, key) => {
          if (key !== 'run') {
            const member: unknown = Reflect.get(target, key, target);
            return typeof member === 'function' ? (member.bind(target) as unknown) : member;
          }
          return (feeds: Feeds, options: RunOptions = {}) => {
            this.runs.push({ feeds, options });
            // What does not fit is thrown at once, as executors do.
            const running = target.run(feeds, options);
            this.mostUnread = Math.max(this.mostUnread, ++this.#unread);
            const asked = options.history === true || (options.read?.length ?? 0) > 0;
            return asked ? this.#arrive(running, millisecondsPerStep) : running;
          };
        },
      });
    this.executor = new Proxy<Executor>(inner, {
      get: (target, key) => {
        if (key === 'compile') {
          return async (graph: Graph) => {
            this.compiled++;
            return wrap(await target.compile(graph));
          };
        }
        const member: unknown = Reflect.get(target, key, target);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  }

  /** As on a device: asking takes the time of all steps before. */
  async #arrive<R>(running: Promise<R>, millisecondsPerStep: number): Promise<R> {
    const steps = this.#unread;
    const result = await running;
    await new Promise((resolve) => setTimeout(resolve, millisecondsPerStep * steps));
    this.#unread -= steps;
    return result;
  }
}

function createTrainer(options: Partial<TrainerOptions> & { executor: Executor }): Trainer {
  const layer = new Linear({ inputSize: 2, outputSize: 1, seed: 4 });
  return new Trainer({
    parameters: layer,
    optimizer: new SGD({ learningRate: 0.05 }),
    record: (_graph, { x, y }) => meanSquaredError(layer.forward(x!), y!),
    ...options,
  });
}

/** y = 3·x₀ − x₁ for some points. */
function batch(size = 4, offset = 0): Batch {
  const x = Float32Array.from({ length: 2 * size }, (_, i) => Math.sin(i + offset));
  const y = Float32Array.from({ length: size }, (_, i) => 3 * x[2 * i]! - x[2 * i + 1]!);
  return { x: { shape: [size, 2], data: x }, y: { shape: [size, 1], data: y } };
}

describe('Trainer.step', () => {
  it('learns a line', async () => {
    const trainer = createTrainer({
      executor: new CpuExecutor(),
      optimizer: new Adam({ learningRate: 0.1 }),
    });
    for (let i = 0; i < 300; i++) await trainer.step(batch(8, i));
    const { outputs } = await trainer.step(batch(8), { read: ['loss'] });
    expect(outputs['loss']![0]).toBeLessThan(1e-3);
  });

  it('reports every step once, in order, whatever the pace', async () => {
    const probe = new Probe(3);
    const trainer = createTrainer({ executor: probe.executor });
    const records: StepRecord[] = [];
    for (let i = 0; i < 100; i++) records.push(...(await trainer.step(batch(), { flush: i === 99 })).records);
    expect(records.map(({ step }) => step)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(trainer.unreported).toBe(0);
    const losses = records.map(({ loss }) => loss);
    expect(losses[99]).toBeLessThan(losses[0]!);
    // The same losses as when each is waited for.
    const patient = createTrainer({ executor: new CpuExecutor() });
    for (const loss of losses) {
      const { outputs } = await patient.step(batch(), { read: ['loss'] });
      expect(outputs['loss']![0]).toBe(loss);
    }
  });

  it('counts what it has not reported, and settles what is under way', async () => {
    const trainer = createTrainer({ executor: new Probe(5).executor });
    let reported = 0;
    let underWay = 0;
    for (let step = 1; step <= 60; step++) {
      reported += (await trainer.step(batch())).records.length;
      expect(reported + trainer.unreported).toBe(step);
      if (step % 7 !== 0) continue;
      const records = await trainer.settle();
      reported += records.length;
      underWay += records.length;
      expect(reported + trainer.unreported).toBe(step);
    }
    expect(underWay).toBeGreaterThan(0);
    await trainer.step(batch(), { flush: true });
    expect(trainer.unreported).toBe(0);
  });

  it('waits only every few steps, with little in flight', async () => {
    const probe = new Probe(3);
    const trainer = createTrainer({ executor: probe.executor });
    for (let i = 0; i < 100; i++) await trainer.step(batch());
    const readings = probe.runs.filter(({ options }) => options.history).length;
    expect(readings).toBeLessThan(40);
    expect(readings).toBeGreaterThanOrEqual(6);
    expect(probe.mostUnread).toBeLessThanOrEqual(32);
    expect(trainer.millisecondsPerStep).toBeGreaterThan(1);
  });

  it('waits for each step or two when steps are slow', async () => {
    const probe = new Probe(70);
    const trainer = createTrainer({ executor: probe.executor });
    for (let i = 0; i < 8; i++) await trainer.step(batch());
    expect(probe.mostUnread).toBeLessThanOrEqual(2);
  });

  it('compiles one plan a shape and keeps the first', async () => {
    const probe = new Probe();
    const trainer = createTrainer({ executor: probe.executor });
    await trainer.step(batch(4));
    await trainer.step(batch(5));
    await trainer.step(batch(4));
    expect(probe.compiled).toBe(2);
    await trainer.evaluate(batch(4));
    await trainer.evaluate(batch(4));
    expect(probe.compiled).toBe(3);
    await trainer.plan({ x: { shape: [4, 2] }, y: { shape: [4, 1] } });
    expect(probe.compiled).toBe(3);
  });

  it('reports steps of alternating shapes without mixing them up', async () => {
    const trainer = createTrainer({ executor: new Probe(2).executor });
    const records: StepRecord[] = [];
    for (let i = 0; i < 40; i++) records.push(...(await trainer.step(batch(i % 2 ? 4 : 5))).records);
    for (const size of [4, 5]) records.push(...(await trainer.step(batch(size), { flush: true })).records);
    expect(trainer.unreported).toBe(0);
    const byStep = new Map(records.map(({ step, loss }) => [step, loss]));
    expect(byStep.size).toBe(42);
    const patient = createTrainer({ executor: new CpuExecutor() });
    for (let i = 0; i < 40; i++) {
      const { outputs } = await patient.step(batch(i % 2 ? 4 : 5), { read: ['loss'] });
      expect(outputs['loss']![0], `step ${i + 1}`).toBe(byStep.get(i + 1));
    }
  });

  it('reports every step once, in order, of more shapes than it keeps plans for', async () => {
    const trainer = createTrainer({ executor: new Probe(1).executor });
    const records: StepRecord[] = [];
    for (let i = 0; i < 100; i++) {
      records.push(...(await trainer.step(batch(1 + ((i * 7) % 40)), { flush: i === 99 })).records);
      expect(trainer.unreported).toBeLessThanOrEqual(32);
    }
    expect(trainer.unreported).toBe(0);
    expect(records.map(({ step }) => step)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    const patient = createTrainer({ executor: new CpuExecutor() });
    for (const [i, { loss }] of records.entries()) {
      const { outputs } = await patient.step(batch(1 + ((i * 7) % 40)), { read: ['loss'] });
      expect(loss).toBe(outputs['loss']![0]);
    }
  });

  it('takes steps in the order of their calls, even when none is awaited', async () => {
    const run = async (eager: boolean) => {
      const trainer = createTrainer({ executor: new CpuExecutor() });
      const results: (number | undefined)[] = [];
      const pending = Array.from({ length: 6 }, (_, i) => async () => {
        const { outputs } = await trainer.step(batch(4 + (i % 3)), { read: ['loss'] });
        results[i] = outputs['loss']![0];
      });
      if (eager) await Promise.all(pending.map((step) => step()));
      else for (const step of pending) await step();
      return results;
    };
    expect(await run(true)).toEqual(await run(false));
  });

  it('changes learning rate and clipping without compiling', async () => {
    const probe = new Probe();
    const trainer = createTrainer({ executor: probe.executor });
    const before = await trainer.step(batch(), { read: ['loss', 'gradientNorm'] });
    trainer.optimizer.learningRate = 0;
    trainer.clipNorm = 0.5;
    trainer.clipValue = 0.25;
    const frozen = await trainer.step(batch(), { read: ['loss'] });
    const still = await trainer.step(batch(), { read: ['loss'] });
    expect(frozen.outputs['loss']).not.toEqual(before.outputs['loss']);
    expect(still.outputs['loss']).toEqual(frozen.outputs['loss']);
    expect(probe.runs.at(-1)!.feeds).toMatchObject({ learningRate: 0, clipNorm: 0.5, clipValue: 0.25 });
    expect(probe.compiled).toBe(1);
  });

  it('throws for a batch with an impossible token at its own call, and counts nothing', async () => {
    const embedding = new Embedding({ vocabSize: 4, embeddingSize: 1, seed: 1 });
    const trainer = createTrainer({
      executor: new CpuExecutor(),
      parameters: embedding,
      record: (_graph, { x, y }) => meanSquaredError(embedding.forward(x!), y!),
    });
    const tokens = (...data: number[]): Batch => ({
      x: { shape: [data.length], data: Int32Array.from(data) },
      y: { shape: [data.length, 1], data: new Float32Array(data.length) },
    });
    const records: StepRecord[] = [];
    for (let i = 0; i < 40; i++) {
      // Whether this step is to be read, or only made.
      await expect(trainer.step(tokens(1, 9))).rejects.toThrow(/token 9 at place 1/);
      expect(trainer.steps).toBe(i);
      const result = await trainer.step(tokens(1, i % 4));
      expect(result.step).toBe(i + 1);
      records.push(...result.records);
    }
    records.push(...(await trainer.settle()));
    expect(trainer.unreported + records.length).toBe(40);
    expect(records.map(({ step }) => step)).toEqual(records.map((_, i) => i + 1));
  });

  it('takes the learning rate of a step for that step alone', async () => {
    const probe = new Probe();
    const trainer = createTrainer({ executor: probe.executor });
    for (const learningRate of [undefined, 0, undefined, (step: number) => step / 8, undefined]) {
      await trainer.step(batch(), learningRate === undefined ? {} : { learningRate });
    }
    expect(probe.runs.map(({ feeds }) => feeds['learningRate'])).toEqual([0.05, 0, 0.05, 0.5, 0.05]);
    expect(trainer.optimizer.learningRate).toBe(0.05);
  });

  it('gives outputs that the recording names', async () => {
    const layer = new Linear({ inputSize: 2, outputSize: 1 });
    const trainer = createTrainer({
      executor: new CpuExecutor(),
      parameters: layer,
      record: (_graph, { x, y }) => {
        const prediction = layer.forward(x!);
        return { loss: meanSquaredError(prediction, y!), prediction };
      },
    });
    const { outputs } = await trainer.step(batch(3), { read: ['prediction'] });
    expect(outputs['prediction']!.length).toBe(3);
    const evaluation = await trainer.evaluate(batch(3), { read: ['prediction'] });
    expect(evaluation.outputs['prediction']!.length).toBe(3);
    expect(evaluation.loss).toBe(evaluation.outputs['loss']![0]);
  });

  it('feeds dropout another seed each step, the same in each run, and none in evaluation', async () => {
    const run = async (seed: number) => {
      const probe = new Probe();
      const w = new Variable({ name: 'w', shape: [1], initial: () => Float32Array.of(1) });
      const layer = new Dropout({ p: 0.5 });
      const trainer = createTrainer({
        executor: probe.executor,
        parameters: new Map([['w', w]]),
        seed,
        record: (graph, { x }, context) => sum(mul(layer.forward(x!, context), graph.read(w))),
      });
      const input = { x: { shape: [64], data: new Float32Array(64).fill(1) } };
      for (let i = 0; i < 4; i++) await trainer.step(input);
      const { loss } = await trainer.evaluate(input);
      expect(probe.runs.at(-1)!.feeds).not.toHaveProperty('dropoutSeed');
      expect(Number.isFinite(loss)).toBe(true);
      return probe.runs.slice(0, 4).map(({ feeds }) => feeds['dropoutSeed']);
    };
    const seeds = await run(1);
    expect(new Set(seeds).size).toBe(4);
    expect(seeds.every((seed) => Number.isInteger(seed))).toBe(true);
    expect(await run(1)).toEqual(seeds);
    expect(await run(2)).not.toEqual(seeds);
  });

  it('skips an update whose gradient is not finite, and reports it', async () => {
    const executor = new CpuExecutor();
    const layer = new Linear({ inputSize: 2, outputSize: 1, seed: 4 });
    const trainer = createTrainer({
      executor,
      parameters: layer,
      record: (_graph, { x, y }) => meanSquaredError(layer.forward(x!), y!),
    });
    const before = await layer.state(executor);
    const bad = batch();
    (bad['x']!.data as Float32Array)[0] = NaN;
    const { records } = await trainer.step(bad, { flush: true });
    expect(records).toMatchObject([{ step: 1, skipped: true }]);
    expect(await layer.state(executor)).toEqual(before);
    const { records: next } = await trainer.step(batch(), { flush: true });
    expect(next).toMatchObject([{ step: 2, skipped: false }]);
    expect(await layer.state(executor)).not.toEqual(before);
    expect([...(await executor.read(trainer.optimizerState.counters))].slice(0, 2)).toEqual([1, 1]);
  });

  it('leaves parameters alone that the loss never reads', async () => {
    const executor = new CpuExecutor();
    const [used, unused] = ['used', 'unused'].map(
      (name) => new Variable({ name, shape: [1], initial: () => Float32Array.of(2) }),
    ) as [Variable, Variable];
    const trainer = createTrainer({
      executor,
      parameters: new Map([
        ['used', used],
        ['unused', unused],
      ]),
      optimizer: new SGD({ learningRate: 0.1, weightDecay: 0.5 }),
      record: (graph, { x }) => sum(mul(x!, graph.read(used))),
    });
    await trainer.step({ x: { shape: [1], data: Float32Array.of(1) } });
    expect((await executor.read(used))[0]).toBeCloseTo(1.8, 6);
    expect(await executor.read(unused)).toEqual(Float32Array.of(2));
  });
});

describe('GPU buffers as inputs', () => {
  it('are handed to the plan as they are', async () => {
    const probe = new Probe();
    const trainer = createTrainer({ executor: probe.executor });
    const buffer = { size: 32, usage: 0, destroy: () => undefined };
    const step = trainer.step({ ...batch(), x: { shape: [4, 2], data: buffer } });
    await expect(step).rejects.toThrow(/a GPU buffer needs the WebGPU executor/);
    expect(probe.runs[0]!.feeds['x']).toBe(buffer);
  });
});

describe('Trainer misuse', () => {
  const x = { shape: [4, 2], data: new Float32Array(8) };
  const cases: [string, Batch, new (...args: never[]) => Error, RegExp][] = [
    [
      'too few numbers',
      { ...batch(), x: { shape: [4, 2], data: new Float32Array(7) } },
      ShapeError,
      /input "x": has 7 numbers/,
    ],
    ['a shape that does not fit', { ...batch(), x: { shape: [2, 4], data: x.data } }, ShapeError, /linear/],
    ['no shape', { ...batch(), x: { data: x.data } as never }, ShapeError, /input "x": has no shape/],
    [
      'a size of 0',
      { ...batch(), x: { shape: [0, 2], data: new Float32Array(0) } },
      ArgumentError,
      /input "x": dimension is 0/,
    ],
    [
      'a fractional size',
      { ...batch(), x: { shape: [0.5, 2], data: Float32Array.of(1) } },
      ArgumentError,
      /dimension is 0.5/,
    ],
    [
      'whole numbers',
      { ...batch(), x: { shape: [4, 2], data: new Int32Array(8) } },
      ShapeError,
      /linear.*int32/,
    ],
    [
      'a type that is not its data’s',
      { ...batch(), x: { ...x, dtype: 'int32' } },
      ShapeError,
      /declared int32, its data is float32/,
    ],
    [
      'a reserved name',
      { ...batch(), learningRate: { shape: [], data: 1 } },
      ArgumentError,
      /input "learningRate"/,
    ],
  ];
  it.each(cases)('refuses a batch with %s, and goes on', async (_, bad, type, message) => {
    const trainer = createTrainer({ executor: new CpuExecutor() });
    await expect(trainer.step(bad)).rejects.toThrow(message);
    await expect(trainer.step(bad)).rejects.toBeInstanceOf(type);
    expect(trainer.steps).toBe(0);
    const { step, records } = await trainer.step(batch(), { flush: true });
    expect(step).toBe(1);
    expect(records.length).toBe(1);
  });

  it('refuses to read an output that does not exist', async () => {
    const trainer = createTrainer({ executor: new CpuExecutor() });
    await expect(trainer.step(batch(), { read: ['accuracy'] })).rejects.toThrow(/accuracy/);
    const { records } = await trainer.step(batch(), { flush: true });
    expect(records.length).toBe(1);
  });

  it('refuses a loss that is none', async () => {
    const executor = new CpuExecutor();
    const layer = new Linear({ inputSize: 2, outputSize: 1 });
    const vector = createTrainer({ executor, parameters: layer, record: (_g, { x }) => layer.forward(x!) });
    await expect(vector.step(batch())).rejects.toThrow(/loss: is float32\[4,1\]/);
    const nothing = createTrainer({ executor, record: () => ({}) as never });
    await expect(nothing.step(batch())).rejects.toThrow(/loss: is an object/);
    const constant = createTrainer({ executor, record: (_g, { x }) => sum(x!) });
    await expect(constant.step(batch())).rejects.toThrow(/reads none of the parameters/);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /^trainer, loss: is undefined; return one real number, or \{ loss \}/],
    ['a number', 3, /^trainer, loss: is 3;/],
    ['a promise', Promise.resolve(), /^trainer, loss: is a Promise \(await it\)/],
    ['a loss that is a number', { loss: 3 }, /^trainer, loss: is 3;/],
  ])('refuses %s as a loss', async (_, given, message) => {
    const trainer = createTrainer({ executor: new CpuExecutor(), record: () => given as never });
    await expect(trainer.step(batch())).rejects.toThrow(ShapeError);
    await expect(trainer.step(batch())).rejects.toThrow(message);
  });

  it('refuses an output that is no value', async () => {
    const layer = new Linear({ inputSize: 2, outputSize: 1 });
    const trainer = createTrainer({
      executor: new CpuExecutor(),
      parameters: layer,
      record: (_g, { x, y }) => ({ loss: meanSquaredError(layer.forward(x!), y!), scores: null as never }),
    });
    await expect(trainer.step(batch())).rejects.toThrow(/^trainer: output "scores" is null; pass a Value/);
  });

  it('names an input that the recording asks for and the batch lacks', async () => {
    const layer = new Linear({ inputSize: 2, outputSize: 1 });
    const { x, y } = batch();
    const records: TrainerOptions['record'][] = [
      (_g, { x, y }) => meanSquaredError(layer.forward(x!), y!),
      // As JavaScript would have it.
      (_g, { x, target }) => reshape(sum(layer.forward(x!)), target!.shape),
    ];
    const [one, other] = records.map((record) =>
      createTrainer({ executor: new CpuExecutor(), parameters: layer, record }),
    ) as [Trainer, Trainer];
    await expect(one.step({ inputs: x!, y: y! })).rejects.toThrow(
      /^trainer, record: the batch has no "x"; it has "inputs","y"$/,
    );
    await expect(other.step({ x: x!, y: y! })).rejects.toThrow(/the batch has no "target"; it has "x","y"$/);
    expect((await one.step({ x: x!, y: y! })).step).toBe(1);
  });

  it('lets inputs be left out that the recording can do without', async () => {
    const layer = new Linear({ inputSize: 2, outputSize: 1 });
    const trainer = createTrainer({
      executor: new CpuExecutor(),
      parameters: layer,
      record: (_g, { x, y, mask = null }) => meanSquaredError(layer.forward(x!), y!, { mask }),
    });
    expect((await trainer.step(batch())).step).toBe(1);
    await expect(trainer.step(batch(4), { read: ['nothing'] })).rejects.toThrow(/nothing/);
    const wide = { ...batch(), x: { shape: [4, 3], data: new Float32Array(12) } };
    await expect(trainer.step(wide)).rejects.toThrow(/^linear: input is float32\[4,3\]/);
  });

  it.each<[string, unknown, RegExp]>([
    ['no batch', undefined, /^trainer, batch: got undefined; pass an object/],
    ['an input that is missing', { x: undefined }, /input "x": has no shape; pass \{ shape, data \}/],
    ['an array in the place of an input', { x: Float32Array.of(1) }, /input "x": has no shape/],
  ])('refuses %s', async (_, given, message) => {
    const trainer = createTrainer({ executor: new CpuExecutor() });
    await expect(trainer.step(given as never)).rejects.toThrow(message);
  });

  it('refuses options out of range', () => {
    const executor = new CpuExecutor();
    expect(() => createTrainer({ executor, clipNorm: -1 })).toThrow(ArgumentError);
    expect(() => createTrainer({ executor, seed: 0.5 })).toThrow(ArgumentError);
    expect(() => createTrainer({ executor, parameters: new Map() })).toThrow(/no parameters/);
    expect(() => createTrainer({ executor, epochs: 3 } as never)).toThrow(/no option "epochs"/);
    expect(() => (createTrainer({ executor }).clipNorm = NaN)).toThrow(ArgumentError);
  });

  it('frees plans and moments at dispose, and says so afterwards', async () => {
    const executor = new CpuExecutor();
    const layer = new Linear({ inputSize: 2, outputSize: 1 });
    const trainer = createTrainer({
      executor,
      parameters: layer,
      optimizer: new Adam(),
      record: (_graph, { x, y }) => meanSquaredError(layer.forward(x!), y!),
    });
    await trainer.step(batch());
    trainer.dispose();
    trainer[Symbol.dispose]();
    expect(executor.memory().bytesInUse).toBe(4 * layer.parameterCount);
    await expect(trainer.step(batch())).rejects.toThrow(DisposedError);
    await expect(trainer.evaluate(batch())).rejects.toThrow(DisposedError);
  });
});
