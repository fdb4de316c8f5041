/** Runs one graph on the GPU and on the reference, with the same numbers, and compares everything it gives. */
import type { Feeds } from '../../src/graph/executor.js';
import { Graph } from '../../src/graph/graph.js';
import type { HostArray, Value } from '../../src/graph/value.js';
import { gradients } from '../../src/ops/gradients.js';
import { add, mul } from '../../src/ops/binary.js';
import { sum } from '../../src/ops/reduce-sum.js';
import { expectClose } from '../support/compare.js';
import { TOLERANCES, type Tolerance } from '../support/tolerances.js';
import type { GpuContext } from './case.js';

/** Reproducible numbers for tests: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` numbers from `low` to `high`, each one that float32 holds. */
export function randomArray(count: number, seed: number, low = -1, high = 1): Float32Array {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: count }, () => low + (high - low) * random());
}

/** `count` whole numbers below `below`. */
export function randomTokens(count: number, below: number, seed: number): Int32Array {
  const random = randomNumbers(seed);
  return Int32Array.from({ length: count }, () => Math.floor(random() * below));
}

/** Options of {@link compareExecutors}. */
export interface ComparisonOptions {
  /** Numbers for inputs; those not given are random, from −1 to 1. */
  readonly feeds?: Feeds;
  readonly tolerance?: Tolerance;
  /** For outputs whose name begins with `d `. */
  readonly gradientTolerance?: Tolerance;
  readonly runs?: number;
}

/**
 * Records a graph once, runs it on both executors, and compares every output of the last run and every
 * variable it updates. Names of gradients begin with `d `.
 */
export async function compareExecutors(
  context: GpuContext,
  record: (graph: Graph) => void,
  options: ComparisonOptions = {},
): Promise<void> {
  const {
    feeds = {},
    tolerance = TOLERANCES.result,
    gradientTolerance = TOLERANCES.gradient,
    runs = 1,
  } = options;
  const graph = new Graph('comparison');
  record(graph);
  const fed: Record<string, HostArray | number> = {};
  graph.inputs.forEach(({ name, value }, i) => {
    const given = feeds[name];
    fed[name] = given === undefined ? randomArray(value.size, 100 + i) : (given as HostArray | number);
  });
  const names = graph.outputs.map(({ name }) => name);
  const variables = graph.updates.map(({ variable }) => variable);

  const reference = context.reference();
  const expected = await (await reference.compile(graph)).run(fed, { read: names });
  const gpuPlan = await context.executor.compile(graph);
  let actual = await gpuPlan.run(fed, { read: names });
  let last = expected;
  if (runs > 1) {
    const plan = await reference.compile(graph);
    for (let i = 1; i < runs; i++) {
      last = await plan.run(fed, { read: names });
      actual = await gpuPlan.run(fed, { read: names });
    }
  }
  for (const name of names) {
    const limit = name.startsWith('d ') ? gradientTolerance : tolerance;
    expectClose(actual.outputs[name]!, last.outputs[name]!, limit, name);
  }
  for (const variable of variables) {
    expectClose(
      await context.executor.read(variable),
      await reference.read(variable),
      tolerance,
      `variable ${variable.name}`,
    );
  }
  gpuPlan.dispose();
  context.executor.release(graph.reads.keys());
  context.executor.release(variables);
  reference.dispose();
}

/**
 * Declares as outputs the given values and the gradients, by all sources, of the sum of their products with
 * random upstream gradients.
 */
export function outputWithGradients(
  graph: Graph,
  outputs: Readonly<Record<string, Value>>,
  sources: Readonly<Record<string, Value>>,
): void {
  let loss: Value | null = null;
  for (const [name, value] of Object.entries(outputs)) {
    graph.output(name, value);
    const term = sum(mul(value, graph.input(`upstream ${name}`, value.shape)));
    loss = loss ? add(loss, term) : term;
  }
  const names = Object.keys(sources);
  gradients(loss!, Object.values(sources)).forEach((gradient, i) => {
    graph.output(`d ${names[i]!}`, gradient);
  });
}
