/** What operations share: being applied, and checks of presence, type, rank and shape of inputs, named in messages. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import type { Operation } from '../graph/operation.js';
import { checkChoice } from '../graph/options.js';
import { formatShape, sameShape, type Shape } from '../graph/shape.js';
import { PASS_VALUE, Value, type DType, type ValueSpec } from '../graph/value.js';

/** The input at `index`; throws where it is absent. */
export function present(
  culprit: string,
  inputs: readonly (ValueSpec | null)[],
  index: number,
  name: string,
): ValueSpec {
  const spec = inputs[index];
  if (spec) return spec;
  throw new ArgumentError({ culprit, problem: `${name} is missing`, remedy: PASS_VALUE });
}

/** Throws unless `spec` has elements of type `dtype`; `hint` goes on with the remedy. */
export function checkType(culprit: string, name: string, spec: ValueSpec, dtype: DType, hint = ''): void {
  if (spec.dtype === dtype) return;
  throw new ShapeError({
    culprit,
    problem: `${name} holds ${spec.dtype} elements`,
    remedy: `pass ${dtype} elements${hint}`,
  });
}

/** The input at `index`, which must be there and hold `dtype` elements. */
export function typed(
  culprit: string,
  inputs: readonly (ValueSpec | null)[],
  index: number,
  name: string,
  dtype: DType = 'float32',
  hint?: string,
): ValueSpec {
  const spec = present(culprit, inputs, index, name);
  checkType(culprit, name, spec, dtype, hint);
  return spec;
}

/** The second input, which must be there and hold numbers of classes. */
export function classTargets(culprit: string, inputs: readonly (ValueSpec | null)[]): ValueSpec {
  return typed(culprit, inputs, 1, 'targets', 'int32', ': of one-hot rows, the place of each 1');
}

/** Throws unless `spec` has `rank` dimensions; `letters` names them, as `T,B,I`. */
export function checkRank(
  culprit: string,
  name: string,
  spec: ValueSpec,
  rank: number,
  letters: string,
): void {
  if (spec.shape.length === rank) return;
  throw new ShapeError({
    culprit,
    problem: `${name} has shape ${formatShape(spec.shape)}`,
    remedy: `pass shape [${letters}], which has ${rank} dimensions`,
  });
}

/** Throws unless `spec` has the shape `wanted`; `letters` says what its dimensions mean. */
export function checkSameShape(
  culprit: string,
  name: string,
  spec: ValueSpec,
  wanted: Shape,
  letters = '',
): void {
  if (sameShape(spec.shape, wanted)) return;
  throw new ShapeError({
    culprit,
    problem: `${name} has shape ${formatShape(spec.shape)}`,
    remedy: `pass shape ${formatShape(wanted)}${letters ? `, which is [${letters}]` : ''}`,
  });
}

/** Throws unless there are `count` inputs. */
export function checkCount(culprit: string, inputs: readonly unknown[], count: number): void {
  if (inputs.length === count) return;
  throw new ArgumentError({
    culprit,
    problem: `got ${inputs.length} inputs`,
    remedy: `pass ${count}`,
  });
}

/** Throws unless `dtype` holds numbers: a residual cannot be rearranged. */
export function checkNumbers(culprit: string, spec: ValueSpec): void {
  if (spec.dtype !== 'opaque') return;
  throw new ShapeError({
    culprit,
    problem: 'the input is a residual, which has no numbers to give',
    remedy: 'use another output of that operation',
  });
}

/** Throws unless `reduction` says how losses become one: `mean`, `sum`, or that they stay as they are: `none`. */
export function checkReduction(culprit: string, reduction: unknown): void {
  checkChoice(culprit, 'reduction', reduction, ['mean', 'sum', 'none']);
}

/** The one output gradient of an operation with a single output. */
export function only<V>(dOutputs: readonly (V | null)[]): V {
  return dOutputs[0]!;
}

/** {@link Graph.record}s in the graph of the inputs. */
export function apply<A>(
  operation: Operation<A>,
  inputs: readonly (Value | null)[],
  attributes: A,
  label?: string,
): readonly Value[] {
  const graph = inputs.find((input) => input instanceof Value)?.graph;
  // Without one, that of no value throws.
  return (graph ?? new Graph()).record(operation, inputs, attributes, label);
}
