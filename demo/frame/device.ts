/** What a worker finds out about the device it computes on. */
import {
  createExecutor,
  DeviceError,
  selfTest,
  type Executor,
  type SelfTestProgress,
  type SelfTestReport,
} from '../../src/index.js';

/** The device, for people and for choosing defaults. */
export interface DeviceFacts {
  /** `webgpu: nvidia hopper`, or `cpu float32`. */
  readonly description: string;
  readonly backend: 'webgpu' | 'cpu';
  /** Whether WebGPU runs on the processor after all. */
  readonly software: boolean;
  /** Largest single buffer and largest binding in bytes; null on the CPU. */
  readonly limits: { readonly buffer: number; readonly binding: number } | null;
  /** Why there is no WebGPU; null where there is. */
  readonly missing: string | null;
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

/** Executors by backend, opened when first wanted and opened again after a loss. */
export class Devices {
  readonly #executors = new Map<'webgpu' | 'cpu', Promise<Executor>>();

  /** One executor a backend; after a failure, the next call tries again. */
  open(backend: 'webgpu' | 'cpu'): Promise<Executor> {
    let executor = this.#executors.get(backend);
    if (!executor) {
      executor = createExecutor({ backend });
      this.#executors.set(backend, executor);
      executor.catch(() => this.#executors.delete(backend));
    }
    return executor;
  }

  /** Whether the GPU computes right. What is wrong is left out of all that is trained from then on. */
  async check(
    onProgress: (progress: SelfTestProgress) => void,
    signal: AbortSignal,
  ): Promise<SelfTestReport> {
    return selfTest({ executor: await this.open('webgpu'), onProgress, signal });
  }

  /** After a loss, nothing on the device can be used: the next call opens a new one. */
  forget(): void {
    this.#executors.get('webgpu')?.then(
      (executor) => executor.dispose(),
      () => undefined,
    );
    this.#executors.delete('webgpu');
  }

  /** Tries WebGPU, and tells what there is. */
  async probe(): Promise<DeviceFacts> {
    try {
      const { description } = await this.open('webgpu');
      const adapter = await (navigator as Partial<Navigator>).gpu?.requestAdapter();
      const limits = adapter?.limits;
      return {
        description,
        backend: 'webgpu',
        software: SOFTWARE.test(description) || (adapter?.info.isFallbackAdapter ?? false),
        limits: limits ? { buffer: limits.maxBufferSize, binding: limits.maxStorageBufferBindingSize } : null,
        missing: null,
      };
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      const { description } = await this.open('cpu');
      return { description, backend: 'cpu', software: true, limits: null, missing: error.message };
    }
  }
}
