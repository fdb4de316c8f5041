/** Text written by `CharacterModel.generate`. */
import { CharacterModel, GpuExecutor } from '../../src/index.js';
import type { Contender } from '../contender.js';
import { createGenerationWeights } from '../data.js';
import { FIRST_CHARACTERS, type GenerationWorkload } from '../workloads.js';
import { charactersOf, writeTokens } from './characters.js';

/** Makes the contender. Its unit of work is a character. */
export function createOwnGeneration(workload: GenerationWorkload): Contender {
  const { embeddingSize, hiddenSize, numLayers } = workload;
  const characters = charactersOf(workload);
  let executor: GpuExecutor | null = null;
  let model: CharacterModel | null = null;

  async function begin(): Promise<number[]> {
    executor = await GpuExecutor.create({ powerPreference: 'high-performance' });
    const sizes = { cell: 'lstm', embeddingSize, hiddenSize, numLayers, seed: 1 } as const;
    model = CharacterModel.create({ executor, characters, ...sizes });
    model.network.loadState(executor, createGenerationWeights(workload));
    return run(FIRST_CHARACTERS);
  }

  const run = (length: number): Promise<number[]> => writeTokens(model!, characters, length);

  return {
    begin,
    run,
    async dispose() {
      model?.dispose();
      executor?.dispose();
    },
    get description() {
      return executor?.description ?? '';
    },
  };
}
