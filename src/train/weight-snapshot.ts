/** A copy of all weights on the device, to come back to. */
import type { Executor, Plan } from '../graph/executor.js';
import { Graph } from '../graph/graph.js';
import { Variable } from '../graph/value.js';

/** Keeps one state of the weights. Nothing is allocated before the first one is kept. */
export class WeightSnapshot {
  readonly #executor: Executor;
  readonly #pairs: readonly { readonly name: string; readonly weight: Variable; readonly copy: Variable }[];
  readonly #plans = new Map<string, Promise<Plan>>();
  /** Whether there is something to come back to. */
  taken = false;

  /** @param name of the copies, for listings */
  constructor(executor: Executor, name: string, parameters: ReadonlyMap<string, Variable>) {
    this.#executor = executor;
    this.#pairs = [...parameters].map(([key, weight]) => ({
      name: key,
      weight,
      copy: new Variable({ name: `${name}.${weight.name}`, shape: weight.shape }),
    }));
  }

  /** The copies by name, for checkpoints. */
  get variables(): ReadonlyMap<string, Variable> {
    return new Map(this.#pairs.map(({ name, copy }) => [name, copy]));
  }

  /** Keeps the weights as they are after all steps queued so far. */
  async take(): Promise<void> {
    await this.#run('take', (graph, weight, copy) => graph.update(copy, graph.read(weight)));
    this.taken = true;
  }

  /** Gives the weights the values that were kept, if any were. */
  async restore(): Promise<void> {
    if (!this.taken) return;
    await this.#run('restore', (graph, weight, copy) => graph.update(weight, graph.read(copy)));
  }

  async #run(name: string, record: (graph: Graph, weight: Variable, copy: Variable) => void): Promise<void> {
    let plan = this.#plans.get(name);
    if (!plan) {
      const graph = new Graph(`weight snapshot, ${name}`);
      for (const { weight, copy } of this.#pairs) record(graph, weight, copy);
      plan = this.#executor.compile(graph);
      this.#plans.set(name, plan);
      // Where there was no memory now, there may be later.
      plan.catch(() => this.#plans.delete(name));
    }
    await (await plan).run();
  }

  /** Frees copies and plans. */
  dispose(): void {
    for (const plan of this.#plans.values()) {
      void plan.then(
        (compiled) => compiled.dispose(),
        () => undefined,
      );
    }
    this.#plans.clear();
    this.taken = false;
    if (!this.#executor.disposed) this.#executor.release(this.variables.values());
  }
}
