/** Shaders that do not compile: another variant is taken where there is one, else the error says where it lies. */
import { GpuExecutor } from '../../../src/gpu/executor.js';
import { ShaderError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';
import { randomArray } from '../compare-executors.js';
import { breaking, withShaders } from '../replaced-shaders.js';

const [M, K, N] = [17, 9, 18];

/** A product with a weight that is a variable, and its softmax. */
function recordProduct(): { graph: Graph; weight: Variable } {
  const graph = new Graph('product');
  const weight = new Variable({ name: 'weight', shape: [K, N], initial: () => randomArray(K * N, 2) });
  graph.output('y', ops.softmax(ops.matmul(graph.input('x', [M, K]), graph.read(weight))));
  return { graph, weight };
}

async function rejection(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** Throws unless the error is a `ShaderError` that says all of these. */
function expectShaderError(error: unknown, ...texts: readonly string[]): void {
  if (!(error instanceof ShaderError)) throw new Error(`not a ShaderError: ${String(error)}`);
  for (const text of texts) {
    if (!error.message.includes(text)) throw new Error(`does not say ${text}: ${error.message}`);
  }
}

/** Both kernels of one file: without subgroups, and with. */
const SIXTEEN = ['matmul_16x16', 'matmul_together_16x16'];

export const cases: readonly GpuCase[] = [
  {
    name: 'a variant that does not compile is replaced by the next, and not tried again',
    async run({ executor: { device }, reference }) {
      const created = new Map<string, number>();
      const executor = await GpuExecutor.create({
        device: withShaders(device, breaking(...SIXTEEN, 'matmul'), created),
      });
      const { graph } = recordProduct();
      const feeds = { x: randomArray(M * K, 1) };
      const cpu = reference();
      const expected = await (await cpu.compile(graph)).run(feeds, { read: ['y'] });
      const plan = await executor.compile(graph);
      const { outputs } = await plan.run(feeds, { read: ['y'] });
      expectClose(outputs['y']!, expected.outputs['y']!, TOLERANCES.result, 'y');
      const [site] = plan.choices;
      if (site!.chosen !== 'shared') throw new Error(`took ${site!.chosen}`);
      const other = new Graph('other');
      other.output('y', ops.matmul(other.input('a', [40, 41]), other.input('b', [41, 42])));
      const decisions = { [`matmul 40x42x41 41 42 42`]: '16x16' };
      const again = await executor.compile(other, { decisions });
      if (again.choices[0]!.chosen !== 'shared') throw new Error(`took ${again.choices[0]!.chosen} then`);
      for (const name of ['matmul_16x16', 'matmul']) {
        if (created.get(name) !== 1) throw new Error(`${name} was compiled ${created.get(name) ?? 0} times`);
      }
      executor.dispose();
      cpu.dispose();
    },
  },
  {
    name: 'where no variant compiles, the error names them all with file and line, and nothing stays allocated',
    async run({ executor: { device } }) {
      const broken = breaking(...SIXTEEN, 'matmul', 'matmul_shared');
      const executor = await GpuExecutor.create({ device: withShaders(device, broken) });
      const before = executor.memory().bytesAllocated;
      const error = await rejection(executor.compile(recordProduct().graph));
      expectShaderError(
        error,
        'matmul 17x18x9',
        'no variant works on this adapter',
        '16x16: kernel "matmul_16x16": did not compile: matmul_16x16.wgsl:3',
        '8x8: kernel "matmul": did not compile: matmul.wgsl:3',
        'shared: kernel "matmul_shared": did not compile: matmul_shared.wgsl:3',
        'no_such_value',
      );
      const { bytesAllocated } = executor.memory();
      if (bytesAllocated !== before) throw new Error(`${bytesAllocated - before} bytes stayed`);
      executor.dispose();
    },
  },
  {
    name: 'a kernel without variants that does not compile is named with file and line, and nothing stays allocated',
    async run({ executor: { device } }) {
      const executor = await GpuExecutor.create({ device: withShaders(device, breaking('softmax')) });
      const { graph, weight } = recordProduct();
      const error = await rejection(executor.compile(graph));
      expectShaderError(error, 'kernel "softmax": did not compile: softmax.wgsl:3', 'no_such_value', ' in "');
      if (executor.memory().bytesAllocated !== 0) {
        throw new Error(`${executor.memory().bytesAllocated} bytes stayed`);
      }
      // What needs no softmax goes on.
      const values = await executor.read(weight);
      expectClose(values, randomArray(K * N, 2), TOLERANCES.exact, 'weight');
      executor.dispose();
    },
  },
  {
    name: 'tuning goes round variants that do not compile, the default among them',
    async run({ executor: { device } }) {
      const created = new Map<string, number>();
      const broken = breaking(...SIXTEEN, 'matmul_shared');
      const executor = await GpuExecutor.create({
        device: withShaders(device, broken, created),
        tuning: 'first',
      });
      const plan = await executor.compile(recordProduct().graph);
      const { outputs } = await plan.run({ x: randomArray(M * K, 1) }, { read: ['y'] });
      if (plan.choices[0]!.chosen !== '8x8') throw new Error(`took ${plan.choices[0]!.chosen}`);
      const sum = (outputs['y'] as Float32Array).reduce((total, value) => total + value, 0);
      expectClose([sum], [M], TOLERANCES.result, 'sum of the rows');
      executor.dispose();
    },
  },
];
