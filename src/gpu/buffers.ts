/** Allocation of GPU buffers: checked against the limits, counted, freed once. */
import { DeviceError, LimitError } from '../graph/errors.js';
import type { MemoryUsage } from '../graph/executor.js';
import { alignUp } from './memory.js';

/** A storage buffer that the pool counts. */
export interface PooledBuffer {
  readonly gpu: GPUBuffer;
  /** Bytes allocated. */
  readonly bytes: number;
  /** Bytes asked for. */
  readonly used: number;
}

/** Makes and frees the buffers of one executor. */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #live = new Set<PooledBuffer>();
  readonly #staging = new Map<number, GPUBuffer[]>();
  #stagingBytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /**
   * A zeroed storage buffer of at least `bytes` bytes.
   * @throws LimitError before allocating, when the adapter cannot hold or bind it
   * @throws DeviceError when the host side refuses
   */
  allocate(bytes: number, label: string): PooledBuffer {
    const size = Math.max(alignUp(bytes), 256);
    checkBytes(this.#device, size, label);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    let gpu: GPUBuffer;
    try {
      gpu = this.#device.createBuffer({ label, size, usage });
    } catch (cause) {
      throw new DeviceError({
        culprit: `buffer "${label}"`,
        problem: `${size} bytes could not be allocated`,
        remedy: 'use a smaller batch, sequence or model',
        cause,
      });
    }
    const buffer: PooledBuffer = { gpu, bytes: size, used: bytes };
    this.#live.add(buffer);
    return buffer;
  }

  free(buffer: PooledBuffer): void {
    if (this.#live.delete(buffer)) buffer.gpu.destroy();
  }

  /** A mappable buffer to read back into; hand it back with {@link returnStaging} once unmapped. */
  takeStaging(bytes: number): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));
    const free = this.#staging.get(size)?.pop();
    if (free) return free;
    this.#stagingBytes += size;
    return this.#device.createBuffer({
      label: 'readback',
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  returnStaging(buffer: GPUBuffer): void {
    const list = this.#staging.get(buffer.size);
    if (list) list.push(buffer);
    else this.#staging.set(buffer.size, [buffer]);
  }

  usage(): MemoryUsage {
    let bytesInUse = 0;
    let bytesAllocated = this.#stagingBytes;
    for (const { used, bytes } of this.#live) {
      bytesInUse += used;
      bytesAllocated += bytes;
    }
    return { bytesInUse, bytesAllocated };
  }

  dispose(): void {
    for (const buffer of this.#live) buffer.gpu.destroy();
    this.#live.clear();
    for (const list of this.#staging.values()) for (const buffer of list) buffer.destroy();
    this.#staging.clear();
    this.#stagingBytes = 0;
  }
}

/** Throws where a storage of this size could not be bound on this device. */
export function checkBytes(device: GPUDevice, bytes: number, label: string): void {
  for (const limit of ['maxStorageBufferBindingSize', 'maxBufferSize'] as const) {
    const most = device.limits[limit];
    if (bytes <= most) continue;
    throw new LimitError({
      culprit: `buffer "${label}"`,
      problem: `needs ${bytes} bytes, this adapter's ${limit} is ${most}`,
      remedy: 'use a smaller batch, sequence or model',
    });
  }
}
