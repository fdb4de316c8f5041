/** The CPU executor: keeps variables on the host and runs graphs node by node, at once, in this thread. */
import { ArgumentError, DisposedError, guardMemory, ShapeError } from '../graph/errors.js';
import { checkRunOptions, HISTORY_CAPACITY } from '../graph/executor.js';
import type {
  Executor,
  Feed,
  Feeds,
  MemoryUsage,
  Plan,
  PlanStatistics,
  RunOptions,
  RunResult,
} from '../graph/executor.js';
import type { Graph, UpdateDeclaration } from '../graph/graph.js';
import { checkChoice, checkOptions } from '../graph/options.js';
import { formatShape } from '../graph/shape.js';
import type { HostArray, Node, Value, ValueSpec, Variable } from '../graph/value.js';
import { Program, type Environment } from './program.js';
import { Arena, newReal, type Data, type Precision } from './storage.js';

/** Options of {@link CpuExecutor}. */
export interface CpuExecutorOptions {
  /**
   * How numbers are stored: `float32` by default. Arithmetic is in double precision either way, but for the larger
   * products in float32, which are WebAssembly with SIMD where there is such a thing.
   */
  readonly precision?: Precision;
}

const PRECISIONS: readonly string[] = ['float32', 'float64'];

/** Milliseconds of work after which a run lets timers and events through before its promise resolves. */
const BREATHE_AFTER_MS = 20;

/**
 * Runs graphs without a GPU. It interprets the graph, one plain function an operation, so it is what the
 * GPU's kernels, fusion and scheduling are checked against, and what works where there is no WebGPU.
 */
export class CpuExecutor implements Executor {
  readonly kind = 'cpu';
  readonly precision: Precision;
  readonly #variables = new Map<Variable, Data>();
  readonly #plans = new Set<CpuPlan>();
  #disposed = false;
  #lastBreath = performance.now();

  /** @throws ArgumentError for an unknown option or precision */
  constructor(options: CpuExecutorOptions = {}) {
    checkOptions('cpu executor', options, ['precision']);
    const { precision = 'float32' } = options;
    checkChoice('cpu executor', 'precision', precision, PRECISIONS);
    this.precision = precision;
  }

