/** A WebGPU device in plain JavaScript that holds buffers and copies them, computes nothing, and fails when told to. */

/** How an allocation fails. */
export type AllocationFault =
  /** The error scope says that the device has no memory; the buffer is invalid. */
  | 'scope'
  /** The call throws a RangeError. */
  | 'throws'
  /** The buffer is invalid by a validation error. */
  | 'invalid';

/** The constants of WebGPU that the library takes from the global object. */
export const WEBGPU_CONSTANTS = {
  GPUBufferUsage: {
    MAP_READ: 1,
    MAP_WRITE: 2,
    COPY_SRC: 4,
    COPY_DST: 8,
    INDEX: 16,
    VERTEX: 32,
    UNIFORM: 64,
    STORAGE: 128,
    INDIRECT: 256,
    QUERY_RESOLVE: 512,
  },
  GPUMapMode: { READ: 1, WRITE: 2 },
  GPUShaderStage: { VERTEX: 1, FRAGMENT: 2, COMPUTE: 4 },
} as const;

interface Scope {
  readonly filter: string;
  error: { readonly message: string } | null;
}

interface Commands {
  readonly valid: boolean;
  readonly uses: readonly SimulatedBuffer[];
  readonly copies: readonly (() => void)[];
}

/** Its bytes exist until it is destroyed. */
class SimulatedBuffer {
  readonly label: string;
  readonly size: number;
  readonly usage: number;
  readonly valid: boolean;
  readonly bytes: Uint8Array;
  destroyed = false;
  mapped = false;
  readonly #device: SimulatedDevice;

  constructor(
    device: SimulatedDevice,
    { label = '', size, usage }: { readonly label?: string; readonly size: number; readonly usage: number },
    valid: boolean,
  ) {
    this.#device = device;
    this.label = label;
    this.size = size;
    this.usage = usage;
    this.valid = valid;
    this.bytes = new Uint8Array(valid ? size : 0);
  }

  async mapAsync(): Promise<void> {
    await Promise.resolve();
    if (!this.valid || this.destroyed) throw new Error('the buffer cannot be mapped');
    this.mapped = true;
  }

  getMappedRange(offset = 0, size = this.size): ArrayBuffer {
    if (!this.mapped) throw new Error('the buffer is not mapped');
    if (this.#device.mappingsUntilFault-- === 0) throw new RangeError('getMappedRange failed');
    return this.bytes.slice(offset, offset + size).buffer;
  }

  unmap(): void {
    this.mapped = false;
  }

  destroy(): void {
    this.destroyed = true;
    this.#device.live.delete(this);
  }
}

/**
 * As much of a `GPUDevice` as the library uses. Dispatches do nothing, so every result is what memory held:
 * zeros at first. What WebGPU forbids about buffers ends in an error scope or in {@link uncaptured}.
 */
export class SimulatedDevice {
  readonly limits = {
    maxStorageBufferBindingSize: 2 ** 27,
    maxBufferSize: 2 ** 28,
    maxComputeWorkgroupsPerDimension: 65535,
  };
  readonly features = new Set<string>();
  readonly adapterInfo = { vendor: 'simulated', architecture: '', device: '', description: '' };
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  /** Buffers that have not been destroyed. */
  readonly live = new Set<SimulatedBuffer>();
  /** Errors that no scope caught. */
  readonly uncaptured: string[] = [];
  /** Buffers asked for so far. */
  allocations = 0;
  /** Which allocation fails, counted from 1, and how; 0 for none. */
  failing: { at: number; fault: AllocationFault } = { at: 0, fault: 'scope' };
  /** How many mappings succeed before one fails. */
  mappingsUntilFault = Infinity;
  readonly #scopes: Scope[] = [];
  #lose: (info: { reason: string; message: string }) => void = () => undefined;

