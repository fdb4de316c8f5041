/** What optimizers share: a rule, a learning rate, groups, and the variables they keep for a list of parameters. */
import { ArgumentError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import { Variable, type Value } from '../graph/value.js';
import { globalNorm } from '../ops/global-norm.js';
import { optimizerUpdate, slotInitial, slotNames, type OptimizerRule } from '../ops/optimizer-update.js';
import { assignGroups, checkGroups, type ParameterGroup } from './parameter-groups.js';
import { isAdaptive, learningRateAt, type AdaptiveSchedule, type LearningRate } from './schedules.js';

/** Options of every optimizer. */
export interface OptimizerOptions {
  /** A number, a function of the step counted from 1, or an adaptive schedule such as `ReduceOnPlateau`. */
  readonly learningRate?: LearningRate;
  /** Parameters with a learning rate or a weight decay of their own; the first group that matches counts. */
  readonly groups?: readonly ParameterGroup[];
}

/** The names of {@link OptimizerOptions}. */
export const OPTIMIZER_OPTIONS = ['learningRate', 'groups'] as const;

/** A rule with its settings. It holds no numbers of any model: those are in an {@link OptimizerState}. */
export abstract class Optimizer {
  /** How messages call it: `Adam`. */
  readonly name: string;
  readonly rule: OptimizerRule;
  readonly groups: readonly ParameterGroup[];
  #rate: LearningRate;
  #learningRate: number;

  constructor(
    name: string,
    rule: OptimizerRule,
    options: { readonly learningRate: LearningRate; readonly groups?: readonly ParameterGroup[] | undefined },
  ) {
    const { learningRate, groups = [] } = options;
    checkGroups(name, groups);
    this.name = name;
    this.rule = rule;
    this.groups = groups;
    this.#learningRate = learningRateAt(name, learningRate, 1);
    this.#rate = learningRate;
  }

  /** The rate of the next step. May be set between steps, to a number or a schedule; nothing is compiled again. */
  get learningRate(): number {
    return this.#learningRate;
  }
  set learningRate(value: LearningRate) {
    this.#learningRate = learningRateAt(this.name, value, 1);
    this.#rate = value;
  }

  /** The schedule that follows measurements, if there is one. */
  get adaptiveSchedule(): AdaptiveSchedule | null {
    return isAdaptive(this.#rate) ? this.#rate : null;
  }

  /**
   * Sets `learningRate` for an update, counted from 1; who runs steps calls it before each.
   * @param rate used for this update alone: the optimizer's own rate or schedule stays as it is
   * @returns the rate of this update
   */
  prepare(update: number, rate?: LearningRate): number {
    if (rate !== undefined) return learningRateAt(this.name, rate, update);
    if (typeof this.#rate !== 'number') this.#learningRate = learningRateAt(this.name, this.#rate, update);
    return this.#learningRate;
  }

  /** Sets the rate of the next step, and keeps the schedule if there is one: what a checkpoint does. */
  resume(learningRate: number): void {
    this.#learningRate = learningRateAt(this.name, learningRate, 1);
    if (typeof this.#rate === 'number') this.#rate = learningRate;
  }

  /**
   * The variables this rule needs for these parameters.
   * @throws ArgumentError when a group matches none of them
   */
  createState(parameters: ReadonlyMap<string, Variable>): OptimizerState {
    return new OptimizerState(this.name, this.rule, parameters, this.groups);
  }
}

/** Throws unless this is an optimizer. */
export function checkOptimizer(culprit: string, optimizer: unknown): asserts optimizer is Optimizer {
  if (optimizer instanceof Optimizer) return;
  throw new ArgumentError({
    culprit,
    problem: 'optimizer is not an Optimizer',
    remedy: 'pass new Adam(…), SGD, AdamW or RMSprop',
  });
}

/** Numbers that change a step's update without compiling anew: scalars of the graph. */
export interface OptimizerScalars {
  readonly learningRate: Value;
  /** Gradients are scaled down to this global norm; 0, the default, is no clipping. */
  readonly clipNorm?: Value;
  /** Then each element of a gradient is held within ± this; 0, the default, is no bound. */
  readonly clipValue?: Value;
}

/** Parameters that are updated together. */
interface Group {
  readonly rule: OptimizerRule;
  readonly learningRateFactor: number;
  readonly counters: Variable;
  /** Which parameters. */
  readonly members: ReadonlySet<number>;
  readonly label: string;
}

/** The moments and counters that one optimizer keeps for one list of parameters. */
export class OptimizerState {
  readonly rule: OptimizerRule;
  readonly #name: string;
  readonly #parameters: readonly Variable[];
  readonly #groups: readonly Group[];
  /** One list a slot, one variable a parameter. */
  readonly #slots: readonly (readonly Variable[])[];
  /** All names of each parameter. */
  readonly #names: readonly (readonly string[])[];
  readonly #variables = new Map<string, Variable>();

  /** Use {@link Optimizer.createState}. */
  constructor(
    name: string,
    rule: OptimizerRule,
    parameters: ReadonlyMap<string, Variable>,
    groups: readonly ParameterGroup[] = [],
  ) {
    this.#name = name;
    this.rule = rule;
    const unique = new Map<Variable, string[]>();
    for (const [key, variable] of parameters) unique.set(variable, [...(unique.get(variable) ?? []), key]);
    this.#parameters = [...unique.keys()];
    const names = [...unique.values()];
    this.#names = names;
    const assigned = assignGroups(name, groups, names);
    this.#groups = [-1, ...groups.keys()]
      .filter((group) => assigned.includes(group) || (group === -1 && groups.length === 0))
      .map((group) => this.#createGroup(group, groups[group], assigned));
    const initial = slotInitial(rule);
    this.#slots = slotNames(rule).map((slot) =>
      this.#parameters.map((parameter, i) => {
        const variable = new Variable({
          name: `${slot}.${parameter.name}`,
          shape: parameter.shape,
          ...(initial !== 0 && { initial: () => new Float64Array(parameter.size).fill(initial) }),
        });
        this.#variables.set(`${slot}.${names[i]!.at(-1)!}`, variable);
        return variable;
      }),
    );
  }

  #createGroup(index: number, group: ParameterGroup | undefined, assigned: readonly number[]): Group {
    const key = index < 0 ? 'counters' : `counters.group${index}`;
    const counters = new Variable({ name: `${this.#name}.${key}`, shape: [4] });
    this.#variables.set(key, counters);
    const { learningRateFactor = 1, weightDecay } = group ?? {};
    // The rule of averages has no weight decay, and no optimizer has that rule.
    const rule = weightDecay === undefined ? this.rule : ({ ...this.rule, weightDecay } as OptimizerRule);
    const members = new Set(assigned.map((_, i) => i).filter((i) => assigned[i] === index));
    const label = index < 0 ? this.#name : `${this.#name}.group${index}`;
    return { rule, learningRateFactor, counters, members, label };
  }

  /** [4]: updates applied, updates skipped, 1 − β₁ᵗ, 1 − β₂ᵗ. Those of the first group; all count alike. */
  get counters(): Variable {
    return this.#groups[0]!.counters;
  }

  /** The parameters, each once, in the order in which `record` wants their gradients. */
  get parameters(): readonly Variable[] {
    return this.#parameters;
  }

  /** All variables by name, for checkpoints: `counters`, `exp_avg.rnn.weight_ih_l0`, … */
  get variables(): ReadonlyMap<string, Variable> {
    return this.#variables;
  }

  /** The parameters by the last of their names, each once. */
  get namedParameters(): ReadonlyMap<string, Variable> {
    return new Map(this.#parameters.map((variable, i) => [this.#names[i]!.at(-1)!, variable]));
  }

  /** Rule, settings and members of each group as JSON: what must be the same for variables to be handed on. */
  get description(): string {
    const groups = this.#groups.map(({ rule, learningRateFactor, members }) => ({
      rule,
      learningRateFactor,
      parameters: [...members].map((i) => this.#names[i]!.at(-1)!),
    }));
    return JSON.stringify({ optimizer: this.#name, groups });
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
    const gradientNorm = globalNorm(used.map((i) => gradients[i]!));
    for (const group of this.#groups) {
      const members = used.filter((i) => group.members.has(i));
      if (members.length > 0) this.#recordGroup(graph, group, members, gradients, gradientNorm, scalars);
    }
    return { gradientNorm };
  }

  #recordGroup(
    graph: Graph,
    group: Group,
    members: readonly number[],
    gradients: readonly (Value | null)[],
    gradientNorm: Value,
    scalars: OptimizerScalars,
  ): void {
    const { rule, learningRateFactor, counters, label } = group;
    const pick = (variables: readonly Variable[]): Variable[] => members.map((i) => variables[i]!);
    const read = (variables: readonly Variable[]): Value[] =>
      variables.map((variable) => graph.read(variable));
    const parameters = pick(this.#parameters);
    const slots = this.#slots.map(pick);
    const updated = optimizerUpdate({
      rule,
      learningRateFactor,
      learningRate: scalars.learningRate,
      gradientNorm,
      clipNorm: scalars.clipNorm ?? null,
      clipValue: scalars.clipValue ?? null,
      counters: graph.read(counters),
      parameters: read(parameters),
      gradients: members.map((i) => gradients[i]!),
      slots: slots.map(read),
      label,
    });
    graph.update(counters, updated.counters);
    parameters.forEach((variable, i) => graph.update(variable, updated.parameters[i]!));
    slots.forEach((slot, s) => slot.forEach((variable, i) => graph.update(variable, updated.slots[s]![i]!)));
  }
}
