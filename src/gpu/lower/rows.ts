/** How kernels that reduce rows share their work. */

/** Row length from which a whole workgroup is better than one invocation. */
const LONG_ROW = 512;

/** Invocations for one row: 1 or 64. */
export function lanesFor(rowLength: number): 1 | 64 {
  return rowLength >= LONG_ROW ? 64 : 1;
}
