/** Modules: trees of named parameters, in PyTorch's names, that can be loaded and saved as a whole. */
import { ArgumentError, NonFiniteError, ShapeError } from '../graph/errors.js';
import type { Executor } from '../graph/executor.js';
import { checkMap, show } from '../graph/options.js';
import { formatShape, sameShape, type Shape } from '../graph/shape.js';
import { Variable, type HostArray } from '../graph/value.js';
import type { Initializer } from './initializers.js';

/** A tensor on the host. */
export interface TensorData {
  readonly shape: Shape;
  readonly data: HostArray;
}

/** Parameters by name, on the host. */
export type StateMap = ReadonlyMap<string, TensorData>;

/** The module that each parameter was made for. */
const OWNERS = new WeakMap<Variable, Module>();

/** The module that a parameter was made for; none for other variables. */
export function ownerOf(variable: Variable): Module | undefined {
  return OWNERS.get(variable);
}

/** The base of layers and of models made of layers. */
export abstract class Module {
  /** What kind of layer it is, for messages: `lstm`. */
  readonly kind: string;
  readonly #parameters = new Map<string, Variable>();
  readonly #children = new Map<string, Module>();
  #name: string;

  /**
   * @param kind what kind of layer it is, for messages
   * @param name which one; by default the name it is registered under
   */
  constructor(kind: string, name = '') {
    this.kind = kind;
    this.#name = name;
  }

  /** Which one of its kind; empty for a module with no name of its own and no parent. */
  get name(): string {
    return this.#name;
  }

  /** How messages call it: `lstm "encoder"`. */
  get culprit(): string {
    return this.#name ? `${this.kind} "${this.#name}"` : this.kind;
  }

  /** How listings call its operations. */
  get label(): string {
    return this.#name || this.kind;
  }

  /** Adds a parameter of this module. */
  protected addParameter(name: string, shape: Shape, initial: Initializer): Variable {
    const full = this.#name ? `${this.#name}.${name}` : name;
    const variable = new Variable({ name: full, shape, initial });
    return this.shareParameter(name, variable);
  }

  /** Adds a parameter that another module has too. */
  protected shareParameter(name: string, variable: Variable): Variable {
    this.#parameters.set(this.#unused(name), variable);
    if (!OWNERS.has(variable)) OWNERS.set(variable, this);
    return variable;
  }

