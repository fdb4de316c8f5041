/** Characters that stand for the tokens of a generation workload. */
import type { GenerationWorkload } from '../workloads.js';

const FIRST_CODE = 48;

/** One for each token, in order. */
export function charactersOf({ vocabSize }: GenerationWorkload): string[] {
  return Array.from({ length: vocabSize }, (_, token) => String.fromCharCode(FIRST_CODE + token));
}

/** The tokens that a text stands for. */
export function tokensOf(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0) - FIRST_CODE);
}
