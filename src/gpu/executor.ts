/** The GPU executor: one device, its variables, and the plans compiled for it. */
import { DeviceError, DisposedError } from '../graph/errors.js';
import type { Executor, MemoryUsage } from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import { checkChoice, checkNumber } from '../graph/options.js';
import type { HostArray, Variable } from '../graph/value.js';
import { BufferPool } from './buffers.js';
import { openDevice, type DeviceOptions, type OpenedDevice, type TuningMode } from './device.js';
import type { DeviceLike } from './device-types.js';
import type { Decisions } from './lower/choice.js';
import { lowerGraph, type LoweredGraph } from './lower/index.js';
import { PipelineCache } from './pipelines.js';
import { GpuPlan, type PlanHost } from './plan.js';
import { sameOrder, Tuner, type TuningReport } from './tuning/tuner.js';
import { toDeviceArray, VariableStore } from './variables.js';

const TUNING_MODES: readonly TuningMode[] = ['off', 'background', 'first'];

/** What the speed of kernels depends on and no kernel sees: the adapter, and the browser with its driver. */
function surroundings(adapter: string): string {
  const { navigator } = globalThis as { readonly navigator?: Partial<Navigator> };
  return `${adapter} | ${navigator?.userAgent ?? 'no browser'}`;
}

/** Options of {@link GpuExecutor.compile}. */
export interface CompileOptions {
  /** Which variants of its kernels the plan takes, as {@link GpuPlan.choices} names them; else the defaults. */
  readonly decisions?: Readonly<Record<string, string>>;
}

/** Runs graphs on WebGPU. */
export class GpuExecutor implements Executor {
  readonly kind = 'webgpu';
  readonly description: string;
  readonly #opened: OpenedDevice;
  readonly #recomputeAbove: number;
  readonly #pool: BufferPool;
  readonly #pipelines: PipelineCache;
  readonly #variables: VariableStore;
  readonly #plans = new Set<GpuPlan>();
  readonly #tuning: TuningMode;
  readonly #tuner: Tuner;
  /** Tuning that goes on beside the work. */
  readonly #pending = new Set<Promise<void>>();
  #disposed = false;
  #lost: string | null = null;

  private constructor(opened: OpenedDevice, options: DeviceOptions) {
    const { recomputeAbove, tuning = 'off', tuningStore, tuningBudget = 500 } = options;
    this.#recomputeAbove = recomputeAbove ?? opened.device.limits.maxStorageBufferBindingSize;
    this.#tuning = tuning;
    this.#opened = opened;
    this.description = `webgpu: ${opened.description}`;
    this.#pool = new BufferPool(opened.device);
    this.#pipelines = new PipelineCache(opened.device);
    this.#variables = new VariableStore(opened.device, this.#pool);
    this.#tuner = new Tuner(
      { device: opened.device, pool: this.#pool, pipelines: this.#pipelines },
      {
        store: tuningStore ?? null,
        surroundings: surroundings(opened.description),
        budget: tuningBudget,
        checkUsable: () => this.#checkUsable(),
      },
    );
    void opened.device.lost.then(({ reason, message }) => {
      this.#lost = `${reason}${message ? `: ${message}` : ''}`;
    });
  }

