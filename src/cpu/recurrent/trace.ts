/** What a direction's forward pass leaves to its backward pass, step by step. */
import type { RealArray } from '../storage.js';

/** Blocks of one size, one a step; where fewer are kept than there are steps, they are used in turn. */
export class Sequence {
  readonly array: RealArray;
  readonly #size: number;
  readonly #kept: number;

  constructor(array: RealArray, size: number) {
    this.array = array;
    this.#size = size;
    this.#kept = array.length / size;
  }

  /** The block of step `t`. */
  at(t: number): RealArray {
    const begin = (t % this.#kept) * this.#size;
    return this.array.subarray(begin, begin + this.#size);
  }
}

/** The sequences there may be, in the order in which a residual holds those there are. */
const TRACE_NAMES = [
  /** What the cell saves. */
  'saved',
  /** h after each step, where y does not hold just that. */
  'hidden',
  /** lstm: c after each step. */
  'cell',
  /** lstm: the new c, where zoneout carries another. */
  'newCell',
  /** lstm: h before projection. */
  'unprojected',
  /** The parts of layer normalizations: rows before gain and bias, and their scales. */
  'normalizedInput',
  'inputScale',
  'normalizedHidden',
  'hiddenScale',
  'normalizedCell',
  'cellScale',
] as const;

/** Name of a sequence. */
export type TraceName = (typeof TRACE_NAMES)[number];

/** Elements of one step of each sequence; 0 where there is none. */
export type TraceSizes = Readonly<Record<TraceName, number>>;

/** The sequences there are. */
export type Trace = Readonly<Partial<Record<TraceName, Sequence>>>;

/** Opens every sequence that has a size, in `TRACE_NAMES`' order. */
export function openTrace(sizes: TraceSizes, arrayOf: (name: TraceName, size: number) => RealArray): Trace {
  const names = TRACE_NAMES.filter((name) => sizes[name] > 0);
  return Object.fromEntries(
    names.map((name) => [name, new Sequence(arrayOf(name, sizes[name]), sizes[name])]),
  );
}

/** The arrays of a trace, as {@link openTrace} asks for them. */
export function traceArrays(trace: Trace): RealArray[] {
  return TRACE_NAMES.flatMap((name) => trace[name]?.array ?? []);
}
