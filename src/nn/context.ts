/** What layers must know of a recording besides their inputs: whether it trains, and where dropout's randomness comes from. */
import { ArgumentError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import { checkFlag, checkOptions } from '../graph/options.js';
import type { Value } from '../graph/value.js';

/** Options of a {@link ForwardContext}. */
export interface ForwardContextOptions {
  /** Whether layers that act differently in training do so. */
  readonly training: boolean;
  /** Name of the int32 scalar that feeds dropout. Default `dropoutSeed`. */
  readonly seedName?: string;
}

/** Graphs that a training was recorded for. */
const TRAINING = new WeakSet<Graph>();

/**
 * Goes with one recording through all layers that are called. Without one, layers act as in inference; but where one
 * that trains was made for the graph, those that act by chance throw. To let one of them act as in inference within a
 * training, give it one with `training: false`.
 */
export class ForwardContext {
  readonly graph: Graph;
  readonly training: boolean;
  readonly #seedName: string;
  #seed: Value | null = null;
  #streams = 0;

  constructor(graph: Graph, options: ForwardContextOptions) {
    checkOptions('forward context', options, ['training', 'seedName']);
    checkFlag('forward context', 'training', options.training);
    this.graph = graph;
    this.training = options.training;
    if (this.training) TRAINING.add(graph);
    this.#seedName = options.seedName ?? 'dropoutSeed';
  }

  /** Whether some layer uses randomness, so that each run must be fed a seed. */
  get usesSeed(): boolean {
    return this.#seed !== null;
  }

  /** The seed of this run's dropout masks: an int32 scalar input, declared when first asked for. */
  dropoutSeed(): Value {
    this.#seed ??= this.graph.scalar(this.#seedName, 'int32');
    return this.#seed;
  }

  /** A number for the next dropout, so that no two of a graph draw the same mask. */
  nextStream(): number {
    return this.#streams++;
  }
}

/** Throws where a context that trains was made, but not given to a layer that acts by chance. */
export function checkContext(culprit: string, graph: Graph, context: unknown, chance: boolean): void {
  if (context || !chance || !TRAINING.has(graph)) return;
  throw new ArgumentError({
    culprit,
    problem: 'context is missing',
    remedy: 'pass on the one of the training: forward(x, state, context), or (x, context)',
  });
}
