/**
 * Traps behind memory that outlives plans: canary words, which are also numbers that are none, behind every storage
 * buffer, and behind each variable that has a place of its own. Where variables lie side by side, optimizers update the
 * padding between them too: there it is watched in plans that do not change the variable.
 */
import type { BufferPool } from '../../../src/gpu/buffers.js';
import type { PlanHost } from '../../../src/gpu/plan.js';
import type { Program } from '../../../src/gpu/program.js';
import type { Variable } from '../../../src/graph/value.js';

/** Bytes of canary words behind a buffer. */
export const CANARY = 256;

/** What must stay in part of a buffer. */
interface Region {
  readonly offset: number;
  words: Uint32Array;
  readonly label: string;
  /** Whose padding between others it is. */
  readonly padding?: Variable;
}

const regions = new WeakMap<GPUBuffer, Map<number, Region>>();
const watched = new WeakSet<BufferPool>();
/** Variables whose padding holds canary words. */
const apart = new WeakSet<Variable>();
let seeds = 0;

function align(bytes: number, to: number): number {
  return Math.ceil(bytes / to) * to;
}

function poison(bytes: number): Uint32Array<ArrayBuffer> {
  const seed = ++seeds * 7919;
  return Uint32Array.from({ length: bytes / 4 }, (_, i) => 0x7fc00000 | ((i + seed) & 0x3fffff));
}

/** Writes words behind something, and has them watched. */
function lay(device: GPUDevice, buffer: GPUBuffer, { offset, words, label }: Region): void {
  if (words.length === 0) return;
  device.queue.writeBuffer(buffer, offset, words as Uint32Array<ArrayBuffer>);
  let places = regions.get(buffer);
  if (!places) regions.set(buffer, (places = new Map<number, Region>()));
  places.set(offset, { offset, words, label });
}

/** Lays traps in whatever this executor allocates from now on. */
export function watchKept({ device, pool, variables: store }: PlanHost): void {
  if (watched.has(pool)) return;
  watched.add(pool);
  const allocate = pool.allocate.bind(pool);
  pool.allocate = (bytes, label, usage) => {
    if (usage !== undefined) return allocate(bytes, label, usage);
    const end = align(bytes, 256);
    const buffer = allocate(end + CANARY, label);
    // What is counted is what was asked for.
    Object.assign(buffer, { used: bytes });
    const offset = align(bytes, 4);
    lay(device, buffer.gpu, { offset, words: poison(end + CANARY - offset), label });
    return buffer;
  };
  const place = store.place.bind(store);
  store.place = (groups, others) => {
    const grouped = new Set(groups.flat());
    const fresh = others.filter((variable) => !grouped.has(variable) && !store.has(variable));
    const placement = place(groups, others);
    return {
      commit: () => {
        placement.commit();
        for (const variable of [...fresh, ...grouped]) {
          const { buffer, offset } = store.locate(variable);
          const begin = variable.size * 4;
          const bytes = align(begin, 256) - begin;
          if (bytes === 0) continue;
          const together = grouped.has(variable);
          if (!together) apart.add(variable);
          // What lay alone may now be a group of its own, whose padding is read.
          else if (apart.delete(variable))
            device.queue.writeBuffer(buffer, offset + begin, new Uint8Array(bytes));
          const words = together ? new Uint32Array(bytes / 4) : poison(bytes);
          if (together)
            note(buffer, { offset: offset + begin, words, label: variable.name, padding: variable });
          else lay(device, buffer, { offset: offset + begin, words, label: variable.name });
        }
      },
    };
  };
}

function note(buffer: GPUBuffer, region: Region): void {
  if (region.words.length > 0) regions.get(buffer)!.set(region.offset, region);
}

/** What has been written behind the variables of a program and their packed copies. */
export async function findWrites(
  { device, variables: store }: PlanHost,
  program: Program,
): Promise<string[]> {
  const buffers = new Set<GPUBuffer>();
  for (const { variable } of program.variables) {
    if (store.has(variable!)) buffers.add(store.locate(variable!).buffer);
  }
  for (const { storage } of program.packings) {
    if (storage.variables!.every((variable) => store.has(variable))) {
      buffers.add(store.packedBuffer(storage.variables!, storage.packing!));
    }
  }
  const places = [...buffers].flatMap((buffer) =>
    [...(regions.get(buffer)?.values() ?? [])].map((region) => ({ buffer, region })),
  );
  const size = places.reduce((sum, { region }) => sum + region.words.byteLength, 0);
  if (size === 0) return [];
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = device.createBuffer({ label: 'traps', size, usage });
  const encoder = device.createCommandEncoder({ label: 'traps' });
  let at = 0;
  for (const { buffer, region } of places) {
    encoder.copyBufferToBuffer(buffer, region.offset, staging, at, region.words.byteLength);
    at += region.words.byteLength;
  }
  device.queue.submit([encoder.finish()]);
  // A device that is lost tells by other ways.
  const mapped = await staging.mapAsync(GPUMapMode.READ).then(
    () => true,
    () => false,
  );
  if (!mapped) return [];
  const found = new Uint32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  at = 0;
  const updated = new Set(program.updated.map(({ variable }) => variable));
  return places.flatMap(({ region }) => {
    const { words, label, padding } = region;
    const begin = at;
    at += words.length;
    if (padding && updated.has(padding)) {
      region.words = found.slice(begin, at);
      return [];
    }
    const wrong = words.findIndex((word, i) => found[begin + i] !== word);
    return wrong < 0 ? [] : [`${label}, word ${wrong} behind its end`];
  });
}
