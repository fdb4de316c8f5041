/** What is raced: one interface for this project and its peers, in whatever process each of them runs. */
import type { Workload } from './workloads.js';

/** A tensor on the host. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** One program, of ours or a peer's, that does the work of one workload. */
export interface Contender {
  /**
   * Opens devices, makes the model from the given weights and does the first unit of work, waiting for its
   * result.
   * @returns the numbers that all contenders must agree on: the loss, or a few outputs
   */
  begin(): Promise<readonly number[]>;
  /** Does so many units of work, waits for the last one, and returns its numbers. */
  run(units: number): Promise<readonly number[]>;
  /** Frees what can be freed. */
  dispose(): Promise<void>;
  /** What it runs on, for people; known after `begin`. */
  readonly description: string;
}

/** Makes contenders of one library; a module in `peers/` exports one. */
export type CreateContender = (backend: string, workload: Workload) => Promise<Contender>;

/** Calls into WebGPU during some units of work, and what is allocated after them. */
export interface GpuUse {
  readonly dispatches: number;
  readonly submits: number;
  /** GPU objects that calls returned, encoders, passes and command buffers among them. */
  readonly objects: number;
  /** Bytes of all buffers created and not destroyed. */
  readonly bytes: number;
}

/** One measurement. */
export interface Sample {
  readonly milliseconds: number;
  readonly units: number;
  readonly values: readonly number[];
  /** Null where WebGPU is not seen: in other processes, and for peers on WebAssembly. */
  readonly gpu: GpuUse | null;
  readonly description: string;
}

/** A contender as the race sees it: maybe in a page, maybe in another process. */
export interface Entrant {
  readonly name: string;
  begin(workload: Workload): Promise<Sample>;
  run(units: number): Promise<Sample>;
  dispose(): Promise<void>;
}
