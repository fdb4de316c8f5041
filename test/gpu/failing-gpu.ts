/** A `GPU` on whose devices chosen allocations fail: what the device itself says to one that it has no room for. */

/**
 * What is asked of the device in the place of what the library asks: `full`, as much as it may be asked for and
 * software adapters have no memory for; `refused`, more than its limit; `mapped`, more than the host has.
 */
export type Failure = 'full' | 'refused' | 'mapped';

/** Counts the buffers that are made, and lets one of them fail. */
export class FailingGpu {
  readonly gpu: GPU;
  /** Buffers asked for so far. */
  allocations = 0;
  #at = 0;
  #failure: Failure = 'full';

  constructor(gpu: GPU) {
    const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<unknown> => {
      const adapter = (await gpu.requestAdapter(options))!;
      const { limits, features, info } = adapter;
      const requestDevice = async (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> => {
        const device = await adapter.requestDevice(descriptor);
        const create = device.createBuffer.bind(device);
        device.createBuffer = (wanted) =>
          create(this.#fails() ? this.#replace(wanted, device.limits) : wanted);
        return device;
      };
      return { limits, features, info, requestDevice };
    };
    this.gpu = { requestAdapter } as unknown as GPU;
  }

  /** Lets the `count`th allocation from now on fail; 0 for none. */
  failAt(count: number, failure: Failure = 'full'): void {
    this.#at = count > 0 ? this.allocations + count : 0;
    this.#failure = failure;
  }

  #fails(): boolean {
    return ++this.allocations === this.#at;
  }

  #replace({ label = '', usage }: GPUBufferDescriptor, limits: GPUSupportedLimits): GPUBufferDescriptor {
    const most = Math.floor(limits.maxBufferSize / 4) * 4;
    if (this.#failure === 'mapped') return { label, usage, size: 2 ** 40, mappedAtCreation: true };
    return { label, usage, size: this.#failure === 'full' ? most : most + 4096 };
  }
}
