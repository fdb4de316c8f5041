/** What a graph is made of: values, variables and the nodes that compute them. */
import type { Graph } from './graph.js';
import type { Operation } from './operation.js';
import { checkShape, formatShape, sizeOf, type Shape } from './shape.js';
import { ArgumentError, LimitError, ShapeError } from './errors.js';
import { checkChoice, checkOptions, nameOf, show } from './options.js';

/** Element types: real numbers, and whole numbers for tokens, lengths and random seeds. */
export type DType = 'float32' | 'int32';

/** The element types. */
export const DTYPES: readonly DType[] = ['float32', 'int32'];

/** Numbers on the host. `Float64Array` is accepted wherever real numbers are. */
export type HostArray = Float32Array | Float64Array | Int32Array;

/**
 * Shape and type of a value. `opaque` marks a residual: what a forward operation keeps for its
 * backward one, in a form that only the executor knows; its shape is `[]` and says nothing.
 */
export interface ValueSpec {
  readonly shape: Shape;
  readonly dtype: DType | 'opaque';
}

/** Where a value comes from. */
export type Source =
  | { readonly kind: 'input'; readonly name: string }
  | { readonly kind: 'variable'; readonly variable: Variable }
  | { readonly kind: 'node'; readonly node: Node; readonly index: number };

/** One array in a graph, known by shape and origin; its numbers exist only while a plan runs. */
export class Value implements ValueSpec {
  readonly graph: Graph;
  /** Unique within its graph, in order of recording. */
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType | 'opaque';
  readonly source: Source;

  /** Use {@link Graph.input}, {@link Graph.read} or {@link Graph.record}. */
  constructor(graph: Graph, id: number, spec: ValueSpec, source: Source) {
    this.graph = graph;
    this.id = id;
    this.shape = Object.freeze([...spec.shape]);
    this.dtype = spec.dtype;
    this.source = source;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }
}

/** What to do where something else than a value was given. */
export const PASS_VALUE = 'pass a Value of the graph';

/** Throws unless `value` is an array in a graph. */
export function checkValue(culprit: string, name: string, value: unknown): asserts value is Value {
  if (value instanceof Value) return;
  throw new ArgumentError({ culprit, problem: `${name} is ${show(value)}`, remedy: PASS_VALUE });
}

/** One recorded application of an operation. */
export interface Node<A = unknown> {
  readonly id: number;
  readonly operation: Operation<A>;
  /** In the operation's own order; `null` where an optional input is absent. */
  readonly inputs: readonly (Value | null)[];
  readonly attributes: A;
  readonly outputs: readonly Value[];
  /** Whose operation this is, for messages and listings; e.g. `encoder`. */
  readonly label: string;
}

/** What messages call an application of an operation: `linear "output"`. */
export function culpritOf<A>({
  operation,
  attributes,
  label,
}: Pick<Node<A>, 'operation' | 'attributes' | 'label'>): string {
  const name = operation.called?.(attributes) ?? operation.name;
  return label ? `${name} "${label}"` : name;
}

/** Numbers that any runtime can hold in one array. */
export const MAX_ELEMENTS = 2 ** 31 - 1;

/** Options of a {@link Variable}. */
export interface VariableOptions {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Computes the first value, when a device first needs it; zeros by default. */
  readonly initial?: () => HostArray;
}

/**
 * An array that outlives a run: a parameter, an optimizer's moment, a carried state. It holds no
 * numbers itself; each executor keeps its own copy, begun from `initial`.
 */
export class Variable implements ValueSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly #initial: (() => HostArray) | undefined;

  constructor(options: VariableOptions) {
    const name = nameOf('variable', options);
    const { shape, dtype = 'float32', initial } = options;
    checkOptions(`variable "${name}"`, options, ['name', 'shape', 'dtype', 'initial']);
    checkShape(`variable "${name}"`, shape);
    checkChoice(`variable "${name}"`, 'dtype', dtype, DTYPES);
    if (sizeOf(shape) > MAX_ELEMENTS) {
      throw new LimitError({
        culprit: `variable "${name}"`,
        problem: `its shape ${formatShape(shape)} holds ${sizeOf(shape)} numbers, an array holds at most ${MAX_ELEMENTS}`,
        remedy: 'use smaller sizes',
      });
    }
    this.name = name;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.#initial = initial;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** The first value, computed afresh at each call. */
  initialValue(): HostArray {
    const data =
      this.#initial?.() ?? (this.dtype === 'int32' ? new Int32Array(this.size) : new Float32Array(this.size));
    if (data.length !== this.size) {
      throw new ShapeError({
        culprit: `variable "${this.name}"`,
        problem: `its initial value has ${data.length} numbers, its shape ${formatShape(this.shape)} holds ${this.size}`,
        remedy: 'let the initialiser return one number an element',
      });
    }
    return data;
  }
}
