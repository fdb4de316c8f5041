/** How kernels that reduce rows share their work. */
import { checkIterations, countLoop, MAX_ITERATIONS } from './limits.js';

/** Row length from which a whole workgroup is better than one invocation. */
const LONG_ROW = 512;
/** Rows from which, on software adapters, one invocation each is better whatever their length: barriers cost more. */
const MANY_ROWS = 32;

/** How often a kernel goes through its row at most. */
const PASSES = 4;

/**
 * Invocations for one of `rows` rows: 1 or 64.
 * @throws LimitError for rows that are too long even so
 */
export function lanesFor(rows: number, rowLength: number, software: boolean): 1 | 64 {
  checkIterations(
    PASSES * countLoop(Math.ceil(rowLength / 64)),
    `a row of ${rowLength} classes`,
    'use fewer classes',
  );
  if (rowLength < LONG_ROW) return 1;
  return software && rows >= MANY_ROWS && PASSES * countLoop(rowLength) <= MAX_ITERATIONS ? 1 : 64;
}
