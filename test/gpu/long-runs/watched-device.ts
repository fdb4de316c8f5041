/** A device that counts what is made on it, and knows which of its buffers have not been destroyed. */

/** What has been made on a watched device. */
export interface DeviceWatch {
  /** To give to an executor. */
  readonly device: GPUDevice;
  /** Objects made since {@link forget}, by kind: `Buffer`, `BindGroup`, `CommandEncoder`, `ComputePass`, … */
  readonly created: Readonly<Record<string, number>>;
  /** Buffers that have not been destroyed: labels and bytes. */
  readonly buffers: () => readonly { readonly label: string; readonly size: number }[];
  /** Begins the count anew. */
  readonly forget: () => void;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Watches a device from here on; the device itself stays as it is. */
export function watchDevice(original: GPUDevice): DeviceWatch {
  const created: Record<string, number> = {};
  const buffers = new Set<GPUBuffer>();
  const note = (kind: string): void => {
    created[kind] = (created[kind] ?? 0) + 1;
  };
  const watchEncoder = (encoder: GPUCommandEncoder): GPUCommandEncoder =>
    replaceMethods(encoder, (name, call) => (...args) => {
      if (name === 'beginComputePass') note('ComputePass');
      if (name === 'finish') note('CommandBuffer');
      return call(...args);
    });
  const watchBuffer = (buffer: GPUBuffer): void => {
    buffers.add(buffer);
    const destroy = buffer.destroy.bind(buffer);
    // On the object itself: the API takes no stand-in for a buffer.
    buffer.destroy = () => {
      buffers.delete(buffer);
      destroy();
    };
  };
  const device = replaceMethods(original, (name, call) => (...args) => {
    const result = call(...args);
    if (!name.startsWith('create')) return result;
    note(name.slice('create'.length).replace('Async', ''));
    if (name === 'createBuffer') watchBuffer(result as GPUBuffer);
    return name === 'createCommandEncoder' ? watchEncoder(result as GPUCommandEncoder) : result;
  });
  return {
    device,
    created,
    buffers: () => [...buffers].map(({ label, size }) => ({ label, size })),
    forget: () => {
      for (const kind of Object.keys(created)) Reflect.deleteProperty(created, kind);
    },
  };
}

/** What looks like `original`, but calls its methods by way of others. */
function replaceMethods<T extends object>(
  original: T,
  replace: (name: string, call: (...args: unknown[]) => unknown) => (...args: unknown[]) => unknown,
): T {
  // Made once, so that watching leaves no garbage of its own.
  const methods = new Map<PropertyKey, unknown>();
  return new Proxy(original, {
    get(target, name) {
      const known = methods.get(name);
      if (known) return known;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = replace(String(name), (...args) => (value as Method).apply(target, args));
      methods.set(name, method);
      return method;
    },
  });
}
