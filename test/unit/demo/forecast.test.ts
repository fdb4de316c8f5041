/** What the demo says a model will have is what the library then makes of the same settings. */
import { expect, it } from 'vitest';
import { forecast } from '../../../demo/characters/forecast.js';
import { DEFAULT_SETTINGS, type Settings } from '../../../demo/characters/protocol.js';
import { CharacterModel, CpuExecutor } from '../../../src/index.js';

const TEXT = 'a text of some characters';

it.each<Partial<Settings>>([
  {},
  { cell: 'gru', numLayers: 2, hiddenSize: 17, embeddingSize: 5 },
  { cell: 'rnn', numLayers: 3, hiddenSize: 9 },
])('parameters of %o', (chosen) => {
  const settings = { ...DEFAULT_SETTINGS, ...chosen };
  const { cell, hiddenSize, numLayers, embeddingSize } = settings;
  const model = CharacterModel.create({
    executor: new CpuExecutor(),
    text: TEXT,
    cell,
    hiddenSize,
    numLayers,
    embeddingSize,
  });
  expect(forecast(settings, model.tokenizer.size).parameters).toBe(model.parameterCount);
});

it('reckons any number of layers at once', () => {
  expect(forecast({ ...DEFAULT_SETTINGS, numLayers: 1e15 }, 100).parameters).toBeGreaterThan(1e15);
});

it('needs more memory for more of anything, and an array for the logits at least', () => {
  const base = forecast(DEFAULT_SETTINGS, 100);
  for (const name of ['hiddenSize', 'numLayers', 'batchSize', 'sequenceLength', 'embeddingSize'] as const) {
    const larger = forecast({ ...DEFAULT_SETTINGS, [name]: 2 * DEFAULT_SETTINGS[name] }, 100);
    expect(larger.bytes, name).toBeGreaterThan(base.bytes);
  }
  expect(forecast(DEFAULT_SETTINGS, 50_000).largestArray).toBeGreaterThanOrEqual(4 * 64 * 32 * 50_000);
});
