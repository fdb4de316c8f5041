/** What optimizers share: a rule, a learning rate, and the variables they keep for a list of parameters. */
import { ArgumentError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import { checkNumber } from '../graph/options.js';
import { Variable, type Value } from '../graph/value.js';
import { fill } from '../ops/fill.js';
import { globalNorm } from '../ops/global-norm.js';
import { optimizerUpdate, slotNames, type OptimizerRule } from '../ops/optimizer-update.js';

/** A rule with its settings. It holds no numbers of any model: those are in an {@link OptimizerState}. */
export abstract class Optimizer {
  /** How messages call it: `Adam`. */
  readonly name: string;
  readonly rule: OptimizerRule;
  #learningRate: number;

  constructor(name: string, rule: OptimizerRule, learningRate: number) {
    this.name = name;
    this.rule = rule;
    this.#learningRate = this.#checked(learningRate);
  }

  /** May be changed between steps; nothing is compiled again. */
  get learningRate(): number {
    return this.#learningRate;
  }
  set learningRate(value: number) {
    this.#learningRate = this.#checked(value);
  }

  #checked(value: number): number {
    checkNumber(this.name, 'learningRate', value, { min: 0 });
    return value;
  }

  /** The variables this rule needs for these parameters, all begun as zeros. */
  createState(parameters: ReadonlyMap<string, Variable>): OptimizerState {
    return new OptimizerState(this.name, this.rule, parameters);
  }
}

/** Numbers that change a step's update without compiling anew: scalars of the graph. */
export interface OptimizerScalars {
  readonly learningRate: Value;
  /** Gradients are scaled down to this global norm; 0, the default, is no clipping. */
  readonly clipNorm?: Value;
}

/** The moments and counters that one optimizer keeps for one list of parameters. */
export class OptimizerState {
  readonly rule: OptimizerRule;
  /** [4]: updates applied, updates skipped, 1 − β₁ᵗ, 1 − β₂ᵗ. */
  readonly counters: Variable;
  readonly #name: string;
  readonly #parameters: readonly Variable[];
  /** One list a slot, one variable a parameter. */
  readonly #slots: readonly (readonly Variable[])[];
  readonly #variables = new Map<string, Variable>();

  /** Use {@link Optimizer.createState}. */
  constructor(name: string, rule: OptimizerRule, parameters: ReadonlyMap<string, Variable>) {
    this.#name = name;
    this.rule = rule;
    this.counters = new Variable({ name: `${name}.counters`, shape: [4] });
    this.#variables.set('counters', this.counters);
    const unique = new Map([...parameters].map(([key, variable]) => [variable, key]));
    this.#parameters = [...unique.keys()];
    this.#slots = slotNames(rule).map((slot) =>
      this.#parameters.map((parameter) => {
        const variable = new Variable({ name: `${slot}.${parameter.name}`, shape: parameter.shape });
        this.#variables.set(`${slot}.${unique.get(parameter)!}`, variable);
        return variable;
      }),
    );
  }

  /** The parameters, each once, in the order in which `record` wants their gradients. */
  get parameters(): readonly Variable[] {
    return this.#parameters;
  }

  /** All variables by name, for checkpoints: `counters`, `exp_avg.rnn.weight_ih_l0`, … */
  get variables(): ReadonlyMap<string, Variable> {
    return this.#variables;
  }

  /**
   * Records one update of the parameters. Where the norm of all gradients is not finite, nothing changes
   * but the count of skipped updates.
   * @param gradients one a parameter, in the order of `parameters`; `null` leaves that one as it is
   * @returns the norm of all gradients before clipping, a scalar
   * @throws ArgumentError when the number of gradients differs, or all are `null`
   */
  record(
    graph: Graph,
    gradients: readonly (Value | null)[],
    scalars: OptimizerScalars,
  ): { gradientNorm: Value } {
    const used = this.#parameters.map((_, i) => i).filter((i) => gradients[i]);
    if (gradients.length !== this.#parameters.length || used.length === 0) {
      throw new ArgumentError({
        culprit: this.#name,
        problem: `got ${used.length} gradients of ${this.#parameters.length} parameters`,
        remedy: 'pass one gradient or null a parameter, and at least one gradient',
      });
    }
    const pick = (variables: readonly Variable[]): Variable[] => used.map((i) => variables[i]!);
    const read = (variables: readonly Variable[]): Value[] =>
      variables.map((variable) => graph.read(variable));
    const parameters = pick(this.#parameters);
    const slots = this.#slots.map(pick);
    const wanted = used.map((i) => gradients[i]!);
    const gradientNorm = globalNorm(wanted);
    const updated = optimizerUpdate({
      rule: this.rule,
      learningRate: scalars.learningRate,
      gradientNorm,
      clipNorm: scalars.clipNorm ?? fill(graph, [], 0),
      counters: graph.read(this.counters),
      parameters: read(parameters),
      gradients: wanted,
      slots: slots.map(read),
      label: this.#name,
    });
    graph.update(this.counters, updated.counters);
    parameters.forEach((variable, i) => graph.update(variable, updated.parameters[i]!));
    slots.forEach((slot, s) => slot.forEach((variable, i) => graph.update(variable, updated.slots[s]![i]!)));
    return { gradientNorm };
  }
}
