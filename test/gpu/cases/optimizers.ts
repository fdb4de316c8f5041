/** Optimizer updates on the GPU against the reference: every rule, clipping, and skipped updates. */
import { Variable, type Value } from '../../../src/graph/value.js';
import { Graph } from '../../../src/graph/graph.js';
import { globalNorm } from '../../../src/ops/global-norm.js';
import { optimizerUpdate, slotNames, type OptimizerRule } from '../../../src/ops/optimizer-update.js';
import { mul } from '../../../src/ops/binary.js';
import type { GpuCase } from '../case.js';
import { compareExecutors, randomArray, type ComparisonOptions } from '../compare-executors.js';

const SGD = { name: 'sgd', momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 } as const;
const ADAM = {
  name: 'adam',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  decoupled: false,
} as const;
const RMSPROP = {
  name: 'rmsprop',
  alpha: 0.99,
  epsilon: 1e-8,
  weightDecay: 0,
  momentum: 0,
  centered: false,
} as const;

const MOMENTS = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 } as const;
const NADAM = { ...MOMENTS, name: 'nadam', momentumDecay: 4e-3, decoupled: false } as const;

const RULES: Readonly<Record<string, OptimizerRule>> = {
  SGD,
  'SGD with momentum and weight decay': { ...SGD, momentum: 0.9, weightDecay: 0.1 },
  'SGD with dampening': { ...SGD, momentum: 0.9, dampening: 0.5 },
  'SGD with Nesterov momentum': { ...SGD, momentum: 0.9, nesterov: true },
  Adam: ADAM,
  'Adam with weight decay': { ...ADAM, weightDecay: 0.1 },
  AdamW: { ...ADAM, weightDecay: 0.1, decoupled: true },
  RMSprop: RMSPROP,
  'RMSprop, centered, with momentum and weight decay': {
    ...RMSPROP,
    momentum: 0.9,
    centered: true,
    weightDecay: 0.01,
  },
  Adagrad: {
    name: 'adagrad',
    learningRateDecay: 0.1,
    weightDecay: 0.1,
    initialAccumulatorValue: 0,
    epsilon: 1e-10,
  },
  Adadelta: { name: 'adadelta', rho: 0.9, epsilon: 1e-6, weightDecay: 0.1 },
  Adamax: { ...MOMENTS, name: 'adamax', weightDecay: 0.1 },
  NAdam: NADAM,
  'NAdam with weight decay': { ...NADAM, weightDecay: 0.1 },
  'NAdam with decoupled weight decay': { ...NADAM, weightDecay: 0.1, decoupled: true },
  Lion: { name: 'lion', beta1: 0.9, beta2: 0.99, weightDecay: 0.1 },
  'a moving average': { name: 'average', weightDecay: 0 },
};

const SHAPES = [[7, 5], [3], [65, 2]];

/** Records one update of three parameters, whose gradients are computed, fed, and shared. */
function recordUpdate(graph: Graph, rule: OptimizerRule): void {
  const variable = (name: string, shape: readonly number[], seed: number): Variable =>
    new Variable({
      name,
      shape,
      ...(seed > 0 && {
        initial: () =>
          randomArray(
            shape.reduce((a, b) => a * b, 1),
            seed,
          ),
      }),
    });
  const parameters = SHAPES.map((shape, i) => variable(`p${i}`, shape, 10 + i));
  const slots = slotNames(rule).map((slot) => SHAPES.map((shape, i) => variable(`${slot}${i}`, shape, 0)));
  const counters = variable('counters', [4], 0);
  const gradients: Value[] = [
    mul(graph.input('g0', SHAPES[0]!), 2),
    graph.input('g1', SHAPES[1]!),
    graph.input('g2', SHAPES[2]!),
  ];
  const gradientNorm = globalNorm(gradients);
  const updated = optimizerUpdate({
    rule,
    learningRate: graph.scalar('learningRate'),
    learningRateFactor: 0.5,
    clipNorm: graph.scalar('clipNorm'),
    clipValue: graph.scalar('clipValue'),
    gradientNorm,
    counters: graph.read(counters),
    parameters: parameters.map((parameter) => graph.read(parameter)),
    gradients,
    slots: slots.map((list) => list.map((slot) => graph.read(slot))),
  });
  graph.output('norm', gradientNorm);
  // Outputs of the old values, though the update is in place.
  graph.output('old p1', graph.read(parameters[1]!));
  graph.update(counters, updated.counters);
  parameters.forEach((parameter, i) => graph.update(parameter, updated.parameters[i]!));
  slots.forEach((list, k) => list.forEach((slot, i) => graph.update(slot, updated.slots[k]![i]!)));
}

function updateCase(
  name: string,
  rule: OptimizerRule,
  feeds: ComparisonOptions['feeds'],
  runs: number,
): GpuCase {
  return {
    name,
    run: (context) =>
      compareExecutors(context, (graph) => recordUpdate(graph, rule), {
        feeds: { learningRate: 0.01, clipNorm: 0, clipValue: 0, ...feeds },
        runs,
      }),
  };
}

export const cases: readonly GpuCase[] = [
  ...Object.entries(RULES).flatMap(([name, rule]) => [
    updateCase(`${name}, three updates`, rule, {}, 3),
    updateCase(`${name}, clipped`, rule, { clipNorm: 0.5, clipValue: 0.03 }, 2),
  ]),
  ...[SGD, ADAM, RMSPROP].map(
    (rule) =>
      ({
        name: `${rule.name}: an update whose gradient is not finite changes nothing but its counter`,
        async run(context) {
          const { executor } = context;
          const graph = new Graph('skip');
          recordUpdate(graph, rule);
          const plan = await executor.compile(graph);
          const variables = graph.updates.map(({ variable }) => variable);
          const feeds = (bad: number): Record<string, number | Float32Array> => {
            const g1 = randomArray(3, 2);
            g1[1] = bad;
            return {
              learningRate: 0.01,
              clipNorm: 1,
              clipValue: 0,
              g0: randomArray(35, 1),
              g1,
              g2: randomArray(130, 3),
            };
          };
          await plan.run(feeds(0.5));
          const before = await Promise.all(variables.map((variable) => executor.read(variable)));
          for (const bad of [NaN, Infinity, -Infinity]) await plan.run(feeds(bad));
          const after = await Promise.all(variables.map((variable) => executor.read(variable)));
          variables.forEach(({ name }, i) => {
            if (name === 'counters') {
              if (after[i]![0] !== 1 || after[i]![1] !== 3)
                throw new Error(`counters are ${String(after[i])}`);
            } else if (!before[i]!.every((value, k) => Object.is(value, after[i]![k]))) {
              throw new Error(`${name} changed`);
            }
          });
          plan.dispose();
          executor.release(variables);
        },
      }) satisfies GpuCase,
  ),
];
