/** Losses that become NaN or infinite, really: noticed, explained, and taken back; nothing good is written over. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { NonFiniteError } from '../../../src/graph/errors.js';
import type { Value } from '../../../src/graph/value.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { Linear } from '../../../src/nn/linear.js';
import { meanSquaredError } from '../../../src/nn/losses.js';
import { mul } from '../../../src/ops/binary.js';
import { mean } from '../../../src/ops/reduce-sum.js';
import { exp } from '../../../src/ops/unary.js';
import { Adam } from '../../../src/optim/adam.js';
import { SGD } from '../../../src/optim/sgd.js';
import { CharacterModel } from '../../../src/text/character-model.js';
import type { Dataset } from '../../../src/train/dataset.js';
import { Model, type ModelOptions } from '../../../src/train/model.js';
import { Trainer } from '../../../src/train/trainer.js';

/** Steps between two readings, at most. */
const INTERVAL = 16;

function line(samples: number): Dataset {
  const x = Float32Array.from({ length: 2 * samples }, (_, i) => Math.sin(1.7 * i));
  const y = Float32Array.from({ length: samples }, (_, i) => 3 * x[2 * i]! - x[2 * i + 1]!);
  return { x: { shape: [samples, 2], data: x }, y: { shape: [samples, 1], data: y } };
}

/** Learns, but for one step with a rate beyond all bounds. */
const faultAt =
  (bad: number) =>
  (step: number): number =>
    step === bad ? 1e30 : 0.01;

function createModel(options: Partial<ModelOptions> = {}): Model {
  const network = new ModuleDict({
    first: new Linear({ inputSize: 2, outputSize: 3, seed: 4 }),
    second: new Linear({ inputSize: 3, outputSize: 1, seed: 5 }),
  });
  const { first, second } = network.modules;
  return new Model({
    executor: new CpuExecutor(),
    network,
    forward: (x) => second.forward(first.forward(x)),
    loss: meanSquaredError,
    optimizer: new SGD({ learningRate: faultAt(150), momentum: 0.9 }),
    ...options,
  });
}

async function weightsOf({ network, executor }: Model | CharacterModel): Promise<number[][]> {
  return [...(await network.state(executor)).values()].map(({ data }) => [...data]);
}

