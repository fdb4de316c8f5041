/** Persistent recurrent kernels: workgroups that keep their batch rows through many steps of time. */
import type { TileRows } from '../../kernels/recurrent.js';
import { countLoop, MAX_ITERATIONS } from '../limits.js';
import type { Layout } from './layout.js';

/** Batch rows of a workgroup and its invocations, by rows of an invocation: as in `shaders/lib/`. */
const FORWARD_GROUPS = {
  1: { rows: 4, lanes: 128 },
  8: { rows: 8, lanes: 16 },
  16: { rows: 16, lanes: 16 },
} as const;
/** The same backwards, where an invocation also computes several times four units. */
const BACKWARD_GROUPS = {
  1: { rows: 4, lanes: 128, quads: 1 },
  8: { rows: 8, lanes: 16, quads: 2 },
  16: { rows: 16, lanes: 8, quads: 4 },
} as const;

/** What the loops at the end of a backward step count for, for four units of a row, in any cell. */
const FINISH_ITERATIONS = countLoop(4) + countLoop(2) + countLoop(3);

/** Above this width a workgroup would read more weights in a step than a GPU reads in the time of a dispatch. */
const WIDEST = 256;
/**
 * Bytes of weight of one direction up to which staying is the default. A workgroup reads all of it in every step
 * at 64 bytes a clock, as fast as one core of a GPU is served by its cache: 256 KiB in 2 to 4 µs, where a dispatch
 * with its barrier costs at least 5 µs and through WebGPU often 30.
 */
const SERVED = 1 << 18;
/** Workgroups up to which each has a core of a GPU to itself, or shares it with few: beyond, steps are wide enough. */
const CORES = 64;

/** Floating-point operations of one dispatch at most: a software adapter takes a quarter of a second for them. */
const LONGEST_DISPATCH = 1e9;

/** Whether the steps of a layer can be run by persistent kernels. */
export function canPersist({ T, P, kernels, variant, projected, capacity }: Layout): boolean {
  return kernels.persists && variant === 'plain' && !projected && capacity >= T && T > 1 && P <= WIDEST;
}

/**
 * The heights of tile that could be fastest for persistent kernels, the likeliest first. A GPU wants many
 * invocations a workgroup; a software adapter few, and a workgroup for each core.
 */
export function persistentHeights({ B }: Layout, software: boolean): TileRows[] {
  if (!software || B <= 2) return [1];
  if (B <= 8) return [8, 1];
  return B <= 16 ? [8] : [8, 16];
}

/** Whether they are the better guess. On software adapters barriers cost as much as dispatches. */
export function persistsByDefault({ B, D, G, P, Q }: Layout, software: boolean): boolean {
  return !software && G * P * Q * 4 <= SERVED && D * Math.ceil(B / FORWARD_GROUPS[1].rows) <= CORES;
}

/** Workgroups of a persistent kernel. */
export function persistentWorkgroups(
  { B, D }: Pick<Layout, 'B' | 'D'>,
  rows: TileRows,
): readonly [number, number, number] {
  return [Math.ceil(B / FORWARD_GROUPS[rows].rows), 1, D];
}

/** Steps that one dispatch may run forward. */
export function forwardStepsAtOnce({ P, Q }: Layout, rows: TileRows, flops: number): number {
  const group = FORWARD_GROUPS[rows];
  const tiles = Math.ceil(((group.rows / rows) * (P / 4)) / group.lanes);
  const tile = countLoop(Q / 4) + (rows > 1 ? countLoop(rows) : 0);
  return stepsAtOnce(countLoop(tiles, tile), flops);
}

/** Steps that one dispatch may run backwards; it may then also compute the gradient of the initial state. */
export function backwardStepsAtOnce({ P, Q, kernels }: Layout, rows: TileRows, flops: number): number {
  const { rows: groupRows, lanes, quads } = BACKWARD_GROUPS[rows];
  const tiles = Math.ceil(((groupRows / rows) * Math.ceil(Q / 4 / quads)) / lanes);
  const product = countLoop((kernels.source.slots * P) / 4);
  const ends = rows > 1 ? countLoop(rows * quads, FINISH_ITERATIONS) : FINISH_ITERATIONS;
  const most = stepsAtOnce(countLoop(tiles, product + ends), flops);
  return Math.max(1, most - 1);
}

/** @param iterations in one step what the loops of an invocation count for, `flops` those of all */
function stepsAtOnce(iterations: number, flops: number): number {
  return Math.max(
    1,
    Math.min(Math.floor((MAX_ITERATIONS - 1) / (1 + iterations)), Math.floor(LONGEST_DISPATCH / flops)),
  );
}
