/** The GPU executor: one device, its variables, and the plans compiled for it. */
import { DeviceError, DeviceLostError, guardMemory, RnnError } from '../graph/errors.js';
import type { Executor, MemoryUsage } from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import { checkChoice, checkFlag, checkNumber, checkOptions } from '../graph/options.js';
import type { HostArray, Variable } from '../graph/value.js';
import { toDeviceArray, type DeviceArray } from './device-array.js';
import type { DeviceLike } from './device-types.js';
import { type DeviceOptions, type OpenedDevice, type TuningMode, type WeightPrecision } from './device.js';
import { openFirstDevice } from './first-device.js';
import { HostCopies, releasedError } from './host-copies.js';
import type { Decisions } from './lower/choice.js';
import { lowerGraph, prepareGraph, type LoweredGraph } from './lower/index.js';
import { GpuPlan, type PlanHost } from './plan.js';
import { readVariables } from './read-variables.js';
import { checkRecovery } from './reopening.js';
import { SessionKeeper } from './session-keeper.js';
import { DeviceSession } from './session.js';
import { sameOrder, type TuningReport } from './tuning/tuner.js';

const TUNING_MODES: readonly TuningMode[] = ['off', 'background', 'first'];
const OPTIONS: readonly (keyof DeviceOptions)[] = [
  'device',
  'adapter',
  'gpu',
  'recomputeAbove',
  'timestamps',
  'tuning',
  'tuningStore',
  'tuningBudget',
  'recovery',
  'weightPrecision',
  'powerPreference',
];
const PRECISIONS: readonly WeightPrecision[] = ['float32', 'float16'];

/** Options of {@link GpuExecutor.compile}. */
export interface CompileOptions {
  /** Which variants of its kernels the plan takes, as {@link GpuPlan.choices} names them; else the defaults. */
  readonly decisions?: Readonly<Record<string, string>>;
}

/**
 * Runs graphs on WebGPU. When the device is lost, another one takes its place: variables that no run had changed
 * since the host last knew them have their values there, plans go on, and runs that change nothing are repeated by
 * themselves. What a run had changed is lost: who reads it gets a DeviceLostError, until it is written again.
 */
export class GpuExecutor implements Executor {
  readonly kind = 'webgpu';
  readonly #keeper: SessionKeeper;
  readonly #copies = new HostCopies();
  readonly #plans = new Map<GpuPlan, LoweredGraph>();
  readonly #options: DeviceOptions;
  readonly #tuning: TuningMode;
  /** Tuning that goes on beside the work. */
  readonly #pending = new Set<Promise<void>>();

  private constructor(opened: OpenedDevice, options: DeviceOptions) {
    const { tuning = 'off', tuningStore = null, tuningBudget: budget = 500 } = options;
    this.#options = options;
    this.#tuning = tuning;
    const checkUsable = (): void => this.#keeper.checkUsable();
    let before: DeviceSession | undefined;
    this.#keeper = new SessionKeeper(opened, {
      options,
      begin: (device) => {
        // What an adapter gets wrong, it still does when it is given again.
        const leftOut = before?.opened.description === device.description ? before.tuner.leftOut : null;
        const tuning = { store: tuningStore, budget, checkUsable, leftOut };
        return (before = new DeviceSession(device, this.#copies, tuning));
      },
      onLost: () => this.#copies.lose(),
    });
  }

  /**
   * Opens a device, or takes the caller's.
   * @throws DeviceError where WebGPU is missing or offers no adapter; ArgumentError for an option that is unknown or
   * out of range
   */
  static async create(options: DeviceOptions = {}): Promise<GpuExecutor> {
    const culprit = 'GpuExecutor.create';
    checkOptions(culprit, options, OPTIONS);
    checkChoice(culprit, 'tuning', options.tuning ?? 'off', TUNING_MODES);
    checkChoice(culprit, 'weightPrecision', options.weightPrecision ?? 'float32', PRECISIONS);
    checkNumber(culprit, 'tuningBudget', options.tuningBudget ?? 0, { min: 0 });
    checkNumber(culprit, 'recomputeAbove', options.recomputeAbove ?? 0, { min: 0 });
    checkFlag(culprit, 'timestamps', options.timestamps ?? false);
    checkRecovery(culprit, options.recovery ?? {}, ['snapshotPeriod']);
    return new GpuExecutor(await openFirstDevice(options), options);
  }

