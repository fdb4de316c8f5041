/** A character model interrupted at any step and restored elsewhere has the same losses as one that never was. */
import { afterEach, describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import {
  ArgumentError,
  FormatError,
  NonFiniteError,
  ShapeError,
  type RnnError,
} from '../../../src/graph/errors.js';
import { parseSafetensors, writeSafetensors } from '../../../src/io/safetensors.js';
import { Adam, AdamW } from '../../../src/optim/adam.js';
import { cosineSchedule, ReduceOnPlateau } from '../../../src/optim/schedules.js';
import { CharacterModel, type FitOptions } from '../../../src/text/character-model.js';

const TEXT = 'ein männlein steht im walde ganz still und stumm; es hat von lauter purpur ein mäntlein um. ';

const executors: CpuExecutor[] = [];
function createExecutor(): CpuExecutor {
  const executor = new CpuExecutor({ precision: 'float32' });
  executors.push(executor);
  return executor;
}
afterEach(() => {
  for (const executor of executors.splice(0)) executor.dispose();
});

function createModel(): CharacterModel {
  const sizes = { embeddingSize: 6, hiddenSize: 10, numLayers: 2, dropout: 0.2 };
  return CharacterModel.create({ executor: createExecutor(), text: TEXT, seed: 3, ...sizes });
}

/** Three windows of eight to a lane, so that twelve steps begin anew three times. */
const OPTIONS = { batchSize: 3, sequenceLength: 8, steps: 12, validationFraction: 0.15, validateEvery: 3 };

const KINDS: [string, () => FitOptions][] = [
  ['at its defaults', () => ({})],
  ['on a schedule', () => ({ learningRate: cosineSchedule({ initial: 0.02, steps: 12 }) })],
  [
    'that waits for a plateau',
    () => ({
      learningRate: new ReduceOnPlateau({ initial: 0.05, factor: 0.5, patience: 0, threshold: 0.05 }),
    }),
  ],
];

describe('CharacterModel.checkpoint', () => {
  it.each(KINDS)('%s: goes on to the bit, wherever it was interrupted', async (_, kind) => {
    const whole = createModel();
    const { losses, validation } = await whole.fit(TEXT, { ...OPTIONS, ...kind() });
    const bytes = new Map<number, Uint8Array>();
    const first = createModel();
    await first.fit(TEXT, {
      ...OPTIONS,
      ...kind(),
      // Losses come late, so the checkpoint may be of a later step than its progress.
      onProgress: async ({ step }) => void bytes.set(step, await first.checkpoint()),
    });
    for (const step of [1, 3, 7]) {
      const model = await CharacterModel.restore(bytes.get(step)!, { executor: createExecutor() });
      const rest = await model.fit(TEXT, { ...OPTIONS, ...kind() });
      expect(rest.firstStep).toBeGreaterThan(step);
      expect(rest.firstStep).toBeLessThan(11);
      expect(rest.losses).toEqual(losses.slice(rest.firstStep - 1));
      expect(rest.steps).toBe(12);
      expect(rest.validation).toEqual(validation.filter(({ step }) => step >= rest.firstStep));
      expect(await model.save()).toEqual(await whole.save());
      expect(await model.checkpoint()).toEqual(await whole.checkpoint());
    }
  });

  it('goes on after a stop by signal, a validation that the stop left out included', async () => {
    const whole = createModel();
    const { losses, validation } = await whole.fit(TEXT, { ...OPTIONS, validateEvery: 1 });
    const controller = new AbortController();
    const first = createModel();
    const begin = await first.fit(TEXT, {
      ...OPTIONS,
      validateEvery: 1,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 5) controller.abort();
      },
    });
    expect(begin.stopped).toBe(true);
    const model = await CharacterModel.restore(await first.checkpoint(), { executor: createExecutor() });
    // A checkpoint of what has just been restored is the same.
    expect(await model.checkpoint()).toEqual(await first.checkpoint());
    const seen: number[] = [];
    const onProgress = ({ step }: { step: number }): void => void seen.push(step);
    const rest = await model.fit(TEXT, { ...OPTIONS, validateEvery: 1, onProgress });
    expect([...begin.losses, ...rest.losses]).toEqual(losses);
    expect([...begin.validation, ...rest.validation]).toEqual(validation);
    expect(seen[0]).toBe(begin.steps + 1);
    // The call after it begins at the text's begin again.
    expect((await model.fit(TEXT, { ...OPTIONS, steps: 2 })).firstStep).toBe(1);
  });

  it('may be taken before any training', async () => {
    const model = createModel();
    const again = await CharacterModel.restore(await model.checkpoint(), { executor: createExecutor() });
    const [a, b] = [await model.fit(TEXT, OPTIONS), await again.fit(TEXT, OPTIONS)];
    expect(b.losses).toEqual(a.losses);
  });

  it('wants the text and the options of the interrupted call', async () => {
    const first = createModel();
    await first.fit(TEXT, { ...OPTIONS, steps: 4 });
    const model = await CharacterModel.restore(await first.checkpoint(), { executor: createExecutor() });
    const wrong: [string, FitOptions, RegExp][] = [
      [TEXT, { ...OPTIONS, batchSize: 2 }, /batchSize is 2, the restored checkpoint was made with 3/],
      [TEXT, { ...OPTIONS, sequenceLength: 7 }, /sequenceLength is 7/],
      [TEXT.replace('stumm', 'dumm'), OPTIONS, /text is not that of the restored checkpoint/],
      [TEXT, { ...OPTIONS, learningRate: new ReduceOnPlateau({ initial: 1 }) }, /learningRate follows/],
    ];
    for (const [text, options, message] of wrong) {
      await expect(model.fit(text, options)).rejects.toThrow(ArgumentError);
      await expect(model.fit(text, options)).rejects.toThrow(message);
    }
    expect((await model.fit(TEXT, OPTIONS)).firstStep).toBe(5);
  });

  it('wants the optimizer it was made with', async () => {
    const first = createModel();
    await first.fit(TEXT, { ...OPTIONS, steps: 2, optimizer: new AdamW() });
    const bytes = await first.checkpoint();
    const executor = createExecutor();
    await expect(CharacterModel.restore(bytes, { executor })).rejects.toThrow(/optimizer: is/);
    expect(executor.memory().bytesInUse).toBe(0);
    const optimizer = new AdamW();
    const model = await CharacterModel.restore(bytes, { executor, optimizer });
    expect((await model.fit(TEXT, { ...OPTIONS, optimizer })).firstStep).toBe(3);
  });

  type Change = (
    tensors: Map<string, { shape: readonly number[]; data: Float32Array }>,
    state: { model: string; fit: Record<string, unknown> },
  ) => void;
  const damages: [string, Change, new (...args: never[]) => RnnError, RegExp][] = [
    ['another cell', (_, s) => (s.model = s.model.replace('lstm', 'qrnn')), FormatError, /cell: is "qrnn"/],
    [
      'a giant number of layers',
      (_, s) => (s.model = s.model.replace('"numLayers":2', '"numLayers":1e12')),
      FormatError,
      /numLayers/,
    ],
    ['a step of half', (_, s) => (s.fit.step = 0.5), FormatError, /fit, step: is 0.5/],
    ['no place in the text', (_, s) => delete s.fit.fingerprint, FormatError, /fit, fingerprint/],
    ['another batch size', (_, s) => (s.fit.batchSize = 4), ShapeError, /carried.h/],
    ['a lost state', (t) => t.delete('carried.c'), FormatError, /carried.c.*missing/],
    [
      'infinity',
      (t) => t.get('optimizer.exp_avg.output.bias')!.data.fill(Infinity),
      NonFiniteError,
      /exp_avg.output.bias/,
    ],
  ];
  it.each(damages)('refuses a file with %s', async (_, damage, type, message) => {
    const model = createModel();
    await model.fit(TEXT, { ...OPTIONS, steps: 1, optimizer: new Adam({ learningRate: 2e-3 }) });
    const { tensors, metadata } = parseSafetensors(await model.checkpoint());
    const state = JSON.parse(metadata.get('state')!) as Parameters<Change>[1];
    damage(tensors as never, state);
    metadata.set('state', JSON.stringify(state));
    const bytes = writeSafetensors(tensors, metadata);
    const executor = createExecutor();
    const restoring = CharacterModel.restore(bytes, { executor });
    await expect(restoring).rejects.toThrow(message);
    await expect(restoring).rejects.toBeInstanceOf(type);
    expect(executor.memory().bytesInUse).toBe(0);
  });

  it('refuses a model file, which holds no training', async () => {
    const bytes = await createModel().save();
    const restoring = CharacterModel.restore(bytes, { executor: createExecutor() });
    await expect(restoring).rejects.toThrow(/format: is "webgpu-rnn-character-model-1"/);
  });
});