  /** Adds a part, whose parameters get `name.` before theirs. Give a module to two parents to share it. */
  protected addModule<M extends Module>(name: string, module: M): M {
    this.#children.set(this.#unused(name), module);
    if (!module.#name) module.#name = name;
    return module;
  }

  #unused(name: string): string {
    if (!this.#parameters.has(name) && !this.#children.has(name)) return name;
    throw new ArgumentError({
      culprit: this.culprit,
      problem: `"${name}" is registered twice`,
      remedy: 'give each part its own name',
    });
  }

  /**
   * All parameters, nested names joined by dots as in PyTorch: `rnn.weight_ih_l0`. One that is shared
   * stands here once, by its first name.
   */
  namedParameters(): Map<string, Variable> {
    const first = new Map<Variable, string>();
    for (const [name, variable] of this.#allNames()) {
      if (!first.has(variable)) first.set(variable, name);
    }
    return new Map([...first].map(([variable, name]) => [name, variable]));
  }

  /** All parameters by all their names. */
  #allNames(): Map<string, Variable> {
    const all = new Map(this.#parameters);
    for (const [name, child] of this.#children) {
      for (const [inner, variable] of child.#allNames()) all.set(`${name}.${inner}`, variable);
    }
    return all;
  }

  /** Each parameter once, however many names it has. */
  parameters(): Variable[] {
    return [...this.namedParameters().values()];
  }

  /** Numbers in all parameters, shared ones counted once. */
  get parameterCount(): number {
    return this.parameters().reduce((sum, variable) => sum + variable.size, 0);
  }

  /** Brings all parameters to the host: their values after all runs queued so far, of one and the same step. */
  async state(executor: Executor): Promise<Map<string, TensorData>> {
    // All reads are queued before the first is awaited, so that no run comes between them.
    const entries = [...this.namedParameters()].map(
      async ([name, variable]): Promise<[string, TensorData]> => [
        name,
        { shape: variable.shape, data: await executor.read(variable) },
      ],
    );
    return new Map(await Promise.all(entries));
  }

  /**
   * Sets all parameters. Nothing is changed unless everything fits. A shared parameter may be given by any
   * of its names, or by several that agree.
   * @throws ArgumentError for a missing or unknown name, or names of one parameter that disagree,
   * ShapeError for a wrong shape or type, NonFiniteError for NaN or infinity
   */
  loadState(executor: Executor, state: StateMap): void {
    checkMap(this.culprit, 'state', state);
    const names = this.#allNames();
    const given = new Set([...state.keys()].map((name) => names.get(name)));
    checkNames(
      this.culprit,
      [...this.namedParameters()].filter(([, variable]) => !given.has(variable)).map(([name]) => name),
      [...state.keys()].filter((name) => !names.has(name)),
      [...this.namedParameters().keys()],
    );
    const loaded = new Map<Variable, readonly [name: string, data: HostArray]>();
    for (const [name, variable] of names) {
      const tensor = state.get(name);
      if (!tensor) continue;
      const data = checkTensor(name, variable, tensor);
      const [otherName, other] = loaded.get(variable) ?? [name, data];
      if (other.some((number, i) => number !== data[i])) {
        throw new ArgumentError({
          culprit: `parameter "${name}"`,
          problem: `differs from "${otherName}", with which it is shared here`,
          remedy: 'load it into a model that does not share them',
        });
      }
      loaded.set(variable, [otherName, other]);
    }
    for (const [variable, [, data]] of loaded) executor.write(variable, data);
  }
}

function checkNames(
  culprit: string,
  missing: readonly string[],
  unknown: readonly string[],
  wanted: readonly string[],
): void {
  if (missing.length === 0 && unknown.length === 0) return;
  const quote = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
  const problems = [
    missing.length ? `parameters are missing: ${quote(missing)}` : '',
    unknown.length ? `parameters are unknown: ${quote(unknown)}` : '',
  ].filter((problem) => problem !== '');
  throw new ArgumentError({
    culprit,
    problem: problems.join('; '),
    remedy: `give exactly ${quote(wanted)}`,
  });
}

/** The numbers, once they are known to fit. */
function checkTensor(name: string, variable: Variable, { shape, data }: TensorData): HostArray {
  const culprit = `parameter "${name}"`;
  if (!sameShape(shape, variable.shape) || data.length !== variable.size) {
    throw new ShapeError({
      culprit,
      problem: `has shape ${formatShape(shape)} and ${data.length} numbers, the layer's is ${formatShape(variable.shape)}`,
      remedy: 'load it into a model of the same sizes',
    });
  }
  if (data instanceof Int32Array) {
    throw new ShapeError({ culprit, problem: 'holds whole numbers', remedy: 'save it as real numbers' });
  }
  const at = data.findIndex((number) => !Number.isFinite(Math.fround(number)));
  if (at < 0) return data;
  throw new NonFiniteError({
    culprit,
    problem: `element ${at} is ${data[at]}${Number.isFinite(data[at]!) ? ', beyond what 32 bits hold' : ''}`,
    remedy: 'its training has diverged or the file is damaged; take an earlier one',
  });
}

/** The parameters of a module, or those of a map, each known to be a variable. */
export function namedVariables(culprit: string, parameters: unknown): ReadonlyMap<string, Variable> {
  if (parameters instanceof Module) return parameters.namedParameters();
  const valid = (entry: unknown): boolean => entry instanceof Variable;
  if (parameters instanceof Map && [...parameters.values()].every(valid)) {
    return parameters as ReadonlyMap<string, Variable>;
  }
  throw new ArgumentError({
    culprit,
    problem: `parameters are ${show(parameters)}`,
    remedy: 'pass a Module, or a Map of Variables by name',
  });
}
