/** `Model` fits, evaluates and predicts; stops early or at NaN with the right weights; and resumes to the bit. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import {
  ArgumentError,
  DisposedError,
  FormatError,
  NonFiniteError,
  ShapeError,
} from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable, type Value } from '../../../src/graph/value.js';
import { parseSafetensors, writeSafetensors } from '../../../src/io/safetensors.js';
import { ModuleDict, Sequential } from '../../../src/nn/containers.js';
import { Dropout } from '../../../src/nn/dropout.js';
import { Linear } from '../../../src/nn/linear.js';
import { crossEntropy, meanSquaredError } from '../../../src/nn/losses.js';
import { accuracy } from '../../../src/nn/metrics.js';
import { GRU } from '../../../src/nn/recurrent.js';
import { mul, sub } from '../../../src/ops/binary.js';
import { mean } from '../../../src/ops/reduce-sum.js';
import { reshape } from '../../../src/ops/reshape.js';
import { transpose } from '../../../src/ops/transpose.js';
import { abs, relu } from '../../../src/ops/unary.js';
import { Adam } from '../../../src/optim/adam.js';
import { ReduceOnPlateau } from '../../../src/optim/schedules.js';
import { SGD } from '../../../src/optim/sgd.js';
import type { Dataset } from '../../../src/train/dataset.js';
import { Model, type Measure, type ModelOptions } from '../../../src/train/model.js';
import type { BatchReport, ModelFitOptions } from '../../../src/train/model-fit.js';
import { expectClose } from '../support/evaluate.js';

const meanAbsoluteError = (prediction: Value, target: Value): Value => mean(abs(sub(prediction, target)));

/** y = 3·x₀ − x₁ + noise, for points that are never the same twice. */
function line(samples: number, from = 0): Dataset {
  const x = Float32Array.from({ length: 2 * samples }, (_, i) => Math.sin(1.7 * (i + from)));
  const y = Float32Array.from(
    { length: samples },
    (_, i) => 3 * x[2 * i]! - x[2 * i + 1]! + 0.05 * Math.cos(31 * i),
  );
  return { x: { shape: [samples, 2], data: x }, y: { shape: [samples, 1], data: y } };
}

function create(options: Partial<ModelOptions> = {}): Model {
  return new Model({
    executor: new CpuExecutor({ precision: 'float32' }),
    network: new Linear({ inputSize: 2, outputSize: 1, seed: 4, name: 'line' }),
    loss: meanSquaredError,
    optimizer: new SGD({ learningRate: 0.1 }),
    ...options,
  });
}

async function weights(model: Model): Promise<number[]> {
  const state = await model.network.state(model.executor);
  return [...state.values()].flatMap(({ data }) => Array.from(data));
}

