/** Runs one configuration on the GPU and on the reference: forward, every gradient, and one update. */
import { GpuExecutor } from '../../../src/gpu/executor.js';
import { lowerGraph, prepareGraph } from '../../../src/gpu/lower/index.js';
import { Graph } from '../../../src/graph/graph.js';
import type { Variable } from '../../../src/graph/value.js';
import { TOLERANCES } from '../../support/tolerances.js';
import type { GpuContext } from '../case.js';
import { randomNumbers } from '../compare-executors.js';
import type { Configuration } from './configuration.js';
import { createNetwork } from './network.js';
import type { SearchContext } from './search.js';
import { compareWithReference, type Results } from './sensitive-compare.js';

/** What is remembered of a configuration that passed. */
export interface Verdict {
  /** Whether rounding of the inputs alone moves the reference's results by more than the tolerance. */
  readonly sensitive: boolean;
}

/** What a search needs, for this device. */
export function searchContext(context: GpuContext): SearchContext {
  const { device } = context.executor;
  return { device, check: (configuration) => checkConfiguration(context, configuration) };
}

/** @throws Error naming the worst tensor and element */
export async function checkConfiguration(
  context: GpuContext,
  configuration: Configuration,
): Promise<Verdict> {
  const { graph, data, optimizer, recordUpdate } = createNetwork(configuration);
  const executor = await executorFor(context.executor, configuration.kernels);
  const names = graph.outputs.map(({ name }) => name);
  const updated = [...optimizer.parameters, ...optimizer.variables.values()];
  const carried = graph.updates.map(({ variable }) => variable).filter((of) => !updated.includes(of));
  const plan = await executor.compile(graph, { decisions: await decide(executor, graph, configuration) });
  const read = async (variables: readonly Variable[]): Promise<Results> =>
    new Map(await Promise.all(variables.map(async (of) => [of, await executor.read(of)] as const)));
  try {
    // Asked for at once: a browser that answers on a timer then answers all in one.
    const [{ outputs }, states, variables] = await Promise.all([
      plan.run(data, { read: names }),
      read(carried),
      read(updated),
    ]);
    const results: Results = new Map([...Object.entries(outputs), ...states]);
    const ofGradients = (key: string | Variable): boolean => typeof key === 'string' && key.startsWith('d ');
    const sensitive = await compareWithReference(context, { graph, data }, results, (key) =>
      ofGradients(key) ? TOLERANCES.gradient : TOLERANCES.result,
    );
    // The update of the GPU's own gradients, so that no rounding of them counts.
    const update = new Graph('update');
    recordUpdate(update);
    const fed = update.inputs.map(({ name }) => [name, outputs[name] ?? data[name]!] as const);
    const ofUpdate = { graph: update, data: Object.fromEntries(fed) };
    const divides = await compareWithReference(context, ofUpdate, variables, () => TOLERANCES.result);
    return { sensitive: sensitive || divides };
  } finally {
    plan.dispose();
    executor.release([...graph.reads.keys(), ...graph.updates.map(({ variable }) => variable)]);
  }
}

/** A random variant for each choice, of those that this kind of adapter is offered. */
async function decide(
  { device }: GpuExecutor,
  graph: Graph,
  { kernels, variants }: Configuration,
): Promise<Record<string, string>> {
  const decisions = new Map<string, string>();
  if (variants === undefined) return {};
  const random = randomNumbers(variants);
  const settings = { software: kernels === 'software', decisions };
  const prepared = await prepareGraph(graph);
  // A variant may bring further choices of its own.
  for (let before = -1; before < decisions.size;) {
    before = decisions.size;
    const { program } = lowerGraph(prepared, device.limits.maxStorageBufferBindingSize, settings);
    for (const { id, variants: offered } of program.choices) {
      if (!decisions.has(id)) decisions.set(id, offered[Math.floor(random() * offered.length)]!.name);
    }
  }
  return Object.fromEntries(decisions);
}

const pretenders = new WeakMap<GpuExecutor, Map<string, Promise<GpuExecutor>>>();

/** An executor on the same device that takes its adapter for one of this kind. */
function executorFor(executor: GpuExecutor, kind: Configuration['kernels']): Promise<GpuExecutor> {
  if (kind === undefined) return Promise.resolve(executor);
  const known = pretenders.get(executor) ?? new Map<string, Promise<GpuExecutor>>();
  pretenders.set(executor, known);
  let pretender = known.get(kind);
  if (!pretender) {
    const adapterInfo = { description: 'an adapter', isFallbackAdapter: kind === 'software' };
    const device = new Proxy(executor.device, {
      get(target, key) {
        if (key === 'adapterInfo') return adapterInfo;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    pretender = GpuExecutor.create({ device });
    known.set(kind, pretender);
  }
  return pretender;
}