  get description(): string {
    return `cpu ${this.precision}`;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @inheritDoc */
  async compile(graph: Graph): Promise<Plan> {
    this.#alive();
    const plan = new CpuPlan(this, graph, () => this.#plans.delete(plan));
    const begun: Variable[] = [];
    try {
      for (const variable of [...graph.reads.keys(), ...graph.updates.map((update) => update.variable)]) {
        if (!this.#variables.has(variable)) begun.push(variable);
        this.#begin(variable);
      }
    } catch (error) {
      // All of it, or nothing.
      this.release(begun);
      throw error;
    }
    this.#plans.add(plan);
    return plan;
  }

  /** @inheritDoc */
  async read(variable: Variable): Promise<HostArray> {
    this.#alive();
    return this.#begin(variable).slice();
  }

  /** @inheritDoc */
  snapshot(variables: readonly Variable[]): Promise<readonly HostArray[]> {
    return Promise.all(variables.map((variable) => this.read(variable)));
  }

  /** @inheritDoc */
  write(variable: Variable, data: HostArray): void {
    this.#alive();
    const culprit = `variable "${variable.name}"`;
    checkHostArray(culprit, data, variable);
    this.#begin(variable, data);
  }

  /** Frees variables. A plan that uses one then refuses to run; compiling again begins the variable anew. */
  release(variables: Iterable<Variable>): void {
    for (const variable of variables) this.#variables.delete(variable);
  }

  /** Work is done when `run` returns; this lets timers and events through. */
  async synchronize(): Promise<void> {
    this.#alive();
    await this.breathe(0);
  }

  /** Between runs only variables are in use; what plans keep for their next run counts as allocated. */
  memory(): MemoryUsage {
    let bytesInUse = 0;
    for (const data of this.#variables.values()) bytesInUse += data.byteLength;
    let bytesAllocated = bytesInUse;
    for (const plan of this.#plans) bytesAllocated += plan.statistics.bytes;
    return { bytesInUse, bytesAllocated };
  }

  /** @inheritDoc */
  dispose(): void {
    for (const plan of [...this.#plans]) plan.dispose();
    this.#variables.clear();
    this.#disposed = true;
  }

  /** Disposes at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal The array of a variable that a plan uses. */
  storage(variable: Variable): Data {
    const data = this.#variables.get(variable);
    if (data) return data;
    throw new DisposedError({
      culprit: `variable "${variable.name}"`,
      problem: 'was released',
      remedy: 'compile the graph again, which begins the variable anew',
    });
  }

  /** @internal Resolves at once, or after a turn of the event loop when the last was `after` ms ago. */
  async breathe(after = BREATHE_AFTER_MS): Promise<void> {
    if (performance.now() - this.#lastBreath < after) return;
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    this.#lastBreath = performance.now();
  }

  /** The array of a variable, set to `data`; without it, begun from its initial value where it is new. */
  #begin(variable: Variable, data?: HostArray): Data {
    return guardMemory(`variable "${variable.name}"`, () => {
      let stored = this.#variables.get(variable);
      const first = data ?? (stored ? undefined : variable.initialValue());
      if (!stored) {
        const { dtype, size } = variable;
        stored = dtype === 'int32' ? new Int32Array(size) : newReal(this.precision, size);
        this.#variables.set(variable, stored);
      }
      if (first) stored.set(first);
      return stored;
    });
  }

  #alive(): void {
    if (!this.#disposed) return;
    throw new DisposedError({
      culprit: this.description,
      problem: 'was disposed',
      remedy: 'create a new executor',
    });
  }
}

/** A graph on the CPU. */
class CpuPlan implements Plan {
  readonly #executor: CpuExecutor;
  readonly #graph: Graph;
  readonly #program: Program;
  readonly #arena: Arena;
  readonly #inputs: ReadonlyMap<string, Value>;
  readonly #outputs: ReadonlyMap<string, Value>;
  readonly #updates: readonly UpdateDeclaration[];
  readonly #reads: readonly (readonly [Variable, Value])[];
  readonly #history: ReadonlyMap<string, number[]>;
  readonly #onDispose: () => void;
  #disposed = false;

  constructor(executor: CpuExecutor, graph: Graph, onDispose: () => void) {
    this.#executor = executor;
    this.#graph = graph;
    this.#program = new Program(graph);
    this.#arena = new Arena(executor.precision);
    this.#inputs = new Map(graph.inputs.map(({ name, value }) => [name, value]));
    this.#outputs = new Map(graph.outputs.map(({ name, value }) => [name, value]));
    this.#updates = graph.updates;
    this.#reads = [...graph.reads];
    this.#history = new Map(graph.outputs.flatMap(({ name, history }) => (history ? [[name, []]] : [])));
    this.#onDispose = onDispose;
  }

  get #culprit(): string {
    return `plan "${this.#graph.name}"`;
  }

  get statistics(): PlanStatistics {
    return {
      dispatches: this.#program.steps.length,
      submits: 1,
      bytes: this.#arena.bytes,
      flops: this.#program.flops,
    };
  }

  run(feeds: Feeds = {}, options: RunOptions = {}): Promise<RunResult> {
    this.#alive();
    checkRunOptions(this.#culprit, options);
    const environment = guardMemory(this.#culprit, () => this.#feed(feeds));
    const { read = [], history = false } = options;
    for (const name of read) {
      if (this.#outputs.has(name)) continue;
      throw new ArgumentError({
        culprit: `plan "${this.#graph.name}", output "${name}"`,
        problem: 'does not exist',
        remedy: `ask for one of ${[...this.#outputs.keys()].join(', ') || 'none: the graph has no outputs'}`,
      });
    }
    return this.#run(environment, read, history);
  }

  async readHistory(): Promise<RunResult['history']> {
    this.#alive();
    const history = guardMemory(this.#culprit, () => this.#peekHistory());
    for (const kept of this.#history.values()) kept.length = 0;
    return history;
  }

  #alive(): void {
    if (!this.#disposed) return;
    throw new DisposedError({
      culprit: `plan "${this.#graph.name}"`,
      problem: 'was disposed',
      remedy: 'compile the graph again',
    });
  }

  describe(): string {
    const describe = (value: Value | null): string =>
      value ? (value.dtype === 'opaque' ? 'residual' : formatShape(value.shape)) : '-';
    const steps = this.#program.steps.map(({ node, flops }) => {
      const label = node.label ? ` "${node.label}"` : '';
      const inputs = node.inputs.map(describe).join(' ');
      const outputs = node.outputs.map(describe).join(' ');
      const name = `${node.operation.name}${kindOf(node)}${label}`;
      return `${String(node.id).padStart(4)}  ${name}: ${inputs} -> ${outputs}, ${flops} flops`;
    });
    const { dispatches, flops, bytes } = this.statistics;
    return [
      `plan "${this.#graph.name}" on ${this.#executor.description}: ${dispatches} nodes, ${flops} flops, ${bytes} bytes`,
      ...[...this.#inputs].map(
        ([name, value]) => `input "${name}" ${value.dtype}${formatShape(value.shape)}`,
      ),
      ...this.#reads.map(([{ name, dtype, shape }]) => `variable "${name}" ${dtype}${formatShape(shape)}`),
      ...steps,
      ...[...this.#outputs].map(([name, value]) => `output "${name}" ${formatShape(value.shape)}`),
      ...this.#updates.map(({ variable }) => `update "${variable.name}"`),
    ].join('\n');
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#arena.clear();
    this.#onDispose();
  }

  /** Computes at once, so that what the feeds make impossible is thrown before anybody counts the run. */
  #run(environment: Environment, read: readonly string[], wantsHistory: boolean): Promise<RunResult> {
    const given = new Set(environment.keys());
    const dataOf = (value: Value): Data => environment.get(value) as Data;
    // All that may fail comes before anything is changed.
    const compute = () => {
      this.#program.execute(environment, this.#arena);
      const outputs: Record<string, HostArray> = {};
      for (const name of read) outputs[name] = dataOf(this.#outputs.get(name)!).slice();
      // A value that is itself a variable's array is copied first, for that variable may change before it is used.
      const changes = this.#updates.map(({ variable, value }) => {
        const data = dataOf(value);
        return [variable, value.source.kind === 'variable' ? data.slice() : data] as const;
      });
      const history = wantsHistory ? this.#peekHistory((name) => dataOf(this.#outputs.get(name)!)[0]!) : {};
      return { outputs, changes, history };
    };
    let computed: ReturnType<typeof compute>;
    try {
      computed = guardMemory(this.#culprit, compute);
    } catch (error) {
      this.#arena.clear();
      throw error;
    }
    const { outputs, changes, history } = computed;
    for (const [name, kept] of this.#history) {
      kept.push(dataOf(this.#outputs.get(name)!)[0]!);
      if (wantsHistory) kept.length = 0;
      else if (kept.length > HISTORY_CAPACITY) kept.shift();
    }
    for (const [variable, data] of changes) this.#executor.storage(variable).set(data);
    for (const [value, slot] of environment) if (!given.has(value)) this.#arena.release(slot as Data);
    return this.#executor.breathe().then(() => ({ outputs, history }));
  }

  /** What has been kept, and a last number where there is one. */
  #peekHistory(last?: (name: string) => number): RunResult['history'] {
    const lists = [...this.#history].map(([name, kept]) => {
      const numbers = last ? [...kept, last(name)] : kept;
      return [name, Float32Array.from(numbers.slice(-HISTORY_CAPACITY))] as const;
    });
    return Object.fromEntries(lists);
  }

  /** Checks the feeds and begins an environment with them and the variables. */
  #feed(feeds: Feeds): Environment {
    const environment: Environment = new Map();
    const culprit = (name: string): string => `plan "${this.#graph.name}", input "${name}"`;
    for (const name of Object.keys(feeds)) {
      if (this.#inputs.has(name)) continue;
      throw new ShapeError({
        culprit: culprit(name),
        problem: 'is fed but not declared',
        remedy: `feed ${[...this.#inputs.keys()].join(', ') || 'nothing'}`,
      });
    }
    for (const [name, value] of this.#inputs) {
      const feed = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
      if (feed === undefined) {
        throw new ShapeError({
          culprit: culprit(name),
          problem: 'is not fed',
          remedy: `feed ${value.dtype}${formatShape(value.shape)}`,
        });
      }
      environment.set(value, convertFeed(culprit(name), feed, value, this.#executor.precision));
    }
    for (const [variable, value] of this.#reads) environment.set(value, this.#executor.storage(variable));
    for (const { variable } of this.#updates) this.#executor.storage(variable);
    return environment;
  }
}

/** The attribute that tells functions of one operation apart, as ` tanh`. */
function kindOf(node: Node): string {
  const { attributes } = node;
  if (typeof attributes !== 'object' || attributes === null) return '';
  for (const key of ['kind', 'cell']) {
    const value = (attributes as Record<string, unknown>)[key];
    if (typeof value === 'string') return ` ${value}`;
  }
  return '';
}

/** The array of a feed in the executor's precision; one that has it already is used as it is. */
function convertFeed(
  culprit: string,
  feed: Feed,
  spec: ValueSpec & { size: number },
  precision: Precision,
): Data {
  if (typeof feed === 'number') {
    if (spec.size !== 1) {
      throw new ShapeError({
        culprit,
        problem: `got one number, its shape is ${formatShape(spec.shape)}`,
        remedy: `feed an array of ${spec.size} numbers`,
      });
    }
    if (spec.dtype !== 'int32') return newReal(precision, 1).fill(feed);
    if (!Number.isInteger(feed) || feed < -(2 ** 31) || feed >= 2 ** 32) {
      throw new ShapeError({ culprit, problem: `got ${feed}`, remedy: 'feed a whole number of 32 bits' });
    }
    return Int32Array.of(feed);
  }
  if (!(feed instanceof Float32Array || feed instanceof Float64Array || feed instanceof Int32Array)) {
    throw new ShapeError({
      culprit,
      problem: 'is neither a number nor a Float32Array, Float64Array or Int32Array',
      remedy: 'feed numbers on the host: a GPU buffer needs the WebGPU executor',
    });
  }
  checkHostArray(culprit, feed, spec);
  if (feed instanceof Int32Array) return feed;
  const real = newReal(precision, 0);
  if (feed.BYTES_PER_ELEMENT === real.BYTES_PER_ELEMENT) return feed;
  const converted = newReal(precision, feed.length);
  converted.set(feed);
  return converted;
}

function checkHostArray(culprit: string, data: HostArray, spec: ValueSpec & { size: number }): void {
  if (data instanceof Int32Array !== (spec.dtype === 'int32')) {
    throw new ShapeError({
      culprit,
      problem: `got a ${data.constructor.name}, it holds ${spec.dtype}`,
      remedy: spec.dtype === 'int32' ? 'pass an Int32Array' : 'pass a Float32Array or Float64Array',
    });
  }
  if (data.length !== spec.size) {
    throw new ShapeError({
      culprit,
      problem: `got ${data.length} numbers, its shape ${formatShape(spec.shape)} holds ${spec.size}`,
      remedy: 'pass one number an element',
    });
  }
}
