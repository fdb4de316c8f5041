/** Kernels broken on purpose, which show that each trap is sprung; without one they compute as ever. */
import { Graph } from '../../../src/graph/graph.js';
import type { Kernel } from '../../../src/gpu/kernels/kernel.js';
import * as ops from '../../../src/ops/index.js';
import type { GpuCase, GpuContext } from '../../gpu/case.js';
import { setSabotage, type Sabotage } from '../../gpu/harness/traps.js';
import { expectClose } from '../../support/compare.js';

/** A case of a broken kernel, and what the failure says; null where nothing is wrong. */
interface TrapFault {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly says: string | null;
}

const FAULTS: readonly TrapFault[] = [
  {
    name: 'writes one element more',
    from: 'if (i < params.count)',
    to: 'if (i < params.count + 1u)',
    says: 'a kernel wrote out of bounds: plan "trap", square, word 0 behind its end',
  },
  {
    name: 'writes far behind the end',
    from: 'y[i] = apply',
    to: 'y[i + select(0u, 50u, i == 0u)] = apply',
    says: 'a kernel wrote out of bounds: plan "trap", square, word 45 behind its end',
  },
  {
    name: 'reads one element more',
    from: 'x[i]);',
    to: 'x[i + 1u]);',
    says: 'worst at index 4 of 5: got NaN',
  },
  {
    name: 'leaves one element unwritten',
    from: 'if (i < params.count)',
    to: 'if (i < params.count && i != 2u)',
    says: 'worst at index 2 of 5: got NaN',
  },
  { name: 'is as it should be', from: 'y[i] = apply', to: 'y[i]  = apply', says: null },
];

function breaking({ from, to }: TrapFault): Sabotage {
  return (program) => ({
    ...program,
    steps: program.steps.map((step) => {
      if (step.type !== 'dispatch' || step.kernel.name !== 'unary') return step;
      const code = step.kernel.code.replace(from, to);
      if (code === step.kernel.code) throw new Error(`unary.wgsl has no "${from}"`);
      const kernel: Kernel = { ...step.kernel, parts: [{ ...step.kernel.parts[0]!, code }], code };
      return { ...step, kernel };
    }),
  });
}

/** Squares of five numbers. */
async function square({ executor }: GpuContext): Promise<void> {
  const graph = new Graph('trap');
  graph.output('y', ops.square(graph.input('x', [5])));
  const plan = await executor.compile(graph);
  try {
    const { outputs } = await plan.run({ x: Float32Array.of(1, 2, 3, 4, 5) }, { read: ['y'] });
    expectClose(outputs['y']!, [1, 4, 9, 16, 25], 0, 'y');
  } finally {
    plan.dispose();
  }
}

export const cases: readonly GpuCase[] = FAULTS.map((fault) => ({
  name: `a kernel that ${fault.name}`,
  async run(context) {
    setSabotage(breaking(fault));
    let problem: string | null = null;
    try {
      await square(context);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    } finally {
      setSabotage(null);
    }
    if (fault.says === null ? problem !== null : !problem?.includes(fault.says)) {
      throw new Error(`it says ${String(problem)}, not ${String(fault.says)}`);
    }
  },
}));
