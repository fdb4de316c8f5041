/** A lowered graph made ready on a device: replaying it writes the inputs, encodes the list and submits it. */
import { ArgumentError, DeviceLostError, DisposedError, RnnError, ShapeError } from '../graph/errors.js';
import { checkRunOptions, HISTORY_CAPACITY } from '../graph/executor.js';
import type {
  Feed,
  Feeds,
  ForeignBuffer,
  Plan,
  PlanStatistics,
  RunOptions,
  RunResult,
} from '../graph/executor.js';
import type { HostArray, Variable } from '../graph/value.js';
import type { BufferPool, PooledBuffer } from './buffers.js';
import { describeProgram } from './describe.js';
import { StepEncoder, type BoundDispatch, type BoundStep } from './encode.js';
import { writeParameters, type Parameters, type ParameterValues } from './kernels/kernel.js';
import { kernelName, type ChoiceSite } from './lower/choice.js';
import { planMemory, type Lifetime, type MemoryLayout, type Storage, type View } from './memory.js';
import { PARAMETER_BYTES, type CompiledKernel, type PipelineCache } from './pipelines.js';
import { groupProgram, profileGroups, type ProfileEntry } from './profile.js';
import { allDispatches, dispatchesOf, lifetimesOf, type DispatchStep, type Program } from './program.js';
import { Readback, type Region } from './readback.js';
import { SubmitCuts } from './submit-cuts.js';
import type { PackedCopy, VariableStore } from './variables.js';

/** What a plan needs of its executor. */
export interface PlanHost {
  readonly device: GPUDevice;
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
  readonly variables: VariableStore;
  /** Runs a plan now, or when it is ready on a device and all that waited before has begun. */
  inTurn(plan: GpuPlan, work: () => Promise<RunResult>): Promise<RunResult>;
  /** Throws where the executor is disposed or its device is lost. */
  checkUsable(): void;
  /** Throws where the value of one of these went with a device. */
  checkKnown(variables: Iterable<Variable>): void;
  /** Waits for work on the device; rejects when that is lost. */
  guard<R>(work: Promise<R>): Promise<R>;
  /** What to throw for an error that a lost device may have caused. */
  explain(error: unknown): Promise<unknown>;
  /**
   * Lets `work` allocate, see {@link BufferPool.reserve}, and what the plan needs of variables besides; `use`
   * then takes it into use. One plan after another.
   */
  reserve<R>(work: () => R, use: (reserved: R, packed: readonly PackedCopy[]) => void): Promise<void>;
  /** Called once, when the plan is disposed. */
  onDispose(plan: GpuPlan): void;
}

/** One output to bring to the host, and where its bytes are in the readback. */
interface OutputPart {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly dtype: 'float32' | 'int32';
}

type CompiledKernels = ReadonlyMap<DispatchStep['kernel'], CompiledKernel>;

