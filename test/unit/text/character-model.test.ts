/** A character model learns a tiny text by heart, repeats to the last bit, survives its file, and refuses misuse. */
import { afterEach, describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import {
  AbortError,
  ArgumentError,
  DisposedError,
  FormatError,
  NonFiniteError,
  RnnError,
  ShapeError,
  TextError,
} from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { parseSafetensors, writeSafetensors } from '../../../src/io/safetensors.js';
import { Adam } from '../../../src/optim/adam.js';
import { ReduceOnPlateau } from '../../../src/optim/schedules.js';
import {
  CharacterModel,
  type CharacterModelOptions,
  type GenerateBatchOptions,
  type GenerateOptions,
} from '../../../src/text/character-model.js';
import type { FitProgress } from '../../../src/text/character-training.js';

const VERSE = '床前明月光，疑是地上霜。举头望明月，低头思故乡。🌙e\u0301\n';
const TEXT = VERSE.repeat(6);

const executors: CpuExecutor[] = [];
function createExecutor(): CpuExecutor {
  const executor = new CpuExecutor({ precision: 'float32' });
  executors.push(executor);
  return executor;
}
afterEach(() => {
  for (const executor of executors.splice(0)) executor.dispose();
});

function createModel(options: Partial<CharacterModelOptions> = {}): CharacterModel {
  return CharacterModel.create({
    executor: createExecutor(),
    text: TEXT,
    embeddingSize: 12,
    hiddenSize: 24,
    seed: 3,
    ...options,
  });
}

async function write(model: CharacterModel, options: GenerateOptions): Promise<string> {
  let text = '';
  for await (const character of model.generate(options)) text += character;
  return text;
}

const SHORT = { steps: 6, batchSize: 2, sequenceLength: 8 };

describe('CharacterModel.fit', () => {
  it.each(['lstm', 'gru', 'rnn'] as const)(
    '%s learns a text by heart and continues it exactly',
    async (cell) => {
      const model = createModel({ cell });
      const optimizer = new Adam({ learningRate: 0.02 });
      const result = await model.fit(TEXT, { steps: 120, batchSize: 4, sequenceLength: 12, optimizer });
      expect(result.losses.length).toBe(120);
      expect(result.losses[0]).toBeGreaterThan(2.5);
      expect(result.losses.at(-1)).toBeLessThan(0.1);
      const expected = Array.from(VERSE + VERSE)
        .slice(4, 4 + 40)
        .join('');
      expect(await write(model, { prompt: '\n床前明月', length: 40, temperature: 0 })).toBe(expected);
    },
  );

  it('learns with two layers and dropout', async () => {
    const model = createModel({ numLayers: 2, dropout: 0.1 });
    const optimizer = new Adam({ learningRate: 0.02 });
    const { losses } = await model.fit(TEXT, { steps: 60, batchSize: 4, sequenceLength: 12, optimizer });
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!);
  });

  it('repeats its losses, weights and text to the last bit', async () => {
    const run = async () => {
      const model = createModel({ dropout: 0.2, numLayers: 2 });
      const { losses, gradientNorms } = await model.fit(TEXT, SHORT);
      const text = await write(model, { prompt: '床', length: 30, seed: 5 });
      return { losses, gradientNorms, text, bytes: await model.save() };
    };
    const [first, second] = [await run(), await run()];
    expect(first).toEqual(second);
    const other = await createModel({ dropout: 0.2, numLayers: 2, seed: 4 }).fit(TEXT, SHORT);
    expect(other.losses).not.toEqual(first.losses);
  });

  it('dropout changes the losses from step to step, and is off in validation', async () => {
    const run = async (dropout: number) => {
      const options = { ...SHORT, steps: 1, learningRate: 0, validationFraction: 0.2 };
      return createModel({ dropout }).fit(TEXT, options);
    };
    const [dry, wet] = [await run(0), await run(0.5)];
    expect(wet.losses[0]).not.toBe(dry.losses[0]);
    expect(wet.validation).toEqual(dry.validation);
  });

  it('goes on in a second call where the first one ended', async () => {
    const once = createModel();
    const { losses } = await once.fit(TEXT, { ...SHORT, steps: 4 });
    const twice = createModel();
    await twice.fit(TEXT, { ...SHORT, steps: 3 });
    const { steps, losses: more } = await twice.fit(TEXT, { ...SHORT, steps: 3 });
    expect(steps).toBe(3);
    // The second call begins at the text's begin, with a model that knows it better.
    expect(more[0]).toBeLessThan(losses[0]!);
  });

  it('carries the state over a step boundary and zeroes it at the begin of the text', async () => {
    // Without learning, windows of T = 4 with the state carried lose on average what one of T = 8 does.
    const loss = async (sequenceLength: number, steps: number) => {
      const model = createModel();
      const options = { steps, batchSize: 2, sequenceLength, learningRate: 0 };
      const { losses } = await model.fit(Array.from(TEXT).slice(0, 17).join(''), options);
      return losses;
    };
    const [one] = await loss(8, 1);
    const four = await loss(4, 4);
    expect((four[0]! + four[1]!) / 2).toBeCloseTo(one!, 5);
    expect(four[2]).toBe(four[0]);
    expect(four[3]).toBe(four[1]);
  });

  it('tells its progress once a step, in order', async () => {
    const seen: FitProgress[] = [];
    const options = { ...SHORT, steps: 10, validationFraction: 0.25, validateEvery: 4 };
    const result = await createModel().fit(TEXT, { ...options, onProgress: (p) => void seen.push(p) });
    expect(seen.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(seen.map(({ loss }) => loss)).toEqual(result.losses);
    expect(seen.filter((p) => p.validationLoss !== undefined).map(({ step }) => step)).toEqual([4, 8, 10]);
    expect(result.validation.map(({ step }) => step)).toEqual([4, 8, 10]);
    const last = seen.at(-1)!;
    expect(last).toMatchObject({ steps: 10, skippedUpdates: 0, secondsLeft: 0 });
    expect(last.charactersPerSecond).toBeGreaterThan(0);
    expect(last.millisecondsPerStep).toBeGreaterThan(0);
    expect(result).toMatchObject({ stopped: false, steps: 10, skippedUpdates: 0 });
  });

  it('validates every held-out prediction, the last short window included', async () => {
    // Zero weights predict every character alike, so any mean over whole windows is ln V.
    const model = createModel();
    const state = await model.network.state(model.executor);
    const zeros = [...state].map(
      ([name, { shape, data }]) => [name, { shape, data: new Float32Array(data.length) }] as const,
    );
    model.network.loadState(model.executor, new Map(zeros));
    const options = { ...SHORT, steps: 1, learningRate: 0, validationFraction: 0.4 };
    const { validation } = await model.fit(TEXT, options);
    expect(validation[0]!.loss).toBeCloseTo(Math.log(model.tokenizer.size), 5);
  });

  it('validates a held-out part shorter than a batch', async () => {
    const options = { ...SHORT, steps: 1, batchSize: 8, sequenceLength: 8, validationFraction: 0.03 };
    const { validation } = await createModel().fit(TEXT, options);
    expect(Number.isFinite(validation[0]!.loss)).toBe(true);
  });

  it('lets the learning rate follow a schedule', async () => {
    const optimizer = new Adam({ learningRate: 0.03 });
    const asked: number[] = [];
    const learningRate = (step: number): number => {
      asked.push(step);
      return 0.1 / step;
    };
    await createModel().fit(TEXT, { ...SHORT, optimizer, learningRate });
    expect(asked).toEqual([1, 2, 3, 4, 5, 6]);
    expect(optimizer.learningRate).toBe(0.03);
  });

  it('takes the learning rate of a call for that call alone', async () => {
    const model = createModel();
    const plateau = new ReduceOnPlateau({ initial: 0.02, factor: 0.5, patience: 0, threshold: 0.5 });
    const optimizer = new Adam({ learningRate: plateau });
    const validated = { ...SHORT, validationFraction: 0.25, validateEvery: 2, optimizer };
    await model.fit(TEXT, { ...validated, learningRate: 0 });
    expect(optimizer.adaptiveSchedule).toBe(plateau);
    // A schedule is not told how training went at a rate that was not its own.
    expect(plateau.rateAt(1)).toBe(0.02);
    const before = await model.save();
    await model.fit(TEXT, validated);
    expect(plateau.rateAt(1)).toBeLessThan(0.02);
    expect(await model.save()).not.toEqual(before);
  });

  it('stops at a step boundary when its signal asks, with weights intact', async () => {
    const controller = new AbortController();
    const model = createModel();
    const result = await model.fit(TEXT, {
      ...SHORT,
      steps: 100_000,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 3) controller.abort();
      },
    });
    expect(result.stopped).toBe(true);
    expect(result.steps).toBe(result.losses.length);
    expect(result.steps).toBeGreaterThanOrEqual(3);
    expect(result.steps).toBeLessThan(100);
    // The same weights as a run of just so many steps.
    const twin = createModel();
    await twin.fit(TEXT, { ...SHORT, steps: result.steps });
    expect(await model.save()).toEqual(await twin.save());
  });

  it('is stopped by a timer too: the event loop gets its turns', async () => {
    const signal = AbortSignal.timeout(150);
    const result = await createModel().fit(TEXT, { ...SHORT, steps: 100_000_000, signal });
    expect(result.stopped).toBe(true);
  });

  it('does nothing when its signal has already asked', async () => {
    const model = createModel();
    const before = await model.save();
    const result = await model.fit(TEXT, { ...SHORT, signal: AbortSignal.abort() });
    expect(result).toMatchObject({ stopped: true, steps: 0 });
    expect(await model.save()).toEqual(before);
  });

  it('skips updates whose gradient is not finite, and says so', async () => {
    const model = createModel();
    const state = await model.network.state(model.executor);
    state.get('output.weight')!.data.fill(3e38);
    model.network.loadState(model.executor, state);
    const before = await model.save();
    const result = await model.fit(TEXT, { ...SHORT, steps: 2 });
    expect(result.skippedUpdates).toBe(2);
    expect(await model.save()).toEqual(before);
  });

  it('refuses a second fit while one runs, and fits again afterwards', async () => {
    const model = createModel();
    const first = model.fit(TEXT, SHORT);
    await expect(model.fit(TEXT, SHORT)).rejects.toThrow(/already being trained/);
    await first;
    await expect(model.fit(TEXT, SHORT)).resolves.toMatchObject({ steps: 6 });
  });

  it('hands on what onProgress throws, and can be called again', async () => {
    const model = createModel();
    const onProgress = (): void => {
      throw new RangeError('mine');
    };
    await expect(model.fit(TEXT, { ...SHORT, onProgress })).rejects.toThrow('mine');
    const { losses } = await model.fit(TEXT, SHORT);
    expect(losses.length).toBe(6);
  });

  const wrong: [string, string, object, new (...args: never[]) => RnnError, RegExp][] = [
    ['empty text', '', {}, TextError, /empty/],
    [
      'short text',
      '床前明月',
      {},
      TextError,
      /has 4 characters.*needs at least 17; .*set batchSize 1 and sequenceLength 3/,
    ],
    ['an unknown character', `${TEXT}x`, {}, TextError, /"x" \(U\+0078\) at position/],
    ['half a surrogate pair', `${TEXT}\ud83d`, {}, TextError, /surrogate/],
    ['no string', 5 as never, {}, ArgumentError, /string/],
    ['steps 0', TEXT, { steps: 0 }, ArgumentError, /steps is 0/],
    ['a fraction of a step', TEXT, { steps: 1.5 }, ArgumentError, /steps is 1.5/],
    ['batchSize 0', TEXT, { batchSize: 0 }, ArgumentError, /batchSize is 0/],
    ['batchSize -1', TEXT, { batchSize: -1 }, ArgumentError, /batchSize is -1/],
    ['sequenceLength NaN', TEXT, { sequenceLength: NaN }, ArgumentError, /sequenceLength is NaN/],
    ['a negative clipNorm', TEXT, { clipNorm: -1 }, ArgumentError, /clipNorm is -1/],
    ['validationFraction 1', TEXT, { validationFraction: 1 }, ArgumentError, /validationFraction is 1/],
    ['a held-out part of nothing', TEXT, { validationFraction: 1e-9 }, TextError, /held-out/],
    ['a negative learningRate', TEXT, { learningRate: -1 }, ArgumentError, /learningRate is -1/],
    ['a learningRate that is text', TEXT, { learningRate: '0.1' }, ArgumentError, /learningRate is "0.1"/],
    ['an optimizer that is none', TEXT, { optimizer: {} }, ArgumentError, /optimizer/],
    ['an option that is none', TEXT, { epochs: 3 }, ArgumentError, /no option "epochs"/],
  ];
  it.each(wrong)('refuses %s', async (_, text, options, type, message) => {
    const model = createModel();
    const fit = model.fit(text, { ...SHORT, ...options });
    await expect(fit).rejects.toThrow(message);
    await expect(fit).rejects.toBeInstanceOf(type);
  });
});

