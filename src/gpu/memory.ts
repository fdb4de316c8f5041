/** Planned memory: storages that a plan needs, when each is alive, and which may share a buffer. */
import type { Variable } from '../graph/value.js';

/** Offsets of bindings are multiples of this many bytes, by WebGPU's default limit. */
export const ALIGNMENT = 256;

/** What a storage is for, which decides whose memory it lies in and how long it lives. */
export type StorageRole =
  /** Alive from its first use in the plan to its last; shares a buffer with others that never meet it. */
  | 'transient'
  /** Written by the host before each run. */
  | 'input'
  /** Read after the run: alive from its first use on. */
  | 'output'
  /** Never shared, so that what the plan does not write stays zero. */
  | 'zeroed'
  /** A variable's own memory, which outlives the plan. */
  | 'variable'
  /** A packed copy of variables, which the first of them owns. */
  | 'packed';

/** A piece of memory as planning sees it: a size and a lifetime, no buffer yet. */
export interface Storage {
  readonly id: number;
  readonly label: string;
  readonly bytes: number;
  role: StorageRole;
  /** For `variable`. */
  readonly variable?: Variable;
  /** For `packed`: of which variables it is a copy, */
  readonly variables?: readonly Variable[];
  /** and which copy. */
  readonly packing?: string;
}

/** Part of a storage: where a value lies. */
export interface View {
  readonly storage: Storage;
  /** In bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** `bytes`, rounded up so that another binding may follow. */
export function alignUp(bytes: number, alignment = ALIGNMENT): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** First and last step that touch a storage. */
export interface Lifetime {
  first: number;
  last: number;
}

/** The buffers of a plan, and which storage lies in which. */
export interface MemoryLayout {
  /** Bytes of each buffer. */
  readonly buffers: readonly number[];
  /** Index into `buffers`, by storage. */
  readonly assignment: ReadonlyMap<Storage, number>;
  /** Most bytes alive at one step: no layout can need less. */
  readonly peakBytes: number;
}

/**
 * Gives every storage a whole buffer, shared by storages whose lifetimes do not meet. Largest first, each
 * into the first buffer free for its lifetime, so that no buffer is larger than its first tenant (greedy by
 * size: Pisarchyk & Lee, arXiv 2001.03288).
 */
export function planMemory(lifetimes: ReadonlyMap<Storage, Lifetime>, steps: number): MemoryLayout {
  const spans = [...lifetimes].map(([storage, { first, last }]) => ({
    storage,
    bytes: alignUp(storage.bytes),
    first: storage.role === 'transient' || storage.role === 'output' ? first : 0,
    last: storage.role === 'transient' ? last : steps,
    shared: storage.role === 'transient' || storage.role === 'output',
  }));
  const order = [...spans].sort((a, b) => b.bytes - a.bytes || a.storage.id - b.storage.id);
  const buffers: { bytes: number; tenants: typeof spans }[] = [];
  const assignment = new Map<Storage, number>();
  for (const span of order) {
    const free = (tenants: typeof spans): boolean =>
      tenants.every((other) => other.shared && (span.last < other.first || span.first > other.last));
    let index = span.shared ? buffers.findIndex(({ tenants }) => free(tenants)) : -1;
    if (index < 0) index = buffers.push({ bytes: span.bytes, tenants: [] }) - 1;
    buffers[index]!.tenants.push(span);
    assignment.set(span.storage, index);
  }
  return { buffers: buffers.map(({ bytes }) => bytes), assignment, peakBytes: peak(spans, steps) };
}

function peak(spans: readonly { bytes: number; first: number; last: number }[], steps: number): number {
  const changes = new Array<number>(steps + 2).fill(0);
  for (const { bytes, first, last } of spans) {
    changes[first]! += bytes;
    changes[last + 1]! -= bytes;
  }
  let now = 0;
  let highest = 0;
  for (const change of changes) {
    now += change;
    highest = Math.max(highest, now);
  }
  return highest;
}