  constructor() {
    this.lost = new Promise((resolve) => (this.#lose = resolve));
  }

  readonly queue = {
    writeBuffer: (
      buffer: SimulatedBuffer,
      offset: number,
      data: ArrayBufferView | ArrayBuffer,
      first = 0,
      count?: number,
    ): void => {
      if (!this.#usable(buffer, 'writeBuffer')) return;
      const bytes = ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : new Uint8Array(data);
      const unit = ArrayBuffer.isView(data)
        ? (data as ArrayBufferView & { readonly BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT
        : 1;
      const end = count === undefined ? undefined : (first + count) * unit;
      buffer.bytes.set(bytes.subarray(first * unit, end), offset);
    },
    submit: (lists: readonly Commands[]): void => {
      const bad = lists.find(
        ({ valid, uses }) => !valid || uses.some((buffer) => buffer.destroyed || buffer.mapped),
      );
      if (bad) this.#raise('validation', 'submit of an invalid command buffer, or with a destroyed buffer');
      else for (const { copies } of lists) for (const copy of copies) copy();
    },
    onSubmittedWorkDone: (): Promise<void> => Promise.resolve(),
  };

  createBuffer(descriptor: {
    readonly label?: string;
    readonly size: number;
    readonly usage: number;
  }): SimulatedBuffer {
    this.allocations++;
    const fails = this.allocations === this.failing.at;
    const { fault } = this.failing;
    if (fails && fault === 'throws') throw new RangeError('createBuffer failed');
    const buffer = new SimulatedBuffer(this, descriptor, !fails);
    this.live.add(buffer);
    if (fails) this.#raise(fault === 'scope' ? 'out-of-memory' : 'validation', 'createBuffer failed');
    return buffer;
  }

  createBindGroup({
    entries,
  }: {
    readonly entries: readonly { readonly resource: { readonly buffer: SimulatedBuffer } }[];
  }): { readonly buffers: readonly SimulatedBuffer[] } {
    const buffers = entries.map(({ resource }) => resource.buffer);
    for (const buffer of buffers) this.#usable(buffer, 'createBindGroup');
    return { buffers };
  }

  createBindGroupLayout(): object {
    return {};
  }

  createPipelineLayout(): object {
    return {};
  }

  createShaderModule(): object {
    return {};
  }

  createComputePipelineAsync(): Promise<object> {
    return Promise.resolve({});
  }

  createCommandEncoder(): object {
    const uses = new Set<SimulatedBuffer>();
    const copies: (() => void)[] = [];
    let valid = true;
    const use = (buffer: SimulatedBuffer): void => {
      uses.add(buffer);
      valid &&= buffer.valid;
    };
    return {
      copyBufferToBuffer(
        from: SimulatedBuffer,
        fromOffset: number,
        to: SimulatedBuffer,
        toOffset: number,
        bytes: number,
      ): void {
        use(from);
        use(to);
        if (from === to) valid = false;
        copies.push(() => to.bytes.set(from.bytes.subarray(fromOffset, fromOffset + bytes), toOffset));
      },
      beginComputePass: () => ({
        setPipeline: () => undefined,
        setBindGroup: (_: number, group: { readonly buffers: readonly SimulatedBuffer[] }) =>
          group.buffers.forEach(use),
        dispatchWorkgroups: () => undefined,
        end: () => undefined,
      }),
      finish: (): Commands => {
        if (!valid) this.#raise('validation', 'commands use an invalid buffer');
        return { valid, uses: [...uses], copies };
      },
    };
  }

  pushErrorScope(filter: string): void {
    this.#scopes.push({ filter, error: null });
  }

  popErrorScope(): Promise<Scope['error']> {
    const scope = this.#scopes.pop();
    return scope ? Promise.resolve(scope.error) : Promise.reject(new Error('no scope is open'));
  }

  destroy(): void {
    for (const buffer of [...this.live]) buffer.destroy();
    this.#lose({ reason: 'destroyed', message: '' });
  }

  #usable(buffer: SimulatedBuffer, what: string): boolean {
    const usable = buffer.valid && !buffer.destroyed;
    if (!usable) this.#raise('validation', `${what} of an invalid or destroyed buffer "${buffer.label}"`);
    return usable;
  }

  #raise(filter: string, message: string): void {
    const scope = this.#scopes.findLast((one) => one.filter === filter);
    if (scope) scope.error ??= { message };
    else this.uncaptured.push(message);
  }
}
