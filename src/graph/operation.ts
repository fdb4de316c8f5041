/** What an operation is to the graph: a name, a shape rule and a gradient rule. */
import type { Node, Value, ValueSpec } from './value.js';

/**
 * An operation, known to executors by identity. `A` are its attributes: everything fixed when it is
 * recorded. It is pure: equal inputs give equal outputs.
 */
export interface Operation<A = unknown> {
  /** The file name of its rules, its reference and its lowering, in camelCase. */
  readonly name: string;
  /** The function that users call, where it has another name. */
  readonly called?: (attributes: A) => string;
  /** Shapes of the outputs; throws a `ShapeError` or `ArgumentError` when the inputs do not fit. */
  readonly infer: (inputs: readonly (ValueSpec | null)[], attributes: A, culprit: string) => ValueSpec[];
  /**
   * Records the gradients of the inputs from those of the outputs. `zero` where none flows, by nature or by
   * intent; `null` where the operation cannot be differentiated, which is said when someone tries.
   */
  readonly gradient: GradientRule<A> | 'zero' | null;
}

/**
 * @param node the forward node
 * @param dOutputs gradient of the loss by each output; `null` where none flows
 * @param wanted which inputs need a gradient; the others may be left `null`
 * @returns gradient of the loss by each input, of the input's shape; `null` for zero
 */
export type GradientRule<A = unknown> = (
  node: Node<A>,
  dOutputs: readonly (Value | null)[],
  wanted: readonly boolean[],
) => (Value | null)[];

/** Declares an operation; only there so that its attributes' type is written once. */
/* @__NO_SIDE_EFFECTS__ */
export function defineOperation<A>(operation: Operation<A>): Operation<A> {
  return operation;
}

/** The residual's place in an operation's outputs: what only the executor can read. */
export const OPAQUE: ValueSpec = { shape: [], dtype: 'opaque' };