describe('CharacterModel.generate', () => {
  it('repeats with its seed, and leaves the prompt out', async () => {
    const model = createModel();
    const options = { prompt: '举头', length: 25, temperature: 1.5, seed: 9 };
    const text = await write(model, options);
    expect(Array.from(text).length).toBe(25);
    expect(await write(model, options)).toBe(text);
    expect(await write(model, { ...options, seed: 10 })).not.toBe(text);
    expect(Array.from(await write(model, { length: 3 })).length).toBe(3);
  });

  it('runs side by side with itself and with fit, each with a state of its own', async () => {
    const model = createModel();
    const alone = await write(model, { prompt: '举头', length: 20, seed: 1 });
    const both = await Promise.all([
      write(model, { prompt: '举头', length: 20, seed: 1 }),
      write(model, { prompt: '低头思', length: 20, seed: 2 }),
    ]);
    expect(both[0]).toBe(alone);
    const [, text] = await Promise.all([model.fit(TEXT, SHORT), write(model, { length: 20 })]);
    expect(Array.from(text).length).toBe(20);
  });

  it('writes the same however long the text is to be, and from whichever prompt was before', async () => {
    const model = createModel();
    const options = { prompt: '床前明月光，疑是地上霜。举头望明月', temperature: 2, seed: 5 };
    const long = await write(model, { ...options, length: 500 });
    for (const length of [1, 2, 5, 6, 21, 22, 84, 85, 86, 341, 342]) {
      const text = Array.from(await write(model, { ...options, length }));
      expect(text.length).toBe(length);
      expect(text).toEqual(Array.from(long).slice(0, length));
    }
    expect(await write(createModel(), { ...options, length: 500 })).toBe(long);
  });

  it('hears its whole prompt, however long', async () => {
    const model = createModel();
    await model.fit(TEXT, SHORT);
    const prompt = TEXT.repeat(4);
    const options = { length: 12, temperature: 0.5, seed: 5 };
    const text = await write(model, { ...options, prompt });
    // Temperature 0 would tell little of an untrained network; the states do.
    expect(text).toBe(await write(model, { ...options, prompt }));
    expect(text).not.toBe(await write(model, { ...options, prompt: prompt.slice(-1), seed: 6 }));
  });

  it('draws from what the network predicts', async () => {
    const model = createModel();
    await model.fit(TEXT, { ...SHORT, steps: 40 });
    const text = await write(model, { prompt: '举头', length: 30, temperature: 0 });
    const graph = new Graph('prediction');
    const read = model.tokenizer.encode(`举头${text.slice(0, -1)}`, 'text');
    const tokens = graph.input('tokens', [read.length, 1], 'int32');
    graph.output('logits', model.network.forward(tokens).logits);
    const plan = await model.executor.compile(graph);
    const { outputs } = await plan.run({ tokens: read }, { read: ['logits'] });
    const V = model.tokenizer.size;
    const best = Array.from({ length: 30 }, (_, i) => {
      const logits = Array.from(outputs['logits']!.subarray((i + 1) * V, (i + 2) * V));
      return model.tokenizer.characters[logits.indexOf(Math.max(...logits))];
    });
    expect(text).toBe(best.join(''));
  });

  it('stops when its signal asks, and is usable again', async () => {
    const model = createModel();
    const controller = new AbortController();
    const written: string[] = [];
    const run = async () => {
      for await (const character of model.generate({ length: 100, signal: controller.signal })) {
        written.push(character);
        if (written.length === 5) controller.abort();
      }
    };
    await expect(run()).rejects.toThrow(AbortError);
    expect(written.length).toBe(5);
    expect(Array.from(await write(model, { length: 4 })).length).toBe(4);
  });

  it('is stopped while it reads a long prompt', async () => {
    const model = createModel();
    const controller = new AbortController();
    const writing = write(model, { prompt: TEXT.repeat(50), length: 1, signal: controller.signal });
    controller.abort();
    await expect(writing).rejects.toThrow(AbortError);
  });

  it('says so when a logit is not finite', async () => {
    const model = createModel();
    const state = await model.network.state(model.executor);
    state.get('output.weight')!.data.fill(3e38);
    state.get('rnn.bias_hh_l0')!.data.fill(9);
    model.network.loadState(model.executor, state);
    await expect(write(model, { length: 3 })).rejects.toThrow(NonFiniteError);
  });

  it('may be left early', async () => {
    const model = createModel();
    for await (const character of model.generate({ length: 100 })) if (character) break;
    expect(Array.from(await write(model, { length: 4 })).length).toBe(4);
  });

  const wrong: [object, new (...args: never[]) => RnnError, RegExp][] = [
    [{ prompt: '' }, TextError, /prompt.*empty/],
    [{ prompt: '床x' }, TextError, /prompt: character "x" \(U\+0078\) at position 1/],
    [{ prompt: 5 }, ArgumentError, /string/],
    [{ length: 0 }, ArgumentError, /length is 0/],
    [{ length: 2.5 }, ArgumentError, /length is 2.5/],
    [{ temperature: -0.1 }, ArgumentError, /temperature/],
    [{ topK: 0 }, ArgumentError, /topK/],
    [{ topP: 2 }, ArgumentError, /topP/],
    [{ seed: -1 }, ArgumentError, /seed/],
    [{ tokens: 3 }, ArgumentError, /no option "tokens"/],
  ];
  it.each(wrong)('refuses %j at the call', (options, type, message) => {
    const model = createModel();
    expect(() => model.generate(options)).toThrow(type);
    expect(() => model.generate(options)).toThrow(message);
  });
});

