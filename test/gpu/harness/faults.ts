/** Cases that must fail: they prove that the harness sees each kind of fault, and the last one that it recovers. */
import { Graph } from '../../../src/graph/graph.js';
import type { Executor } from '../../../src/graph/executor.js';
import { add } from '../../../src/ops/binary.js';
import { expectClose } from '../../support/compare.js';
import type { GpuCase } from '../case.js';

/** A case, and what its failure must say; null for one that passes. */
export interface Fault extends GpuCase {
  readonly says: string | null;
}

export const cases: readonly Fault[] = [
  {
    name: 'a wrong number',
    says: 'y: error 1.43e-1, tolerance 1.00e-6; worst at index 2 of 3: got 5, expected 6',
    run: async ({ executor }) => void expectClose(await addTwo(executor), [3, 4, 6], 1e-6, 'y'),
  },
  {
    name: 'a number that is not finite',
    says: 'a number that is not finite, tolerance 1.00e-6; worst at index 1 of 2: got NaN, expected NaN',
    run: () => void expectClose([1, NaN], [1, NaN], 1e-6, 'y'),
  },
  {
    name: 'a GPU error that nobody catches',
    says: 'uncaptured GPU error:',
    run({ executor }) {
      // All usages at once: no buffer may have them.
      executor.device.createBuffer({ size: 4, usage: 0xffff });
    },
  },
  {
    name: 'a lost device',
    says: 'lost',
    async run({ executor }) {
      executor.device.destroy();
      await addTwo(executor);
    },
  },
  {
    name: 'and after all these, the right numbers',
    says: null,
    run: async ({ executor, reference }) =>
      void expectClose(await addTwo(executor), await addTwo(reference()), 0, 'y'),
  },
];

async function addTwo(executor: Executor): Promise<ArrayLike<number>> {
  const graph = new Graph('add two');
  graph.output('y', add(graph.input('x', [3]), 2));
  const plan = await executor.compile(graph);
  const { outputs } = await plan.run({ x: new Float32Array([1, 2, 3]) }, { read: ['y'] });
  plan.dispose();
  return outputs['y']!;
}
