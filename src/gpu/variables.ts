/** The variables of one executor on the device: where each lies, its version, and its packed copies. */
import { DisposedError, ShapeError } from '../graph/errors.js';
import type { HostArray, Variable } from '../graph/value.js';
import { checkBytes, type BufferPool, type PooledBuffer } from './buffers.js';
import { alignUp } from './memory.js';

/** Several variables side by side in one buffer, each on an aligned offset. */
interface Arena {
  readonly buffer: PooledBuffer;
  tenants: number;
}

interface PackedCopy {
  readonly buffer: PooledBuffer;
  /** The sum of the variables' versions it was made from; -1 before the first time. */
  version: number;
}

interface Slot {
  readonly variable: Variable;
  /** Never used twice, so that a packed copy of variables that are gone is never taken for another's. */
  readonly id: number;
  arena: Arena;
  offset: number;
  /** Counts the changes, so that packed copies know when they are stale. */
  version: number;
  readonly packed: Map<string, PackedCopy>;
}

/** Where a variable lies. */
export interface Location {
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

/** Keeps the device copies of variables. */
export class VariableStore {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #slots = new Map<Variable, Slot>();
  #epoch = 0;
  #nextId = 0;

  constructor(device: GPUDevice, pool: BufferPool) {
    this.#device = device;
    this.#pool = pool;
  }

  /** Changes whenever a variable moves: bindings made before are void. */
  get epoch(): number {
    return this.#epoch;
  }

  has(variable: Variable): boolean {
    return this.#slots.has(variable);
  }

  /** Gives each variable that has none a place of its own, with its initial value. */
  ensure(variables: Iterable<Variable>): void {
    for (const variable of variables) if (!this.#slots.has(variable)) this.placeTogether([variable]);
  }

  /**
   * Puts variables side by side in this order, each on an offset that is a multiple of the alignment, so that
   * one binding covers them all. Those placed elsewhere move with their values; padding is zero.
   */
  placeTogether(variables: readonly Variable[]): void {
    if (this.#areTogether(variables)) return;
    const bytes = variables.reduce((sum, variable) => sum + alignUp(variable.size * 4), 0);
    // Before initial values are computed, which takes as much memory again on the host.
    checkBytes(this.#device, bytes, variables.length === 1 ? variables[0]!.name : 'all parameters');
    const initial = variables.map((v) => (this.#slots.has(v) ? null : toDeviceArray(v, v.initialValue())));
    const arena: Arena = {
      buffer: this.#pool.allocate(bytes, variables.length === 1 ? variables[0]!.name : 'variables'),
      tenants: variables.length,
    };
    const encoder = this.#device.createCommandEncoder({ label: 'place variables' });
    let offset = 0;
    variables.forEach((variable, i) => {
      const slot = this.#slots.get(variable);
      if (slot) {
        encoder.copyBufferToBuffer(
          slot.arena.buffer.gpu,
          slot.offset,
          arena.buffer.gpu,
          offset,
          variable.size * 4,
        );
      } else {
        this.#device.queue.writeBuffer(arena.buffer.gpu, offset, initial[i]!);
      }
      offset += alignUp(variable.size * 4);
    });
    this.#device.queue.submit([encoder.finish()]);
    offset = 0;
    for (const variable of variables) {
      const slot = this.#slots.get(variable);
      if (slot) {
        this.#leave(slot.arena);
        slot.arena = arena;
        slot.offset = offset;
      } else {
        this.#slots.set(variable, {
          variable,
          id: this.#nextId++,
          arena,
          offset,
          version: 0,
          packed: new Map(),
        });
      }
      offset += alignUp(variable.size * 4);
    }
    this.#epoch++;
  }

  #areTogether(variables: readonly Variable[]): boolean {
    const first = this.#slots.get(variables[0]!);
    if (!first) return false;
    let offset = first.offset;
    for (const variable of variables) {
      const slot = this.#slots.get(variable);
      if (slot?.arena !== first.arena || slot.offset !== offset) return false;
      offset += alignUp(variable.size * 4);
    }
    return true;
  }

  locate(variable: Variable): Location {
    const slot = this.#slot(variable);
    return { buffer: slot.arena.buffer.gpu, offset: slot.offset };
  }

  write(variable: Variable, data: HostArray): void {
    this.ensure([variable]);
    const slot = this.#slot(variable);
    this.#device.queue.writeBuffer(slot.arena.buffer.gpu, slot.offset, toDeviceArray(variable, data));
    slot.version++;
  }

  /** Notes that a plan changed these variables. */
  touch(variables: Iterable<Variable>): void {
    for (const variable of variables) this.#slot(variable).version++;
  }

  /** The buffer of a packed copy, made when first asked for. The first variable owns it. */
  packedBuffer(variables: readonly Variable[], packing: string, bytes: number): GPUBuffer {
    const { packed } = this.#slot(variables[0]!);
    const key = this.#packingKey(variables, packing);
    let copy = packed.get(key);
    if (!copy) {
      copy = { buffer: this.#pool.allocate(bytes, `${variables[0]!.name} (${packing})`), version: -1 };
      packed.set(key, copy);
    }
    return copy.buffer.gpu;
  }

  /** Whether a packed copy must be made again; it counts as made from now on. */
  refreshPacked(variables: readonly Variable[], packing: string): boolean {
    const copy = this.#slot(variables[0]!).packed.get(this.#packingKey(variables, packing))!;
    const version = variables.reduce((sum, variable) => sum + this.#slot(variable).version, 0);
    if (copy.version === version) return false;
    copy.version = version;
    return true;
  }

  #packingKey(variables: readonly Variable[], packing: string): string {
    return `${packing} of ${variables.map((variable) => this.#slot(variable).id).join()}`;
  }

  release(variables: Iterable<Variable>): void {
    for (const variable of variables) {
      const slot = this.#slots.get(variable);
      if (!slot) continue;
      this.#leave(slot.arena);
      for (const { buffer } of slot.packed.values()) this.#pool.free(buffer);
      this.#slots.delete(variable);
      this.#epoch++;
    }
  }

  releaseAll(): void {
    this.release([...this.#slots.keys()]);
  }

  #leave(arena: Arena): void {
    arena.tenants--;
    if (arena.tenants === 0) this.#pool.free(arena.buffer);
  }

  #slot(variable: Variable): Slot {
    const slot = this.#slots.get(variable);
    if (slot) return slot;
    throw new DisposedError({
      culprit: `variable "${variable.name}"`,
      problem: 'was released on this device',
      remedy: 'compile the graph again',
    });
  }
}

/** The numbers as the device keeps them. */
export function toDeviceArray(
  variable: { readonly name: string; readonly dtype: string; readonly size: number },
  data: HostArray,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  if (data.length !== variable.size) {
    throw new ShapeError({
      culprit: `variable "${variable.name}"`,
      problem: `got ${data.length} numbers, it holds ${variable.size}`,
      remedy: 'pass one number an element',
    });
  }
  const integers = variable.dtype === 'int32';
  if (integers !== data instanceof Int32Array) {
    throw new ShapeError({
      culprit: `variable "${variable.name}"`,
      problem: `got a ${data.constructor.name}, it holds ${variable.dtype}`,
      remedy: `pass ${integers ? 'an Int32Array' : 'a Float32Array or Float64Array'}`,
    });
  }
  if (data instanceof Float64Array) return new Float32Array(data);
  return data as Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
}
