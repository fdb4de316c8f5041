/** A text generator writes what the model whose file it has writes, and refuses what that refuses. */
import { afterEach, describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import {
  AbortError,
  ArgumentError,
  DeviceError,
  DisposedError,
  FormatError,
  TextError,
} from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { loadTextGenerator, type TextGenerator } from '../../../src/inference.js';
import { parseSafetensors, writeSafetensors } from '../../../src/io/safetensors.js';
import type { TensorData } from '../../../src/nn/module.js';
import { CharacterModel, type CharacterModelOptions } from '../../../src/text/character-model.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';

const executors: CpuExecutor[] = [];
afterEach(() => {
  for (const executor of executors.splice(0)) executor.dispose();
});

function createModel(options: Partial<CharacterModelOptions> = {}): CharacterModel {
  const executor = new CpuExecutor({ precision: 'float32' });
  executors.push(executor);
  const sizes = { embeddingSize: 5, hiddenSize: 7, seed: 4 };
  return CharacterModel.create({ executor, characters: 'abcdefg 🌙\n', ...sizes, ...options });
}

async function collect(characters: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const character of characters) text += character;
  return text;
}

const load = async (model: CharacterModel): Promise<TextGenerator> =>
  loadTextGenerator(await model.save(), { backend: 'cpu' });

describe.each(['lstm', 'gru', 'rnn', 'relu'] as const)('%s', (kind) => {
  it.each([1, 3])('of %i layers writes what its model writes', async (numLayers) => {
    const model = createModel(
      kind === 'relu' ? { cell: 'rnn', nonlinearity: 'relu', numLayers } : { cell: kind, numLayers },
    );
    const generator = await load(model);
    for (const prompt of ['bad cab 🌙', 'a', '\n']) {
      const options = { prompt, length: 40, temperature: 0 };
      expect(await collect(generator.generate(options))).toBe(await collect(model.generate(options)));
    }
  });
});

it('gives the logits that its model computes', async () => {
  const model = createModel({ cell: 'gru', numLayers: 2 });
  const { network, executor, tokenizer } = model;
  const text = 'face a bag 🌙';
  const graph = new Graph('logits');
  const tokens = tokenizer.encode(text);
  graph.output('logits', network.forward(graph.input('tokens', [tokens.length, 1], 'int32')).logits);
  const plan = await executor.compile(graph);
  const { outputs } = await plan.run({ tokens }, { read: ['logits'] });
  const wanted = Array.from(outputs['logits']!).slice(-tokenizer.size);
  expectClose(await (await load(model)).predict(text), wanted, TOLERANCES.result, 'logits');
});

it('keeps generations that run side by side apart', async () => {
  const generator = await load(createModel());
  const options = [1, 2, 3].map((seed) => ({ prompt: 'ab', length: 20, seed }));
  const alone: string[] = [];
  for (const option of options) alone.push(await collect(generator.generate(option)));
  const together = await Promise.all(options.map((option) => collect(generator.generate(option))));
  expect(together).toEqual(alone);
  expect(new Set(alone).size).toBe(3);
});

it('repeats with a seed, and keeps to the likeliest where it is told to', async () => {
  const generator = await load(createModel());
  const options = { prompt: 'ab', length: 50 };
  const texts = await Promise.all(
    [{ seed: 1 }, { seed: 1 }, { seed: 2 }, { seed: 1, topK: 1 }, { temperature: 0 }].map((more) =>
      collect(generator.generate({ ...options, ...more })),
    ),
  );
  expect(texts[1]).toBe(texts[0]);
  expect(texts[2]).not.toBe(texts[0]);
  expect(texts[3]).toBe(texts[4]);
});

it('takes the CPU by itself for a small model, and says so', async () => {
  const generator = await loadTextGenerator(await createModel().save());
  expect(generator.description).toBe('cpu');
  expect(generator.config).toMatchObject({ cell: 'lstm', hiddenSize: 7 });
});

it('lets timers through while it writes', async () => {
  const generator = await load(createModel({ hiddenSize: 200 }));
  let ticks = 0;
  let written = 0;
  const timer = setInterval(() => ticks++, 1);
  // Far more than it writes between two looks at the clock.
  for await (const character of generator.generate({ length: 100_000, seed: 1 })) {
    written += character.length;
    if (ticks > 0) break;
  }
  clearInterval(timer);
  expect(written).toBeLessThan(100_000);
});

it('refuses whole numbers for weights, as CharacterModel.load does', async () => {
  const { tensors, metadata } = parseSafetensors(await createModel().save());
  const { shape, data } = tensors.get('output.bias')!;
  const damaged = new Map<string, TensorData>(tensors).set('output.bias', {
    shape,
    data: Int32Array.from(data),
  });
  const bytes = writeSafetensors(damaged, metadata);
  await expect(loadTextGenerator(bytes, { backend: 'cpu' })).rejects.toThrow(/output.bias.*whole numbers/);
  expect(() => CharacterModel.load(bytes, { executor: new CpuExecutor() })).toThrow(
    /output.bias.*whole numbers/,
  );
});

it('refuses what it cannot do', async () => {
  const bytes = await createModel().save();
  const generator = await loadTextGenerator(bytes, { backend: 'cpu' });
  await expect(loadTextGenerator(bytes, { backend: 'gpu' as 'cpu' })).rejects.toThrow(ArgumentError);
  await expect(loadTextGenerator(bytes, { executor: 1 } as object)).rejects.toThrow('executor');
  await expect(loadTextGenerator(bytes, { weightPrecision: 'int8' as 'float16' })).rejects.toThrow(
    'weightPrecision',
  );
  await expect(loadTextGenerator(bytes, { backend: 'webgpu' })).rejects.toThrow(DeviceError);
  await expect(loadTextGenerator(bytes.slice(0, 50))).rejects.toThrow(FormatError);
  await expect(generator.predict('')).rejects.toThrow(TextError);
  await expect(generator.predict('x')).rejects.toThrow(TextError);
  expect(() => generator.generate({ prompt: '' })).toThrow(TextError);
  expect(() => generator.generate({ length: 0 })).toThrow(ArgumentError);
  expect(() => generator.generate({ temperature: -1 })).toThrow(ArgumentError);
  expect(() => generator.generate({ beams: 2 } as object)).toThrow('beams');
  const stop = new AbortController();
  const writing = generator.generate({ signal: stop.signal });
  await writing.next();
  stop.abort();
  await expect(writing.next()).rejects.toThrow(AbortError);
  const late = generator.generate();
  generator.dispose();
  generator.dispose();
  await expect(late.next()).rejects.toThrow(DisposedError);
  expect(() => generator.generate()).toThrow(DisposedError);
});

it.each([
  ['missing', 'rnn.bias_hh_l0', null, 'is missing'],
  ['of another shape', 'output.weight', { shape: [7, 10], data: new Float32Array(70) }, 'has shape [7,10]'],
  ['not finite', 'output.bias', { shape: [10], data: new Float32Array(10).fill(NaN) }, 'NaN'],
])('names a tensor that is %s', async (_, name, replacement, problem) => {
  const { tensors, metadata } = parseSafetensors(await createModel().save());
  const changed = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [key, { shape, data }] of tensors) changed.set(key, { shape, data: Float32Array.from(data) });
  changed.delete(name);
  changed.set(replacement ? name : 'other', replacement ?? { shape: [1], data: new Float32Array(1) });
  const loading = loadTextGenerator(writeSafetensors(changed, metadata));
  await expect(loading).rejects.toThrow(FormatError);
  await expect(loading).rejects.toThrow(`tensor "${name}"`);
  await expect(loading).rejects.toThrow(problem);
});
