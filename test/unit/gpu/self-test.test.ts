/** The self-test's graphs: they run every kernel, and each tries what it says. */
import { describe, expect, test, vi } from 'vitest';
import type { WeightPrecision } from '../../../src/gpu/device.js';
import { KERNELS } from '../../../src/gpu/kernels/index.js';
import { lowerGraph, prepareGraph } from '../../../src/gpu/lower/index.js';
import type { Program } from '../../../src/gpu/program.js';
import { selfTestGraphs } from '../../../src/gpu/self-test/checks.js';
import { Exercise } from '../../../src/gpu/self-test/exercise.js';
import { ArgumentError, CpuExecutor, DeviceError, selfTest } from '../../../src/index.js';

/** Kernels of all variants of all graphs, on an adapter of this kind. */
async function kernelsOf(
  thorough: boolean,
  software: boolean,
  weightPrecision: WeightPrecision = 'float32',
): Promise<Set<string>> {
  const skipped = thorough ? /$^/ : /^persistent, \d+ rows$/;
  const kernels = new Set<string>();
  for (const { record, family } of selfTestGraphs(thorough)) {
    const exercise = new Exercise();
    record(exercise);
    const graph = await prepareGraph(exercise.graph);
    const lower = (decisions: Record<string, string>): Program => {
      const known = new Map(Object.entries(decisions));
      const settings = { software, subgroups: software, decisions: known, weightPrecision };
      const { program } = lowerGraph(graph, Infinity, settings);
      for (const step of [...program.packings.flatMap((packing) => packing.steps), ...program.steps]) {
        if (step.type === 'dispatch') kernels.add(step.kernel.name);
      }
      return program;
    };
    const { choices } = lower({});
    const sites = choices.filter((site) => family !== null && site.family.startsWith(family));
    expect(new Set(sites.map((site) => site.family)).size, 'one place a family').toBe(sites.length);
    for (const { id, variants } of sites)
      for (const { name } of variants) if (!skipped.test(name)) lower({ [id]: name });
  }
  return kernels;
}

const without = (tried: ReadonlySet<string>): string[] =>
  KERNELS.map(({ name }) => name).filter((name) => !tried.has(name));

describe('the self-test', () => {
  test(
    'runs every kernel of the executor, on one kind of adapter and with one precision or the other',
    { timeout: 60_000 },
    async () => {
      const tried = new Set([...(await kernelsOf(true, true)), ...(await kernelsOf(true, false, 'float16'))]);
      // The entry for inference has an executor of its own.
      expect(without(tried)).toEqual(['frozen_step', 'frozen_step_float16']);
    },
  );

  test.each([true, false])(
    'runs, in short, what usual models need; on the processor: %j',
    async (software) => {
      const unusual =
        /_options|_norm_|_project|_before|ctc_|correct_top_k|generate_logits|_float16|frozen|optimizer_update_/;
      const tried = await kernelsOf(false, software);
      // Tiles that no GPU is offered, and those that are left to tuning.
      const other = software ? /_persistent_(8|16)$/ : /_16$|_persistent_(8|16)$|_together_/;
      for (const name of without(tried)) if (!other.test(name)) expect(name).toMatch(unusual);
      const cells = ['lstm', 'gru', 'rnn'].flatMap((cell) => [
        `recurrent_${cell}_forward_persistent_1`,
        `recurrent_${cell}_backward_persistent_1`,
        `generate_${cell}`,
      ]);
      for (const name of [
        ...cells,
        'optimizer_update_adam',
        'sample_token',
        'sample_token_cut',
        'recurrent_output',
      ])
        expect(tried).toContain(name);
    },
  );

  test('needs WebGPU', async () => {
    vi.stubGlobal('navigator', {});
    await expect(selfTest()).rejects.toThrow(DeviceError);
    vi.unstubAllGlobals();
    const executor = new CpuExecutor();
    await expect(selfTest({ executor })).rejects.toThrow(/selfTest: the executor is cpu float32; pass one/);
    await expect(selfTest({ executor })).rejects.toThrow(ArgumentError);
  });
});
