/** Tuning: wrong variants are found and never taken, what was found is remembered, and an exchange changes no bit. */
import { BufferPool } from '../../../src/gpu/buffers.js';
import { GpuExecutor } from '../../../src/gpu/executor.js';
import type { Decisions } from '../../../src/gpu/lower/choice.js';
import { LoweringContext } from '../../../src/gpu/lower/context.js';
import { emitFill } from '../../../src/gpu/lower/fill.js';
import { PipelineCache } from '../../../src/gpu/pipelines.js';
import type { Program } from '../../../src/gpu/program.js';
import { memoryTuningStore, type TuningStore } from '../../../src/gpu/tuning/store.js';
import { Tuner } from '../../../src/gpu/tuning/tuner.js';
import { Graph } from '../../../src/graph/graph.js';
import { Variable } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { expectClose } from '../../support/compare.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuCase } from '../case.js';
import { randomArray, randomTokens } from '../compare-executors.js';
import { check } from '../check.js';

/** A variant that writes ones, or something else, in so many dispatches. */
interface Writer {
  readonly name: string;
  readonly orderClass: string;
  readonly value: number;
  readonly dispatches: number;
}

/** Far more dispatches than one, so that no noise can hide which variant is the faster. */
const MANY = 100;

const WRITERS: readonly [Writer, ...Writer[]] = [
  { name: 'slow', orderClass: 'a', value: 1, dispatches: MANY },
  { name: 'wrong', orderClass: 'b', value: 2, dispatches: 1 },
  { name: 'other bits', orderClass: 'a', value: 1 + 2 ** -20, dispatches: 1 },
  { name: 'not a number', orderClass: 'b', value: NaN, dispatches: 1 },
  { name: 'rounded', orderClass: 'b', value: 1 + 2 ** -20, dispatches: 2 * MANY },
  { name: 'fast', orderClass: 'a', value: 1, dispatches: 1 },
];

/** A program that is one choice between {@link WRITERS}; counts how often it was lowered. */
function writing(writers: readonly Writer[], count: { lowered: number }): (decisions: Decisions) => Program {
  return (decisions) => {
    count.lowered++;
    const context = new LoweringContext(new Graph('choice'), [], Infinity, { decisions });
    const y = context.allocate('y', 70 * 4, 'output');
    const [first, ...others] = writers.map(({ name, orderClass, value, dispatches }) => ({
      name,
      orderClass,
      emit() {
        for (let i = 0; i < dispatches; i++) emitFill(context, y, 70, value, '');
      },
    }));
    context.choose({ family: 'write', key: 'ones', variants: [first!, ...others] });
    return {
      name: 'choice',
      packings: [],
      steps: context.steps,
      choices: context.choices,
      inputs: new Map(),
      outputs: new Map([['y', { view: y, dtype: 'float32', size: 70, history: false }]]),
      variables: [],
      read: [],
      updated: [],
    };
  };
}

function tunerOn({ device }: { device: GPUDevice }, store: TuningStore, budget = 60_000): Tuner {
  const host = { device, pool: new BufferPool(device), pipelines: new PipelineCache(device) };
  return new Tuner(host, { store, surroundings: 'here', budget, checkUsable: () => undefined });
}

/** A device that tells on a tick of 20 milliseconds, never the next, that work is done: as Firefox does of 100. */
function withCoarseClock(device: GPUDevice): GPUDevice {
  const bound = (target: object, key: PropertyKey): unknown => {
    const value: unknown = Reflect.get(target, key, target);
    return typeof value === 'function' ? value.bind(target) : value;
  };
  const onSubmittedWorkDone = async (): Promise<void> => {
    await device.queue.onSubmittedWorkDone();
    await new Promise((resolve) => setTimeout(resolve, 40 - (performance.now() % 20)));
  };
  const queue = new Proxy(device.queue, {
    get: (target, key) => (key === 'onSubmittedWorkDone' ? onSubmittedWorkDone : bound(target, key)),
  });
  return new Proxy(device, { get: (target, key) => (key === 'queue' ? queue : bound(target, key)) });
}

