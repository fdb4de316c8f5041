/** What a GPU test is: a named function that throws when the GPU is wrong, free of any test framework. */
import type { CpuExecutor } from '../../src/cpu/executor.js';
import type { DeviceOptions } from '../../src/gpu/device.js';
import type { GpuExecutor } from '../../src/gpu/executor.js';

/** What a case works with. */
export interface GpuContext {
  /** On the adapter under test; shared by the cases of one file, and by none other. */
  readonly executor: GpuExecutor;
  /** A new reference, in float64. */
  readonly reference: () => CpuExecutor;
}

/** And what it may open itself. */
export interface CaseContext extends GpuContext {
  /** Opens another executor on the adapter under test, for this case alone. */
  readonly open: (options?: DeviceOptions) => Promise<GpuExecutor>;
  /** Where adapters come from; what goes wrong on its devices is the case's fault. */
  readonly gpu: GPU;
}

/**
 * One GPU test. Cases run in a browser page, in Node and in other runtimes, so a case uses nothing but
 * the library, its context and `test/support`.
 */
export interface GpuCase {
  /** Unique within its file. */
  readonly name: string;
  /** Throws when something is wrong; the message is shown whole. */
  run(context: CaseContext): Promise<void> | void;
}

/** What each file of `test/gpu/cases/` exports. */
export interface GpuCaseModule {
  readonly cases: readonly GpuCase[];
}
