/** A `GPU` whose devices are lost at chosen calls, and which may refuse adapters. */

type Method = (...args: unknown[]) => unknown;

/** Counts the calls on devices and their queues and buffers, and destroys the device after one of them. */
export class LosingGpu {
  readonly gpu: GPU;
  /** Names of calls, in order; an encoder's with its label: `createCommandEncoder generate`. */
  readonly calls: string[] = [];
  /** Devices that have been given. */
  devices = 0;
  /** Adapters that have been asked for. */
  asked = 0;
  /** How many of the next requests for an adapter get none. */
  refusals = 0;
  /** How many of the next requests for an adapter are never answered. */
  silences = 0;
  /** What the next devices are lost at, one a device: a call and its count. */
  readonly schedule: (readonly [name: string, count: number])[] = [];
  /** Called after each call; the device is destroyed where it says so. */
  loses: (call: string, count: number) => boolean = () => false;

  constructor(gpu: GPU) {
    const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<unknown> => {
      this.asked++;
      if (this.silences > 0) {
        this.silences--;
        return new Promise(() => undefined);
      }
      if (this.refusals > 0) {
        this.refusals--;
        return null;
      }
      const adapter = (await gpu.requestAdapter(options))!;
      const { limits, features, info } = adapter;
      const requestDevice = async (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> => {
        this.devices++;
        return this.#watch(await adapter.requestDevice(descriptor), this.schedule.shift());
      };
      return { limits, features, info, requestDevice };
    };
    this.gpu = { requestAdapter } as unknown as GPU;
  }

  /** Loses the device after the next call of this name, or the `count`th from now on. */
  loseAt(name: string, count = 1): void {
    let left = count;
    this.loses = (call) => {
      if (call !== name || --left > 0) return false;
      this.loses = () => false;
      return true;
    };
  }

  #watch(device: GPUDevice, [event, count]: readonly [string?, number?] = []): GPUDevice {
    let left = count;
    const called = (name: string): void => {
      this.calls.push(name);
      if (name === event) left!--;
      if (this.loses(name, this.calls.length) || left === 0) device.destroy();
    };
    const wrap = (target: object, special: Readonly<Record<string, unknown>>): object =>
      new Proxy(target, {
        get(object, key) {
          if (typeof key === 'string' && key in special) return special[key];
          const value: unknown = Reflect.get(object, key, object);
          if (typeof value !== 'function' || typeof key !== 'string') return value;
          return (...args: unknown[]) => {
            const result: unknown = (value as Method).apply(object, args);
            const { label = '' } = (args[0] ?? {}) as { label?: string };
            if (key === 'createBuffer') watchMapping(result as GPUBuffer, called);
            if (key !== 'destroy') called(key === 'createCommandEncoder' ? `${key} ${label}` : key);
            return result;
          };
        },
      });
    const queue = wrap(device.queue, {});
    return wrap(device, { queue }) as GPUDevice;
  }
}

/** Lets the device be lost while a mapping is under way. */
function watchMapping(buffer: GPUBuffer, called: (name: string) => void): void {
  const map = buffer.mapAsync.bind(buffer);
  buffer.mapAsync = (...args) => {
    const mapping = map(...args);
    called('mapAsync');
    return mapping;
  };
}