/** A layer with a loss, and a variable that counts up. */
function recordStep(): Graph {
  const graph = new Graph('step');
  const [T, B, I, H] = [6, 5, 7, 9];
  const tokens = graph.input('tokens', [T * B], 'int32');
  const table = graph.input('table', [11, I]);
  const [w, u] = [graph.input('w', [4 * H, I]), graph.input('u', [4 * H, H])];
  const x = ops.reshape(ops.embedding(table, tokens), [T, B, I]);
  const { output } = ops.recurrent({ cell: 'lstm', x, weightIh: w, weightHh: u });
  const loss = ops.mean(ops.square(output));
  graph.output('loss', loss, { history: true });
  const sources = { table, w, u };
  ops.gradients(loss, Object.values(sources)).forEach((gradient, i) => {
    graph.output(`d ${Object.keys(sources)[i]!}`, gradient);
  });
  const counter = new Variable({ name: 'counter', shape: [1], initial: () => Float32Array.of(0) });
  graph.update(counter, ops.add(graph.read(counter), 1));
  graph.output('counter', graph.read(counter));
  return graph;
}

const FEEDS = {
  tokens: randomTokens(30, 11, 1),
  table: randomArray(77, 2),
  w: randomArray(36 * 7, 3),
  u: randomArray(36 * 9, 4),
};
const READ = ['loss', 'd table', 'd w', 'd u'];

