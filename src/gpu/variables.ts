/** The variables of one executor on the device: where each lies, its version, and its packed copies. */
import type { HostArray, Variable } from '../graph/value.js';
import { checkBytes, type BufferPool, type PooledBuffer } from './buffers.js';
import { releasedError, type HostCopies, type HostCopy } from './host-copies.js';
import { alignUp } from './memory.js';

/** Several variables side by side in one buffer, each on an aligned offset. */
interface Arena {
  readonly buffer: PooledBuffer;
  tenants: number;
}

/** A rearranged copy of variables, as long as a plan uses it. */
export interface PackedCopy {
  readonly buffer: PooledBuffer;
  /** The sum of the variables' versions it was made from; -1 before the first time. */
  version: number;
  /** Plans that use it. */
  users: number;
  /** Where it is found, once in use. */
  home: { readonly copies: Map<string, PackedCopy>; readonly key: string } | null;
}

interface Slot {
  readonly variable: Variable;
  /** Never used twice, so that a packed copy of variables that are gone is never taken for another's. */
  readonly id: number;
  arena: Arena;
  offset: number;
  /** Its version tells packed copies when they are stale. */
  readonly copy: HostCopy;
  readonly packed: Map<string, PackedCopy>;
}

/** Where a variable lies. */
export interface Location {
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

/** A packed copy that a plan needs. */
export interface PackedStorage {
  readonly variables: readonly Variable[];
  readonly packing: string;
  readonly bytes: number;
}

/** Memory that has been allocated and waits to be used. */
export interface Placement {
  /** Takes it into use, once it is known to be there. */
  commit(): void;
}

/** As {@link Placement}, for packed copies. */
export interface PackedPlacement {
  commit(): readonly PackedCopy[];
  cancel(): void;
}

interface Watch {
  readonly variables: ReadonlySet<Variable>;
  released: Variable | null;
}

/** Keeps the copies of variables on one device. */
export class VariableStore {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #slots = new Map<Variable, Slot>();
  readonly #copies: HostCopies;
  readonly #watches = new Set<Watch>();
  #epoch = 0;
  #nextId = 0;

  constructor(device: GPUDevice, pool: BufferPool, copies: HostCopies) {
    this.#device = device;
    this.#pool = pool;
    this.#copies = copies;
  }

  /** Changes whenever a variable moves: bindings made before are void. */
  get epoch(): number {
    return this.#epoch;
  }

  has(variable: Variable): boolean {
    return this.#slots.has(variable);
  }

