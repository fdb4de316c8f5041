/** The page of `device-lost.test.ts`: trains and writes, tells how far it is, and how it ended. */
import { CharacterModel, createExecutor, DeviceLostError } from '../../../src/index.js';
import { loadTextGenerator } from '../../../src/inference.js';

/** How a training ended. */
export interface Ending {
  readonly losses: readonly number[];
  /** `after step …` for each device that was lost and replaced. */
  readonly recoveries: readonly string[];
  /** Where no other device came: what the error says, and after which step the training stands. */
  readonly final: { readonly message: string; readonly step: number } | null;
}

declare global {
  interface Window {
    /** Steps that were reported. */
    trained?: number;
    train?: (steps: number) => Promise<Ending>;
    /** Characters that were written. */
    written?: number;
    /** Writes with a new model; gives the text, and what it says of each device that was lost and replaced. */
    write?: (length: number) => Promise<{ readonly text: string; readonly told: readonly string[] }>;
  }
}

const TEXT = 'the quick brown fox jumps over the lazy dog. '.repeat(40);
const SIZES = { batchSize: 4, sequenceLength: 16 };

window.train = async (steps) => {
  window.trained = 0;
  const executor = await createExecutor({ backend: 'webgpu', recovery: { snapshotPeriod: 500, delay: 100 } });
  const model = CharacterModel.create({ executor, text: TEXT, hiddenSize: 16, embeddingSize: 8, seed: 1 });
  const recoveries: string[] = [];
  const onProgress = ({ step }: { readonly step: number }): void => {
    window.trained = step;
  };
  const onRecovered = ({ toStep }: { readonly toStep: number }): void => {
    recoveries.push(`after step ${toStep}`);
  };
  try {
    const { losses } = await model.fit(TEXT, { ...SIZES, steps, onProgress, onRecovered });
    return { losses, recoveries, final: null };
  } catch (error) {
    if (!(error instanceof DeviceLostError && error.final)) throw error;
    // What the last snapshot holds goes on on the CPU.
    const cpu = await createExecutor({ backend: 'cpu' });
    const again = await CharacterModel.restore(await model.checkpoint(), { executor: cpu });
    const { losses } = await again.fit(TEXT, { ...SIZES, steps: error.step! + 3 });
    return { losses, recoveries, final: { message: error.message, step: error.step! } };
  } finally {
    executor.dispose();
  }
};

window.write = async (length) => {
  window.written = 0;
  const executor = await createExecutor({ backend: 'cpu' });
  const model = CharacterModel.create({ executor, text: TEXT, hiddenSize: 32, numLayers: 2, seed: 1 });
  const told: string[] = [];
  const generator = await loadTextGenerator(await model.save(), {
    backend: 'webgpu',
    recovery: {
      delay: 100,
      onLost: (reason) => told.push(reason.replace(/:.*/s, '')),
      onRecovered: () => told.push('recovered'),
    },
  });
  let text = '';
  for await (const character of generator.generate({ prompt: 'the ', length, seed: 7 })) {
    text += character;
    window.written = text.length;
  }
  generator.dispose();
  executor.dispose();
  return { text, told };
};
