/** Counts calls into WebGPU and bytes of its buffers, by wrapping the API itself, for whoever is racing. */
import type { GpuUse } from '../contender.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

interface Tally {
  dispatches: number;
  submits: number;
  objects: number;
  bytes: number;
}

const tallies = new Map<string, Tally>();
const owners = new WeakMap<object, { readonly tally: Tally; readonly bytes: number }>();
let current: Tally = begin('nobody');

function begin(name: string): Tally {
  const tally = tallies.get(name) ?? { dispatches: 0, submits: 0, objects: 0, bytes: 0 };
  tallies.set(name, tally);
  return tally;
}

/** Counts for this contender from now on, its calls from zero, its bytes where they were. */
export function countFor(name: string): void {
  current = begin(name);
  Object.assign(current, { dispatches: 0, submits: 0, objects: 0 });
}

/** What has been counted since; null where nothing was. */
export function gpuUse(): GpuUse | null {
  return current.objects > 0 ? { ...current } : null;
}

/** Wraps every method of every interface of WebGPU. Called once, before any library looks at them. */
export function watchGpu(): void {
  const names = Object.getOwnPropertyNames(globalThis).filter((name) => /^GPU[A-Z]/.test(name));
  const interfaces = new Set<unknown>();
  for (const name of names) {
    const type = (globalThis as unknown as Record<string, { prototype?: object }>)[name]!;
    // Adapters, limits and errors are looked at, not made.
    if (!/^GPU(Adapter|Supported|Device|.*Error|.*Info)/.test(name)) interfaces.add(type);
    for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type.prototype ?? {}))) {
      if (key === 'constructor' || typeof value !== 'function') continue;
      wrap(type.prototype!, key, value as Method, interfaces);
    }
  }
}

function wrap(prototype: object, key: string, original: Method, interfaces: ReadonlySet<unknown>): void {
  const dispatch = key.startsWith('dispatchWorkgroups');
  const wrapped: Method = function (...args) {
    const tally = current;
    if (dispatch) tally.dispatches++;
    else if (key === 'submit') tally.submits++;
    else if (key === 'destroy') forget(this as object);
    const result = original.apply(this, args);
    if (result instanceof Promise) result.then(note, () => undefined);
    else note(result);
    return result;

    function note(made: unknown): void {
      if (typeof made !== 'object' || made === null || !interfaces.has(made.constructor)) return;
      tally.objects++;
      if (key !== 'createBuffer') return;
      const bytes = (made as GPUBuffer).size;
      tally.bytes += bytes;
      owners.set(made, { tally, bytes });
    }
  };
  Object.defineProperty(prototype, key, { value: wrapped });
}

function forget(buffer: object): void {
  const owner = owners.get(buffer);
  if (!owner) return;
  owner.tally.bytes -= owner.bytes;
  owners.delete(buffer);
}
