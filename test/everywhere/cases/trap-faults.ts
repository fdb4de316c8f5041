/** Kernels broken on purpose, which show that each trap is sprung; without one they compute as ever. */
import { Graph } from '../../../src/graph/graph.js';
import type { Feeds } from '../../../src/graph/executor.js';
import { Variable } from '../../../src/graph/value.js';
import type { Kernel } from '../../../src/gpu/kernels/kernel.js';
import type { Step } from '../../../src/gpu/program.js';
import { Linear } from '../../../src/nn/linear.js';
import { RNN } from '../../../src/nn/recurrent.js';
import { SGD } from '../../../src/optim/sgd.js';
import { Trainer } from '../../../src/train/trainer.js';
import * as ops from '../../../src/ops/index.js';
import type { GpuCase, GpuContext } from '../../gpu/case.js';
import { setSabotage, type Sabotage } from '../../gpu/harness/traps.js';
import { expectClose } from '../../support/compare.js';

/** A case of a broken kernel, and what the failure says; null where nothing is wrong. */
interface TrapFault {
  readonly name: string;
  /** What is computed; by default, the squares of an input. */
  readonly work?: (context: GpuContext) => Promise<void>;
  /** Which kernel is broken; `unary` by default. */
  readonly kernel?: string;
  readonly from: string;
  readonly to: string;
  /** Another text to replace, and by what. */
  readonly also?: readonly [from: string, to: string];
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
  {
    name: 'reads a parameter that it is not given',
    from: 'kind: u32,\n}',
    to: 'kind: u32,\n  more: f32,\n}\nfn given(v: f32) -> f32 { return v + params.more; }',
    also: ['apply(params.kind, x[i])', 'given(apply(params.kind, x[i]))'],
    says: 'worst at index 0 of 5: got NaN',
  },
  {
    name: 'reads behind a variable',
    work: squareOfVariable,
    from: 'x[i]);',
    to: 'x[i + 1u]);',
    says: 'worst at index 4 of 5: got NaN',
  },
  {
    name: 'writes behind a variable',
    work: learn,
    kernel: 'optimizer_update_sgd',
    from: 'parameters[i] = p - learning_rate * g;',
    to: 'parameters[i] = p - learning_rate * g; parameters[params.quads] = p;',
    says: 'a kernel wrote out of bounds: plan "trap", all parameters, word 0 behind its end',
  },
  {
    name: 'reads behind a scalar',
    work: squareOfScalar,
    from: 'x[i]);',
    to: 'x[i + 1u]);',
    says: 'worst at index 0 of 1: got NaN',
  },
  {
    name: 'writes behind a packed copy',
    work: runLayer,
    kernel: 'strided_copy',
    from: 'dot(index, params.y_stride)] = value;',
    to: 'dot(index, params.y_stride)] = value; y[arrayLength(&y) - 1u] = 7u;',
    says: 'behind its end',
  },
  { name: 'is as it should be', from: 'y[i] = apply', to: 'y[i]  = apply', says: null },
];

function breaking({ kernel: broken = 'unary', from, to, also = ['', ''] }: TrapFault): Sabotage {
  const sabotage = <S extends Step>(step: S): S => {
    if (step.type !== 'dispatch' || step.kernel.name !== broken) return step;
    const code = step.kernel.code.replace(from, to).replace(...also);
    if (code === step.kernel.code) throw new Error(`${broken}.wgsl has no "${from}"`);
    const kernel: Kernel = { ...step.kernel, parts: [{ ...step.kernel.parts[0]!, code }], code };
    return { ...step, kernel };
  };
  return (program) => ({
    ...program,
    packings: program.packings.map(({ storage, steps }) => ({ storage, steps: steps.map(sabotage) })),
    steps: program.steps.map(sabotage),
  });
}

const NUMBERS = Float32Array.of(1, 2, 3, 4, 5);

/** Runs what is recorded, and compares its output, if it has one. */
async function compute(
  { executor }: GpuContext,
  graph: Graph,
  feeds: Feeds,
  expected: readonly number[] | null,
): Promise<void> {
  const plan = await executor.compile(graph);
  try {
    const { outputs } = await plan.run(feeds, { read: expected ? ['y'] : [] });
    if (expected) expectClose(outputs['y']!, expected, 0, 'y');
  } finally {
    plan.dispose();
    executor.release(graph.reads.keys());
  }
}

/** Squares of five numbers. */
async function square(context: GpuContext): Promise<void> {
  const graph = new Graph('trap');
  graph.output('y', ops.square(graph.input('x', [5])));
  await compute(context, graph, { x: NUMBERS }, [1, 4, 9, 16, 25]);
}

function squareOfScalar(context: GpuContext): Promise<void> {
  const graph = new Graph('trap');
  graph.output('y', ops.square(graph.input('x', [1])));
  return compute(context, graph, { x: 3 }, [9]);
}

function squareOfVariable(context: GpuContext): Promise<void> {
  const graph = new Graph('trap');
  const kept = new Variable({ name: 'kept', shape: [5], initial: () => NUMBERS.slice() });
  graph.output('y', ops.square(graph.read(kept)));
  return compute(context, graph, {}, [1, 4, 9, 16, 25]);
}

/** One step of two parameters. */
async function learn({ executor }: GpuContext): Promise<void> {
  const layer = new Linear({ inputSize: 3, outputSize: 2, seed: 1 });
  const trainer = new Trainer({
    executor,
    parameters: layer,
    optimizer: new SGD({ learningRate: 0.1 }),
    record: (_, { x }) => ops.mean(layer.forward(x!)),
    name: 'trap',
  });
  try {
    await trainer.step({ x: { shape: [1, 3], data: new Float32Array(3) } }, { read: ['loss'] });
  } finally {
    trainer.dispose();
    executor.release(layer.parameters());
  }
}

/** A layer, whose weights are packed. */
async function runLayer(context: GpuContext): Promise<void> {
  const graph = new Graph('trap');
  const layer = new RNN({ inputSize: 3, hiddenSize: 5, seed: 1 });
  graph.output('y', layer.forward(graph.input('x', [2, 1, 3])).output);
  await compute(context, graph, { x: new Float32Array(6) }, null);
}

export const cases: readonly GpuCase[] = FAULTS.map((fault) => ({
  name: `a kernel that ${fault.name}`,
  async run(context) {
    setSabotage(breaking(fault));
    let problem: string | null = null;
    try {
      await (fault.work ?? square)(context);
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
