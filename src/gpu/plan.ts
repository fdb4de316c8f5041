/** A lowered graph made ready on a device: replaying it writes the inputs, encodes the list and submits it. */
import { ArgumentError, DisposedError, ShapeError } from '../graph/errors.js';
import { HISTORY_CAPACITY } from '../graph/executor.js';
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
import type { ChoiceSite } from './lower/choice.js';
import { planMemory, type Lifetime, type MemoryLayout, type Storage, type View } from './memory.js';
import { PARAMETER_BYTES, type CompiledKernel, type PipelineCache } from './pipelines.js';
import { groupProgram, profileGroups, type ProfileEntry } from './profile.js';
import { dispatchesOf, lifetimesOf, type DispatchStep, type Program } from './program.js';
import { SubmitCuts } from './submit-cuts.js';
import type { VariableStore } from './variables.js';

/** What a plan needs of its executor. */
export interface PlanHost {
  readonly device: GPUDevice;
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
  readonly variables: VariableStore;
  /** Throws where the executor is disposed or its device is lost. */
  checkUsable(): void;
  /** Called once, when the plan is disposed. */
  onDispose(plan: GpuPlan): void;
}

/** One output to bring to the host, and where its bytes are in the readback. */
interface Readback {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly dtype: 'float32' | 'int32';
}

