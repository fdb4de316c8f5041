/** What an operation is to the CPU: one plain function from arrays to arrays, and its count of operations. */
import { RnnError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import type { Operation } from '../graph/operation.js';
import { sizeOf, type Shape } from '../graph/shape.js';
import { culpritOf, type Node } from '../graph/value.js';
import type { Arena, Data, RealArray } from './storage.js';

/** What a forward function keeps for its backward one. */
export class Residual {
  readonly arrays: readonly RealArray[];
  constructor(arrays: readonly RealArray[]) {
    this.arrays = arrays;
  }
}

/** What a value holds while a plan runs. */
export type Slot = Data | Residual;

/** A graph that a function may run as part of its work. */
export interface Subprogram {
  /** Runs once; the arrays it returns are the caller's to release, unless they are among `inputs`. */
  run(inputs: ReadonlyMap<string, Data>, arena: Arena): ReadonlyMap<string, Data>;
  readonly flops: number;
}

/** One application of an operation during a run. */
export class KernelCall<A> {
  readonly node: Node<A>;
  readonly attributes: A;
  /** The pool; {@link allocate} and {@link scratch} are what most functions need. */
  readonly arena: Arena;
  readonly #inputs: readonly (Slot | null)[];
  readonly #wanted: readonly boolean[];
  readonly #scratch: RealArray[] = [];
  readonly #prepare: (body: Graph) => Subprogram;

  constructor(
    node: Node<A>,
    inputs: readonly (Slot | null)[],
    wanted: readonly boolean[],
    arena: Arena,
    prepare: (body: Graph) => Subprogram,
  ) {
    this.node = node;
    this.attributes = node.attributes;
    this.arena = arena;
    this.#inputs = inputs;
    this.#wanted = wanted;
    this.#prepare = prepare;
  }

  /** Number of inputs. */
  get inputCount(): number {
    return this.#inputs.length;
  }

  /** Whether anything reads output `index`. */
  wanted(index: number): boolean {
    return this.#wanted[index]!;
  }

  /** The real numbers of input `index`, or `null` where it is absent. */
  optional(index: number): RealArray | null {
    return this.#inputs[index] ? this.real(index) : null;
  }

  /** The real numbers of input `index`. */
  real(index: number): RealArray {
    const slot = this.#inputs[index];
    if (slot instanceof Float64Array || slot instanceof Float32Array) return slot;
    throw this.#unexpected(index, 'real numbers');
  }

  /** The whole numbers of input `index`. */
  int(index: number): Int32Array {
    const slot = this.#inputs[index];
    if (slot instanceof Int32Array) return slot;
    throw this.#unexpected(index, 'whole numbers');
  }

  /** The numbers of input `index`, of either type. */
  data(index: number): Data {
    return this.#inputs[index] instanceof Int32Array ? this.int(index) : this.real(index);
  }

  /** What the forward function kept. */
  residual(index: number): readonly RealArray[] {
    const slot = this.#inputs[index];
    if (slot instanceof Residual) return slot.arrays;
    throw this.#unexpected(index, 'a residual');
  }

  /** Shape of input `index`. */
  shape(index: number): Shape {
    return this.node.inputs[index]!.shape;
  }

  /** Shape of output `index`. */
  outputShape(index: number): Shape {
    return this.node.outputs[index]!.shape;
  }

  /** An array to return as an output or in a residual; it holds anything until it is written. */
  allocate(size: number): RealArray {
    return this.arena.real(size);
  }

  /** An array of the element type of `data`, to return as an output. */
  allocateLike(data: Data, size: number): Data {
    return data instanceof Int32Array ? this.arena.int(size) : this.arena.real(size);
  }

  /** An array of real numbers of this call alone; it holds anything until it is written. */
  scratch(size: number): RealArray {
    const array = this.arena.real(size);
    this.#scratch.push(array);
    return array;
  }

  /** Makes a graph ready to be run as part of this call. */
  prepare(body: Graph): Subprogram {
    return this.#prepare(body);
  }

  /** Takes the scratch arrays back. */
  finish(): void {
    for (const array of this.#scratch) this.arena.release(array);
    this.#scratch.length = 0;
  }

  #unexpected(index: number, what: string): RnnError {
    return new RnnError({
      culprit: culpritOf(this.node),
      problem: `input ${index} does not hold ${what}`,
      remedy: 'check its shape rule against its CPU function',
    });
  }
}

/** The CPU's half of an operation. */
export interface Kernel<A = unknown> {
  readonly operation: Operation<A>;
  /** Computes the outputs, `null` for those that nothing reads. It must write every element it returns. */
  readonly run: (call: KernelCall<A>) => (Slot | null)[];
  /** Floating-point operations of one call. */
  readonly flops: (node: Node<A>, prepare: (body: Graph) => Subprogram) => number;
}

/** Declares a kernel; by default it counts one operation an output element. */
/* @__NO_SIDE_EFFECTS__ */
export function defineKernel<A>(
  operation: Operation<A>,
  run: Kernel<A>['run'],
  flops: Kernel<A>['flops'] = (node) => outputSize(node),
): Kernel<A> {
  return { operation, run, flops };
}

/** Number of elements of the first output. */
export function outputSize<A>(node: Node<A>): number {
  return sizeOf(node.outputs[0]!.shape);
}