describe('CharacterModel.generateBatch', () => {
  async function writeBatch(model: CharacterModel, options: GenerateBatchOptions): Promise<string[]> {
    const texts = new Array<string>(options.samples).fill('');
    for await (const characters of model.generateBatch(options)) {
      expect(characters.length).toBe(options.samples);
      for (const [i, character] of characters.entries()) texts[i] = `${texts[i]}${character}`;
    }
    return texts;
  }

  it.each(['lstm', 'gru', 'rnn'] as const)('%s: writes what single calls would', async (cell) => {
    const model = createModel({ cell, numLayers: 2 });
    const options = { prompt: '举头', length: 30, temperature: 1.5, topK: 9, topP: 0.9 };
    const texts = await writeBatch(model, { ...options, samples: 3, seed: 7 });
    for (const [i, text] of texts.entries()) {
      expect(text).toBe(await write(model, { ...options, seed: 7 + i }));
    }
    expect(new Set(texts).size).toBe(3);
  });

  it('stops when its signal asks, and is usable again with other numbers of samples', async () => {
    const model = createModel();
    const signal = AbortSignal.abort();
    await expect(writeBatch(model, { samples: 2, length: 4, signal })).rejects.toThrow(AbortError);
    for (const samples of [2, 1, 5, 3, 4, 6, 2]) {
      const texts = await writeBatch(model, { samples, length: 4 });
      expect(texts.map((text) => Array.from(text).length)).toEqual(new Array<number>(samples).fill(4));
    }
    model.dispose();
    expect(model.memory().bytesInUse).toBe(0);
  });

  it.each<[object, RegExp]>([
    [{}, /samples is undefined/],
    [{ samples: 0 }, /samples is 0/],
    [{ samples: 2, topP: 2 }, /topP/],
    [{ samples: 2, batch: 2 }, /no option "batch"/],
  ])('refuses %j at the call', (options, message) => {
    expect(() => createModel().generateBatch(options as GenerateBatchOptions)).toThrow(message);
  });
});

