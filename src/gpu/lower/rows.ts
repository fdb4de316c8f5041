/** How kernels that reduce rows share their work. */
import { checkIterations, countLoop } from './limits.js';

/** Row length from which a whole workgroup is better than one invocation. */
const LONG_ROW = 512;

/** How often a kernel goes through its row at most. */
const PASSES = 4;

/**
 * Invocations for one row: 1 or 64.
 * @throws LimitError for rows that are too long even so
 */
export function lanesFor(rowLength: number): 1 | 64 {
  checkIterations(
    PASSES * countLoop(Math.ceil(rowLength / 64)),
    `a row of ${rowLength} classes`,
    'use fewer classes',
  );
  return rowLength >= LONG_ROW ? 64 : 1;
}
