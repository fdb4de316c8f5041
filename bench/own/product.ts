/** Products of two matrices by the kernel that this project chooses for them. */
import { Graph, GpuExecutor, matmul, Variable, type Plan } from '../../src/index.js';
import type { Contender } from '../contender.js';
import { createFactors } from '../data.js';
import type { ProductWorkload } from '../workloads.js';

/** Makes the contender. Its unit of work is `count` products, in one submit. */
export function createOwnProduct(workload: ProductWorkload): Contender {
  const { m, k, n, count } = workload;
  let executor: GpuExecutor | null = null;
  let plan: Plan | null = null;

  async function begin(): Promise<number[]> {
    executor = await GpuExecutor.create({ powerPreference: 'high-performance' });
    const { left, right } = createFactors(workload);
    const graph = new Graph('products');
    const b = new Variable({ name: 'b', shape: [k, n], initial: () => right });
    for (let index = 0; index < count; index++) {
      const a = new Variable({ name: `a ${index}`, shape: [m, k], initial: () => left });
      graph.output(`c ${index}`, matmul(graph.read(a), graph.read(b)));
    }
    plan = await executor.compile(graph);
    const name = `c ${count - 1}`;
    const { outputs } = await plan.run({}, { read: [name] });
    const c = outputs[name]!;
    return [c[0]!, c[n - 1]!, c[m * n - 1]!];
  }

  return {
    begin,
    async run(units) {
      for (let unit = 0; unit < units; unit++) await plan!.run();
      await executor!.synchronize();
      return [];
    },
    async dispose() {
      plan?.dispose();
      executor?.dispose();
    },
    get description() {
      return executor?.description ?? '';
    },
  };
}
