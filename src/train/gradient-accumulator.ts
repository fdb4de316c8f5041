/** Gradient accumulation: variables that gather the mean gradient of several batches. */
import type { Graph } from '../graph/graph.js';
import { Variable, type Value } from '../graph/value.js';
import { fill } from '../ops/fill.js';
import { optimizerUpdate } from '../ops/optimizer-update.js';

const ADD = { name: 'sgd', momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 } as const;

/** Gathers the gradients of `count` batches: their mean, as if the batches were one. */
export class GradientAccumulator {
  readonly count: number;
  /** What has been gathered, by name of the parameter. */
  readonly variables: ReadonlyMap<string, Variable>;

  constructor(parameters: ReadonlyMap<string, Variable>, count: number) {
    this.count = count;
    const entries = [...parameters].map(
      ([name, { shape }]) => [name, new Variable({ name: `accumulated.${name}`, shape })] as const,
    );
    this.variables = new Map(entries);
  }

  /**
   * Records the addition of one batch's gradients.
   * @param gradients one a parameter, or `null`
   * @param options.applies whether this batch is the last of `count`: the variables then begin anew
   * @returns what has been gathered, these gradients included
   */
  record(
    graph: Graph,
    gradients: readonly (Value | null)[],
    options: { readonly applies: boolean },
  ): (Value | null)[] {
    const variables = [...this.variables.values()];
    const used = variables.map((_, i) => i).filter((i) => gradients[i]);
    // SGD with a learning rate of −1/count adds gradients up, all parameters in one pass.
    const { parameters: sums } = optimizerUpdate({
      rule: ADD,
      learningRate: fill(graph, [], -1 / this.count),
      counters: fill(graph, [4], 0),
      parameters: used.map((i) => graph.read(variables[i]!)),
      gradients: used.map((i) => gradients[i]!),
      slots: [],
      label: 'accumulate',
    });
    const totals: (Value | null)[] = variables.map(() => null);
    used.forEach((i, k) => {
      const variable = variables[i]!;
      totals[i] = sums[k]!;
      graph.update(variable, options.applies ? fill(graph, variable.shape, 0) : sums[k]!);
    });
    return totals;
  }
}
