/** How long one invocation may run. */
import { LimitError } from '../../graph/errors.js';

/**
 * Loop iterations an invocation may count on: some drivers silently end loops after 65,535, summed over all
 * loops of the invocation.
 */
export const MAX_ITERATIONS = 60_000;

/**
 * What a loop counts for: its `turns`, each with what the loops `inside` it count for, and the end of it, which those
 * drivers count too: once, or twice where loops are nested (lavapipe 22.3).
 */
export function countLoop(turns: number, inside = 0): number {
  return turns * (1 + inside) + 2;
}

/** @throws LimitError where an invocation would have to loop too often, for work that cannot be split */
export function checkIterations(iterations: number, culprit: string, remedy: string): void {
  if (iterations <= MAX_ITERATIONS) return;
  throw new LimitError({
    culprit,
    problem: `an invocation would loop ${iterations} times; some drivers end loops after ${MAX_ITERATIONS}`,
    remedy,
  });
}
