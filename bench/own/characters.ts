/** Characters that stand for the tokens of a generation workload, and what is written with them. */
import type { CharacterModel } from '../../src/index.js';
import { PROMPT } from '../data.js';
import { FIRST_CHARACTERS, type GenerationWorkload } from '../workloads.js';

const FIRST_CODE = 48;

/** One for each token, in order. */
export function charactersOf({ vocabSize }: GenerationWorkload): string[] {
  return Array.from({ length: vocabSize }, (_, token) => String.fromCharCode(FIRST_CODE + token));
}

/** Writes so many characters, the likeliest each time. @returns the first tokens */
export async function writeTokens(
  writer: Pick<CharacterModel, 'generate'>,
  characters: readonly string[],
  length: number,
): Promise<number[]> {
  let text = '';
  const options = { prompt: characters[PROMPT]!, length, temperature: 0, seed: 1 };
  for await (const part of writer.generate(options)) text += part;
  return Array.from(text.slice(0, FIRST_CHARACTERS), (character) => character.charCodeAt(0) - FIRST_CODE);
}
