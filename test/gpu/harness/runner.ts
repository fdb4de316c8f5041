/** Runs GPU cases, one executor a file, and lays every GPU error at the door of the case that caused it. */
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { GpuExecutor } from '../../../src/gpu/executor.js';
import type { GpuCase } from '../case.js';

interface Suite {
  readonly file: string;
  readonly executor: GpuExecutor;
  readonly device: GPUDevice;
  /** Errors no error scope caught, since the last case began. */
  readonly errors: string[];
}

/** Runs cases on the adapters of one `GPU` object; needs neither a page nor a test framework. */
export class CaseRunner {
  readonly #gpu: GPU | undefined;
  /** Names of all kernels compiled so far, by any case. */
  readonly kernels = new Set<string>();
  #suite: Suite | null = null;

  readonly #shares: boolean;

  /**
   * @param options `shares`: all files use one executor, so that each kernel compiles once. What one case leaves
   * behind, the cases of other files then meet too.
   */
  constructor(gpu: GPU | undefined, { shares = false }: { readonly shares?: boolean } = {}) {
    this.#gpu = gpu;
    this.#shares = shares;
  }

  /**
   * Vendor and device of the adapter, for people.
   * @throws Error when WebGPU or an adapter is missing
   */
  async describeAdapter(): Promise<string> {
    if (!this.#gpu) throw new Error('WebGPU is missing here: there is no navigator.gpu');
    const adapter = await this.#gpu.requestAdapter();
    if (!adapter) throw new Error('WebGPU gives no adapter here');
    const { vendor, architecture, device, description } = adapter.info;
    return [vendor, architecture, device, description].filter(Boolean).join(' ') || 'unnamed adapter';
  }

  /** Runs one case; resolves to null when it passed, and else to what went wrong. */
  async run(file: string, cases: readonly GpuCase[], name: string): Promise<string | null> {
    const found = cases.filter((one) => one.name === name);
    if (found.length !== 1) return `${file} has ${found.length} cases named "${name}", not one`;
    const suite = await this.#suiteOf(this.#shares ? '' : file);
    suite.errors.length = 0;
    const problems: string[] = [];
    const gpu = this.#watched(suite.errors);
    const opened: GpuExecutor[] = [];
    try {
      await found[0]!.run({
        executor: suite.executor,
        gpu,
        open: async (options) => {
          const executor = await GpuExecutor.create({ gpu, ...options });
          opened.push(executor);
          return executor;
        },
        reference: () => new CpuExecutor({ precision: 'float64' }),
      });
    } catch (error) {
      problems.push(describeError(error));
    }
    for (const executor of opened) {
      if (!executor.disposed) await executor.synchronize().catch(() => undefined);
      executor.dispose();
    }
    await settle(suite.device);
    problems.push(...suite.errors);
    if (problems.length > 0) {
      // What went wrong may have left the device in any state: the next case gets a new one.
      this.#endSuite();
      return problems.join('\n');
    }
    return null;
  }

  async #suiteOf(file: string): Promise<Suite> {
    if (this.#suite?.file === file && !this.#suite.executor.disposed) return this.#suite;
    this.#endSuite();
    const errors: string[] = [];
    // A device that is lost is a fault here, and no other takes its place.
    const executor = await GpuExecutor.create({ gpu: this.#watched(errors), recovery: false });
    const { device } = executor;
    void device.lost.then(({ reason, message }) => {
      if (reason !== 'destroyed') errors.push(`the device was lost (${reason}): ${message}`);
    });
    this.#suite = { file, executor, device, errors };
    return this.#suite;
  }

  /** The same adapters, whose devices lay errors that no error scope caught into this list. */
  #watched(errors: string[]): GPU {
    const gpu = this.#gpu;
    const requestDevice = async (
      adapter: GPUAdapter,
      descriptor?: GPUDeviceDescriptor,
    ): Promise<GPUDevice> => {
      const device = await adapter.requestDevice(descriptor);
      this.#noteKernels(device);
      let destroyed = false;
      const destroy = device.destroy.bind(device);
      device.destroy = () => {
        destroyed = true;
        destroy();
      };
      device.addEventListener('uncapturederror', (event) => {
        // Kept out of the console: it is reported as the failure of a case.
        event.preventDefault();
        // A lost device has no errors any more, says the specification; Firefox tells some.
        if (!destroyed) errors.push(`uncaptured GPU error: ${event.error.message}`);
      });
      return device;
    };
    const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<unknown> => {
      const adapter = await gpu?.requestAdapter(options);
      if (!adapter) return null;
      const { limits, features, info } = adapter;
      return {
        limits,
        features,
        info,
        requestDevice: (descriptor?: GPUDeviceDescriptor) => requestDevice(adapter, descriptor),
      };
    };
    return { requestAdapter } as unknown as GPU;
  }

  /** Sees every pipeline that is asked for: kernels are their labels. */
  #noteKernels(device: GPUDevice): void {
    const compile = device.createComputePipelineAsync.bind(device);
    device.createComputePipelineAsync = (descriptor) => {
      this.kernels.add(descriptor.label!);
      return compile(descriptor);
    };
  }

  #endSuite(): void {
    this.#suite?.executor.dispose();
    this.#suite = null;
  }
}

/** An error's message and where it came from: some browsers leave the message out of the stack. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack = '' } = error;
  return stack.includes(message) ? stack : `${name}: ${message}\n${stack}`;
}

/** Waits until all queued work, and every error it raised, has arrived. */
async function settle(device: GPUDevice): Promise<void> {
  device.pushErrorScope('validation');
  await device.popErrorScope();
  await device.queue.onSubmittedWorkDone();
  // Error events are dispatched as tasks of their own.
  await new Promise((resolve) => setTimeout(resolve, 0));
}
