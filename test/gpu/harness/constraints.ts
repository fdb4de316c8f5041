/** Adapters made poorer than they are, so that what users may meet is met here; and traps. */
import { layTraps } from './traps.js';

/**
 * `default limits`: the limits that every WebGPU adapter has, and no optional feature; `no features`: the
 * adapter's own limits, and no optional feature; `traps`: those of `traps.ts`, which stay for good.
 */
export type Constraint = 'none' | 'default limits' | 'no features' | 'traps';

/** The limits that matter here, as the standard guarantees them (https://www.w3.org/TR/webgpu/#limits). */
const DEFAULT_LIMITS: Readonly<Record<string, number>> = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxUniformBufferBindingSize: 65_536,
  maxStorageBuffersPerShaderStage: 8,
  maxDynamicStorageBuffersPerPipelineLayout: 4,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65_535,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
};

/** The same `GPU`, whose adapters are poorer: they say so, and refuse to give more. */
export function constrain(gpu: GPU, constraint: Constraint): GPU {
  if (constraint === 'traps') layTraps();
  if (constraint === 'none' || constraint === 'traps') return gpu;
  return replace(gpu, {
    wgslLanguageFeatures: new Set<string>(),
    requestAdapter: async (options?: GPURequestAdapterOptions) => {
      const adapter = await gpu.requestAdapter(options);
      return adapter && constrainAdapter(adapter, constraint === 'default limits');
    },
  });
}

function constrainAdapter(adapter: GPUAdapter, defaultLimits: boolean): GPUAdapter {
  const limits = defaultLimits ? replace(adapter.limits, DEFAULT_LIMITS) : adapter.limits;
  return replace(adapter, {
    features: new Set<string>(),
    limits,
    requestDevice: async (descriptor: GPUDeviceDescriptor = {}) => {
      const features = [...(descriptor.requiredFeatures ?? [])];
      if (features.length > 0) throw new TypeError(`this adapter has no feature ${features.join()}`);
      for (const [name, wanted] of Object.entries(descriptor.requiredLimits ?? {})) {
        const offered = limits[name as 'maxBufferSize'];
        if (!(Number(wanted) <= offered)) throw new TypeError(`${name} of this adapter is ${offered}`);
      }
      return adapter.requestDevice(descriptor);
    },
  });
}

/** What looks like `original` but for some members; the browser's own objects refuse calls on another `this`. */
function replace<T extends object>(original: T, members: Readonly<Record<string, unknown>>): T {
  return new Proxy(original, {
    get(target, name) {
      if (Object.hasOwn(members, name)) return members[name as string];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
