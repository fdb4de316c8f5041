/** Getting a WebGPU device, and saying clearly why there is none. */
import { DeviceError } from '../graph/errors.js';
import type { DeviceLike } from './device-types.js';
import type { RecoveryOptions } from './reopening.js';
import type { TuningStore } from './tuning/store.js';

/** When variants are measured, see {@link DeviceOptions.tuning}. */
export type TuningMode = 'off' | 'background' | 'first';

/** How weights are stored where they are only read, see {@link DeviceOptions.weightPrecision}. */
export type WeightPrecision = 'float32' | 'float16';

/** A device, who made it, and what it is called. */
export interface OpenedDevice {
  readonly device: GPUDevice;
  /** Whether this library requested it, and so destroys it at the end. */
  readonly owned: boolean;
  readonly description: string;
  /** Whether shaders run on the processor, as far as the adapter tells. */
  readonly software: boolean;
}

/** Options of {@link openDevice}. */
export interface DeviceOptions {
  /** A device of the application's own; it is used as it is and never destroyed here. */
  readonly device?: DeviceLike | undefined;
  /** A `GPUAdapter` to request the device from. */
  readonly adapter?: unknown;
  /** Where to ask for an adapter; `navigator.gpu` by default. */
  readonly gpu?: unknown;
  /**
   * Bytes that the gates a recurrent layer keeps for its backward pass may take: above it they are computed
   * again in segments. By default as much as the device can bind at once.
   */
  readonly recomputeAbove?: number | undefined;
  /** Whether to ask for timestamp queries where the adapter has them: for `GpuPlan.profile`. Default `false`. */
  readonly timestamps?: boolean | undefined;
  /**
   * Whether kernels with several variants are measured on this device. `off`, the default: no, the usual ones are
   * taken. `background`: plans begin with the usual ones, or with what was found before; meanwhile the others are
   * compiled and measured, and what is at least a tenth faster takes over between two runs. Only what gives the
   * same bits is taken, so that a run repeats whenever its measurements end. `first`: compiling a graph waits until
   * all that is measured, and takes what adds in another order too.
   */
  readonly tuning?: TuningMode | undefined;
  /** Where tuning remembers what it found. Default: in memory, as long as the executor lives. */
  readonly tuningStore?: TuningStore | undefined;
  /** Milliseconds of device time that tuning may take for one graph. Default 500. */
  readonly tuningBudget?: number | undefined;
  /**
   * What is done when the device is lost: by default another one is asked for, as this one was. `false`: nothing.
   * What the host knows of variables is kept for that, in memory of the host as large as the variables at most.
   */
  readonly recovery?: RecoveryOptions | false | undefined;
  /**
   * How generation stores the weights that it reads again for every token: those of the recurrent layers, and of an
   * output layer whose logits have a dispatch of their own (above 32,768 weights, or where tokens are cut away).
   * `float16` is half the memory to read, which is what such a step waits for on a GPU. Each weight is rounded to the
   * nearest number of eleven binary digits, 65504 at most, and to zero below 2⁻¹⁴; all else, sums included, stays
   * float32, and so do the variables themselves and training. Needs no feature of the adapter. Default `float32`.
   */
  readonly weightPrecision?: WeightPrecision | undefined;
  readonly powerPreference?: 'low-power' | 'high-performance' | undefined;
}

/** Requests an adapter and a device with the limits that large models need, or takes the caller's device. */
export async function openDevice(options: DeviceOptions = {}): Promise<OpenedDevice> {
  if (options.device) {
    const device = options.device;
    return { device, owned: false, ...aboutAdapter(adapterInfo(device)) };
  }
  const adapter = (options.adapter as GPUAdapter | undefined) ?? (await requestAdapter(options));
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const about = aboutAdapter(adapter.info);
  // Only software adapters have kernels that use subgroups.
  const features: GPUFeatureName[] = [
    ...(options.timestamps ? (['timestamp-query'] as const) : []),
    ...(about.software ? (['subgroups'] as const) : []),
  ];
  const descriptor = {
    label: 'webgpu-rnn',
    requiredFeatures: features.filter((name) => adapter.features.has(name)),
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
  };
  const device = await adapter.requestDevice(descriptor).catch((cause: unknown) => {
    throw new DeviceError({
      culprit: 'WebGPU',
      problem: `the adapter gives no device (${String(cause)})`,
      remedy: "restart the browser, or pass backend: 'cpu'",
      cause,
    });
  });
  return { device, owned: true, ...about };
}

/** Lets go a device that nobody wants. */
export function discard({ owned, device }: OpenedDevice): void {
  if (owned) device.destroy();
}

/** @throws DeviceError where the device does not come in time; it is let go when it does */
export async function within(opening: Promise<OpenedDevice>, milliseconds = 10_000): Promise<OpenedDevice> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(resolve, milliseconds, null)));
  const opened = await Promise.race([opening, late]).finally(() => clearTimeout(timer));
  if (opened) return opened;
  void opening.then(discard, () => undefined);
  throw new DeviceError({
    culprit: 'WebGPU',
    problem: `no device came within ${milliseconds} ms`,
    remedy: 'restart the browser',
  });
}

/** @throws DeviceError where there is none */
export function offeredGpu(options: DeviceOptions): GPU {
  const gpu = (options.gpu ?? (globalThis as { readonly navigator?: Partial<Navigator> }).navigator?.gpu) as
    GPU | undefined;
  if (gpu) return gpu;
  throw new DeviceError({
    culprit: 'WebGPU',
    problem: 'is not offered here: navigator.gpu is missing',
    remedy: "use a browser with WebGPU on a secure (https or localhost) page, or pass backend: 'cpu'",
  });
}

async function requestAdapter(options: DeviceOptions): Promise<GPUAdapter> {
  const adapter = await offeredGpu(options).requestAdapter(
    options.powerPreference ? { powerPreference: options.powerPreference } : undefined,
  );
  if (!adapter) {
    throw new DeviceError({
      culprit: 'WebGPU',
      problem: 'the browser offers no adapter: the GPU is blocked, has crashed, or has no driver',
      remedy: "restart the browser or enable its GPU settings, or pass backend: 'cpu'",
    });
  }
  return adapter;
}

function adapterInfo(device: GPUDevice): GPUAdapterInfo | undefined {
  return (device as { readonly adapterInfo?: GPUAdapterInfo }).adapterInfo;
}

/** `vendor architecture description` as far as the browser tells, and whether that is a software adapter. */
function aboutAdapter(info: GPUAdapterInfo | undefined): Pick<OpenedDevice, 'description' | 'software'> {
  const parts = info ? [info.vendor, info.architecture, info.device, info.description] : [];
  const description = [...new Set(parts.filter(Boolean))].join(' ') || 'unnamed adapter';
  const named = /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(description);
  return { description, software: named || info?.isFallbackAdapter === true };
}
