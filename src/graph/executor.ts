/** Who runs a graph: the small interface that the CPU reference and the GPU each implement. */
import { ArgumentError, DisposedError } from './errors.js';
import type { Graph } from './graph.js';
import { checkFlag, checkOptions, show } from './options.js';
import type { HostArray, Variable } from './value.js';

/** A GPU buffer of the application's own, by structure, so that these types need no WebGPU types. */
export interface ForeignBuffer {
  readonly size: number;
  readonly usage: number;
  destroy(): unknown;
}

/** What an input may be fed: a number for a scalar, numbers on the host, or a buffer on the same device. */
export type Feed = number | HostArray | ForeignBuffer;

/** One feed an input, by name. */
export type Feeds = Readonly<Record<string, Feed>>;

/** Runs whose history is kept; older ones are lost if nobody has read them. */
export const HISTORY_CAPACITY = 1024;

/** Options of {@link Plan.run}. */
export interface RunOptions {
  /** Names of outputs to bring to the host. None by default: nothing is read back unless asked. */
  readonly read?: readonly string[];
  /**
   * Bring every output declared with `history`, for all runs since it was last asked for, or the last
   * {@link HISTORY_CAPACITY} of them.
   */
  readonly history?: boolean;
}

/** What a run brought to the host. */
export interface RunResult {
  /** The outputs that were asked for, by name. */
  readonly outputs: Readonly<Record<string, HostArray>>;
  /** One array a history output, a number a run since the last reading, oldest first. */
  readonly history: Readonly<Record<string, Float32Array>>;
}

/** Figures of a plan. Bytes and operations are those of one run. */
export interface PlanStatistics {
  readonly dispatches: number;
  readonly submits: number;
  /** Bytes this plan holds on the device, variables apart. */
  readonly bytes: number;
  /** Floating-point operations. */
  readonly flops: number;
}

/** A graph made ready: replaying it creates nothing and decides nothing. */
export interface Plan {
  readonly statistics: PlanStatistics;
  /**
   * Runs once. Work is queued and the promise resolves when what was asked for has arrived: at once
   * when nothing was. Runs take effect in the order of their calls.
   * @throws at once, before anything has changed: ShapeError when a feed is missing, unknown or of the wrong size,
   * ArgumentError when a token or class in it is out of range
   */
  run(feeds?: Feeds, options?: RunOptions): Promise<RunResult>;
  /** The history of the runs since the last reading, without another run. */
  readHistory(): Promise<RunResult['history']>;
  /** A listing for people: what is run, in which order, with sizes. */
  describe(): string;
  /** Frees what the plan holds. Variables live on. */
  dispose(): void;
}

/** Bytes of one executor. */
export interface MemoryUsage {
  /** Bytes that live arrays need. */
  readonly bytesInUse: number;
  /** Bytes allocated, with padding and what is kept for the next run. */
  readonly bytesAllocated: number;
}

/** Something that runs graphs and keeps the values of variables. */
export interface Executor {
  readonly kind: 'cpu' | 'webgpu';
  /** What does the work, for people: `webgpu: SwiftShader …`, `cpu float64`. */
  readonly description: string;
  readonly disposed: boolean;
  /**
   * Milliseconds between two snapshots that a training takes, so that it can go back to one when the device is
   * lost; absent where it had nothing to go on with.
   */
  readonly snapshotPeriod?: number | undefined;
  /** Makes a graph ready to run. Variables are allocated and begun here if they are new to this executor. */
  compile(graph: Graph): Promise<Plan>;
  /** The value of a variable, after all runs queued so far. */
  read(variable: Variable): Promise<HostArray>;
  /**
   * The values of several variables, all of one moment: after all runs queued so far. Where a device may be lost,
   * they are kept on the host for as long as nothing changes them there. The arrays must not be changed.
   */
  snapshot(variables: readonly Variable[]): Promise<readonly HostArray[]>;
  /** Sets a variable, after all runs queued so far. */
  write(variable: Variable, data: HostArray): void;
  /** Frees variables that no plan will use again. */
  release(variables: Iterable<Variable>): void;
  /** Resolves when all queued work has finished; after the loss of a device, when another has taken its place. */
  synchronize(): Promise<void>;
  memory(): MemoryUsage;
  /** Frees everything; plans and variables of this executor are gone. */
  dispose(): void;
}

/** Throws unless these are options of a call that reads outputs: `known` ones, and `read` a list. */
export function checkRunOptions(
  culprit: string,
  options: RunOptions,
  known: readonly string[] = ['read', 'history'],
): void {
  checkOptions(culprit, options, known);
  const { read = [], history = false } = options;
  checkFlag(culprit, 'history', history);
  if (Array.isArray(read)) return;
  throw new ArgumentError({ culprit, problem: `read is ${show(read)}`, remedy: 'pass an array of names' });
}

/** Throws unless this is an executor that has not been disposed. */
export function checkExecutor(culprit: string, executor: Executor | null | undefined): void {
  if (typeof executor?.compile !== 'function') {
    throw new ArgumentError({
      culprit,
      problem: 'executor is missing',
      remedy: 'pass what createExecutor() gives',
    });
  }
  if (!executor.disposed) return;
  throw new DisposedError({
    culprit,
    problem: 'its executor was disposed',
    remedy: 'create a new executor',
  });
}