  /**
   * Allocates what these variables need: each group side by side in its order, each variable on an offset that is a
   * multiple of the alignment, so that one binding covers the group; each of the others in a place of its own.
   * Within {@link BufferPool.reserve}; nothing has changed before {@link Placement.commit}. One at a time.
   * @param groups in which those placed elsewhere move with their values; padding is zero
   */
  place(groups: readonly (readonly Variable[])[], others: readonly Variable[]): Placement {
    const grouped = new Set(groups.flat());
    const single = others.filter((variable) => !grouped.has(variable) && !this.#slots.has(variable));
    const lists = [...groups.filter((group) => !this.#areTogether(group)), ...single.map((one) => [one])];
    const arenas = lists.map((variables) => {
      const label = variables.length === 1 ? variables[0]!.name : 'all parameters';
      const bytes = variables.reduce((sum, variable) => sum + alignUp(variable.size * 4), 0);
      // Before initial values are computed, which takes as much memory again on the host.
      checkBytes(this.#device, bytes, label);
      for (const variable of variables) this.#copies.of(variable);
      return { variables, buffer: this.#pool.allocate(bytes, label) };
    });
    return {
      commit: () => {
        for (const { variables, buffer } of arenas) {
          // As one of the groups before may have done.
          if (this.#areTogether(variables)) this.#pool.free(buffer);
          else this.#settle(variables, buffer);
        }
      },
    };
  }

  /** Gives the variables of an arena their places and numbers there. */
  #settle(variables: readonly Variable[], buffer: PooledBuffer): void {
    const arena: Arena = { buffer, tenants: variables.length };
    const encoder = this.#device.createCommandEncoder({ label: 'place variables' });
    let offset = 0;
    for (const variable of variables) {
      const bytes = variable.size * 4;
      const slot = this.#slots.get(variable);
      if (slot) {
        encoder.copyBufferToBuffer(slot.arena.buffer.gpu, slot.offset, buffer.gpu, offset, bytes);
      } else {
        // What was lost stays zero: nobody reads it.
        const { data } = this.#copies.of(variable);
        if (data) this.#device.queue.writeBuffer(buffer.gpu, offset, data);
      }
      offset += alignUp(bytes);
    }
    this.#device.queue.submit([encoder.finish()]);
    offset = 0;
    for (const variable of variables) {
      const slot = this.#slots.get(variable);
      if (slot) {
        this.#leave(slot.arena);
        slot.arena = arena;
        slot.offset = offset;
      } else {
        const id = this.#nextId++;
        const copy = this.#copies.of(variable);
        this.#slots.set(variable, { variable, id, arena, offset, copy, packed: new Map() });
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

  /** A variable that no plan has met yet keeps its numbers on the host. */
  write(variable: Variable, data: HostArray): void {
    const slot = this.#slots.get(variable);
    const { data: numbers } = this.#copies.write(variable, data);
    if (slot) this.#device.queue.writeBuffer(slot.arena.buffer.gpu, slot.offset, numbers!);
  }

  /** Notes that a plan changed these variables. */
  touch(variables: Iterable<Variable>): void {
    for (const variable of variables) this.#copies.touch(this.#slot(variable).copy);
  }

  /**
   * Holds the packed copies that are there and allocates the others; the first variable owns each. As
   * {@link place}, to be committed after that, and let go with {@link leave}.
   */
  placePacked(storages: readonly PackedStorage[]): PackedPlacement {
    const found = storages.map(({ variables, packing, bytes }) => {
      const known = variables.every((variable) => this.#slots.has(variable));
      const there = known ? this.#packedCopies(variables).get(this.#packingKey(variables, packing)) : null;
      const label = `${variables[0]!.name} (${packing})`;
      const copy = there ?? { buffer: this.#pool.allocate(bytes, label), version: -1, users: 0, home: null };
      return { variables, packing, copy };
    });
    for (const { copy } of found) copy.users++;
    return {
      commit: () =>
        found.map(({ variables, packing, copy }) => {
          const copies = this.#packedCopies(variables);
          const key = this.#packingKey(variables, packing);
          copy.home ??= { copies, key };
          copies.set(key, copy);
          return copy;
        }),
      cancel: () => this.leave(found.map(({ copy }) => copy)),
    };
  }

  /** Lets packed copies go; those that no plan uses any more are freed. */
  leave(copies: Iterable<PackedCopy>): void {
    for (const copy of copies) {
      if (--copy.users > 0) continue;
      this.#pool.free(copy.buffer);
      copy.home?.copies.delete(copy.home.key);
    }
  }

  #packedCopies(variables: readonly Variable[]): Map<string, PackedCopy> {
    return this.#slot(variables[0]!).packed;
  }

  /** The buffer of a packed copy. */
  packedBuffer(variables: readonly Variable[], packing: string): GPUBuffer {
    const copy = this.#packedCopies(variables).get(this.#packingKey(variables, packing));
    return (copy ?? released(variables[0]!)).buffer.gpu;
  }

  /** Whether a packed copy must be made again; it counts as made from now on. */
  refreshPacked(variables: readonly Variable[], packing: string): boolean {
    const copy = this.#packedCopies(variables).get(this.#packingKey(variables, packing))!;
    const version = variables.reduce((sum, variable) => sum + this.#slot(variable).copy.version, 0);
    if (copy.version === version) return false;
    copy.version = version;
    return true;
  }

  #packingKey(variables: readonly Variable[], packing: string): string {
    return `${packing} of ${variables.map((variable) => this.#slot(variable).id).join()}`;
  }

  /**
   * Does work that will place variables.
   * @param work gets a function that throws once one of them has been released meanwhile: who did that wants none back
   */
  async watching<R>(variables: Iterable<Variable>, work: (check: () => void) => Promise<R>): Promise<R> {
    const watch: Watch = { variables: new Set(variables), released: null };
    this.#watches.add(watch);
    try {
      return await work(() => watch.released && released(watch.released));
    } finally {
      this.#watches.delete(watch);
    }
  }

  release(variables: Iterable<Variable>): void {
    for (const variable of variables) {
      for (const watch of this.#watches) if (watch.variables.has(variable)) watch.released = variable;
      this.#copies.release(variable);
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
    return this.#slots.get(variable) ?? released(variable);
  }
}

function released(variable: Variable): never {
  throw releasedError(variable);
}
