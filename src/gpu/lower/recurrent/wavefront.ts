/** The order in which two layers of a stack run side by side: the one that is fed by the other, a chunk of steps behind. */
import type { Steps } from './layout.js';

/** Which of the two: the one that goes first, or the one that is fed by it. */
export type Runner = 'leader' | 'follower';

/** A step of one of them. */
export interface Run {
  readonly runner: Runner;
  readonly step: number;
  /** The chunk that it belongs to. */
  readonly chunk: Steps;
}

/** What comes next. Steps are counted in the order in which the layers run them. */
export type Turn =
  /** A runner is about to begin a chunk; the follower needs what the leader has made of it. */
  | { readonly begins: Runner; readonly chunk: Steps }
  /** One dispatch: of each runner in it, this step and those behind it, `count` in all. */
  | { readonly runs: readonly Run[]; readonly count: number };

/** What the order depends on. */
export interface WavefrontOptions {
  /** Steps of one runner that fit into a dispatch. */
  readonly atOnce: number;
  /** Whether the first step, and the last, cannot share a dispatch with steps in the middle. */
  readonly alone: readonly [first: boolean, last: boolean];
}

/** Rows of a product below which software adapters compute some for nothing. */
const ROWS_IN_SOFTWARE = 64;
/** Chunks from which it pays. */
const FEWEST_CHUNKS = 3;
/**
 * What a step costs a kernel that stays for many, as a share of what handing over a chunk costs: 3 µs, against two
 * dispatches of 20.
 */
const STAYING_STEP = 3 / 40;

/** What the length of chunks depends on. */
export interface ChunkOptions {
  readonly T: number;
  readonly B: number;
  readonly software: boolean;
  /** Whether a dispatch runs many steps. */
  readonly persistent: boolean;
}

/**
 * Steps in a chunk; null where two layers one after the other are no worse. N chunks cost T + T/N steps and N times
 * handing over, which is least at √T where a step costs a dispatch as well.
 */
export function chunkOf({ T, B, software, persistent }: ChunkOptions): number | null {
  const chunks = Math.round(Math.sqrt(T * (persistent ? STAYING_STEP : 1)));
  const chunk = Math.max(Math.ceil(T / chunks), software ? Math.ceil(ROWS_IN_SOFTWARE / B) : 1);
  return Math.ceil(T / chunk) < FEWEST_CHUNKS ? null : chunk;
}

/** All turns over `T` steps. */
export function wavefront(T: number, chunk: number, { atOnce, alone }: WavefrontOptions): Turn[] {
  const turns: Turn[] = [];
  const isAlone = (step: number): boolean => (step === 0 && alone[0]) || (step === T - 1 && alone[1]);
  const chunkAt = (index: number): Steps => ({ begin: index * chunk, end: Math.min(T, (index + 1) * chunk) });
  for (let phase = 0; phase * chunk < T + chunk; phase++) {
    let left = (['leader', 'follower'] as const)
      .map((runner, behind): Run => ({
        runner,
        step: (phase - behind) * chunk,
        chunk: chunkAt(phase - behind),
      }))
      .filter(isLeft);
    for (const { runner, chunk: begun } of left) turns.push({ begins: runner, chunk: begun });
    while (left.length > 0) {
      const single = left.length === 1 ? left[0]! : left.find(({ step }) => isAlone(step));
      const running = single ? [single] : left;
      let count = Math.min(atOnce, ...running.map(({ step, chunk: { end } }) => end - step));
      if (left.length > 1) {
        if (single) count = 1;
        while (!single && running.some(({ step }) => isAlone(step + count - 1))) count--;
      }
      turns.push({ runs: running, count });
      left = left
        .map((run) => (running.includes(run) ? { ...run, step: run.step + count } : run))
        .filter(isLeft);
    }
  }
  return turns;
}

function isLeft({ step, chunk }: Run): boolean {
  return step >= 0 && step < chunk.end;
}