describe('Model.fit', () => {
  it('notices within the reading interval, and comes back to weights of the same epoch', async () => {
    const data = line(400);
    const model = createModel();
    let last = 0;
    const onBatchEnd = ({ step }: { readonly step: number }): void => void (last = step);
    const { stopped, epochs, error } = await model.fit(data, { batchSize: 2, callbacks: { onBatchEnd } });
    expect({ stopped, epochs }).toEqual({ stopped: 'nonFinite', epochs: 0 });
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error!.message).toMatch(
      /the loss of epoch 1, batch 15[1-9] \(step 15[1-9]\) is (NaN|Infinity), the gradient of "first.weight"/,
    );
    expect(last).toBeLessThan(160);
    expect(model.trainer.steps).toBeLessThanOrEqual(last + 2 * INTERVAL);

    // The last copy was made before step 129.
    const again = createModel();
    const steps: number[][][] = [];
    await again.fit(data, {
      batchSize: 2,
      callbacks: { yield: async () => void steps.push(await weightsOf(again)) },
    });
    expect(await weightsOf(model)).toEqual(steps[127]);

    // What is saved is good, and learning goes on with a fresh optimizer.
    await model.save();
    expect(await model.fit(data, { epochs: 2 })).toMatchObject({ stopped: null, epochs: 2, error: null });
  });

  it('notices a loss that overflows', async () => {
    const model = createModel({
      loss: (prediction, target): Value => mean(exp(mul(meanSquaredError(prediction, target), 1e6))),
      optimizer: new SGD({ learningRate: 0 }),
    });
    const { stopped, error } = await model.fit(line(8));
    expect(stopped).toBe('nonFinite');
    expect(error!.message).toMatch(/\(step 1\) is Infinity, the gradient of "first.weight" is not finite/);
  });

  it('a checkpoint asked for when the loss is told of is that of the good weights', async () => {
    const model = createModel();
    const before = await weightsOf(model);
    let file: Uint8Array | undefined;
    const result = await model.fit(line(40), {
      batchSize: 2,
      epochs: 20,
      callbacks: {
        onBatchEnd: async ({ loss }) => {
          if (!Number.isFinite(loss)) file ??= await model.checkpoint();
        },
      },
    });
    expect(result.stopped).toBe('nonFinite');
    const restored = createModel();
    await restored.restore(file!);
    const weights = await weightsOf(restored);
    expect(weights).toEqual(await weightsOf(model));
    expect(weights).not.toEqual(before);
    expect(Math.max(...weights.flat().map(Math.abs))).toBeLessThan(10);
    expect(await restored.fit(line(40), { epochs: 2 })).toMatchObject({ stopped: null, epochs: 2 });
  });

  it('averages go back too', async () => {
    const model = createModel({ averageDecay: 0.9 });
    expect((await model.fit(line(400), { batchSize: 2 })).stopped).toBe('nonFinite');
    const averages = await model.average!.during(() => weightsOf(model));
    expect(Math.max(...averages.flat().map(Math.abs))).toBeLessThan(10);
  });

  it('refuses to save numbers that are not finite, with stopOnNaN off', async () => {
    const model = createModel({ optimizer: new SGD({ learningRate: faultAt(2) }) });
    await model.fit(line(8), { batchSize: 2 });
    const { executor, network } = model;
    const [variable] = network.parameters();
    executor.write(variable!, new Float32Array(variable!.size).fill(NaN));
    await expect(model.save()).rejects.toThrow(NonFiniteError);
    await expect(model.save()).rejects.toThrow(
      /model, parameter "first.weight": element 0 is NaN; .*keep the last/,
    );
    await expect(model.checkpoint()).rejects.toThrow(
      /checkpoint of a model, tensor "model.first.weight": element 0 is NaN/,
    );
  });
});