describe('CharacterModel files', () => {
  it.each(['lstm', 'gru', 'rnn'] as const)('%s: the loaded model writes the same text', async (cell) => {
    const relu = cell === 'rnn' ? ({ nonlinearity: 'relu' } as const) : {};
    const model = createModel({ cell, numLayers: 2, ...relu });
    await model.fit(TEXT, SHORT);
    const bytes = await model.save();
    const again = CharacterModel.load(bytes, { executor: createExecutor() });
    expect(again.config).toEqual(model.config);
    const options = { prompt: '床', length: 40, seed: 2 };
    expect(await write(again, options)).toBe(await write(model, options));
    expect(await again.save()).toEqual(bytes);
  });

  it("has PyTorch's names and layouts", async () => {
    const model = createModel({ cell: 'gru' });
    const { tensors, metadata } = parseSafetensors(await model.save());
    const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));
    const V = model.tokenizer.size;
    expect(shapes).toEqual({
      'embedding.weight': [V, 12],
      'rnn.weight_ih_l0': [72, 12],
      'rnn.weight_hh_l0': [72, 24],
      'rnn.bias_ih_l0': [72],
      'rnn.bias_hh_l0': [72],
      'output.weight': [V, 24],
      'output.bias': [V],
    });
    expect(JSON.parse(metadata.get('config')!)).toMatchObject({ cell: 'gru', hiddenSize: 24 });
    expect(model.parameterCount).toBe(V * 12 + 72 * 12 + 72 * 24 + 144 + V * 24 + V);
    expect(model.summary()).toContain('rnn.weight_hh_l0');
  });

  type Tensors = Map<string, { shape: readonly number[]; data: Float32Array }>;
  type Change = (tensors: Tensors, metadata: Map<string, string>) => void;
  const setting =
    (change: (config: Record<string, unknown>) => void): Change =>
    (_, metadata) => {
      const config = JSON.parse(metadata.get('config')!) as Record<string, unknown>;
      change(config);
      metadata.set('config', JSON.stringify(config));
    };
  const damages: [string, Change, new (...args: never[]) => RnnError, RegExp][] = [
    [
      'NaN',
      (t) => t.get('output.bias')!.data.fill(NaN, 2),
      NonFiniteError,
      /"output.bias".*element 2 is NaN/,
    ],
    ['infinity', (t) => t.get('rnn.bias_hh_l0')!.data.fill(Infinity), NonFiniteError, /rnn.bias_hh_l0/],
    ['another format', (_, m) => m.set('format', 'x'), FormatError, /format: is "x"/],
    ['no format', (_, m) => m.delete('format'), FormatError, /format: is missing/],
    ['no config', (_, m) => m.delete('config'), FormatError, /config: is not an object/],
    ['a config that is no JSON', (_, m) => m.set('config', '{'), FormatError, /config/],
    [
      'a config with a key twice',
      (_, m) => m.set('config', '{"cell":"gru","cell":"gru"}'),
      FormatError,
      /twice/,
    ],
    ['an unknown cell', setting((c) => (c.cell = 'qrnn')), FormatError, /cell: is "qrnn"/],
    ['an unknown setting', setting((c) => (c.projSize = 4)), FormatError, /projSize/],
    ['a fractional size', setting((c) => (c.hiddenSize = 1.5)), FormatError, /hiddenSize: is 1.5/],
    ['a giant number of layers', setting((c) => (c.numLayers = 2 ** 40)), FormatError, /numLayers/],
    ['a giant size', setting((c) => (c.hiddenSize = 2 ** 40)), RnnError, /./],
    ['a wrong size', setting((c) => (c.hiddenSize = 23)), ShapeError, /weight_ih_l0/],
    ['dropout 1', setting((c) => (c.dropout = 1)), FormatError, /dropout: is 1/],
    ['a shorter vocabulary', setting((c) => (c.characters = 'ab')), ShapeError, /embedding.weight/],
    ['a character twice', setting((c) => (c.characters = 'aa')), FormatError, /twice/],
    ['no vocabulary', setting((c) => delete c.characters), FormatError, /characters/],
    ['a missing tensor', (t) => t.delete('output.bias'), FormatError, /./],
    [
      'a renamed tensor',
      (t) => {
        t.set('output.biass', t.get('output.bias')!);
        t.delete('output.bias');
      },
      FormatError,
      /missing: "output.bias".*unknown: "output.biass"/,
    ],
  ];
  it.each(damages)('refuses a file with %s', async (_, damage, type, message) => {
    const { tensors, metadata } = parseSafetensors(await createModel().save());
    damage(tensors as unknown as Tensors, metadata);
    const bytes = writeSafetensors(tensors, metadata);
    const executor = createExecutor();
    const load = () => CharacterModel.load(bytes, { executor });
    expect(load).toThrow(type);
    expect(load).toThrow(message);
    expect(executor.memory().bytesInUse).toBe(0);
  });

  it('refuses a file of something else', () => {
    const load = () => CharacterModel.load(new Uint8Array(20), { executor: createExecutor() });
    expect(load).toThrow(FormatError);
  });
});

