/** The self-test of WebGPU: brings both executors together, and what is computed in `src/gpu/self-test/`. */
import { ArgumentError, fetched } from './graph/errors.js';
import type { Executor } from './graph/executor.js';
import type { DeviceOptions } from './gpu/device.js';
import type { SelfTestReport, SelfTestSettings } from './gpu/self-test/self-test.js';

/** Options of {@link selfTest}; those of a device where no executor is given. */
export interface SelfTestOptions extends SelfTestSettings, DeviceOptions {
  /** What to test, and what then leaves out what is wrong. By default one that is opened for this test alone. */
  readonly executor?: Executor | undefined;
}

/**
 * Tells whether WebGPU computes correctly here: small shapes of every variant of every kernel, against the reference
 * on the CPU in float64. A variant that is wrong, or does not compile, is left out by the executor from then on, and
 * by others with the same `tuningStore`: others take its place, and where there is none, compiling what needs it
 * throws a ShaderError. Plans keep the variants they have: test before compiling.
 * @throws DeviceError where WebGPU is missing, or the device is lost; AbortError when the signal says so; ArgumentError
 * for an executor without a GPU, or an unknown operation; FetchError where the test cannot be downloaded
 */
export async function selfTest(options: SelfTestOptions = {}): Promise<SelfTestReport> {
  const [{ CpuExecutor }, { GpuExecutor }, { runSelfTest }] = await fetched('the self-test', () =>
    Promise.all([
      import('./cpu/executor.js'),
      import('./gpu/executor.js'),
      import('./gpu/self-test/self-test.js'),
    ]),
  );
  const { executor: given, operations, thorough, signal, onProgress, ...device } = options;
  const executor = given ?? (await GpuExecutor.create(device));
  if (!(executor instanceof GpuExecutor)) {
    throw new ArgumentError({
      culprit: 'selfTest',
      problem: `the executor is ${executor.description}`,
      remedy: 'pass one on WebGPU, or none',
    });
  }
  const reference = new CpuExecutor({ precision: 'float64' });
  try {
    return await runSelfTest(executor, reference, { operations, thorough, signal, onProgress });
  } finally {
    reference.dispose();
    if (!given) executor.dispose();
  }
}