/** A plan on the GPU. */
export class GpuPlan implements Plan {
  #figures: Omit<PlanStatistics, 'submits'>;
  #cuts: SubmitCuts;
  readonly #done = (): Promise<unknown> => this.#host.device.queue.onSubmittedWorkDone();
  readonly #host: PlanHost;
  #program: Program;
  #kernels: ReadonlyMap<DispatchStep['kernel'], CompiledKernel>;
  #memory: MemoryLayout;
  #lifetimes: ReadonlyMap<Storage, Lifetime>;
  #buffers: readonly PooledBuffer[];
  #parameters: GPUBuffer;
  #parameterGroup: GPUBindGroup;
  readonly #updated: readonly Variable[];
  readonly #histories: readonly string[];
  readonly #historyBuffer: PooledBuffer | null;
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
    kernels: ReadonlyMap<DispatchStep['kernel'], CompiledKernel>,
  ) {
    this.#host = host;
    this.#program = program;
    this.#kernels = kernels;
    this.#lifetimes = lifetimesOf(program);
    this.#memory = planMemory(this.#lifetimes, program.steps.length);
    const buffers: PooledBuffer[] = [];
    const histories = [...program.outputs].filter(([, { history }]) => history).map(([name]) => name);
    this.#histories = histories;
    try {
      for (const [index, bytes] of this.#memory.buffers.entries()) {
        buffers.push(host.pool.allocate(bytes, `${program.name} ${index}`));
      }
      this.#historyBuffer =
        histories.length > 0
          ? host.pool.allocate(HISTORY_CAPACITY * histories.length * 4, `${program.name} history`)
          : null;
    } catch (error) {
      for (const buffer of buffers) host.pool.free(buffer);
      throw error;
    }
    this.#buffers = buffers;
    this.#updated = program.updated.map(({ variable }) => variable!);
    [this.#parameters, this.#parameterGroup] = this.#uploadParameters();
    const dispatches = dispatchesOf(program);
    this.#cuts = SubmitCuts.of(program);
    this.#figures = {
      dispatches: dispatches.length,
      bytes: buffers.reduce((sum, { bytes }) => sum + bytes, 0),
      flops: dispatches.reduce((sum, { flops }) => sum + flops, 0),
    };
    for (const { view } of program.inputs.values()) {
      if (view.bytes !== 4 || this.#scalarBytes.has(view.storage)) continue;
      const bytes = new ArrayBuffer(view.storage.bytes);
      this.#scalarBytes.set(view.storage, { bytes, view: new DataView(bytes) });
    }
  }

  /** Compiles the kernels and allocates the buffers. */
  static async create(host: PlanHost, program: Program): Promise<GpuPlan> {
    const compiled = await host.pipelines.getAll(program);
    host.checkUsable();
    return new GpuPlan(host, program, compiled);
  }

  /** `submits` may change over the first runs, see {@link SubmitCuts}. */
  get statistics(): PlanStatistics {
    return { ...this.#figures, submits: this.#cuts.submits };
  }

  run(feeds: Feeds = {}, options: RunOptions = {}): Promise<RunResult> {
    this.#checkUsable();
    this.#succeed();
    const { device, variables } = this.#host;
    if (this.#epoch !== variables.epoch) this.#bind();
    const foreign = this.#writeInputs(feeds);
    const wanted = this.#wanted(options.read ?? []);
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
    const readback = this.#encodeReadback(encoder, wanted, options.history ?? false);
    device.queue.submit([encoder.finish()]);
    this.#cuts.watch(this.#done);
    if (this.#retired) this.#retire();
    variables.touch(this.#updated);
    return readback ? readback() : EMPTY_RESULT;
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
    const [buffers, parameters] = [this.#buffers, this.#parameters];
    this.#figures = successor.#figures;
    this.#cuts = successor.#cuts;
    this.#program = successor.#program;
    this.#kernels = successor.#kernels;
    this.#memory = successor.#memory;
    this.#lifetimes = successor.#lifetimes;
    this.#buffers = successor.#buffers;
    this.#parameters = successor.#parameters;
    this.#parameterGroup = successor.#parameterGroup;
    this.#scalarBytes = successor.#scalarBytes;
    this.#epoch = -1;
    successor.#buffers = buffers;
    successor.#parameters = parameters;
    this.#retired = successor;
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
    this.#parameters.destroy();
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
  #uploadParameters(): [GPUBuffer, GPUBindGroup] {
    const { device, pipelines } = this.#host;
    const dispatches = this.#dispatches();
    const bytes = Math.max(1, dispatches.length) * PARAMETER_BYTES;
    const data = new DataView(new ArrayBuffer(bytes));
    dispatches.forEach(({ kernel, parameters }, i) => {
      writeParameters(kernel, parameters as ParameterValues<Parameters>, data, i * PARAMETER_BYTES);
    });
    const label = `${this.#program.name} parameters`;
    const buffer = device.createBuffer({
      label,
      size: bytes,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, data.buffer);
    const group = device.createBindGroup({
      label,
      layout: pipelines.parameterLayout,
      entries: [{ binding: 0, resource: { buffer, size: PARAMETER_BYTES } }],
    });
    return [buffer, group];
  }

  /** Packings first, then the steps; the order of their parameters. */
  #dispatches(): DispatchStep[] {
    return [
      ...this.#program.packings.flatMap(({ steps }) => steps),
      ...this.#program.steps.filter((step): step is DispatchStep => step.type === 'dispatch'),
    ];
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
      return { buffer: variables.packedBuffer(storage.variables!, storage.packing!, storage.bytes), offset };
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

  #wanted(names: readonly string[]): Readback[] {
    let offset = 0;
    return names.map((name) => {
      const { size, dtype } = this.#output(name);
      const readback = { name, offset, size, dtype };
      offset += size * 4;
      return readback;
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

  /** Copies what was asked for into a mappable buffer; the function it returns waits for it. */
  #encodeReadback(
    encoder: GPUCommandEncoder,
    wanted: readonly Readback[],
    history: boolean,
  ): (() => Promise<RunResult>) | null {
    const count = history ? this.#histories.length : 0;
    if (wanted.length === 0 && count === 0) return null;
    const outputBytes = wanted.reduce((sum, { size }) => sum + size * 4, 0);
    const historyBytes = count * HISTORY_CAPACITY * 4;
    const { pool } = this.#host;
    const staging = pool.takeStaging(outputBytes + historyBytes);
    for (const { name, offset, size } of wanted) {
      const from = this.#resolve(this.#output(name).view);
      encoder.copyBufferToBuffer(from.buffer, from.offset, staging, offset, size * 4);
    }
    if (count > 0)
      encoder.copyBufferToBuffer(this.#historyBuffer!.gpu, 0, staging, outputBytes, historyBytes);
    const runs = this.#runs;
    const first = Math.max(this.#historyRead, runs - HISTORY_CAPACITY);
    if (count > 0) this.#historyRead = runs;
    return async () => {
      try {
        await staging.mapAsync(GPUMapMode.READ, 0, outputBytes + historyBytes);
      } catch (cause) {
        // A lost device says more than a failed map.
        this.#host.checkUsable();
        throw new DisposedError({
          culprit: `plan "${this.#program.name}"`,
          problem: 'was disposed before its results arrived',
          remedy: 'await the run before disposing',
          cause,
        });
      }
      const bytes = staging.getMappedRange(0, outputBytes + historyBytes).slice(0);
      staging.unmap();
      pool.returnStaging(staging);
      const outputs: Record<string, HostArray> = {};
      for (const { name, offset, size, dtype } of wanted) {
        outputs[name] =
          dtype === 'int32' ? new Int32Array(bytes, offset, size) : new Float32Array(bytes, offset, size);
      }
      const rows = count > 0 ? new Float32Array(bytes, outputBytes) : null;
      const histories: Record<string, Float32Array> = {};
      for (let i = 0; i < count; i++) {
        histories[this.#histories[i]!] = Float32Array.from(
          { length: runs - first },
          (_, k) => rows![((first + k) % HISTORY_CAPACITY) * count + i]!,
        );
      }
      return { outputs, history: histories };
    };
  }
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
