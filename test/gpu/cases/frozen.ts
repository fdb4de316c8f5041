/** Trained networks token by token: WebGPU against the plain loops, over awkward sizes, and what is freed. */
import { CpuFrozenRunner } from '../../../src/cpu/frozen.js';
import type { FrozenReader } from '../../../src/graph/frozen.js';
import { GpuFrozenRunner } from '../../../src/gpu/frozen.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';
import { createFrozenNetwork, type FrozenSizes } from '../frozen-network.js';

/** Reads some tokens, asking for the logits of some only. */
async function read(reader: FrozenReader, V: number): Promise<number[]> {
  const logits: number[] = [];
  for (let t = 0; t < 7; t++) {
    const token = (t * 5 + 3) % V;
    if (t % 3 === 1) reader.advance(token);
    else logits.push(...Array.from(await reader.predict(token)));
  }
  await reader.synchronize();
  return logits;
}

const SIZES: readonly FrozenSizes[] = [
  { V: 1, E: 1, H: 1, L: 1 },
  { V: 5, E: 3, H: 64, L: 2 },
  { V: 67, E: 65, H: 131, L: 1 },
  { V: 11, E: 70, H: 13, L: 3 },
];

const KINDS = [
  ['lstm', 'tanh'],
  ['gru', 'tanh'],
  ['rnn', 'tanh'],
  ['rnn', 'relu'],
] as const;

export const cases: readonly GpuCase[] = [
  ...KINDS.flatMap(([cell, nonlinearity]) =>
    SIZES.map((sizes): GpuCase => ({
      name: `${cell} ${nonlinearity}, V ${sizes.V}, E ${sizes.E}, H ${sizes.H}, L ${sizes.L}`,
      async run({ executor }) {
        const network = createFrozenNetwork(cell, nonlinearity, sizes);
        const runner = await GpuFrozenRunner.create(network, { device: executor.device });
        const wanted = await read(new CpuFrozenRunner(network).start(), sizes.V);
        expectClose(await read(runner.start(), sizes.V), wanted, TOLERANCES.result, 'logits');
        runner.dispose();
      },
    })),
  ),
  {
    name: 'readers have states of their own, and begin with zeros',
    async run({ executor }) {
      const network = createFrozenNetwork('lstm', 'tanh', { V: 9, E: 4, H: 20, L: 2 });
      const runner = await GpuFrozenRunner.create(network, { device: executor.device });
      const first = runner.start();
      const before = await read(first, 9);
      const [a, b] = await Promise.all([read(runner.start(), 9), read(runner.start(), 9)]);
      expectClose(a, before, TOLERANCES.exact, 'first beside second');
      expectClose(b, before, TOLERANCES.exact, 'second beside first');
      first.dispose();
      expectClose(await read(runner.start(), 9), before, TOLERANCES.exact, 'after one was freed');
      runner.dispose();
      try {
        runner.start();
      } catch {
        return;
      }
      throw new Error('a disposed runner starts a reader');
    },
  },
];
