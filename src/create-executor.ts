/** Opens the executor that an application asks for: a file of its own, so that it brings in no other. */
import { DeviceError, fetched } from './graph/errors.js';
import type { Executor } from './graph/executor.js';
import { checkChoice, checkOptions } from './graph/options.js';
import type { DeviceLike } from './gpu/device-types.js';
import type { TuningMode, WeightPrecision } from './gpu/device.js';
import type { RecoveryOptions } from './gpu/reopening.js';
import type { TuningStore } from './gpu/tuning/store.js';

/** Options of {@link createExecutor}. */
export interface ExecutorOptions {
  /** `auto`, the default: WebGPU where there is an adapter, else the CPU. */
  readonly backend?: 'auto' | 'webgpu' | 'cpu';
  /** A WebGPU device of the application's own; the executor will not destroy it. */
  readonly device?: DeviceLike;
  /** How the CPU stores numbers. Default `float32`. */
  readonly precision?: 'float32' | 'float64';
  /** Whether WebGPU kernels that come in several variants are measured, see {@link DeviceOptions.tuning}. */
  readonly tuning?: TuningMode;
  /** Where that is remembered: {@link indexedDbTuningStore}, for instance. */
  readonly tuningStore?: TuningStore;
  /** How WebGPU stores the weights that generation reads for every token, see {@link DeviceOptions.weightPrecision}. */
  readonly weightPrecision?: WeightPrecision;
  /** What is done when WebGPU's device is lost, see {@link DeviceOptions.recovery}. */
  readonly recovery?: RecoveryOptions | false;
}

/**
 * Opens what runs graphs.
 * @throws DeviceError when WebGPU was asked for and there is none; FetchError when the executor cannot be
 * downloaded; ArgumentError for an unknown option
 */
export async function createExecutor(options: ExecutorOptions = {}): Promise<Executor> {
  const known = ['backend', 'device', 'precision', 'tuning', 'tuningStore', 'weightPrecision', 'recovery'];
  checkOptions('createExecutor', options, known);
  const { backend = 'auto', precision = 'float32', ...forGpu } = options;
  const { device } = forGpu;
  checkChoice('createExecutor', 'backend', backend, ['auto', 'webgpu', 'cpu']);
  checkChoice('createExecutor', 'weightPrecision', forGpu.weightPrecision ?? 'float32', [
    'float32',
    'float16',
  ]);
  // Fetched here, so that an application downloads only the one it runs on.
  const onCpu = async (): Promise<Executor> =>
    new (await fetched('the CPU executor', () => import('./cpu/executor.js'))).CpuExecutor({ precision });
  const { navigator } = globalThis as { readonly navigator?: { readonly gpu?: unknown } };
  if (backend === 'cpu' || (backend === 'auto' && !device && !navigator?.gpu)) return onCpu();
  const { GpuExecutor } = await fetched('the WebGPU executor', () => import('./gpu/executor.js'));
  if (backend === 'webgpu' || device) return GpuExecutor.create(forGpu);
  try {
    return await GpuExecutor.create(forGpu);
  } catch (error) {
    if (error instanceof DeviceError) return onCpu();
    throw error;
  }
}