describe('Model.fit', () => {
  it('learns, with measurements of each epoch', async () => {
    const model = create({ metrics: { error: meanAbsoluteError } });
    const seen: [number, Record<string, number>][] = [];
    const { history, stopped, epochs, bestEpoch, error } = await model.fit(line(50), {
      epochs: 20,
      batchSize: 8,
      validationSplit: 0.2,
      callbacks: { onEpochEnd: (epoch, measured) => void seen.push([epoch, measured]) },
    });
    expect({ stopped, epochs, bestEpoch, error }).toEqual({
      stopped: null,
      epochs: 20,
      bestEpoch: null,
      error: null,
    });
    expect(Object.keys(history)).toEqual(['loss', 'error', 'validationLoss', 'validationError']);
    for (const column of Object.values(history)) {
      expect(column.length).toBe(20);
      expect(column.at(-1)).toBeLessThan(0.2 * column[0]!);
    }
    expect(seen.map(([epoch]) => epoch)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(seen[6]![1]).toEqual(
      Object.fromEntries(Object.entries(history).map(([name, column]) => [name, column[6]])),
    );
  });

  it('is plain gradient descent over batches in order, the short last one included', async () => {
    const data = line(7);
    const model = create();
    const [w0, w1, b] = (await weights(model)) as [number, number, number];
    const reports: BatchReport[] = [];
    const { history } = await model.fit(data, {
      batchSize: 3,
      shuffle: false,
      callbacks: { onBatchEnd: (report) => void reports.push(report) },
    });
    let parameters = [w0, w1, b];
    const losses: number[] = [];
    for (const [begin, end] of [
      [0, 3],
      [3, 6],
      [6, 7],
    ] as const) {
      const gradient = [0, 0, 0];
      let loss = 0;
      for (let i = begin; i < end; i++) {
        const inputs = [data.x.data[2 * i]!, data.x.data[2 * i + 1]!, 1];
        const error = inputs.reduce((sum, v, k) => sum + v * parameters[k]!, 0) - data.y.data[i]!;
        loss += error ** 2 / (end - begin);
        inputs.forEach((v, k) => (gradient[k]! += (2 * error * v) / (end - begin)));
      }
      losses.push(loss);
      parameters = parameters.map((p, k) => p - 0.1 * gradient[k]!);
    }
    const close = { value: 1e-5, reason: 'float32 against float64' };
    expectClose(await weights(model), parameters, close);
    expectClose(
      reports.map(({ loss }) => loss),
      losses,
      close,
    );
    expectClose(history['loss']!, [(3 * losses[0]! + 3 * losses[1]! + losses[2]!) / 7], close);
    expect(reports.map(({ epoch, batch, batches, step }) => [epoch, batch, batches, step])).toEqual([
      [1, 1, 3, 1],
      [1, 2, 3, 2],
      [1, 3, 3, 3],
    ]);
  });

  it('shuffles each epoch anew, repeatably', async () => {
    const losses = async (options: ModelFitOptions): Promise<number[]> => {
      const all: number[] = [];
      const model = create({ optimizer: new SGD({ learningRate: 0 }) });
      const callbacks = { onBatchEnd: ({ loss }: BatchReport) => void all.push(loss) };
      await model.fit(line(12), { epochs: 2, batchSize: 4, callbacks, ...options });
      return all;
    };
    const plain = await losses({ shuffle: false });
    expect(plain.slice(3)).toEqual(plain.slice(0, 3));
    const shuffled = await losses({});
    expect(shuffled.slice(3)).not.toEqual(shuffled.slice(0, 3));
    expect(await losses({})).toEqual(shuffled);
    expect(await losses({ seed: 1 })).not.toEqual(shuffled);
    // The same samples in another order.
    const total = (list: number[]): number => list.reduce((sum, loss) => sum + loss, 0);
    expect(total(shuffled.slice(0, 3))).toBeCloseTo(total(plain.slice(0, 3)), 4);
  });

  it('calls back in order, and awaits', async () => {
    const log: string[] = [];
    const note = (text: string) => async (): Promise<void> => {
      await Promise.resolve();
      log.push(text);
    };
    await create().fit(line(4), {
      epochs: 2,
      batchSize: 2,
      callbacks: {
        onEpochBegin: note('begin'),
        onEpochEnd: note('end'),
        onBatchEnd: note('batch'),
        yield: note('yield'),
      },
    });
    expect(log.filter((text) => text === 'yield').length).toBe(4);
    expect(log.filter((text) => text !== 'yield')).toEqual([
      ...['begin', 'batch', 'batch', 'end'],
      ...['begin', 'batch', 'batch', 'end'],
    ]);
  });

  it('adds penalties, averages weights, gathers gradients', async () => {
    const model = create({
      penalty: { l2: 0.5 },
      averageDecay: 0.9,
      accumulate: 2,
      clipNorm: 1,
      clipValue: 0.5,
    });
    const data = line(12);
    await model.fit(data, { epochs: 3, batchSize: 3 });
    expect((await model.executor.read(model.trainer.optimizerState.counters))[0]).toBe(6);
    const plain = await model.evaluate(data);
    const averaged = await model.average!.during(() => model.evaluate(data));
    expect(averaged['loss']).not.toBe(plain['loss']);
    const bare = create({ network: model.network, executor: model.executor });
    const [w0, w1] = (await weights(model)) as [number, number];
    const { loss } = (await bare.evaluate(data)) as { loss: number };
    expect(plain['loss']).toBeCloseTo(loss + 0.5 * (w0 ** 2 + w1 ** 2), 5);
  });

  it('lowers the rate on a plateau of the validation', async () => {
    const optimizer = new SGD({
      learningRate: new ReduceOnPlateau({ initial: 1e-9, factor: 0.5, patience: 1 }),
    });
    await create({ optimizer }).fit(line(8), { epochs: 5, validationData: line(4, 50) });
    expect(optimizer.learningRate).toBe(0.5e-9);
    expect(optimizer.adaptiveSchedule!.rateAt(6)).toBe(0.25e-9);
  });
});

describe('what ends a fit early', () => {
  /** Validation that wants the opposite: it gets worse from the start. */
  const opposite = (): Dataset => {
    const { x, y } = line(8, 5);
    return { x, y: { shape: y.shape, data: y.data.map((v: number) => -v) } };
  };

  it('early stopping restores the weights of the best epoch', async () => {
    // The rate is so large that it improves for a while and then is thrown off.
    const schedule = (step: number): number => (step <= 4 ? 0.2 : 2.5);
    const epochEnds: number[][] = [];
    const model = create({ optimizer: new SGD({ learningRate: schedule }) });
    const result = await model.fit(line(8), {
      epochs: 30,
      batchSize: 8,
      validationData: line(8, 90),
      earlyStopping: { patience: 3 },
      callbacks: { onEpochEnd: async () => void epochEnds.push(await weights(model)) },
    });
    expect(result).toMatchObject({ stopped: 'earlyStopping', epochs: 8, bestEpoch: 5 });
    const best = result.history['validationLoss']!;
    expect(Math.min(...best)).toBe(best[4]);
    expect(await weights(model)).toEqual(epochEnds[4]);
    expect(await weights(model)).not.toEqual(epochEnds[7]);
    const { loss } = await model.evaluate(line(8, 90));
    expect(loss).toBeCloseTo(best[4]!, 6);
  });

  it('early stopping without restoring keeps the last weights', async () => {
    const model = create();
    const ends: number[][] = [];
    const { epochs } = await model.fit(line(8), {
      epochs: 30,
      validationData: opposite(),
      earlyStopping: { patience: 2, restoreBest: false },
      callbacks: { onEpochEnd: async () => void ends.push(await weights(model)) },
    });
    expect(epochs).toBe(3);
    expect(await weights(model)).toEqual(ends[2]);
  });

  it('early stopping can watch a metric that grows, and wants more than minDelta', async () => {
    const negative = (prediction: Value, target: Value): Value =>
      sub(mean(sub(target, target)), meanAbsoluteError(prediction, target));
    const options = { epochs: 40, batchSize: 8 };
    const grows = await create({ metrics: { score: negative } }).fit(line(8), {
      ...options,
      earlyStopping: { monitor: 'score', mode: 'max', patience: 2 },
    });
    expect(grows.bestEpoch).toBeGreaterThan(10);
    const coarse = await create({ metrics: { score: negative } }).fit(line(8), {
      ...options,
      earlyStopping: { monitor: 'score', mode: 'max', patience: 2, minDelta: 0.5 },
    });
    expect(coarse.epochs).toBeLessThan(grows.epochs);
  });

  it('NaN ends it with the weights of the last good epoch', async () => {
    const data = line(8);
    let good: number[] = [];
    const model = create();
    const result = await model.fit(data, {
      epochs: 10,
      batchSize: 2,
      callbacks: {
        onEpochEnd: async (epoch) => {
          if (epoch < 3) return;
          good = await weights(model);
          data.x.data[9] = NaN;
        },
      },
    });
    expect(result).toMatchObject({ stopped: 'nonFinite', epochs: 3 });
    expect(result.history['loss']!.length).toBe(3);
    expect(result.error).toBeInstanceOf(NonFiniteError);
    expect(result.error!.message).toMatch(
      /loss of epoch 4, batch \d \(step 1\d\) is NaN, the gradient of "weight"/,
    );
    expect(await weights(model)).toEqual(good);
    // Good data, and it goes on.
    const again = await model.fit(line(8), { epochs: 2 });
    expect(again).toMatchObject({ stopped: null, epochs: 2 });
  });

  it('diverging weights end it with those of the begin', async () => {
    const model = create({ optimizer: new SGD({ learningRate: 1e30 }) });
    const before = await weights(model);
    const result = await model.fit(line(30), { epochs: 2, batchSize: 2 });
    expect(result).toMatchObject({ stopped: 'nonFinite', epochs: 0 });
    expect(await weights(model)).toEqual(before);
  });

  it('a validation loss that is not finite ends it too', async () => {
    const bad = line(4);
    // Finite, but not its square.
    bad.x.data[3] = 1e30;
    const model = create();
    const before = await weights(model);
    const result = await model.fit(line(8), { epochs: 5, validationData: bad });
    expect(result).toMatchObject({ stopped: 'nonFinite', epochs: 1 });
    expect(result.error!.message).toMatch(/validation loss of epoch 1/);
    expect(await weights(model)).toEqual(before);
  });

  it('with stopOnNaN off it goes on, and says what it saw', async () => {
    const data = line(8);
    data.x.data[1] = NaN;
    const { stopped, history } = await create().fit(data, { epochs: 3, batchSize: 2, stopOnNaN: false });
    expect(stopped).toBeNull();
    expect(history['loss']).toEqual([NaN, NaN, NaN]);
  });

  it('its signal ends it at a step boundary', async () => {
    const controller = new AbortController();
    const model = create();
    const reports: BatchReport[] = [];
    const result = await model.fit(line(64), {
      epochs: 1000,
      batchSize: 2,
      signal: controller.signal,
      callbacks: {
        onBatchEnd: (report) => {
          reports.push(report);
          if (report.step === 40) controller.abort();
        },
      },
    });
    expect(result).toMatchObject({ stopped: 'signal', epochs: 1 });
    expect(reports.length).toBe(model.trainer.steps);
    expect(reports.length).toBeLessThan(80);
    expect(await create().fit(line(4), { signal: AbortSignal.abort() })).toMatchObject({
      stopped: 'signal',
      epochs: 0,
    });
  });
});

describe('evaluate and predict', () => {
  it('evaluate is the mean over samples, whatever the batch', async () => {
    const model = create({ metrics: { error: meanAbsoluteError } });
    const data = line(11);
    const whole = await model.evaluate(data, { batchSize: 11 });
    expect(Object.keys(whole)).toEqual(['loss', 'error']);
    for (const batchSize of [1, 3, 4, 100]) {
      const parts = await model.evaluate(data, { batchSize });
      expect(parts['loss']).toBeCloseTo(whole['loss']!, 5);
      expect(parts['error']).toBeCloseTo(whole['error']!, 5);
    }
  });

  it('predict gives one prediction a sample, without dropout', async () => {
    const net = new Sequential(
      new Linear({ inputSize: 2, outputSize: 5, seed: 1 }),
      relu,
      new Dropout({ p: 0.5 }),
      new Linear({ inputSize: 5, outputSize: 3, seed: 2 }),
    );
    const model = create({ network: net, loss: crossEntropy });
    const { x } = line(7);
    const whole = await model.predict(x, { batchSize: 7 });
    expect(whole.shape).toEqual([7, 3]);
    const parts = await model.predict(x, { batchSize: 3 });
    expectClose(parts.data, whole.data, { value: 1e-6, reason: 'float32 products of other sizes' });
    const y = { shape: [7], data: Int32Array.from([0, 1, 2, 0, 1, 2, 0]) };
    const { history } = await model.fit({ x, y }, { epochs: 2 });
    expect(history['loss']!.every((loss) => Number.isFinite(loss))).toBe(true);
  });

  describe('sequences', () => {
    const [samples, steps] = [5, 4];
    const x = {
      shape: [samples, steps, 2],
      data: Float32Array.from({ length: samples * steps * 2 }, (_, i) => Math.sin(i)),
    };
    const parts = () => ({
      rnn: new GRU({ inputSize: 2, hiddenSize: 3, seed: 1 }),
      output: new Linear({ inputSize: 3, outputSize: 1, seed: 2 }),
    });
    const last = (modules: ReturnType<typeof parts>, x: Value): Value => {
      const { h } = modules.rnn.forward(x).state;
      return modules.output.forward(reshape(h, [h.shape[1]!, 3]));
    };
    const each = (modules: ReturnType<typeof parts>, x: Value): Value =>
      modules.output.forward(modules.rnn.forward(x).output);
    const sequenceModel = (forward: typeof last): Model => {
      const modules = parts();
      return create({
        network: new ModuleDict(modules),
        forward: (x) => forward(modules, x),
        batchFirst: false,
        optimizer: new Adam({ learningRate: 0.05 }),
      });
    };

    it('time-major for the network, batch-major for the user', async () => {
      const model = sequenceModel(each);
      const whole = await model.predict(x);
      expect(whole.shape).toEqual([samples, steps, 1]);
      for (let n = 0; n < samples; n++) {
        const one = await model.predict({ shape: [1, steps, 2], data: x.data.slice(8 * n, 8 * n + 8) });
        expectClose(one.data, whole.data.slice(4 * n, 4 * n + 4), { value: 1e-6, reason: 'float32' });
      }
      // Its own predictions as targets: turned alike, the loss is 0.
      expect((await model.evaluate({ x, y: whole }, { batchSize: 2 }))['loss']).toBeLessThan(1e-12);
    });

    it('with as many samples as steps, none is taken for the other', async () => {
      const square = { shape: [4, 4, 2], data: x.data.slice(0, 32) };
      const model = sequenceModel(last);
      const predictions = await model.predict(square);
      expect(predictions.shape).toEqual([4, 1]);
      expect((await model.evaluate({ x: square, y: predictions }))['loss']).toBeLessThan(1e-12);
      const { history } = await model.fit(
        { x: square, y: { shape: [4, 1], data: Float32Array.of(1, -1, 0.5, 0) } },
        { epochs: 200, batchSize: 3 },
      );
      expect(history['loss']!.at(-1)).toBeLessThan(0.02);
    });

    it('a network that takes time first is found out', async () => {
      const network = new Linear({ inputSize: 2, outputSize: 1, seed: 1 });
      const model = create({ network, forward: (x) => transpose(network.forward(x), [1, 0, 2]) });
      await expect(model.predict(x)).rejects.toThrow(/batch of 6.*set batchFirst: false/);
    });

    it.each([true, false])('a layer over samples is found out, batchFirst: %j', async (batchFirst) => {
      const layer = (batchFirst: boolean): GRU =>
        new GRU({ inputSize: 2, hiddenSize: 3, numLayers: 2, batchFirst, seed: 1, name: 'read' });
      const tagger = (rnn: GRU, turned: boolean): Model => {
        const turn = (value: Value): Value => (turned ? transpose(value, [1, 0, 2]) : value);
        const forward = (input: Value): Value => turn(rnn.forward(turn(input)).output);
        return create({ network: rnn, forward, batchFirst });
      };
      const data = { x, y: { shape: [samples, steps, 3], data: new Float32Array(samples * steps * 3) } };
      const wrong = tagger(layer(!batchFirst), false);
      for (const call of [() => wrong.fit(data), () => wrong.evaluate(data), () => wrong.predict(x)]) {
        await expect(call()).rejects.toThrow(
          /recurrent layer "read.l0" takes the samples .* batchFirst: true/,
        );
        await expect(call()).rejects.toBeInstanceOf(ArgumentError);
      }
      // A network that turns by itself is right, however its layers are set.
      const whole = await tagger(layer(batchFirst), false).predict(x);
      expect(await tagger(layer(!batchFirst), true).predict(x)).toEqual(whole);
    });
  });

  it('saves and loads parameters', async () => {
    const model = create();
    await model.fit(line(8), { epochs: 2 });
    const bytes = await model.save();
    const other = create({ network: new Linear({ inputSize: 2, outputSize: 1, seed: 9 }) });
    other.load(bytes);
    expect(await weights(other)).toEqual(await weights(model));
    expect(() => other.load(new Uint8Array(4))).toThrow(FormatError);
    const checkpoint = await model.checkpoint();
    expect(() => other.load(checkpoint)).toThrow(/is a checkpoint of a model; restore\(\) takes it/);
  });

  it('summary lists layers, shapes and counts', async () => {
    const model = create();
    expect(model.summary()).toMatch(/line|weight/);
    expect(model.summary({ inputShape: [2] }).split('\n')).toEqual([
      'model: linear "line"',
      '',
      'layer       output',
      'input       [B,2]',
      'line        [B,1]',
      'prediction  [B,1]',
      '',
      'parameter  shape  count',
      'weight     [1,2]      2',
      'bias       [1]        1',
      '',
      `3 parameters, SGD, on ${model.executor.description}`,
    ]);
    await model.predict(line(3).x);
    expect(model.summary()).toContain('[B,1]');
  });
});

describe('Model.checkpoint', () => {
  const SETTINGS: [string, Partial<ModelOptions>, ModelFitOptions][] = [
    ['plain', {}, {}],
    [
      'early stopping, validation and a plateau',
      {},
      { validationSplit: 0.25, earlyStopping: { patience: 2, monitor: 'validationLoss' } },
    ],
    ['gathered gradients and averages', { accumulate: 2, averageDecay: 0.8 }, { shuffle: false }],
  ];
  const dropoutModel = (options: Partial<ModelOptions>): Model =>
    create({
      network: new Sequential(
        new Linear({ inputSize: 2, outputSize: 6, seed: 1 }),
        new Dropout({ p: 0.3 }),
        new Linear({ inputSize: 6, outputSize: 1, seed: 2 }),
      ),
      optimizer: new Adam({ learningRate: new ReduceOnPlateau({ initial: 0.05, patience: 0, factor: 0.5 }) }),
      metrics: { error: meanAbsoluteError },
      ...options,
    });
  const DATA = line(23);
  const OPTIONS = { epochs: 4, batchSize: 4 };

  it.each(SETTINGS)(
    '%s: interrupted by its signal anywhere, it goes on to the bit',
    async (_, model, fit) => {
      const run = async (target: Model, signal?: AbortSignal, at?: [number, () => void]) => {
        const losses: number[] = [];
        const result = await target.fit(DATA, {
          ...OPTIONS,
          ...fit,
          ...(signal && { signal }),
          callbacks: {
            onBatchEnd: ({ step, loss }) => {
              losses.push(loss);
              if (step === at?.[0]) at[1]();
            },
          },
        });
        return { losses, result };
      };
      const whole = dropoutModel(model);
      const expected = await run(whole);
      const end = await whole.checkpoint();
      for (const step of [1, 5, 6, 7, 12, 20]) {
        const controller = new AbortController();
        const first = dropoutModel(model);
        const begin = await run(first, controller.signal, [step, () => controller.abort()]);
        if (begin.result.stopped !== 'signal') continue;
        const bytes = await first.checkpoint();
        const second = dropoutModel({ ...model, seed: 6 });
        await second.fit(line(9), { epochs: 1 });
        await second.restore(bytes);
        expect(await second.checkpoint()).toEqual(bytes);
        const rest = await run(second);
        expect([...begin.losses, ...rest.losses]).toEqual(expected.losses);
        expect(rest.result.history).toEqual(expected.result.history);
        expect(rest.result.bestEpoch).toBe(expected.result.bestEpoch);
        expect(await weights(second)).toEqual(await weights(whole));
        expect(await second.checkpoint()).toEqual(end);
      }
    },
  );

  it('may be asked for while fit runs, and in the callbacks of epochs', async () => {
    const whole = dropoutModel({});
    const { history } = await whole.fit(DATA, OPTIONS);
    const model = dropoutModel({});
    const taken: Promise<Uint8Array>[] = [];
    let asked = 0;
    const fit = model.fit(DATA, {
      ...OPTIONS,
      callbacks: {
        onEpochEnd: async () => void taken.push(Promise.resolve(await model.checkpoint())),
        yield: () => new Promise((resolve) => setTimeout(resolve, 1)),
      },
    });
    const timer = setInterval(() => {
      asked++;
      taken.push(model.checkpoint());
    }, 3);
    await fit;
    clearInterval(timer);
    expect(asked).toBeGreaterThan(1);
    for (const bytes of await Promise.all(taken)) {
      const again = dropoutModel({});
      await again.restore(bytes);
      expect((await again.fit(DATA, OPTIONS)).history).toEqual(history);
      expect(await weights(again)).toEqual(await weights(whole));
    }
  });

  it('may be awaited in onBatchEnd, though losses are under way', async () => {
    const data = line(64);
    const options = { epochs: 2, batchSize: 1 };
    const whole = create();
    const { history } = await whole.fit(data, options);
    const model = create();
    const steps: number[] = [];
    const files: Uint8Array[] = [];
    let busy = 0;
    await model.fit(data, {
      ...options,
      callbacks: {
        onBatchEnd: async ({ step }) => {
          expect(++busy).toBe(1);
          steps.push(step);
          if (step % 25 === 3) files.push(await model.checkpoint(), await model.checkpoint());
          busy--;
        },
      },
    });
    expect(steps).toEqual(Array.from({ length: 128 }, (_, i) => i + 1));
    expect(files.length).toBe(12);
    for (const bytes of files) {
      const again = create();
      await again.restore(bytes);
      expect((await again.fit(data, options)).history).toEqual(history);
      expect(await weights(again)).toEqual(await weights(whole));
    }
  });

  it('hands on what a callback throws after a checkpoint', async () => {
    const model = create();
    const fit = model.fit(line(64), {
      batchSize: 1,
      callbacks: {
        onBatchEnd: async () => {
          await model.checkpoint();
          throw new RangeError('mine');
        },
      },
    });
    await expect(fit).rejects.toThrow('mine');
    expect((await model.fit(line(4))).epochs).toBe(1);
  });

  it('wants the data and options of the interrupted fit', async () => {
    const first = dropoutModel({});
    await first.fit(DATA, { ...OPTIONS, epochs: 1 });
    const model = dropoutModel({});
    await model.restore(await first.checkpoint());
    const changed = line(23);
    changed.y.data[22] = 9;
    const wrong: [Dataset, ModelFitOptions, RegExp][] = [
      [DATA, { ...OPTIONS, batchSize: 5 }, /batchSize is 5, the restored checkpoint was made with 4/],
      [DATA, { ...OPTIONS, seed: 1 }, /seed is 1/],
      [line(22), OPTIONS, /samples is 22/],
      [changed, OPTIONS, /data are not those/],
      [DATA, { ...OPTIONS, earlyStopping: {} }, /early stopping/],
      [DATA, { ...OPTIONS, validationData: line(3) }, /history will have/],
    ];
    for (const [data, options, message] of wrong) {
      await expect(model.fit(data, options)).rejects.toThrow(message);
      await expect(model.fit(data, options)).rejects.toThrow(ArgumentError);
    }
    expect((await model.fit(DATA, OPTIONS)).epochs).toBe(4);
  });

  it('refuses damaged files, and changes nothing', async () => {
    const source = dropoutModel({});
    await source.fit(DATA, { ...OPTIONS, earlyStopping: {} });
    const bytes = await source.checkpoint();
    type Fields = Record<'fit' | 'earlyStopping', Record<string, number>>;
    const damages: [(state: Fields) => void, ((tensors: Map<string, unknown>) => void) | null, RegExp][] = [
      [(s) => (s.fit['epoch'] = -1), null, /fit, epoch: is -1/],
      [(s) => (s.fit['epoch'] = 3), null, /history.\w+: has \d numbers after 3 epochs/],
      [(s) => delete s.fit['fingerprint'], null, /fit, fingerprint/],
      [(s) => (s.earlyStopping['waited'] = 0.5), null, /waited: is 0.5/],
      [(s) => (s.fit['batch'] = 99), null, /fit: has 0 samples after batch 99/],
      [(s) => (s.fit['weight'] = 1), null, /fit: has 1 samples after batch 0/],
      [
        () => undefined,
        (t) => t.set('history.__proto__', { shape: [4], data: new Float64Array(4) }),
        /history.__proto__: is no measurement/,
      ],
      [
        () => undefined,
        (t) => t.set('sum.__proto__', { shape: [1], data: new Float64Array(1) }),
        /sum.__proto__: is no measurement/,
      ],
      [() => undefined, (t) => t.delete('best.0.weight'), /best.0.weight.*missing/],
      [() => undefined, (t) => t.delete('optimizer.counters'), /counters.*missing/],
    ];
    const target = dropoutModel({});
    const kept = await target.checkpoint();
    for (const [change, drop, message] of damages) {
      const { tensors, metadata } = parseSafetensors(bytes);
      const state = JSON.parse(metadata.get('state')!) as Fields;
      change(state);
      drop?.(tensors);
      metadata.set('state', JSON.stringify(state));
      await expect(target.restore(writeSafetensors(tensors, metadata))).rejects.toThrow(message);
      expect(await target.checkpoint()).toEqual(kept);
    }
  });
});

describe('misuse of Model', () => {
  const created: [object, RegExp][] = [
    [{ network: null }, /network is not a Module/],
    [{ network: new ModuleDict({}) }, /has no method forward/],
    [{ loss: 'mse' }, /loss is a string/],
    [{ metrics: { loss: meanAbsoluteError } }, /metric "loss"/],
    [{ metrics: { gradientNorm: meanAbsoluteError } }, /metric "gradientNorm"/],
    [{ batchFirst: 1 }, /batchFirst is 1/],
    [{ averageDecay: 2 }, /decay is 2/],
    [{ layers: [] }, /no option "layers"/],
  ];
  it.each(created)('refuses %j', (options, message) => {
    expect(() => create(options)).toThrow(ArgumentError);
    expect(() => create(options)).toThrow(message);
  });

  const { x, y } = line(6);
  const fitted: [string, unknown, ModelFitOptions, new (...args: never[]) => Error, RegExp][] = [
    ['no data', null, {}, ArgumentError, /fit: the data has no x; pass both in one object: \{ x, y \}/],
    ['no targets', { x }, {}, ArgumentError, /fit: the data has no y/],
    [
      'lists',
      { x: { shape: [1, 2], data: [1, 2] }, y },
      {},
      ShapeError,
      /fit, x: its data is an Array; .*Int32Array.from/,
    ],
    ['a wrong length', { x: { shape: [6, 3], data: x.data }, y }, {}, ShapeError, /12 numbers/],
    ['fewer targets', { x, y: line(5).y }, {}, ShapeError, /x has 6 samples, y 5/],
    [
      'NaN',
      { x: { shape: [6, 2], data: x.data.map((v, i) => (i === 5 ? NaN : v)) }, y },
      {},
      NonFiniteError,
      /fit, x: element 5, of sample 2, is NaN/,
    ],
    [
      'infinity in the validation',
      { x, y },
      { validationData: { x, y: { shape: [6, 1], data: new Float32Array(6).fill(Infinity) } } },
      NonFiniteError,
      /fit, validation, y: element 0, of sample 0, is Infinity/,
    ],
    ['no epochs', { x, y }, { epochs: 0 }, ArgumentError, /epochs is 0/],
    ['batchSize 0', { x, y }, { batchSize: 0 }, ArgumentError, /batchSize is 0/],
    ['a split of 1', { x, y }, { validationSplit: 1 }, ArgumentError, /validationSplit is 1/],
    ['a split of nothing', { x, y }, { validationSplit: 0.99 }, ArgumentError, /leaves 0 to train/],
    [
      'two validations',
      { x, y },
      { validationSplit: 0.5, validationData: { x, y } },
      ArgumentError,
      /both given/,
    ],
    ['an unknown monitor', { x, y }, { earlyStopping: { monitor: 'f1' } }, ArgumentError, /monitor is "f1"/],
    ['patience -1', { x, y }, { earlyStopping: { patience: -1 } }, ArgumentError, /patience is -1/],
    ['an unknown callback', { x, y }, { callbacks: { onStep: 1 } as never }, ArgumentError, /"onStep"/],
    ['another option', { x, y }, { lr: 1 } as never, ArgumentError, /"lr"/],
    ['other features', { x: { shape: [4, 3], data: x.data }, y: line(4).y }, {}, ShapeError, /linear "line"/],
  ];
  it.each(fitted)('refuses to fit %s', async (_, data, options, type, message) => {
    const model = create();
    await expect(model.fit(data as Dataset, options)).rejects.toThrow(message);
    await expect(model.fit(data as Dataset, options)).rejects.toBeInstanceOf(type);
    expect((await model.fit({ x, y })).epochs).toBe(1);
  });

  it('refuses a second fit while one runs', async () => {
    const model = create();
    const first = model.fit({ x, y });
    await expect(model.fit({ x, y })).rejects.toThrow(/already being trained/);
    await expect(model.restore(new Uint8Array(9))).rejects.toThrow(/is being trained/);
    await first;
  });

  it('refuses to call a layer that its network does not hold', async () => {
    const inner = new Linear({ inputSize: 2, outputSize: 2, seed: 1 });
    const outer = new Linear({ inputSize: 2, outputSize: 1, seed: 2, name: 'out' });
    const executor = new CpuExecutor();
    const forward = (x: Value): Value => outer.forward(inner.forward(x));
    const model = create({ executor, network: inner, forward });
    for (const call of [
      () => model.fit(line(8)),
      () => model.evaluate(line(8)),
      () => model.predict(line(8).x),
    ]) {
      await expect(call()).rejects.toThrow(
        /forward uses "out.weight" of linear "out", which its network does not/,
      );
      await expect(call()).rejects.toBeInstanceOf(ArgumentError);
    }
    model.dispose();
    expect(executor.memory().bytesInUse).toBe(0);
    // What is meant to stay as it is can be held and left alone; a variable that is no layer's is a constant.
    const scale = new Variable({ name: 'scale', shape: [1], initial: () => Float32Array.of(0.5) });
    const frozen = create({
      network: new ModuleDict({ inner, outer }),
      forward: (x) => mul(forward(x), x.graph.read(scale)),
      optimizer: new Adam({ groups: [{ match: /^inner/, learningRateFactor: 0 }] }),
    });
    const before = await weights(frozen);
    await frozen.fit(line(8), { epochs: 2 });
    const after = await weights(frozen);
    expect(after.slice(0, 6)).toEqual(before.slice(0, 6));
    expect(after.slice(6)).not.toEqual(before.slice(6));
  });

  const stray = new Graph('stray').scalar('stray');
  const measures: [string, Measure, new (...args: never[]) => Error, RegExp][] = [
    ['is not reduced', (p, t) => abs(sub(p, t)), ShapeError, /metric "m": is float32\[8,1\]; .*mean\(…\)/],
    ['is of the host', accuracy as never, ArgumentError, /metric "m": gives NaN; .*mean\(correctTopK/],
    ['returns nothing', (() => undefined) as never, ArgumentError, /metric "m": gives undefined/],
    ['is of another graph', () => stray, ArgumentError, /metric "m": gives a value of another graph/],
  ];
  it.each(measures)('refuses a metric that %s', async (_, m, type, message) => {
    const model = create({ metrics: { m } });
    for (const call of [() => model.fit(line(8)), () => model.evaluate(line(8))]) {
      await expect(call()).rejects.toThrow(message);
      await expect(call()).rejects.toBeInstanceOf(type);
    }
  });

  it('frees everything at dispose, and says so afterwards', async () => {
    const model = create({ averageDecay: 0.9 });
    await model.fit({ x, y }, { earlyStopping: {}, epochs: 2, batchSize: 4 });
    await model.predict(x);
    model.dispose();
    model[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve));
    expect(model.executor.memory().bytesInUse).toBe(0);
    await expect(model.fit({ x, y })).rejects.toThrow(DisposedError);
    await expect(model.predict(x)).rejects.toThrow(DisposedError);
  });
});
