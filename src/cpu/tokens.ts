/** The check of tokens and targets that a kernel makes before it indexes with them. */
import { ArgumentError } from '../graph/errors.js';
import { culpritOf, type Node } from '../graph/value.js';

/** Throws unless every token, the second input of `node`, is from 0 to `count − 1`; for classes, or the one to be ignored. */
export function checkTokens<A>(
  node: Node<A>,
  tokens: Int32Array,
  count: number,
  ignored?: number | null,
): void {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if ((token >= 0 && token < count) || token === ignored) continue;
    throw new ArgumentError({
      culprit: culpritOf(node),
      problem: `${ignored === undefined ? 'token' : 'class'} ${token} at place ${i} is none of ${count}`,
      remedy: `pass whole numbers from 0 to ${count - 1}${typeof ignored === 'number' ? `, or ${ignored} to ignore one` : ''}`,
    });
  }
}
