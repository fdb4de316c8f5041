/** The check of tokens and targets that a kernel makes before it indexes with them. */
import { ArgumentError } from '../graph/errors.js';

/** Throws unless every token is from 0 to `vocabSize − 1`. */
export function checkTokens(culprit: string, tokens: Int32Array, vocabSize: number): void {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token >= 0 && token < vocabSize) continue;
    throw new ArgumentError({
      culprit,
      problem: `token ${token} at place ${i} is outside the vocabulary of ${vocabSize}`,
      remedy: `pass whole numbers from 0 to ${vocabSize - 1}`,
    });
  }
}