  /**
   * Opens a device, or takes the caller's.
   * @throws DeviceError where WebGPU is missing or offers no adapter; ArgumentError for an unknown way of tuning
   */
  static async create(options: DeviceOptions = {}): Promise<GpuExecutor> {
    checkChoice('GpuExecutor.create', 'tuning', options.tuning ?? 'off', TUNING_MODES);
    checkNumber('GpuExecutor.create', 'tuningBudget', options.tuningBudget ?? 0, { min: 0 });
    return new GpuExecutor(await openDevice(options), options);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The device that the work runs on, for applications that share buffers with it. */
  get device(): DeviceLike {
    return this.#opened.device;
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<GpuPlan> {
    this.#checkUsable();
    const { software } = this.#opened;
    const lower = (decisions: Decisions): LoweredGraph =>
      lowerGraph(graph, this.#recomputeAbove, { software, decisions, leftOut: this.#tuner.leftOut });
    const known = await this.#tuner.remembered();
    if (options.decisions || this.#tuning === 'off') {
      const decisions = new Map(Object.entries(options.decisions ?? {}));
      return this.#plan(graph, () => lower(decisions));
    }
    if (this.#tuning === 'first') {
      const decisions = await this.#tuner.decide((before) => lower(before).program);
      return this.#plan(graph, () => lower(decisions));
    }
    const plan = await this.#plan(graph, () => lower(known));
    const tuned: Promise<void> = this.#tuneBeside(plan, lower)
      // Without it the plan goes on as it is; a device that is lost says so at the next run.
      .catch(() => undefined)
      .finally(() => this.#pending.delete(tuned));
    this.#pending.add(tuned);
    return plan;
  }

  /** Compiles the kernels, places the variables and allocates the memory. */
  async #plan(graph: Graph, lower: () => LoweredGraph): Promise<GpuPlan> {
    const { device } = this.#opened;
    const { program, groups } = await this.#lowerCompiled(lower);
    device.pushErrorScope('out-of-memory');
    try {
      for (const group of groups) this.#variables.placeTogether(group);
      this.#variables.ensure(program.variables.map(({ variable }) => variable!));
    } finally {
      await this.#throwIfOutOfMemory(graph.name);
    }
    const plan = await GpuPlan.create(this.#planHost, program);
    this.#plans.add(plan);
    return plan;
  }

  /** Lowers to kernels that compile, which go before anything is allocated. */
  async #lowerCompiled(lower: () => LoweredGraph): Promise<LoweredGraph> {
    for (;;) {
      const lowered = lower();
      try {
        await this.#pipelines.getAll(lowered.program);
        return lowered;
      } catch (error) {
        this.#checkUsable();
        if (!this.#tuner.leaveOutFailed(lowered.program, error)) throw error;
      }
    }
  }

  get #planHost(): PlanHost {
    return {
      device: this.#opened.device,
      pool: this.#pool,
      pipelines: this.#pipelines,
      variables: this.#variables,
      checkUsable: () => this.#checkUsable(),
      onDispose: (disposed: GpuPlan) => this.#plans.delete(disposed),
    };
  }

  /** Measures, and then exchanges the variants of a plan that give the same bits. */
  async #tuneBeside(plan: GpuPlan, lower: (decisions: Decisions) => LoweredGraph): Promise<void> {
    const gone = (): boolean => !this.#plans.has(plan);
    const decisions = await this.#tuner.decide((known) => lower(known).program, gone);
    const allowed = sameOrder(plan.choices, decisions);
    if (gone() || plan.choices.every(({ id, chosen }) => allowed.get(id) === chosen)) return;
    const successor = await GpuPlan.create(this.#planHost, lower(allowed).program);
    if (gone()) successor.dispose();
    else plan.replaceBy(successor);
  }

  /** Resolves when no tuning goes on any more. */
  async tuned(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** What tuning has measured on this executor: the variants taken, their times, and those that are wrong here. */
  get tuningReports(): readonly TuningReport[] {
    return this.#tuner.reports;
  }

  async read(variable: Variable): Promise<HostArray> {
    this.#checkUsable();
    const { device } = this.#opened;
    this.#variables.ensure([variable]);
    const { buffer, offset } = this.#variables.locate(variable);
    const bytes = variable.size * 4;
    const staging = this.#pool.takeStaging(bytes);
    const encoder = device.createCommandEncoder({ label: `read ${variable.name}` });
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (cause) {
      this.#checkUsable();
      throw new DeviceError({ culprit: `variable "${variable.name}"`, problem: 'could not be read', cause });
    }
    const copy = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    this.#pool.returnStaging(staging);
    return variable.dtype === 'int32' ? new Int32Array(copy) : new Float32Array(copy);
  }

  write(variable: Variable, data: HostArray): void {
    this.#checkUsable();
    toDeviceArray(variable, data);
    this.#variables.write(variable, data);
  }

  release(variables: Iterable<Variable>): void {
    if (!this.#disposed) this.#variables.release(variables);
  }

  async synchronize(): Promise<void> {
    this.#checkUsable();
    await this.#opened.device.queue.onSubmittedWorkDone();
    this.#checkUsable();
  }

  memory(): MemoryUsage {
    return this.#pool.usage();
  }

  dispose(): void {
    if (this.#disposed) return;
    for (const plan of [...this.#plans]) plan.dispose();
    this.#variables.releaseAll();
    this.#pool.dispose();
    this.#disposed = true;
    if (this.#opened.owned) this.#opened.device.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkUsable(): void {
    if (this.#disposed) {
      throw new DisposedError({
        culprit: this.description,
        problem: 'was disposed',
        remedy: 'create a new executor',
      });
    }
    if (this.#lost === null) return;
    throw new DeviceError({
      culprit: this.description,
      problem: `the device was lost (${this.#lost})`,
      remedy: 'create a new executor and restore the model from its last save',
    });
  }

  async #throwIfOutOfMemory(name: string): Promise<void> {
    const error = await this.#opened.device.popErrorScope();
    if (!error) return;
    throw new DeviceError({
      culprit: `plan "${name}"`,
      problem: `the device is out of memory: ${error.message}`,
      remedy: 'use a smaller batch, sequence or model, or dispose of what is not needed',
    });
  }
}
