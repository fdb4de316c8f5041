/** Runs one graph with every variant of its kernels: each against the reference, and equal bits within an order class. */
import type { GpuPlan } from '../../src/gpu/plan.js';
import { Graph } from '../../src/graph/graph.js';
import type { Feeds } from '../../src/graph/executor.js';
import type { HostArray } from '../../src/graph/value.js';
import { expectClose } from '../support/compare.js';
import { TOLERANCES, type Tolerance } from '../support/tolerances.js';
import type { GpuContext } from './case.js';
import { randomArray } from './compare-executors.js';

/** What {@link compareVariants} is told beside the graph. */
export interface VariantOptions {
  /** Numbers for inputs; those not given are random, from −1 to 1. */
  readonly feeds?: Feeds;
  /** Sites whose identity begins so; all by default. */
  readonly family?: string;
  readonly tolerance?: Tolerance;
  /** Variants that must be among those tried, so that none is left out unseen. */
  readonly expected?: readonly string[];
  /** And one more where the device has subgroups. */
  readonly together?: string | undefined;
}

/**
 * Compiles a graph once for each name that a variant of it has, all its choices falling on that name where
 * they offer it, and compares every output.
 */
export async function compareVariants(
  { executor, reference }: GpuContext,
  record: (graph: Graph) => void,
  { feeds = {}, family = '', tolerance = TOLERANCES.gradient, expected = [], together }: VariantOptions = {},
): Promise<void> {
  const graph = new Graph('variants');
  record(graph);
  const fed: Record<string, HostArray | number> = {};
  graph.inputs.forEach(({ name, value }, i) => {
    fed[name] = (feeds[name] as HostArray | number | undefined) ?? randomArray(value.size, 100 + i);
  });
  const names = graph.outputs.map(({ name }) => name);
  const cpu = reference();
  const right = (await (await cpu.compile(graph)).run(fed, { read: names })).outputs;
  const run = async (plan: GpuPlan): Promise<Readonly<Record<string, HostArray>>> => {
    const { outputs } = await plan.run(fed, { read: names });
    plan.dispose();
    return outputs;
  };

  const standard = await executor.compile(graph);
  const sites = standard.choices.filter(({ id }) => id.startsWith(family));
  const variants = new Set(sites.flatMap((site) => site.variants.map(({ name }) => name)));
  const subgroups = executor.device.features.has('subgroups');
  for (const name of [...expected, ...(together && subgroups ? [together] : [])]) {
    if (!variants.has(name)) throw new Error(`no choice offers the variant ${name}`);
  }
  /** By the order classes of all sites: results that must be equal to the bit. */
  const seen = new Map<string, Readonly<Record<string, HostArray>>>();
  for (const variant of variants) {
    const decisions = Object.fromEntries(sites.map(({ id }) => [id, variant]));
    const plan = await executor.compile(graph, { decisions });
    const taken = plan.choices.map((site) => ({
      ...site,
      orderClass: site.variants.find(({ name }) => name === site.chosen)!.orderClass,
    }));
    for (const { id, chosen, variants: offered } of taken) {
      const wanted = id.startsWith(family) && offered.some(({ name }) => name === variant);
      if (wanted && chosen !== variant) throw new Error(`${id} took ${chosen}, not ${variant}`);
    }
    const outputs = await run(plan);
    for (const name of names) expectClose(outputs[name]!, right[name]!, tolerance, `${name} by ${variant}`);
    const orders = taken.map(({ orderClass }) => orderClass).join();
    const equal = seen.get(orders);
    seen.set(orders, equal ?? outputs);
    for (const name of equal ? names : []) {
      expectClose(outputs[name]!, equal![name]!, TOLERANCES.exact, `${name} by ${variant}, bit for bit`);
    }
  }
  standard.dispose();
  cpu.dispose();
}
