/** `CarriedState`: the states of a recurrent layer, kept on the device from run to run. */
import { ArgumentError } from '../graph/errors.js';
import type { Executor } from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import type { Value, Variable } from '../graph/value.js';

/** States that stay on the device from run to run: one variable a state, [L·D,B,·], begun as zeros. */
export class CarriedState<State extends object> {
  readonly variables: ReadonlyMap<string, Variable>;
  readonly #culprit: string;

  /** Use `createState` of a recurrent layer. */
  constructor(culprit: string, variables: ReadonlyMap<string, Variable>) {
    this.#culprit = culprit;
    this.variables = variables;
  }

  /** The states as a run finds them: constants, through which no gradient reaches the run before. */
  read(graph: Graph): State {
    const entries = [...this.variables].map(([name, variable]) => [name, graph.read(variable)] as const);
    return Object.fromEntries(entries) as unknown as State;
  }

  /** Lets the next run begin where this one ends. */
  update(graph: Graph, state: State): void {
    for (const [name, variable] of this.variables) {
      const value = (state as unknown as Readonly<Record<string, Value>>)[name];
      if (!value) {
        throw new ArgumentError({
          culprit: this.#culprit,
          problem: `the new ${name} is missing`,
          remedy: `pass ${[...this.variables.keys()].join(' and ')}`,
        });
      }
      graph.update(variable, value);
    }
  }

  /** Sets the states to zero, after all runs queued so far. */
  reset(executor: Executor): void {
    for (const variable of this.variables.values()) executor.write(variable, new Float32Array(variable.size));
  }
}
