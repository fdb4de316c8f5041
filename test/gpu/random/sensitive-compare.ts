/** Compares results with the reference's, and gives way only where the reference itself hangs on rounding. */
import type { Graph } from '../../../src/graph/graph.js';
import { Variable, type HostArray } from '../../../src/graph/value.js';
import { expectClose, maxError } from '../../support/compare.js';
import type { Tolerance } from '../../support/tolerances.js';
import type { GpuContext } from '../case.js';
import { randomNumbers } from '../compare-executors.js';

/** What a run is fed, by name. */
export type Data = Readonly<Record<string, HostArray | number>>;

/** Outputs of a graph by name, and variables after its run. */
export type Results = ReadonlyMap<string | Variable, HostArray>;

/** How far inputs are moved to see how the results follow: a few units in the last place of float32. */
const PERTURBATION = 2 ** -21;
const PERTURBATIONS = 3;
/** Results may move so many times as far as under one of these perturbations, as rounding happens everywhere. */
const SENSITIVITY = 4;

/**
 * Runs a graph on the reference and compares. A kink (of `relu`, a clip, an absolute error), a chaotic network or
 * a small denominator may turn the rounding of one number into any error: where the tolerance does not hold, the
 * reference is run on inputs moved by a few units in the last place, and how far its own results then move is
 * what is allowed.
 * @returns whether the tolerances alone did not do
 * @throws Error naming the first tensor that is wrong, and its worst element
 */
export async function compareWithReference(
  context: GpuContext,
  { graph, data }: { readonly graph: Graph; readonly data: Data },
  actual: Results,
  toleranceOf: (key: string | Variable) => Tolerance,
): Promise<boolean> {
  const right = await evaluate(context, graph, data, [...actual.keys()], (numbers) => numbers);
  const problems = new Map<string | Variable, unknown>();
  for (const [key, numbers] of actual) {
    const name = key instanceof Variable ? `variable ${key.name}` : key;
    try {
      expectClose(numbers, right.get(key)!, toleranceOf(key), name);
    } catch (problem) {
      problems.set(key, problem);
    }
  }
  if (problems.size === 0) return false;
  const keys = [...problems.keys()];
  const moved = new Map(keys.map((key) => [key, 0]));
  for (let i = 1; i <= PERTURBATIONS; i++) {
    const random = randomNumbers(i);
    const shake = (numbers: HostArray): HostArray =>
      numbers instanceof Int32Array
        ? numbers
        : Float64Array.from(numbers, (number) => number * (1 + PERTURBATION * (2 * random() - 1)));
    const others = await evaluate(context, graph, data, keys, shake);
    for (const [key, most] of moved) {
      moved.set(key, Math.max(most, maxError(others.get(key)!, right.get(key)!)));
    }
  }
  for (const [key, problem] of problems) {
    const error = maxError(actual.get(key)!, right.get(key)!);
    if (!(error <= SENSITIVITY * moved.get(key)!)) throw problem;
  }
  return true;
}

/** One run of the reference, from the first values of the variables, all inputs passed through `change`. */
async function evaluate(
  context: GpuContext,
  graph: Graph,
  data: Data,
  keys: readonly (string | Variable)[],
  change: (numbers: HostArray) => HostArray,
): Promise<Results> {
  const reference = context.reference();
  for (const variable of graph.reads.keys()) reference.write(variable, change(variable.initialValue()));
  const feeds = Object.entries(data).map(([name, fed]) => [
    name,
    typeof fed === 'number' ? fed : change(fed),
  ]);
  const plan = await reference.compile(graph);
  const read = keys.filter((key) => typeof key === 'string');
  const { outputs } = await plan.run(Object.fromEntries(feeds) as Data, { read });
  const results = new Map<string | Variable, HostArray>(read.map((name) => [name, outputs[name]!]));
  for (const key of keys) if (key instanceof Variable) results.set(key, await reference.read(key));
  reference.dispose();
  return results;
}
