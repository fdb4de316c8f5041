/** Recording: calling operations on values appends nodes to a graph; nothing is computed yet. */
import { ArgumentError, ShapeError } from './errors.js';
import type { Operation } from './operation.js';
import { checkChoice, checkFlag, checkOptions, show } from './options.js';
import { checkShape, formatShape, sameShape, type Shape } from './shape.js';
import {
  checkValue,
  culpritOf,
  DTYPES,
  Value,
  type DType,
  type Node,
  type Source,
  type ValueSpec,
  type Variable,
} from './value.js';

/** An input of a graph: what a run must be fed. */
export interface InputDeclaration {
  readonly name: string;
  readonly value: Value;
}

/** A named result of a graph. */
export interface OutputDeclaration {
  readonly name: string;
  readonly value: Value;
  /** Whether each run's number is kept until it is read (scalars only). */
  readonly history: boolean;
}

/** A variable and the value it takes when a run ends. */
export interface UpdateDeclaration {
  readonly variable: Variable;
  readonly value: Value;
}

/**
 * A recorded computation: inputs and variables in, outputs and variable updates out. Every read of a
 * variable in a run sees the value it had when the run began.
 */
export class Graph {
  readonly name: string;
  readonly #nodes: Node[] = [];
  readonly #inputs = new Map<string, InputDeclaration>();
  readonly #outputs = new Map<string, OutputDeclaration>();
  readonly #updates = new Map<Variable, UpdateDeclaration>();
  readonly #reads = new Map<Variable, Value>();
  #nextValueId = 0;

  constructor(name = 'graph') {
    this.name = name;
  }

  /** The nodes, in an order in which each comes after what it reads. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }
  get inputs(): readonly InputDeclaration[] {
    return [...this.#inputs.values()];
  }
  get outputs(): readonly OutputDeclaration[] {
    return [...this.#outputs.values()];
  }
  get updates(): readonly UpdateDeclaration[] {
    return [...this.#updates.values()];
  }
  /** The variables this graph reads, with the value each read gives. */
  get reads(): ReadonlyMap<Variable, Value> {
    return this.#reads;
  }

  /** Declares an array that each run is fed. */
  input(name: string, shape: Shape, dtype: DType = 'float32'): Value {
    const culprit = `graph "${this.name}", input ${show(name)}`;
    if (typeof name !== 'string') {
      throw new ArgumentError({ culprit, problem: 'its name is no text', remedy: 'pass a string' });
    }
    checkShape(culprit, shape);
    checkChoice(culprit, 'dtype', dtype, DTYPES);
    if (this.#inputs.has(name)) {
      throw new ArgumentError({ culprit, problem: 'is declared twice', remedy: 'give each its own name' });
    }
    const value = this.#value({ shape, dtype }, { kind: 'input', name });
    this.#inputs.set(name, { name, value });
    return value;
  }

  /** Declares a number that each run is fed, such as a learning rate or a seed; changing it recompiles nothing. */
  scalar(name: string, dtype: DType = 'float32'): Value {
    return this.input(name, [], dtype);
  }

  /** The value `variable` has when the run begins. */
  read(variable: Variable): Value {
    let value = this.#reads.get(variable);
    if (!value) {
      value = this.#value(variable, { kind: 'variable', variable });
      this.#reads.set(variable, value);
    }
    return value;
  }

  /**
   * Applies an operation. Its shape rule runs here, so that a mistake is thrown at the call that made it.
   * @param label whose operation it is, for messages and listings
   */
  record<A>(
    operation: Operation<A>,
    inputs: readonly (Value | null | undefined)[],
    attributes: A,
    label = '',
  ): readonly Value[] {
    const culprit = culpritOf({ operation, attributes, label });
    inputs.forEach((input, i) => {
      // What is missing, the shape rule names.
      if (input === null || input === undefined) return;
      checkValue(culprit, `input ${i}`, input);
      if (input.graph !== this) {
        throw new ArgumentError({
          culprit,
          problem: `an input belongs to graph "${input.graph.name}", not to "${this.name}"`,
          remedy: 'record all inputs of an operation in one graph',
        });
      }
    });
    const given = inputs.map((input) => input ?? null);
    const specs = operation.infer(given, attributes, culprit);
    const outputs: Value[] = [];
    const node: Node<A> = {
      id: this.#nodes.length,
      operation,
      inputs: given,
      attributes,
      outputs,
      label,
    };
    this.#nodes.push(node as Node);
    specs.forEach((spec, index) => {
      outputs.push(this.#value(spec, { kind: 'node', node: node as Node, index }));
    });
    return outputs;
  }

  /**
   * Names a result. With `history`, a scalar's value of every run is kept on the device until it is
   * read, so that a loss can be followed without waiting for each step.
   */
  output(name: string, value: Value, options: { readonly history?: boolean } = {}): void {
    const culprit = `graph "${this.name}", output "${name}"`;
    checkOptions(culprit, options, ['history']);
    const { history = false } = options;
    checkFlag(culprit, 'history', history);
    this.#own(culprit, value);
    if (this.#outputs.has(name)) {
      throw new ArgumentError({ culprit, problem: 'is declared twice', remedy: 'give each its own name' });
    }
    if (value.dtype === 'opaque') {
      throw new ShapeError({
        culprit,
        problem: 'is a residual, which has no numbers to give',
        remedy: 'name another output of that operation',
      });
    }
    if (history && (value.size !== 1 || value.dtype !== 'float32')) {
      throw new ShapeError({
        culprit,
        problem: `has shape ${formatShape(value.shape)}, a history keeps real scalars`,
        remedy: 'reduce it to one number first',
      });
    }
    this.#outputs.set(name, { name, value, history });
  }

  /** Lets `variable` take `value` when the run ends. */
  update(variable: Variable, value: Value): void {
    const culprit = `graph "${this.name}", update of "${variable.name}"`;
    this.#own(culprit, value);
    if (this.#updates.has(variable)) {
      throw new ArgumentError({
        culprit,
        problem: 'is given twice',
        remedy: 'update each variable once a graph',
      });
    }
    if (!sameShape(variable.shape, value.shape) || variable.dtype !== value.dtype) {
      throw new ShapeError({
        culprit,
        problem: `the value is ${value.dtype}${formatShape(value.shape)}, the variable ${variable.dtype}${formatShape(variable.shape)}`,
        remedy: 'a variable keeps its shape and type',
      });
    }
    this.#updates.set(variable, { variable, value });
  }

  #own(culprit: string, value: Value): void {
    checkValue(culprit, 'the value', value);
    if (value.graph === this) return;
    throw new ArgumentError({
      culprit,
      problem: `the value belongs to graph "${value.graph.name}"`,
      remedy: 'use a value recorded in this graph',
    });
  }

  #value(spec: ValueSpec, source: Source): Value {
    return new Value(this, this.#nextValueId++, spec, source);
  }
}

/**
 * The nodes that some output or update needs, in order of recording. What nothing reads is not run.
 */
export function liveNodes(graph: Graph): Node[] {
  const needed = new Set<Node>();
  const visit = (value: Value): void => {
    if (value.source.kind === 'node') needed.add(value.source.node);
  };
  for (const { value } of graph.outputs) visit(value);
  for (const { value } of graph.updates) visit(value);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (!needed.has(node)) continue;
    for (const input of node.inputs) if (input) visit(input);
  }
  return graph.nodes.filter((node) => needed.has(node));
}