export const cases: readonly GpuCase[] = [
  {
    name: 'wrong variants are refused, the fast one of those that are right is taken',
    async run({ executor }) {
      const tuner = tunerOn(executor, memoryTuningStore());
      const decisions = await tuner.decide(writing(WRITERS, { lowered: 0 }));
      const [report] = tuner.reports;
      check(decisions.get('write ones') === 'fast', `took ${decisions.get('write ones') ?? 'nothing'}`);
      check(report!.chosen === 'fast' && report!.default === 'slow', JSON.stringify(report));
      const refused = Object.keys(report!.refused).sort().join();
      check(refused === 'not a number,other bits,wrong', `refused ${refused}`);
      const measured = Object.keys(report!.ratios).sort().join();
      check(measured === 'fast,rounded', `measured ${measured}`);
    },
  },
  {
    name: 'where every other variant is wrong, the default stays',
    async run({ executor }) {
      const tuner = tunerOn(executor, memoryTuningStore());
      const wrong = WRITERS.filter(({ name }) => name !== 'fast' && name !== 'rounded');
      const decisions = await tuner.decide(writing(wrong, { lowered: 0 }));
      check(decisions.get('write ones') === 'slow', `took ${decisions.get('write ones') ?? 'nothing'}`);
    },
  },
  {
    name: 'what was found is remembered, and not measured again',
    async run({ executor }) {
      const store = memoryTuningStore();
      await tunerOn(executor, store).decide(writing(WRITERS, { lowered: 0 }));
      const later = tunerOn(executor, store);
      check((await later.remembered()).get('write ones') === 'fast', 'it was forgotten');
      const count = { lowered: 0 };
      await later.decide(writing(WRITERS, count));
      check(count.lowered === 1 && later.reports.length === 0, 'it was measured again');
    },
  },
  {
    name: 'a coarse clock decides rightly with time enough, and else nothing',
    async run({ executor }) {
      const device = withCoarseClock(executor.device);
      const decide = async (budget: number): Promise<string | undefined> => {
        const tuner = tunerOn({ device }, memoryTuningStore(), budget);
        return (await tuner.decide(writing(WRITERS, { lowered: 0 }))).get('write ones');
      };
      const [enough, little] = [await decide(60_000), await decide(200)];
      check(enough === 'fast' && little === undefined, `took ${enough} and ${little}`);
    },
  },
  {
    name: 'without a budget nothing is measured',
    async run({ executor }) {
      const tuner = tunerOn(executor, memoryTuningStore(), 0);
      const decisions = await tuner.decide(writing(WRITERS, { lowered: 0 }));
      check(decisions.size === 0 && tuner.reports.length === 0, 'something was decided');
    },
  },
  {
    name: 'a store that fails does no harm',
    async run({ executor }) {
      const failing: TuningStore = {
        get: () => Promise.reject(new Error('no store')),
        set: () => Promise.reject(new Error('no store')),
      };
      const decisions = await tunerOn(executor, failing).decide(writing(WRITERS, { lowered: 0 }));
      check(decisions.get('write ones') === 'fast', 'nothing was decided');
    },
  },
  {
    name: 'a plan goes on with the kernels of another: same bits, same variables, same history',
    async run({ executor }) {
      const graph = recordStep();
      const plan = await executor.compile(graph);
      const before = await plan.run(FEEDS, { read: READ });
      const others = Object.fromEntries(
        plan.choices.map(({ id, chosen, variants }) => {
          const order = variants.find(({ name }) => name === chosen)!.orderClass;
          const same = variants.filter(({ name, orderClass }) => orderClass === order && name !== chosen);
          return [id, same[0]?.name ?? chosen];
        }),
      );
      check(
        Object.entries(others).some(([id, name]) => plan.decisions[id] !== name),
        'there is no other',
      );
      plan.replaceBy(await executor.compile(graph, { decisions: others }));
      const after = await plan.run(FEEDS, { read: [...READ, 'counter'], history: true });
      check(JSON.stringify(plan.decisions) === JSON.stringify(others), 'it has its old kernels');
      check(plan.describe().includes('variants other than the default'), plan.describe());
      for (const name of READ) {
        expectClose(after.outputs[name]!, before.outputs[name]!, TOLERANCES.exact, name);
      }
      check(after.outputs['counter']![0] === 1, `counted ${after.outputs['counter']![0]!} before this run`);
      check(after.history['loss']!.length === 2, `history of ${after.history['loss']!.length} runs`);
      plan.dispose();
    },
  },
  {
    name: 'a plan that goes on with other kernels may be fed what its last run left on the device',
    async run({ executor }) {
      const graph = new Graph('doubling');
      const x = graph.input('x', [4, 4]);
      graph.output('y', ops.matmul(x, graph.input('two', [4, 4])));
      const plan = await executor.compile(graph);
      const two = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 2 : 0));
      const first = randomArray(16, 5);
      await plan.run({ x: first, two });
      const [{ id, chosen, variants }] = plan.choices as [(typeof plan.choices)[0]];
      const other = variants.find(({ name }) => name !== chosen)!.name;
      const { buffer } = plan.outputBuffer('y');
      plan.replaceBy(await executor.compile(graph, { decisions: { [id]: other } }));
      const { outputs } = await plan.run({ x: buffer, two }, { read: ['y'] });
      expectClose(
        outputs['y']!,
        first.map((value) => 4 * value),
        TOLERANCES.exact,
        'y',
      );
      plan.dispose();
    },
  },
  ...(['first', 'background'] as const).map((tuning): GpuCase => ({
    name: `a training step, tuned ${tuning}, is right, and no variant is wrong here`,
    async run({ executor: { device }, reference }) {
      const executor = await GpuExecutor.create({ device, tuning, tuningBudget: 10_000 });
      const graph = recordStep();
      const cpu = reference();
      const expected = (await (await cpu.compile(graph)).run(FEEDS, { read: READ })).outputs;
      const plan = await executor.compile(graph);
      const before = await plan.run(FEEDS, { read: READ });
      await executor.tuned();
      const after = await plan.run(FEEDS, { read: READ });
      for (const name of READ) {
        expectClose(after.outputs[name]!, before.outputs[name]!, TOLERANCES.exact, `${name}, again`);
        expectClose(after.outputs[name]!, expected[name]!, TOLERANCES.gradient, name);
      }
      check(executor.tuningReports.length > 0, 'nothing was measured');
      for (const { id, refused } of executor.tuningReports) {
        check(Object.keys(refused).length === 0, `${id}: ${JSON.stringify(refused)}`);
      }
      executor.dispose();
      cpu.dispose();
    },
  })),
];
