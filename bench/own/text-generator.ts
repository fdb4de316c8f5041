/** Text written by `loadTextGenerator`, which takes the CPU for small models: what a page that only writes would use. */
import { loadTextGenerator, type TextGenerator } from '../../src/inference.js';
import { CharacterModel, createExecutor } from '../../src/index.js';
import type { Contender } from '../contender.js';
import { createGenerationWeights } from '../data.js';
import { FIRST_CHARACTERS, type GenerationWorkload } from '../workloads.js';
import { charactersOf, writeTokens } from './characters.js';

/** Makes the contender, and the file it begins with. Its unit of work is a character. */
export async function createOwnTextGenerator(workload: GenerationWorkload): Promise<Contender> {
  const characters = charactersOf(workload);
  const file = await saved(workload, characters);
  let generator: TextGenerator | null = null;

  const run = (length: number): Promise<number[]> => writeTokens(generator!, characters, length);

  return {
    async begin() {
      generator = await loadTextGenerator(file);
      return run(FIRST_CHARACTERS);
    },
    run,
    async dispose() {
      generator?.dispose();
    },
    get description() {
      return generator ? `loadTextGenerator, ${generator.description}` : '';
    },
  };
}

async function saved(workload: GenerationWorkload, characters: readonly string[]): Promise<Uint8Array> {
  const { embeddingSize, hiddenSize, numLayers } = workload;
  const executor = await createExecutor({ backend: 'cpu', precision: 'float32' });
  const sizes = { cell: 'lstm', embeddingSize, hiddenSize, numLayers, seed: 1 } as const;
  const model = CharacterModel.create({ executor, characters, ...sizes });
  try {
    model.network.loadState(executor, createGenerationWeights(workload));
    return await model.save();
  } finally {
    model.dispose();
    executor.dispose();
  }
}
