/** A device whose compiler is given other shaders than those it is asked for: broken ones, or wrong ones. */

/** A kernel's WGSL, or what to compile in its place. */
export type Replace = (kernel: string, code: string) => string;

/**
 * The device itself, but for the text of its shader modules.
 * @param created counts the modules by kernel
 */
export function withShaders(
  device: GPUDevice,
  replace: Replace,
  created = new Map<string, number>(),
): GPUDevice {
  const createShaderModule = (descriptor: GPUShaderModuleDescriptor): GPUShaderModule => {
    const { label = '', code } = descriptor;
    created.set(label, (created.get(label) ?? 0) + 1);
    return device.createShaderModule({ ...descriptor, code: replace(label, code) });
  };
  return new Proxy(device, {
    get(target, name) {
      if (name === 'createShaderModule') return createShaderModule;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Replaces the text of some kernels by one that does not compile, in its third line. */
export function breaking(...kernels: readonly string[]): Replace {
  return (kernel, code) => {
    if (!kernels.includes(kernel)) return code;
    const lines = code.split('\n');
    lines.splice(2, 1, 'const broken: u32 = no_such_value;');
    return lines.join('\n');
  };
}