  get #session(): DeviceSession {
    return this.#keeper.session;
  }

  /** What does the work, for people. */
  get description(): string {
    return `webgpu: ${this.#session.opened.description}`;
  }

  get disposed(): boolean {
    return this.#keeper.disposed;
  }

  /** As in {@link RecoveryOptions}. */
  get snapshotPeriod(): number | undefined {
    const { recovery = {} } = this.#options;
    return recovery ? (recovery.snapshotPeriod ?? 30_000) : undefined;
  }

  /** The device that the work runs on, for applications that share buffers with it. Another one after a loss. */
  get device(): DeviceLike {
    return this.#session.device;
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<GpuPlan> {
    this.#keeper.checkUsable();
    const variables = [...graph.reads.keys(), ...graph.updates.map(({ variable }) => variable)];
    return this.#onDevice((session) =>
      session.variables.watching(variables, (check) => this.#compile(session, graph, options, check)),
    );
  }

  async #compile(
    session: DeviceSession,
    graph: Graph,
    options: CompileOptions,
    check: () => void,
  ): Promise<GpuPlan> {
    const { tuner, opened, device } = session;
    const { software } = opened;
    const subgroups = device.features.has('subgroups');
    const prepared = await prepareGraph(graph);
    this.#keeper.checkUsable();
    const { recomputeAbove = device.limits.maxStorageBufferBindingSize, weightPrecision } = this.#options;
    const lower = (decisions: Decisions): LoweredGraph =>
      lowerGraph(prepared, recomputeAbove, {
        software,
        subgroups,
        decisions,
        leftOut: tuner.leftOut,
        weightPrecision,
      });
    const known = await tuner.remembered();
    if (options.decisions || this.#tuning === 'off') {
      const decisions = new Map(Object.entries(options.decisions ?? {}));
      return this.#plan(session, () => lower(decisions), check);
    }
    if (this.#tuning === 'first') {
      const decisions = await tuner.decide((before) => lower(before).program);
      return this.#plan(session, () => lower(decisions), check);
    }
    // When a measurement ends is chance: no sum may be in another order for it.
    const repeatable = (): LoweredGraph => {
      const { choices } = lower(new Map()).program;
      return lower(sameOrder(choices, known));
    };
    const plan = await this.#plan(session, repeatable, check);
    const tuned: Promise<void> = this.#tuneBeside(session, plan, lower)
      // Without it the plan goes on as it is; a device that is lost says so at the next run.
      .catch(() => undefined)
      .finally(() => this.#pending.delete(tuned));
    this.#pending.add(tuned);
    return plan;
  }

  /** Works on a device, on the next one again when it is lost meanwhile: for work that leaves nothing behind. */
  async #onDevice<R>(work: (session: DeviceSession) => Promise<R>): Promise<R> {
    for (;;) {
      if (!this.#keeper.free) await this.#keeper.inTurn(() => DONE);
      this.#keeper.checkUsable();
      const session = this.#session;
      try {
        return await session.guard(work(session));
      } catch (error) {
        const reason = await this.#keeper.explain(error, session);
        if (!(reason instanceof DeviceLostError)) throw reason;
      }
    }
  }

  /** Compiles the kernels and allocates the memory: all of it, or none. */
  async #plan(session: DeviceSession, lower: () => LoweredGraph, check: () => void): Promise<GpuPlan> {
    const lowered = await this.#lowerCompiled(session, lower);
    const plan = await this.#createPlan(session, lowered, check);
    // The work of a lost device may go on, but nobody waits for it.
    if (session === this.#session) this.#plans.set(plan, lowered);
    return plan;
  }

  /** Lowers to kernels that compile, which go before anything is allocated. */
  async #lowerCompiled(session: DeviceSession, lower: () => LoweredGraph): Promise<LoweredGraph> {
    for (;;) {
      const lowered = lower();
      try {
        await session.pipelines.getAll(lowered.program);
        return lowered;
      } catch (error) {
        // A lost device is no fault of the kernel.
        if (await session.isLost()) throw error;
        if (!session.tuner.leaveOutFailed(lowered.program, error)) throw error;
      }
    }
  }

  #createPlan(
    session: DeviceSession,
    { program, groups }: LoweredGraph,
    check: () => void,
  ): Promise<GpuPlan> {
    const keeper = this.#keeper;
    const checkUsable = (): void => {
      keeper.checkUsable();
      if (session.lost !== null) throw keeper.lostError();
    };
    const checkAll = (): void => {
      checkUsable();
      check();
    };
    const host: PlanHost = {
      device: session.device,
      pool: session.pool,
      pipelines: session.pipelines,
      variables: session.variables,
      inTurn: (plan, work) =>
        keeper.inTurn(work, { ready: () => this.#isReady(plan), prepare: () => this.#revive(plan) }),
      checkUsable,
      checkKnown: (variables) => this.#checkKnown(variables),
      guard: (work) => session.guard(work),
      explain: (error) => keeper.explain(error, session),
      reserve: (work, use) => session.reserve(program, groups, checkAll, work, use),
      onDispose: (disposed: GpuPlan) => this.#plans.delete(disposed),
    };
    return GpuPlan.create(host, program);
  }

  /** Whether a plan runs on the device that there is, or never will again. */
  #isReady(plan: GpuPlan): boolean {
    return plan.device === this.#session.device || !this.#plans.has(plan) || !this.#keeper.hopeful;
  }

  /** Makes a plan ready on another device than it was compiled for, with the same variants of kernels. */
  async #revive(plan: GpuPlan): Promise<void> {
    const session = this.#session;
    const lowered = this.#plans.get(plan)!;
    const check = (): void => {
      for (const { variable } of lowered.program.variables) {
        if (!this.#copies.has(variable!)) throw releasedError(variable!);
      }
    };
    try {
      check();
      const successor = await session.guard(this.#createPlan(session, lowered, check));
      if (this.#plans.has(plan)) plan.move(successor);
      else successor.dispose();
    } catch (error) {
      const reason = await this.#keeper.explain(error, session);
      // Then there is a next device.
      if (!(reason instanceof DeviceLostError)) throw reason;
    }
  }

  /** Measures, and then exchanges the variants of a plan that give the same bits. */
  async #tuneBeside(
    session: DeviceSession,
    plan: GpuPlan,
    lower: (decisions: Decisions) => LoweredGraph,
  ): Promise<void> {
    const gone = (): boolean => !this.#plans.has(plan) || session !== this.#session;
    const decisions = await session.tuner.decide((known) => lower(known).program, gone);
    const allowed = sameOrder(plan.choices, decisions);
    if (gone() || plan.choices.every(({ id, chosen }) => allowed.get(id) === chosen)) return;
    const lowered = lower(allowed);
    const variables = lowered.program.variables.map(({ variable }) => variable!);
    const successor = await session.variables.watching(variables, (check) =>
      this.#createPlan(session, lowered, check),
    );
    if (gone()) successor.dispose();
    else {
      plan.replaceBy(successor);
      this.#plans.set(plan, lowered);
    }
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
    return Object.fromEntries(this.#session.tuner.leftOut);
  }

  /** Adds to {@link leftOut}, here and in the tuning store; what a plan has, it keeps. */
  leaveOut(reasons: Readonly<Record<string, string>>): Promise<void> {
    return this.#session.tuner.leaveOut(new Map(Object.entries(reasons)));
  }

  /** What tuning has measured on this executor: the variants taken, their times, and those that are wrong here. */
  get tuningReports(): readonly TuningReport[] {
    return this.#session.tuner.reports;
  }

  async read(variable: Variable): Promise<HostArray> {
    return (await this.#read([variable], false))[0]!.slice();
  }

  snapshot(variables: readonly Variable[]): Promise<readonly HostArray[]> {
    return this.#read(variables, true);
  }

  /** @param keep whether the host remembers the values, and gives those that it knows */
  async #read(variables: readonly Variable[], keep: boolean): Promise<readonly DeviceArray[]> {
    const keeper = this.#keeper;
    return keeper.inTurn(async () => {
      keeper.checkAlive();
      const session = this.#session;
      this.#checkKnown(variables);
      const copies = guardMemory('variables', () => variables.map((variable) => this.#copies.of(variable)));
      const onHost = (variable: Variable): boolean =>
        keep || session.lost !== null || !session.variables.has(variable);
      const results = copies.map(({ data }, i) => (onHost(variables[i]!) ? data : null));
      const wanted = [...variables.keys()].filter((i) => !results[i]);
      const versions = copies.map(({ version }) => version);
      let arrays: DeviceArray[];
      try {
        arrays = await readVariables(
          session,
          wanted.map((i) => variables[i]!),
          !keep,
        );
      } catch (error) {
        const reason = await keeper.explain(error, session);
        if (reason instanceof DeviceLostError) return this.#read(variables, keep);
        if (reason instanceof RnnError) throw reason;
        const culprit = `variable "${variables[wanted[0]!]!.name}"`;
        throw new DeviceError({ culprit, problem: 'could not be read', cause: reason });
      }
      wanted.forEach((i, k) => {
        results[i] = arrays[k]!;
        if (keep) this.#copies.remember(variables[i]!, versions[i]!, arrays[k]!);
      });
      return results as DeviceArray[];
    });
  }

  write(variable: Variable, data: HostArray): void {
    this.#keeper.checkAlive();
    const numbers = toDeviceArray(variable, data);
    const write = (values: HostArray): Promise<void> => {
      const { lost, variables } = this.#session;
      // Where there is no device any more, it is still there to be saved.
      if (lost === null) variables.write(variable, values);
      else this.#copies.write(variable, values);
      return DONE;
    };
    if (this.#keeper.free) void write(numbers);
    else void this.#keeper.inTurn(write.bind(null, numbers.slice())).catch(() => undefined);
  }

  release(variables: Iterable<Variable>): void {
    if (!this.disposed) this.#session.variables.release(variables);
  }

  async synchronize(): Promise<void> {
    await this.#onDevice((session) => session.device.queue.onSubmittedWorkDone());
    this.#keeper.checkUsable();
  }

  memory(): MemoryUsage {
    return this.#session.pool.usage();
  }

  dispose(): void {
    if (this.disposed) return;
    for (const plan of [...this.#plans.keys()]) plan.dispose();
    this.#keeper.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Throws where the value of one of these was lost. */
  #checkKnown(variables: Iterable<Variable>): void {
    const lost = this.#copies.findLost(variables);
    if (lost) throw this.#keeper.lostError(`, and with it the value of "${lost.name}"`);
  }
}

const DONE = Promise.resolve();
