/** `ExponentialMovingAverage`: averages of weights over the steps, to evaluate and to save with. */
import { ArgumentError, DisposedError } from '../graph/errors.js';
import { checkExecutor, type Executor, type Plan } from '../graph/executor.js';
import { Graph } from '../graph/graph.js';
import { checkNumber, checkOptions } from '../graph/options.js';
import { Variable } from '../graph/value.js';
import { namedVariables, type Module } from '../nn/module.js';
import { optimizerUpdate } from '../ops/optimizer-update.js';

/** Options of an {@link ExponentialMovingAverage}. */
export interface ExponentialMovingAverageOptions {
  readonly executor: Executor;
  /** What is averaged. */
  readonly parameters: Module | ReadonlyMap<string, Variable>;
  /** How much of the average stays at each update: `average ← decay·average + (1 − decay)·weights`. Default 0.999. */
  readonly decay?: number;
}

const CULPRIT = 'exponential moving average';

/**
 * Keeps averages of the weights on the device (Polyak & Juditsky, 1992; as PyTorch's `AveragedModel` with
 * `get_ema_multi_avg_fn`): the first update copies the weights, each later one moves a little towards them.
 * Give it to a `Trainer` or a `Model`, or call {@link update} after each step yourself.
 */
export class ExponentialMovingAverage {
  readonly executor: Executor;
  /** The averages by name, and `counters`, whose first number counts the updates. */
  readonly variables: ReadonlyMap<string, Variable>;
  readonly #parameters: readonly Variable[];
  readonly #averages: readonly Variable[];
  readonly #counters: Variable;
  #decay: number;
  #updating: Promise<Plan> | null = null;
  #swapping: Promise<Plan> | null = null;
  #swapped = false;
  #disposed = false;

  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: ExponentialMovingAverageOptions) {
    checkOptions(CULPRIT, options, ['executor', 'parameters', 'decay']);
    const { executor, parameters, decay = 0.999 } = options;
    this.executor = executor;
    this.#decay = checkedDecay(decay);
    checkExecutor(CULPRIT, executor);
    const named = namedVariables(CULPRIT, parameters);
    const unique = new Map([...named].map(([name, variable]) => [variable, name]));
    this.#parameters = [...unique.keys()];
    this.#averages = this.#parameters.map(
      ({ name, shape }) => new Variable({ name: `average.${name}`, shape }),
    );
    this.#counters = new Variable({ name: 'average.counters', shape: [4] });
    this.variables = new Map([
      ['counters', this.#counters] as const,
      ...[...unique.values()].map((name, i) => [`weights.${name}`, this.#averages[i]!] as const),
    ]);
  }

  /** How much of the average stays at each update. May be changed between updates. */
  get decay(): number {
    return this.#decay;
  }
  set decay(value: number) {
    this.#decay = checkedDecay(value);
  }

  /** Whether the averages are in the model now, and the weights in the averages' place. */
  get swapped(): boolean {
    return this.#swapped;
  }

  /**
   * Takes the weights of the last step queued into the averages. Resolves when that is queued.
   * @throws ArgumentError while swapped
   */
  async update(): Promise<void> {
    this.#checkAlive();
    if (this.#swapped) {
      throw new ArgumentError({
        culprit: CULPRIT,
        problem: 'is to be updated while its averages are in the model',
        remedy: 'swap back before training goes on',
      });
    }
    this.#updating ??= this.#compile((graph) => this.#recordUpdate(graph));
    const plan = await this.#updating.catch((error: unknown) => {
      this.#updating = null;
      throw error;
    });
    await plan.run({ rate: 1 - this.#decay });
  }

  /** Exchanges weights and averages; a second call puts them back. Does nothing before the first update. */
  async swap(): Promise<void> {
    this.#checkAlive();
    if (!this.#swapped && (await this.executor.read(this.#counters))[0] === 0) return;
    this.#swapping ??= this.#compile((graph) => {
      this.#parameters.forEach((parameter, i) => {
        const average = this.#averages[i]!;
        graph.update(parameter, graph.read(average));
        graph.update(average, graph.read(parameter));
      });
    });
    const plan = await this.#swapping.catch((error: unknown) => {
      this.#swapping = null;
      throw error;
    });
    await plan.run();
    this.#swapped = !this.#swapped;
    // No step will bring them back when the device is lost.
    if (this.executor.snapshotPeriod !== undefined) {
      await this.executor.snapshot([...this.#parameters, ...this.#averages]);
    }
  }

  /** @internal Weights and averages have been restored to their own places. */
  restored(): void {
    this.#swapped = false;
  }

  /** Runs `work`, such as an evaluation or a saving, with the averages in the model. */
  async during<R>(work: () => Promise<R>): Promise<R> {
    const before = this.#swapped;
    if (!before) await this.swap();
    try {
      return await work();
    } finally {
      if (this.#swapped !== before) await this.swap();
    }
  }

  /** Frees plans and averages. The weights live on. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const plan of [this.#updating, this.#swapping]) {
      void plan?.then(
        (compiled) => compiled.dispose(),
        () => undefined,
      );
    }
    if (!this.executor.disposed) this.executor.release(this.variables.values());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #compile(record: (graph: Graph) => void): Promise<Plan> {
    const graph = new Graph(CULPRIT);
    record(graph);
    return this.executor.compile(graph);
  }

  #recordUpdate(graph: Graph): void {
    const updated = optimizerUpdate({
      rule: { name: 'average', weightDecay: 0 },
      learningRate: graph.scalar('rate'),
      counters: graph.read(this.#counters),
      parameters: this.#averages.map((variable) => graph.read(variable)),
      gradients: this.#parameters.map((variable) => graph.read(variable)),
      slots: [],
      label: 'average',
    });
    graph.update(this.#counters, updated.counters);
    this.#averages.forEach((variable, i) => graph.update(variable, updated.parameters[i]!));
  }

  #checkAlive(): void {
    if (!this.#disposed) return;
    throw new DisposedError({ culprit: CULPRIT, problem: 'was disposed', remedy: 'create a new one' });
  }
}

function checkedDecay(decay: number): number {
  checkNumber(CULPRIT, 'decay', decay, { min: 0, below: 1 });
  return decay;
}