describe('CharacterModel in general', () => {
  const wrong: [object, RegExp][] = [
    [{ hiddenSize: 0 }, /hiddenSize is 0/],
    [{ hiddenSize: -4 }, /hiddenSize is -4/],
    [{ embeddingSize: 2.5 }, /embeddingSize is 2.5/],
    [{ numLayers: 0 }, /numLayers is 0/],
    [{ dropout: 1 }, /dropout is 1/],
    [{ cell: 'transformer' }, /cell is "transformer"/],
    [{ nonlinearity: 'relu' }, /nonlinearity/],
    [{ seed: 0.5 }, /seed is 0.5/],
    [{ text: undefined }, /exactly one source/],
    [{ characters: 'ab' }, /exactly one source/],
    [{ executor: null }, /executor is missing/],
    [{ bidirectional: true }, /no option "bidirectional"/],
  ];
  it.each(wrong)('refuses %j', (options, message) => {
    expect(() => createModel(options)).toThrow(ArgumentError);
    expect(() => createModel(options)).toThrow(message);
  });

  it('describes its plans and keeps the plans of other sizes', async () => {
    const model = createModel();
    expect(await model.describe({ batchSize: 2, sequenceLength: 4 })).toContain('recurrent');
    await model.fit(TEXT, { ...SHORT, sequenceLength: 4 });
    await model.fit(TEXT, { ...SHORT, sequenceLength: 5 });
    await expect(model.describe({ batchSize: 0 })).rejects.toThrow(ArgumentError);
  });

  it('frees everything at dispose, and says so afterwards', async () => {
    const model = createModel();
    await model.fit(TEXT, { ...SHORT, validationFraction: 0.2 });
    await write(model, { length: 2 });
    const iterator = model.generate({ length: 50 });
    await iterator.next();
    expect(model.memory().bytesInUse).toBeGreaterThan(0);
    model.dispose();
    model[Symbol.dispose]();
    await expect(iterator.next()).rejects.toThrow(DisposedError);
    expect(model.memory()).toEqual({ bytesInUse: 0, bytesAllocated: 0 });
    await expect(model.fit(TEXT)).rejects.toThrow(DisposedError);
    expect(() => model.generate()).toThrow(DisposedError);
    await expect(model.save()).rejects.toThrow(DisposedError);
    await expect(model.describe()).rejects.toThrow(DisposedError);
  });

  it('ends a fit whose model is disposed meanwhile', async () => {
    const model = createModel();
    const fit = model.fit(TEXT, { ...SHORT, steps: 1000, onProgress: () => model.dispose() });
    await expect(fit).rejects.toThrow(DisposedError);
  });

  it('refuses a disposed executor, before and after', async () => {
    const executor = createExecutor();
    const model = createModel({ executor });
    await model.fit(TEXT, SHORT);
    executor.dispose();
    await expect(model.fit(TEXT, SHORT)).rejects.toThrow(DisposedError);
    await expect(model.save()).rejects.toThrow(DisposedError);
    await expect(write(model, { length: 2 })).rejects.toThrow(DisposedError);
    model.dispose();
    expect(() => createModel({ executor })).toThrow(DisposedError);
  });
});
