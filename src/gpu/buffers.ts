/** Allocation of GPU buffers: checked against the limits, watched by error scopes, counted, freed once. */
import { DeviceError, guardMemory, LimitError, outOfMemory } from '../graph/errors.js';
import type { MemoryUsage } from '../graph/executor.js';
import { alignUp } from './memory.js';

/** A buffer that the pool counts. */
export interface PooledBuffer {
  readonly gpu: GPUBuffer;
  /** Bytes allocated. */
  readonly bytes: number;
  /** Bytes asked for; 0 for what only passes through. */
  readonly used: number;
}

/** A mappable buffer to read back into. */
export interface Staging {
  readonly buffer: PooledBuffer;
  /**
   * For a new one: resolves when the device has said that it is there; rejects when it is not, and it is freed
   * then. Until it has resolved, use it only within a scope for validation errors, in a submit of its own.
   */
  readonly checked: Promise<void> | null;
}

const SCOPES: readonly GPUErrorFilter[] = ['out-of-memory', 'validation'];

/** Makes and frees the buffers of one executor. */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #live = new Set<PooledBuffer>();
  readonly #staging = new Map<number, PooledBuffer[]>();
  /** What the call of {@link reserve} that runs now has made. */
  #made: PooledBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /**
   * Lets `work` allocate buffers: it gets all of them, or none. It must not use them yet: until this has
   * resolved, the device may still say that they are not there.
   * @param use called at once when they are; throws if nobody wants them any more, and they are freed
   * @throws LimitError, OutOfMemoryError or DeviceError; what was allocated is freed then
   */
  async reserve<R>(culprit: string, work: () => R, use?: (result: R) => void): Promise<R> {
    const { result, checked } = this.#watch(culprit, work, use);
    await checked;
    return result;
  }

  /** Allocates within error scopes that no other work comes between, as scopes nest by time. */
  #watch<R>(
    culprit: string,
    work: () => R,
    use?: (result: R) => void,
  ): { readonly result: R; readonly checked: Promise<void> } {
    const device = this.#device;
    const made: PooledBuffer[] = [];
    this.#made = made;
    for (const scope of SCOPES) device.pushErrorScope(scope);
    let errors: Promise<(GPUError | null)[]>;
    let result: R;
    const give = (): void => {
      for (const buffer of made) this.free(buffer);
      // What waits for its next use is wanted more urgently elsewhere.
      this.trim();
    };
    try {
      result = guardMemory(culprit, work);
    } catch (error) {
      give();
      throw error;
    } finally {
      // A device that is lost may refuse; whoever waits for this notices that by itself.
      errors = Promise.all(SCOPES.map(() => device.popErrorScope().catch(() => null)));
    }
    const verify = async (): Promise<void> => {
      // The scope pushed last is popped first.
      const [invalid, full] = await errors;
      if (full) throw outOfMemory(culprit, `the device is out of memory (${full.message})`, full);
      if (!invalid) return use?.(result);
      throw new DeviceError({
        culprit,
        problem: `the device refused a buffer (${invalid.message})`,
        remedy: 'use a smaller batch, sequence or model',
        cause: invalid,
      });
    };
    const checked = verify().catch((error: unknown) => {
      give();
      throw error;
    });
    return { result, checked };
  }

  /**
   * A zeroed buffer of at least `bytes` bytes, for storage if nothing else is said. To be called within
   * {@link reserve}.
   * @throws LimitError before allocating, when the adapter cannot hold or bind it
   */
  allocate(bytes: number, label: string, usage?: number): PooledBuffer {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const size = Math.max(alignUp(bytes), 256);
    checkBytes(this.#device, size, label, usage === undefined);
    const gpu = guardMemory(`buffer "${label}" of ${size} bytes`, () =>
      this.#device.createBuffer({ label, size, usage: usage ?? STORAGE | COPY_SRC | COPY_DST }),
    );
    const buffer: PooledBuffer = { gpu, bytes: size, used: usage === undefined ? bytes : 0 };
    this.#live.add(buffer);
    this.#made.push(buffer);
    return buffer;
  }

  free(buffer: PooledBuffer): void {
    if (this.#live.delete(buffer)) buffer.gpu.destroy();
  }

  /** Whether it has not been freed. */
  holds(buffer: PooledBuffer): boolean {
    return this.#live.has(buffer);
  }

  /** Whether a buffer to read so much back into waits for its next use. */
  hasStaging(bytes: number): boolean {
    return (this.#staging.get(stagingSize(bytes))?.length ?? 0) > 0;
  }

  /** To be called within {@link reserve}. */
  allocateStaging(bytes: number): PooledBuffer {
    return this.allocate(stagingSize(bytes), 'readback', GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  }

  /** A mappable buffer to read back into; hand it back with {@link returnStaging} once unmapped. */
  takeStaging(bytes: number, culprit: string): Staging {
    const free = this.#staging.get(stagingSize(bytes))?.pop();
    if (free) return { buffer: free, checked: null };
    const { result, checked } = this.#watch(culprit, () => this.allocateStaging(bytes));
    // What goes wrong is thrown where it is waited for.
    checked.catch(() => undefined);
    return { buffer: result, checked };
  }

  returnStaging(buffer: PooledBuffer): void {
    if (!this.#live.has(buffer)) return;
    const list = this.#staging.get(buffer.bytes);
    if (list) list.push(buffer);
    else this.#staging.set(buffer.bytes, [buffer]);
  }

  /** Frees what waits to be read back into. */
  trim(): void {
    for (const list of this.#staging.values()) for (const buffer of list) this.free(buffer);
    this.#staging.clear();
  }

  usage(): MemoryUsage {
    let bytesInUse = 0;
    let bytesAllocated = 0;
    for (const { used, bytes } of this.#live) {
      bytesInUse += used;
      bytesAllocated += bytes;
    }
    return { bytesInUse, bytesAllocated };
  }

  dispose(): void {
    for (const buffer of this.#live) buffer.gpu.destroy();
    this.#live.clear();
    this.#staging.clear();
  }
}

/** Few sizes, so that buffers are used again. */
function stagingSize(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));
}

/** Throws where a buffer of this size could not be made, or bound as storage, on this device. */
export function checkBytes(device: GPUDevice, bytes: number, label: string, storage = true): void {
  for (const limit of ['maxStorageBufferBindingSize', 'maxBufferSize'] as const) {
    const most = device.limits[limit];
    if (bytes <= most || (!storage && limit === 'maxStorageBufferBindingSize')) continue;
    throw new LimitError({
      culprit: `buffer "${label}"`,
      problem: `needs ${bytes} bytes, this adapter's ${limit} is ${most}`,
      remedy: 'use a smaller batch, sequence or model',
    });
  }
}
