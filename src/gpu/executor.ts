/** The GPU executor: one device, its variables, and the plans compiled for it. */
import { DeviceError, DisposedError, guardMemory, RnnError } from '../graph/errors.js';
import type { Executor, MemoryUsage } from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import { checkChoice, checkNumber } from '../graph/options.js';
import type { HostArray, Variable } from '../graph/value.js';
import { BufferPool } from './buffers.js';
import { openDevice, type DeviceOptions, type OpenedDevice, type TuningMode } from './device.js';
import type { DeviceLike } from './device-types.js';
import type { Decisions } from './lower/choice.js';
import { lowerGraph, prepareGraph, type LoweredGraph } from './lower/index.js';
import { PipelineCache } from './pipelines.js';
import { GpuPlan, type PlanHost } from './plan.js';
import type { Program } from './program.js';
import { Readback } from './readback.js';
import { sameOrder, Tuner, type TuningReport } from './tuning/tuner.js';
import { toDeviceArray, VariableStore, type PackedCopy, type PackedPlacement } from './variables.js';

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
  /** Resolves when the compilation that allocates now has what it needs. */
  #reserving: Promise<unknown> = Promise.resolve();
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
    const variables = [...graph.reads.keys(), ...graph.updates.map(({ variable }) => variable)];
    return this.#variables.watching(variables, (check) => this.#compile(graph, options, check));
  }

  async #compile(graph: Graph, options: CompileOptions, check: () => void): Promise<GpuPlan> {
    const { software } = this.#opened;
    const prepared = await prepareGraph(graph);
    this.#checkUsable();
    const lower = (decisions: Decisions): LoweredGraph =>
      lowerGraph(prepared, this.#recomputeAbove, { software, decisions, leftOut: this.#tuner.leftOut });
    const known = await this.#tuner.remembered();
    if (options.decisions || this.#tuning === 'off') {
      const decisions = new Map(Object.entries(options.decisions ?? {}));
      return this.#plan(() => lower(decisions), check);
    }
    if (this.#tuning === 'first') {
      const decisions = await this.#tuner.decide((before) => lower(before).program);
      return this.#plan(() => lower(decisions), check);
    }
    // When a measurement ends is chance: no sum may be in another order for it.
    const repeatable = (): LoweredGraph => {
      const { choices } = lower(new Map()).program;
      return lower(sameOrder(choices, known));
    };
    const plan = await this.#plan(repeatable, check);
    const tuned: Promise<void> = this.#tuneBeside(plan, lower)
      // Without it the plan goes on as it is; a device that is lost says so at the next run.
      .catch(() => undefined)
      .finally(() => this.#pending.delete(tuned));
    this.#pending.add(tuned);
    return plan;
  }

  /** Compiles the kernels and allocates the memory: all of it, or none. */
  async #plan(lower: () => LoweredGraph, check: () => void): Promise<GpuPlan> {
    const plan = await this.#createPlan(await this.#lowerCompiled(lower), check);
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

  #createPlan({ program, groups }: LoweredGraph, check: () => void): Promise<GpuPlan> {
    const checkAll = (): void => {
      this.#checkUsable();
      check();
    };
    const host: PlanHost = {
      device: this.#opened.device,
      pool: this.#pool,
      pipelines: this.#pipelines,
      variables: this.#variables,
      checkUsable: () => this.#checkUsable(),
      reserve: (work, use) => this.#reserve(program, groups, checkAll, work, use),
      onDispose: (disposed: GpuPlan) => this.#plans.delete(disposed),
    };
    return GpuPlan.create(host, program);
  }

  /** One at a time, as each must know where the one before has put the variables. */
  async #reserve<R>(
    { name, variables, packings }: Program,
    groups: LoweredGraph['groups'],
    check: () => void,
    work: () => R,
    use: (reserved: R, packed: readonly PackedCopy[]) => void,
  ): Promise<void> {
    const store = this.#variables;
    const turn = this.#reserving.then(async () => {
      check();
      const places = variables.map(({ variable }) => variable!);
      const copies = packings.map(({ storage: { variables: of, packing, bytes } }) => {
        return { variables: of!, packing: packing!, bytes };
      });
      let packed: PackedPlacement | undefined;
      const allocate = () => {
        const place = store.place(groups, places);
        packed = store.placePacked(copies);
        return { place, packed, reserved: work() };
      };
      try {
        await this.#pool.reserve(`plan "${name}"`, allocate, (allocated) => {
          check();
          allocated.place.commit();
          use(allocated.reserved, allocated.packed.commit());
        });
      } catch (error) {
        packed?.cancel();
        throw error;
      }
    });
    this.#reserving = turn.catch(() => undefined);
    await turn;
  }

  /** Measures, and then exchanges the variants of a plan that give the same bits. */
  async #tuneBeside(plan: GpuPlan, lower: (decisions: Decisions) => LoweredGraph): Promise<void> {
    const gone = (): boolean => !this.#plans.has(plan);
    const decisions = await this.#tuner.decide((known) => lower(known).program, gone);
    const allowed = sameOrder(plan.choices, decisions);
    if (gone() || plan.choices.every(({ id, chosen }) => allowed.get(id) === chosen)) return;
    const lowered = lower(allowed);
    const variables = lowered.program.variables.map(({ variable }) => variable!);
    const successor = await this.#variables.watching(variables, (check) => this.#createPlan(lowered, check));
    if (gone()) successor.dispose();
    else plan.replaceBy(successor);
  }

  /** Resolves when no tuning goes on any more. */
  async tuned(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /**
   * What no plan compiled from now on takes on this device, and why: variants by the names that {@link GpuPlan.choices}
   * give, as `matmul: 16x16`, that a self-test has found wrong or the driver does not compile, and kernels.
   */
  get leftOut(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#tuner.leftOut);
  }

  /** Adds to {@link leftOut}, here and in the tuning store; what a plan has, it keeps. */
  leaveOut(reasons: Readonly<Record<string, string>>): Promise<void> {
    return this.#tuner.leaveOut(new Map(Object.entries(reasons)));
  }

  /** What tuning has measured on this executor: the variants taken, their times, and those that are wrong here. */
  get tuningReports(): readonly TuningReport[] {
    return this.#tuner.reports;
  }

  async read(variable: Variable): Promise<HostArray> {
    this.#checkUsable();
    const { device } = this.#opened;
    const culprit = `variable "${variable.name}"`;
    if (!this.#variables.has(variable)) {
      return guardMemory(culprit, () => this.#variables.begin(variable).slice());
    }
    const bytes = variable.size * 4;
    const readback = new Readback(device, this.#pool, bytes, culprit);
    const encoder = device.createCommandEncoder({ label: `read ${variable.name}` });
    readback.submit(encoder, [{ ...this.#variables.locate(variable), bytes }]);
    let copy: ArrayBuffer;
    try {
      copy = await readback.arrive();
    } catch (cause) {
      if (cause instanceof RnnError) throw cause;
      this.#checkUsable();
      throw new DeviceError({ culprit, problem: 'could not be read', cause });
    }
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
}
