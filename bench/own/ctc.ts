/** CTC: the loss of logits and its gradient. */
import {
  ctcLoss,
  Graph,
  gradients,
  GpuExecutor,
  sum,
  square,
  Variable,
  type Feeds,
  type Plan,
} from '../../src/index.js';
import type { Contender } from '../contender.js';
import { createCtcData } from '../data.js';
import type { CtcWorkload } from '../workloads.js';

/** Makes the contender. Its unit of work is a loss and its gradient. */
export function createOwnCtc(workload: CtcWorkload): Contender {
  const { batchSize: B, sequenceLength: T, classes: C, labels: S } = workload;
  const data = createCtcData(workload);
  const feeds: Feeds = {
    labels: data.labels,
    inputLengths: data.inputLengths,
    labelCounts: data.labelCounts,
  };
  let executor: GpuExecutor | null = null;
  let plan: Plan | null = null;

  async function begin(): Promise<number[]> {
    executor = await GpuExecutor.create({ powerPreference: 'high-performance' });
    const graph = new Graph('ctc');
    const scores = graph.read(new Variable({ name: 'scores', shape: [T, B, C], initial: () => data.scores }));
    const loss = ctcLoss(
      scores,
      graph.input('labels', [B, S], 'int32'),
      graph.input('inputLengths', [B], 'int32'),
      graph.input('labelCounts', [B], 'int32'),
      { fromLogits: true },
    );
    const [gradient] = gradients(loss, [scores]);
    graph.output('loss', loss);
    graph.output('squares', sum(square(gradient!)));
    plan = await executor.compile(graph);
    return run(1);
  }

  async function run(units: number): Promise<number[]> {
    for (let unit = 1; unit < units; unit++) await plan!.run(feeds);
    const { outputs } = await plan!.run(feeds, { read: ['loss', 'squares'] });
    return [outputs['loss']![0]!, outputs['squares']![0]!];
  }

  return {
    begin,
    run,
    async dispose() {
      plan?.dispose();
      executor?.dispose();
    },
    get description() {
      return executor?.description ?? '';
    },
  };
}
