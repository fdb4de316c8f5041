/** The page that the race happens in: holds the contenders and times them, told by the runner what to do. */
import type { Contender, CreateContender, Sample } from '../contender.js';
import { createOwn } from '../own/contender.js';
import { createOwnTraining } from '../own/training.js';
import type { KernelTime } from '../profile-report.js';
import type { TrainingWorkload, Workload } from '../workloads.js';
import { countFor, gpuUse, watchGpu } from './gpu-use.js';

declare global {
  interface Window {
    bench?: {
      /** Makes a contender and does its first unit of work. `module` is a file of `peers/`, or `own`. */
      begin(name: string, module: string, backend: string, workload: Workload): Promise<Sample>;
      run(name: string, units: number): Promise<Sample>;
      dispose(name: string): Promise<void>;
      /** Where the time of our training step goes: so many profiles. */
      profile(workload: TrainingWorkload, times: number): Promise<ProfileRun>;
    };
  }
}

/** Profiles of one training step. */
export interface ProfileRun {
  readonly description: string;
  /** Milliseconds of whole steps, each a run of its own. */
  readonly steps: readonly number[];
  readonly profiles: readonly (readonly KernelTime[])[];
}

watchGpu();

const contenders = new Map<string, Contender>();

async function createOf(module: string): Promise<CreateContender> {
  if (module === 'own') return createOwn;
  const { createContender } = (await import(`../peers/${module}.ts`)) as { createContender: CreateContender };
  return createContender;
}

async function timed(
  name: string,
  contender: Contender,
  units: number,
  work: () => Promise<readonly number[]>,
): Promise<Sample> {
  countFor(name);
  const began = performance.now();
  const values = await work();
  const milliseconds = performance.now() - began;
  return { milliseconds, units, values, gpu: gpuUse(), description: contender.description };
}

window.bench = {
  async begin(name, module, backend, workload) {
    const create = await createOf(module);
    countFor(name);
    // Loading the library's code is not counted; making models from it is.
    const contender = await create(backend, workload);
    contenders.set(name, contender);
    return timed(name, contender, 1, () => contender.begin());
  },
  async run(name, units) {
    const contender = contenders.get(name)!;
    return timed(name, contender, units, () => contender.run(units));
  },
  async dispose(name) {
    countFor(name);
    await contenders.get(name)?.dispose();
    contenders.delete(name);
  },
  async profile(workload, times) {
    const contender = createOwnTraining(workload, { timestamps: true });
    try {
      await contender.begin();
      await contender.run(3);
      const steps: number[] = [];
      const profiles: KernelTime[][] = [];
      for (let time = 0; time < times; time++) {
        const began = performance.now();
        await contender.run(1);
        steps.push(performance.now() - began);
        profiles.push(await contender.profile());
      }
      return { description: contender.description, steps, profiles };
    } finally {
      await contender.dispose();
    }
  },
};
