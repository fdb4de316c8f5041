/** Bringing bytes from the device to the host, by way of a mappable buffer. */
import { guardMemory } from '../graph/errors.js';
import type { BufferPool, Staging } from './buffers.js';

/** Part of a buffer; offset and size are multiples of 4. */
export interface Region {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** One way of some regions to the host, side by side. */
export class Readback {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #culprit: string;
  readonly #staging: Staging;
  readonly #bytes: ArrayBuffer;

  /**
   * Takes all memory that is needed, so that it is known to be missing before anything is done.
   * @param bytes of all regions
   * @throws OutOfMemoryError where the host has none
   */
  constructor(device: GPUDevice, pool: BufferPool, bytes: number, culprit: string) {
    this.#device = device;
    this.#pool = pool;
    this.#culprit = culprit;
    this.#bytes = guardMemory(culprit, () => new ArrayBuffer(bytes));
    this.#staging = pool.takeStaging(bytes, culprit);
  }

  /** Submits what has been encoded, and the copies after it. */
  submit(encoder: GPUCommandEncoder, regions: readonly Region[]): void {
    const device = this.#device;
    const { buffer, checked } = this.#staging;
    let copies = encoder;
    if (checked) {
      // A new buffer may turn out not to be there: that must not spoil what else was encoded.
      device.queue.submit([encoder.finish()]);
      copies = device.createCommandEncoder({ label: 'readback' });
      device.pushErrorScope('validation');
    }
    let at = 0;
    for (const { buffer: from, offset, bytes } of regions) {
      copies.copyBufferToBuffer(from, offset, buffer.gpu, at, bytes);
      at += bytes;
    }
    device.queue.submit([copies.finish()]);
    if (checked) device.popErrorScope().catch(() => null);
  }

  /**
   * The bytes, once they have arrived.
   * @param again whether as many may be wanted again soon
   * @throws OutOfMemoryError, or what `mapAsync` does where the device is lost or the buffer destroyed
   */
  async arrive(again = true): Promise<ArrayBuffer> {
    const { buffer, checked } = this.#staging;
    const size = this.#bytes.byteLength;
    try {
      await checked;
      await buffer.gpu.mapAsync(GPUMapMode.READ, 0, size);
      const mapped = guardMemory(this.#culprit, () => buffer.gpu.getMappedRange(0, size));
      new Uint8Array(this.#bytes).set(new Uint8Array(mapped));
      buffer.gpu.unmap();
    } catch (error) {
      this.#pool.free(buffer);
      throw error;
    }
    if (again) this.#pool.returnStaging(buffer);
    else this.#pool.free(buffer);
    return this.#bytes;
  }

  /** Gives back what {@link submit} was not called for. */
  cancel(): void {
    const { buffer, checked } = this.#staging;
    if (checked) this.#pool.free(buffer);
    else this.#pool.returnStaging(buffer);
  }
}