describe('CharacterModel.fit', () => {
  const TEXT = 'abcabbcabcacbbabcabcbacbabcabcabbbaccab'.repeat(40);
  const OPTIONS = { batchSize: 2, sequenceLength: 3, steps: 200, clipNorm: 0 };

  function createCharacters(): CharacterModel {
    const sizes = { cell: 'rnn', nonlinearity: 'relu', hiddenSize: 4, embeddingSize: 2, seed: 1 } as const;
    return CharacterModel.create({ executor: new CpuExecutor(), text: TEXT, ...sizes });
  }

  it('notices within the reading interval, and comes back to the last good weights', async () => {
    const model = createCharacters();
    const optimizer = new SGD({ learningRate: 0.01 });
    let file: Uint8Array | undefined;
    const result = await model.fit(TEXT, {
      ...OPTIONS,
      optimizer,
      learningRate: faultAt(150),
      onProgress: async ({ loss }) => {
        if (!Number.isFinite(loss)) file = await model.checkpoint();
      },
    });
    expect(result.stopped).toBe(true);
    expect(result.error).toBeInstanceOf(NonFiniteError);
    const { length } = result.losses;
    expect(length).toBeGreaterThan(150);
    expect(length).toBeLessThan(160);
    expect(result.error!.message).toMatch(
      new RegExp(`^fit: the loss of step ${length} is (NaN|Infinity), the gradient of ".+" is not finite; `),
    );
    expect(result.steps).toBeLessThanOrEqual(length + 2 * INTERVAL);
    expect(result.losses.slice(0, -1).every(Number.isFinite)).toBe(true);

    const healthy = createCharacters();
    await healthy.fit(TEXT, { ...OPTIONS, steps: 128, optimizer: new SGD({ learningRate: 0.01 }) });
    expect(await weightsOf(model)).toEqual(await weightsOf(healthy));
    const restored = await CharacterModel.restore(file!, { executor: new CpuExecutor(), optimizer });
    expect(await weightsOf(restored)).toEqual(await weightsOf(healthy));

    await model.save();
    const again = await model.fit(TEXT, { ...OPTIONS, steps: 20, optimizer });
    expect(again).toMatchObject({ stopped: false, error: null });
    expect(again.losses.every(Number.isFinite)).toBe(true);
    let written = '';
    for await (const character of model.generate({ length: 20, seed: 1 })) written += character;
    expect(written).toHaveLength(20);
  });

  it('comes back to the begin of the call where the first losses are not finite', async () => {
    const model = createCharacters();
    await model.fit(TEXT, { ...OPTIONS, steps: 10 });
    const before = await weightsOf(model);
    const optimizer = new SGD({ learningRate: 1e30 });
    const { stopped, error } = await model.fit(TEXT, { ...OPTIONS, optimizer });
    expect(stopped).toBe(true);
    expect(error!.message).toMatch(/the loss of step [2-9] is/);
    expect(await weightsOf(model)).toEqual(before);
  });

  it('a validation loss that is not finite stops it too', async () => {
    const model = createCharacters();
    const before = await weightsOf(model);
    const { stopped, error, validation } = await model.fit(TEXT, {
      ...OPTIONS,
      steps: 1,
      optimizer: new SGD({ learningRate: 1e38 }),
      validationFraction: 0.2,
    });
    expect(stopped).toBe(true);
    expect(error!.message).toMatch(/the validation loss after step 1 is (NaN|Infinity)/);
    expect(validation).toHaveLength(1);
    expect(await weightsOf(model)).toEqual(before);
  });

  it('goes on with stopOnNaN off, and says what it saw', async () => {
    const { stopped, error, losses } = await createCharacters().fit(TEXT, {
      ...OPTIONS,
      steps: 40,
      optimizer: new SGD({ learningRate: 1e30 }),
      stopOnNaN: false,
    });
    expect({ stopped, error }).toEqual({ stopped: false, error: null });
    expect(losses).toHaveLength(40);
    expect(losses.every(Number.isFinite)).toBe(false);
  });
});

describe('Trainer', () => {
  it('gives the norm of each gradient, without learning', async () => {
    const network = new Linear({ inputSize: 2, outputSize: 1, seed: 1, name: 'line' });
    const executor = new CpuExecutor({ precision: 'float64' });
    const trainer = new Trainer({
      executor,
      parameters: network,
      optimizer: new Adam(),
      record: (_, { x, y }) => meanSquaredError(network.forward(x!), y!),
    });
    const batch = {
      x: { shape: [1, 2], data: Float64Array.of(3, 4) },
      y: { shape: [1, 1], data: Float64Array.of(1) },
    };
    const before = await executor.read(network.parameters()[0]!);
    const norms = await trainer.gradientNorms(batch);
    const { loss } = await trainer.evaluate(batch);
    // d/db (p − y)² = 2·(p − y), and by the weights that times x.
    const slope = 2 * Math.sqrt(loss);
    expect([...norms.keys()]).toEqual(['weight', 'bias']);
    expect(norms.get('weight')).toBeCloseTo(5 * slope, 6);
    expect(norms.get('bias')).toBeCloseTo(slope, 6);
    expect(await executor.read(network.parameters()[0]!)).toEqual(before);
    await trainer.step(batch);
    const fresh = [...trainer.optimizerState.variables.values()].map((v) => [...v.initialValue()]);
    await trainer.resetOptimizer();
    const values = await Promise.all(
      [...trainer.optimizerState.variables.values()].map((v) => executor.read(v)),
    );
    expect(values.map((data) => [...data])).toEqual(fresh);
  });
});
