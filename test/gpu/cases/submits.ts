/** Runs in several submits: the same bits as in one, and the count that statistics tell. */
import { Graph } from '../../../src/graph/graph.js';
import type { GpuCase } from '../case.js';
import { recordTraining, trainingFeeds } from './plans.js';
import { check } from '../check.js';

const [T, B, V, E, H] = [12, 3, 7, 4, 16];
/** Long enough for three submits, whatever the run itself takes. */
const SLOWNESS = 1200;

export const cases: readonly GpuCase[] = [
  {
    name: 'a run that seems to take long is cut, and computes the same',
    async run({ executor }) {
      const { queue } = executor.device;
      const train = async (): Promise<{ submits: number; counted: number; result: string }> => {
        const graph = new Graph('training');
        const variables = recordTraining(graph, T, B, V, E, H);
        const plan = await executor.compile(graph);
        const feeds = trainingFeeds(T, B, V);
        await plan.run(feeds);
        await executor.synchronize();
        let counted = 0;
        const submit = queue.submit.bind(queue);
        queue.submit = (buffers) => {
          counted++;
          submit(buffers);
        };
        const running = plan.run(feeds, { read: ['loss'], history: true });
        Reflect.deleteProperty(queue, 'submit');
        const { outputs, history } = await running;
        const values = await Promise.all(variables.map(async (one) => [...(await executor.read(one))]));
        const { submits } = plan.statistics;
        plan.dispose();
        executor.release(variables);
        return { submits, counted, result: JSON.stringify([values, outputs, history]) };
      };
      const plain = await train();
      check(plain.counted === 1 && plain.submits === 1, `${plain.counted} submits of a quick run`);

      // Queues say that work is done when it is; this one says so later.
      const done = queue.onSubmittedWorkDone.bind(queue);
      queue.onSubmittedWorkDone = async () => {
        await done();
        await new Promise((resolve) => setTimeout(resolve, SLOWNESS));
        return undefined;
      };
      try {
        const cut = await train();
        check(cut.submits >= 3, `statistics tell of ${cut.submits} submits`);
        check(cut.counted === cut.submits, `${cut.counted} submits, ${cut.submits} told of`);
        check(cut.result === plain.result, 'several submits compute something else than one');
      } finally {
        Reflect.deleteProperty(queue, 'onSubmittedWorkDone');
      }
    },
  },
];
