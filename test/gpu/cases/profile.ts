/** Profiles: a run like any other, every dispatch counted once, on the device's clock and on the host's. */
import type { GpuExecutor } from '../../../src/gpu/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import type { GpuCase } from '../case.js';
import { recordTraining, trainingFeeds } from './plans.js';
import { check } from '../check.js';

const [T, B, V, E, H] = [12, 3, 7, 4, 16];

/** Three steps, the second of them profiled or not; every variable afterwards, and the profile. */
async function train(executor: GpuExecutor, profiled: boolean) {
  const graph = new Graph('training');
  const variables = recordTraining(graph, T, B, V, E, H);
  const plan = await executor.compile(graph);
  const feeds = trainingFeeds(T, B, V);
  await plan.run(feeds);
  const entries = profiled ? await plan.profile(feeds) : [];
  if (!profiled) await plan.run(feeds);
  await plan.run(feeds);
  const values = await Promise.all(variables.map(async (variable) => [...(await executor.read(variable))]));
  const { statistics } = plan;
  plan.dispose();
  executor.release(variables);
  return { entries, statistics, values: JSON.stringify(values) };
}

async function checkProfile(executor: GpuExecutor): Promise<void> {
  const plain = await train(executor, false);
  const { entries, statistics, values } = await train(executor, true);
  check(values === plain.values, 'a profiled run changes variables otherwise than a run');
  const kernels = entries.filter(({ kernel }) => kernel !== '(copy)');
  const dispatches = kernels.reduce((sum, { count }) => sum + count, 0);
  check(dispatches === statistics.dispatches, `${dispatches} dispatches, not ${statistics.dispatches}`);
  const flops = entries.reduce((sum, entry) => sum + entry.flops, 0);
  check(flops > 0 && flops <= statistics.flops, `${flops} operations of ${statistics.flops}`);
  const names = entries.map(({ kernel, label }) => `${kernel} ${label}`);
  check(new Set(names).size === names.length, `some are listed twice: ${names.join()}`);
  for (const { kernel, bytes, milliseconds } of entries) {
    check(milliseconds >= 0 && milliseconds < 60_000, `${kernel} took ${milliseconds} ms`);
    check(bytes > 0 || kernel === '(packing)', `${kernel} moves ${bytes} bytes`);
  }
  const total = entries.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  check(total > 0, 'nothing took any time');
}

export const cases: readonly GpuCase[] = [
  {
    name: 'on the clock of the host, where the device has no timestamps',
    async run({ executor }) {
      check(!executor.device.features.has('timestamp-query'), 'timestamps were not asked for');
      await checkProfile(executor);
    },
  },
  {
    name: 'on the clock of the device',
    async run({ open }) {
      const executor = await open({ timestamps: true });
      check(executor.device.features.has('timestamp-query'), 'the adapter has no timestamps');
      await checkProfile(executor);
    },
  },
];
