/** The check of tokens and targets that a kernel makes before it indexes with them. */
import { ArgumentError } from '../graph/errors.js';

/** Throws unless every token is from 0 to `vocabSize − 1`, or the one to be ignored. */
export function checkTokens(
  culprit: string,
  tokens: Int32Array,
  vocabSize: number,
  ignored: number | null = null,
): void {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if ((token >= 0 && token < vocabSize) || token === ignored) continue;
    throw new ArgumentError({
      culprit,
      problem: `token ${token} at place ${i} is outside the vocabulary of ${vocabSize}`,
      remedy: `pass whole numbers from 0 to ${vocabSize - 1}${ignored === null ? '' : `, or ${ignored} to ignore one`}`,
    });
  }
}