/** A plan on the GPU. */
export class GpuPlan implements Plan {
  #figures: Omit<PlanStatistics, 'submits'>;
  #cuts: SubmitCuts;
  readonly #done = (): Promise<unknown> => this.#host.device.queue.onSubmittedWorkDone();
  #host: PlanHost;
  #program: Program;
  #kernels: CompiledKernels;
  #memory: MemoryLayout;
  #lifetimes: ReadonlyMap<Storage, Lifetime>;
  #buffers: readonly PooledBuffer[];
  #packed: readonly PackedCopy[];
  #parameters: PooledBuffer;
  #parameterGroup: GPUBindGroup;
  readonly #updated: readonly Variable[];
  /** Those whose values a run needs. */
  readonly #read: readonly Variable[];
  readonly #histories: readonly string[];
  #historyBuffer: PooledBuffer | null;
  /** Reused for every run: scalars by storage, as they are written. */
  #scalarBytes = new Map<Storage, { readonly bytes: ArrayBuffer; readonly view: DataView }>();
  #steps: BoundStep[] = [];
  #packings: {
    readonly variables: readonly Variable[];
    readonly packing: string;
    readonly steps: readonly BoundStep[];
  }[] = [];
  #epoch = -1;
  #runs = 0;
  #historyRead = 0;
  #disposed = false;
  #successor: GpuPlan | null = null;
  /** Holds the memory that a successor's has replaced, which a feed of the next run may still lie in. */
  #retired: GpuPlan | null = null;

  private constructor(
    host: PlanHost,
    program: Program,
    kernels: CompiledKernels,
    memory: ReservedMemory,
    packed: readonly PackedCopy[],
  ) {
    this.#packed = packed;
    this.#host = host;
    this.#program = program;
    this.#kernels = kernels;
    this.#lifetimes = memory.lifetimes;
    this.#memory = memory.layout;
    this.#buffers = memory.buffers;
    this.#parameters = memory.parameters;
    this.#historyBuffer = memory.history;
    this.#histories = historiesOf(program);
    this.#updated = program.updated.map(({ variable }) => variable!);
    this.#read = program.read;
    this.#parameterGroup = this.#uploadParameters(memory.parameterData);
    if (memory.staging) host.pool.returnStaging(memory.staging);
    const dispatches = dispatchesOf(program);
    this.#cuts = SubmitCuts.of(program);
    this.#figures = {
      dispatches: dispatches.length,
      bytes: memory.buffers.reduce((sum, { bytes }) => sum + bytes, 0),
      flops: dispatches.reduce((sum, { flops }) => sum + flops, 0),
    };
    for (const { view } of program.inputs.values()) {
      if (view.bytes !== 4 || this.#scalarBytes.has(view.storage)) continue;
      const bytes = new ArrayBuffer(view.storage.bytes);
      this.#scalarBytes.set(view.storage, { bytes, view: new DataView(bytes) });
    }
  }

  /** Compiles the kernels and allocates the buffers: all of them, or none. */
  static async create(host: PlanHost, program: Program): Promise<GpuPlan> {
    const compiled = await host.pipelines.getAll(program);
    let plan: GpuPlan | undefined;
    await host.reserve(
      () => reserveMemory(host.pool, program),
      (memory, packed) => (plan = new GpuPlan(host, program, compiled, memory, packed)),
    );
    return plan!;
  }

  /** `submits` may change over the first runs, see {@link SubmitCuts}. */
  get statistics(): PlanStatistics {
    return { ...this.#figures, submits: this.#cuts.submits };
  }

  run(feeds: Feeds = {}, options: RunOptions = {}): Promise<RunResult> {
    return this.#host.inTurn(this, () => this.#run(feeds, options));
  }

  #run(feeds: Feeds, options: RunOptions): Promise<RunResult> {
    this.#checkUsable();
    checkRunOptions(`plan "${this.#program.name}"`, options);
    this.#host.checkKnown(this.#read);
    this.#succeed();
    const { device, variables } = this.#host;
    if (this.#epoch !== variables.epoch) this.#bind();
    const wanted = this.#wanted(options.read ?? []);
    // Before anything is written: it may find that there is no memory.
    const readback = this.#takeReadback(wanted, options.history ?? false);
    let foreign: readonly { buffer: GPUBuffer; view: View }[];
    try {
      foreign = this.#writeInputs(feeds);
    } catch (error) {
      readback?.cancel();
      throw error;
    }
    let encoder = device.createCommandEncoder({ label: this.#program.name });
    this.#copyForeign(encoder, foreign);
    let steps = new StepEncoder(encoder, this.#parameterGroup);
    steps.encode(this.#stalePackings());
    let first = 0;
    for (const end of this.#cuts.ends) {
      if (first > 0) {
        device.queue.submit([encoder.finish()]);
        encoder = device.createCommandEncoder({ label: this.#program.name });
        steps = new StepEncoder(encoder, this.#parameterGroup);
      }
      steps.encode(this.#steps, first, end);
      steps.end();
      first = end;
    }
    this.#recordHistory(encoder);
    const result = readback ? this.#readBack(encoder, readback, wanted, options.history ?? false) : null;
    if (!result) device.queue.submit([encoder.finish()]);
    this.#cuts.watch(this.#done);
    if (this.#retired) this.#retire();
    variables.touch(this.#updated);
    if (!result) return EMPTY_RESULT;
    // What changes nothing is run again on the next device.
    const repeats = this.#updated.length + this.#histories.length + foreign.length === 0;
    if (!repeats) return result;
    return result.catch((error: unknown) => {
      if (error instanceof DeviceLostError) return this.run(feeds, options);
      throw error;
    });
  }

  /** The device that it runs on. */
  get device(): GPUDevice {
    return this.#host.device;
  }

  /**
   * Moves to another device, to where the same program has been made ready.
   * @param ready is used up
   */
  move(ready: GpuPlan): void {
    this.#successor = null;
    this.#retired = null;
    this.#take(ready);
    this.#host = ready.#host;
    this.#historyBuffer = ready.#historyBuffer;
    this.#runs = 0;
    this.#historyRead = 0;
  }

  async readHistory(): Promise<RunResult['history']> {
    this.#checkUsable();
    const readback = this.#takeReadback([], true);
    if (!readback) return {};
    const encoder = this.#host.device.createCommandEncoder({ label: this.#program.name });
    return (await this.#readBack(encoder, readback, [], true)).history;
  }

  /**
   * The buffer in which an output lies after a run, for use on the same device without a copy to the host:
   * `offset` and `size` in bytes. Valid until the next run.
   */
  outputBuffer(name: string): { readonly buffer: GPUBuffer; readonly offset: number; readonly size: number } {
    this.#checkUsable();
    const output = this.#output(name);
    if (this.#epoch !== this.#host.variables.epoch) this.#bind();
    const { buffer, offset } = this.#resolve(output.view);
    return { buffer, offset, size: output.size * 4 };
  }

  /**
   * Runs once and times each kernel: on the device where it was opened with `timestamps`, else with a submit
   * for each kind of step in a row, as the host sees it. Takes effect like any run.
   */
  async profile(feeds: Feeds = {}): Promise<ProfileEntry[]> {
    this.#checkUsable();
    this.#succeed();
    const { device, variables } = this.#host;
    if (this.#epoch !== variables.epoch) this.#bind();
    const foreign = this.#writeInputs(feeds);
    if (foreign.length > 0) {
      const encoder = device.createCommandEncoder({ label: this.#program.name });
      this.#copyForeign(encoder, foreign);
      device.queue.submit([encoder.finish()]);
    }
    const steps = this.#stalePackings();
    const packing = { kernel: '(packing)', label: '', count: steps.length, flops: 0, bytes: 0, steps };
    const entries = await profileGroups(
      { device, name: this.#program.name, parameters: this.#parameterGroup },
      [packing, ...groupProgram(this.#program, this.#steps)],
    );
    variables.touch(this.#updated);
    return entries;
  }

  /**
   * Lets the next run be that of another plan of the same graph, whose kernels and memory this one takes over.
   * What the last run left stays readable until then.
   */
  replaceBy(successor: GpuPlan): void {
    this.#successor?.dispose();
    this.#successor = successor;
  }

  #succeed(): void {
    const successor = this.#successor;
    if (!successor) return;
    this.#successor = null;
    this.#retire();
    const [buffers, parameters, packed] = [this.#buffers, this.#parameters, this.#packed];
    this.#take(successor);
    successor.#buffers = buffers;
    successor.#parameters = parameters;
    successor.#packed = packed;
    this.#retired = successor;
  }

  /** Takes over kernels and memory. */
  #take(successor: GpuPlan): void {
    this.#figures = successor.#figures;
    this.#cuts = successor.#cuts;
    this.#program = successor.#program;
    this.#kernels = successor.#kernels;
    this.#memory = successor.#memory;
    this.#lifetimes = successor.#lifetimes;
    this.#buffers = successor.#buffers;
    this.#packed = successor.#packed;
    this.#parameters = successor.#parameters;
    this.#parameterGroup = successor.#parameterGroup;
    this.#scalarBytes = successor.#scalarBytes;
    this.#epoch = -1;
  }

  /** After a submit: destroyed buffers live on until the work submitted is done. */
  #retire(): void {
    this.#retired?.dispose();
    this.#retired = null;
  }

  /** Where kernels come in several variants, and which this plan took. */
  get choices(): readonly ChoiceSite[] {
    return this.#program.choices;
  }

  /** The variants this plan took, for {@link CompileOptions.decisions}: another plan of the graph then repeats its bits. */
  get decisions(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.choices.map(({ id, chosen }) => [id, chosen]));
  }

  /** The kernels of this plan that come in one variant only. */
  get kernels(): readonly string[] {
    const names = allDispatches(this.#program).flatMap(({ variant, kernel }) =>
      variant ? [] : [kernelName(kernel)],
    );
    return [...new Set(names)];
  }

  describe(): string {
    return describeProgram(this.#program, this.#memory, this.#lifetimes, this.#cuts.submits);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#successor?.dispose();
    this.#retire();
    for (const buffer of this.#buffers) this.#host.pool.free(buffer);
    if (this.#historyBuffer) this.#host.pool.free(this.#historyBuffer);
    this.#host.pool.free(this.#parameters);
    this.#host.variables.leave(this.#packed);
    this.#steps = [];
    this.#packings = [];
    this.#host.onDispose(this);
  }

  #checkUsable(): void {
    this.#host.checkUsable();
    if (!this.#disposed) return;
    throw new DisposedError({
      culprit: `plan "${this.#program.name}"`,
      problem: 'was disposed',
      remedy: 'compile the graph again',
    });
  }

  /** All parameters of all dispatches, written once. */
  #uploadParameters(data: DataView<ArrayBuffer>): GPUBindGroup {
    const { device, pipelines } = this.#host;
    const buffer = this.#parameters.gpu;
    allDispatches(this.#program).forEach(({ kernel, parameters }, i) => {
      writeParameters(kernel, parameters as ParameterValues<Parameters>, data, i * PARAMETER_BYTES);
    });
    device.queue.writeBuffer(buffer, 0, data.buffer);
    return device.createBindGroup({
      label: `${this.#program.name} parameters`,
      layout: pipelines.parameterLayout,
      entries: [{ binding: 0, resource: { buffer, size: PARAMETER_BYTES } }],
    });
  }

  /** Makes every bind group; again only when variables have moved. */
  #bind(): void {
    const { variables, device } = this.#host;
    const groups = new Map<string, GPUBindGroup>();
    const identities = new Map<GPUBuffer, number>();
    const identify = (buffer: GPUBuffer): number => {
      if (!identities.has(buffer)) identities.set(buffer, identities.size);
      return identities.get(buffer)!;
    };
    let parameterOffset = 0;
    const bindDispatch = ({ kernel, views, workgroups, label }: DispatchStep): BoundDispatch => {
      const { pipeline, layout } = this.#kernels.get(kernel)!;
      const places = views.map((view) => ({
        ...this.#resolve(view),
        size: Math.max(16, Math.ceil(view.bytes / 16) * 16),
      }));
      const key = [
        Object.values(kernel.bindings).join(),
        ...places.map(({ buffer, offset, size }) => `${identify(buffer)}:${offset}:${size}`),
      ].join('|');
      let buffers = groups.get(key);
      if (!buffers) {
        buffers = device.createBindGroup({
          label: label ? `${kernel.name} ${label}` : kernel.name,
          layout,
          entries: places.map((resource, binding) => ({ binding, resource })),
        });
        groups.set(key, buffers);
      }
      const bound: BoundDispatch = { pipeline, buffers, parameterOffset: [parameterOffset], workgroups };
      parameterOffset += PARAMETER_BYTES;
      return bound;
    };
    this.#packings = this.#program.packings.map(({ storage, steps }) => ({
      variables: storage.variables!,
      packing: storage.packing!,
      steps: steps.map((step) => ({ dispatch: bindDispatch(step) })),
    }));
    this.#steps = this.#program.steps.map((step): BoundStep => {
      if (step.type === 'dispatch') return { dispatch: bindDispatch(step) };
      const from = this.#resolve(step.from);
      const to = this.#resolve(step.to);
      return {
        copy: {
          from: from.buffer,
          fromOffset: from.offset,
          to: to.buffer,
          toOffset: to.offset,
          bytes: step.from.bytes,
        },
      };
    });
    this.#epoch = variables.epoch;
  }

  #resolve({ storage, offset }: View): { buffer: GPUBuffer; offset: number } {
    const { variables } = this.#host;
    if (storage.role === 'variable') {
      const place = variables.locate(storage.variable!);
      return { buffer: place.buffer, offset: place.offset + offset };
    }
    if (storage.role === 'packed') {
      return { buffer: variables.packedBuffer(storage.variables!, storage.packing!), offset };
    }
    return { buffer: this.#buffers[this.#memory.assignment.get(storage)!]!.gpu, offset };
  }

  #copyForeign(encoder: GPUCommandEncoder, foreign: readonly { buffer: GPUBuffer; view: View }[]): void {
    for (const { buffer, view } of foreign) {
      const to = this.#resolve(view);
      encoder.copyBufferToBuffer(buffer, 0, to.buffer, to.offset, view.bytes);
    }
  }

  /** The packed copies to make again before this run. */
  #stalePackings(): BoundStep[] {
    const { variables: store } = this.#host;
    return this.#packings.flatMap(({ variables, packing, steps }) =>
      store.refreshPacked(variables, packing) ? steps : [],
    );
  }

  /** Checks and writes what the run is fed; returns the buffers to copy from on the device. */
  #writeInputs(feeds: Feeds): { buffer: GPUBuffer; view: View }[] {
    const { queue } = this.#host.device;
    for (const name of Object.keys(feeds)) {
      if (this.#program.inputs.has(name)) continue;
      throw new ShapeError({
        culprit: `plan "${this.#program.name}", input "${name}"`,
        problem: 'there is no such input',
        remedy: `feed ${[...this.#program.inputs.keys()].join(', ') || 'nothing'}`,
      });
    }
    const foreign: { buffer: GPUBuffer; view: View }[] = [];
    const pending: (() => void)[] = [];
    for (const [name, { view, dtype, size, range }] of this.#program.inputs) {
      const culprit = `plan "${this.#program.name}", input "${name}"`;
      const feed = checkFeed(culprit, feeds[name], dtype, size);
      if (range) checkRange(culprit, feed, range);
      if (isForeign(feed)) {
        foreign.push({ buffer: feed as unknown as GPUBuffer, view });
      } else if (size === 1) {
        const { view: bytes } = this.#scalarBytes.get(view.storage)!;
        const number = typeof feed === 'number' ? feed : feed[0]!;
        if (dtype === 'int32') bytes.setInt32(view.offset, number, true);
        else bytes.setFloat32(view.offset, number, true);
      } else {
        const { buffer, offset } = this.#resolve(view);
        const data =
          feed instanceof Float64Array ? new Float32Array(feed) : (feed as Float32Array | Int32Array);
        pending.push(() => queue.writeBuffer(buffer, offset, data as Float32Array<ArrayBuffer>));
      }
    }
    // Nothing is written unless everything fits.
    for (const write of pending) write();
    for (const [storage, { bytes }] of this.#scalarBytes) {
      const { buffer, offset } = this.#resolve({ storage, offset: 0, bytes: bytes.byteLength });
      queue.writeBuffer(buffer, offset, bytes);
    }
    return foreign;
  }

  #output(name: string): { view: View; dtype: 'float32' | 'int32'; size: number; history: boolean } {
    const output = this.#program.outputs.get(name);
    if (output) return output;
    throw new ArgumentError({
      culprit: `plan "${this.#program.name}", output "${name}"`,
      problem: 'there is no such output',
      remedy: `read one of ${[...this.#program.outputs.keys()].join(', ') || 'none'}`,
    });
  }

  #wanted(names: readonly string[]): OutputPart[] {
    let offset = 0;
    return names.map((name) => {
      const { size, dtype } = this.#output(name);
      const part = { name, offset, size, dtype };
      offset += size * 4;
      return part;
    });
  }

  /** Keeps this run's scalars in a ring, at the place of the run's number. */
  #recordHistory(encoder: GPUCommandEncoder): void {
    const row = this.#runs % HISTORY_CAPACITY;
    this.#histories.forEach((name, i) => {
      const { buffer, offset } = this.#resolve(this.#program.outputs.get(name)!.view);
      const place = (row * this.#histories.length + i) * 4;
      encoder.copyBufferToBuffer(buffer, offset, this.#historyBuffer!.gpu, place, 4);
    });
    this.#runs++;
  }

  #takeReadback(wanted: readonly OutputPart[], history: boolean): Readback | null {
    const { device, pool } = this.#host;
    const outputBytes = wanted.reduce((sum, { size }) => sum + size * 4, 0);
    const bytes = outputBytes + (history ? (this.#historyBuffer?.used ?? 0) : 0);
    return bytes > 0 ? new Readback(device, pool, bytes, `plan "${this.#program.name}"`) : null;
  }

  /** Submits, with copies of what was asked for, which the promise brings. */
  #readBack(
    encoder: GPUCommandEncoder,
    readback: Readback,
    wanted: readonly OutputPart[],
    history: boolean,
  ): Promise<RunResult> {
    const count = history ? this.#histories.length : 0;
    const regions: Region[] = wanted.map(({ name, size }) => {
      return { ...this.#resolve(this.#output(name).view), bytes: size * 4 };
    });
    const ring = this.#historyBuffer;
    if (count > 0) regions.push({ buffer: ring!.gpu, offset: 0, bytes: ring!.used });
    readback.submit(encoder, regions);
    const runs = this.#runs;
    const first = Math.max(this.#historyRead, runs - HISTORY_CAPACITY);
    if (count > 0) this.#historyRead = runs;
    return this.#arrival(readback, wanted, { count, first, runs });
  }

  async #arrival(
    readback: Readback,
    wanted: readonly OutputPart[],
    { count, first, runs }: { readonly count: number; readonly first: number; readonly runs: number },
  ): Promise<RunResult> {
    const host = this.#host;
    let bytes: ArrayBuffer;
    try {
      bytes = await host.guard(readback.arrive());
    } catch (cause) {
      // A lost device says more than a failed map.
      const reason = await host.explain(cause);
      if (count > 0 && host === this.#host) this.#historyRead = Math.min(this.#historyRead, first);
      if (reason instanceof RnnError) throw reason;
      throw new DisposedError({
        culprit: `plan "${this.#program.name}"`,
        problem: 'was disposed before its results arrived',
        remedy: 'await the run before disposing',
        cause,
      });
    }
    const outputs: Record<string, HostArray> = {};
    let end = 0;
    for (const { name, offset, size, dtype } of wanted) {
      outputs[name] =
        dtype === 'int32' ? new Int32Array(bytes, offset, size) : new Float32Array(bytes, offset, size);
      end = offset + size * 4;
    }
    const rows = count > 0 ? new Float32Array(bytes, end) : null;
    const histories: Record<string, Float32Array> = {};
    for (let i = 0; i < count; i++) {
      histories[this.#histories[i]!] = Float32Array.from(
        { length: runs - first },
        (_, k) => rows![((first + k) % HISTORY_CAPACITY) * count + i]!,
      );
    }
    return { outputs, history: histories };
  }
}

/** What a plan has allocated before it is made. */
interface ReservedMemory {
  readonly lifetimes: ReadonlyMap<Storage, Lifetime>;
  readonly layout: MemoryLayout;
  readonly buffers: readonly PooledBuffer[];
  readonly history: PooledBuffer | null;
  readonly parameters: PooledBuffer;
  readonly parameterData: DataView<ArrayBuffer>;
  /** To read results back into, so that the first runs need allocate nothing. */
  readonly staging: PooledBuffer | null;
}

/** Results larger than this are allocated for when they are asked for. */
const STAGED_BYTES = 1 << 20;

function reserveMemory(pool: BufferPool, program: Program): ReservedMemory {
  const { name, outputs } = program;
  const lifetimes = lifetimesOf(program);
  const layout = planMemory(lifetimes, program.steps.length);
  const historyBytes = HISTORY_CAPACITY * historiesOf(program).length * 4;
  let results = historyBytes;
  for (const { size } of outputs.values()) results += size * 4;
  const staged = results <= STAGED_BYTES ? results : historyBytes;
  const { UNIFORM, COPY_DST } = GPUBufferUsage;
  const parameterBytes = Math.max(1, allDispatches(program).length) * PARAMETER_BYTES;
  return {
    lifetimes,
    layout,
    buffers: layout.buffers.map((bytes, index) => pool.allocate(bytes, `${name} ${index}`)),
    history: historyBytes > 0 ? pool.allocate(historyBytes, `${name} history`) : null,
    parameters: pool.allocate(parameterBytes, `${name} parameters`, UNIFORM | COPY_DST),
    parameterData: new DataView(new ArrayBuffer(parameterBytes)),
    staging: staged > 0 && !pool.hasStaging(staged) ? pool.allocateStaging(staged) : null,
  };
}

function historiesOf({ outputs }: Program): string[] {
  return [...outputs].filter(([, { history }]) => history).map(([name]) => name);
}

const EMPTY_RESULT: Promise<RunResult> = Promise.resolve({ outputs: {}, history: {} });

function isForeign(feed: Feed): feed is ForeignBuffer {
  return typeof feed === 'object' && !ArrayBuffer.isView(feed);
}

function checkFeed(culprit: string, feed: Feed | undefined, dtype: 'float32' | 'int32', size: number): Feed {
  if (feed === undefined) {
    throw new ShapeError({ culprit, problem: 'was not fed', remedy: `pass ${size} numbers` });
  }
  if (typeof feed === 'number') {
    if (size === 1 && (dtype === 'float32' || feed === (feed | 0))) return feed;
    if (size === 1) {
      throw new ShapeError({ culprit, problem: `got ${feed}`, remedy: 'pass a whole number of 32 bits' });
    }
    throw new ShapeError({
      culprit,
      problem: `got one number, it holds ${size}`,
      remedy: 'pass a typed array',
    });
  }
  if (isForeign(feed)) {
    const COPY_SRC = 4;
    if (feed.size >= size * 4 && (feed.usage & COPY_SRC) !== 0) return feed;
    throw new ShapeError({
      culprit,
      problem: `got a buffer of ${feed.size} bytes with usage ${feed.usage}, it holds ${size * 4} bytes`,
      remedy: 'pass a buffer at least as large, with usage COPY_SRC',
    });
  }
  if (feed.length !== size) {
    throw new ShapeError({
      culprit,
      problem: `got ${feed.length} numbers, it holds ${size}`,
      remedy: 'pass one number an element, or compile a plan for this shape',
    });
  }
  if ((dtype === 'int32') !== feed instanceof Int32Array) {
    throw new ShapeError({
      culprit,
      problem: `got a ${feed.constructor.name}, it holds ${dtype}`,
      remedy: `pass ${dtype === 'int32' ? 'an Int32Array' : 'a Float32Array or Float64Array'}`,
    });
  }
  return feed;
}

/** Throws unless the numbers lie within the range. Those in a buffer of the device are not seen here. */
function checkRange(culprit: string, feed: Feed, [min, max]: readonly [number, number]): void {
  if (isForeign(feed)) return;
  const numbers = typeof feed === 'number' ? [feed] : feed;
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!;
    if (number >= min && number <= max) continue;
    throw new ArgumentError({
      culprit,
      problem: `the length at index ${i} is ${number}`,
      remedy: `feed lengths from ${min} to ${max}`,
    });
  }
}
