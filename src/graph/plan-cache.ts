/** Plans by size: a computation recorded and compiled once for each batch and length it meets. */
import { DisposedError } from './errors.js';
import type { Executor, Plan } from './executor.js';
import { Graph } from './graph.js';

/** What a recording depends on besides the variables: batch, length, whether it trains. */
export type PlanKey = Readonly<Record<string, number | string | boolean>>;

/** Options of a {@link PlanCache}. */
export interface PlanCacheOptions<K extends PlanKey> {
  readonly executor: Executor;
  /** Names the graphs, for listings. */
  readonly name: string;
  /** Records the computation for one key. */
  readonly record: (graph: Graph, key: K) => void;
  /** How many plans to keep; the one unused longest goes first. */
  readonly capacity?: number;
}

/**
 * Compiles one plan a key and keeps the most recent ones. Plans of one executor share variables, so a
 * plan that is dropped and compiled again goes on where it was.
 */
export class PlanCache<K extends PlanKey> {
  readonly #options: PlanCacheOptions<K>;
  readonly #plans = new Map<string, Promise<Plan>>();
  /** Those that have been compiled, so that they can be freed at once. */
  readonly #compiled = new Map<Promise<Plan>, Plan>();
  #disposed = false;

  constructor(options: PlanCacheOptions<K>) {
    this.#options = options;
  }

  /** Number of plans held. */
  get size(): number {
    return this.#plans.size;
  }

  /** The plan for `key`, compiled at its first call. */
  get(key: K): Promise<Plan> {
    const { executor, name, record, capacity = 16 } = this.#options;
    if (this.#disposed) {
      throw new DisposedError({ culprit: name, problem: 'was disposed', remedy: 'create a new one' });
    }
    const id = JSON.stringify(Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1)));
    let plan = this.#plans.get(id);
    if (!plan) {
      plan = (async () => {
        const graph = new Graph(name);
        record(graph, key);
        return executor.compile(graph);
      })();
      const compiling = plan;
      compiling.then(
        (compiled) => this.#compiled.set(compiling, compiled),
        // A recording that fails is not kept: the next call may bring other sizes of the variables.
        () => this.#plans.delete(id),
      );
    }
    this.#plans.delete(id);
    this.#plans.set(id, plan);
    for (const [oldest, dropped] of this.#plans) {
      if (this.#plans.size <= capacity) break;
      this.#plans.delete(oldest);
      this.#free(dropped);
    }
    return plan;
  }

  /** Frees all plans. */
  dispose(): void {
    this.#disposed = true;
    for (const plan of this.#plans.values()) this.#free(plan);
    this.#plans.clear();
  }

  /** At once, or as soon as it has been compiled. */
  #free(plan: Promise<Plan>): void {
    const compiled = this.#compiled.get(plan);
    this.#compiled.delete(plan);
    if (compiled) compiled.dispose();
    else
      void plan.then(
        (late) => late.dispose(),
        () => undefined,
      );
  }
}
