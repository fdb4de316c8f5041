/** Reverse-mode differentiation: walks a graph backwards and records each node's gradient rule. */
import { ArgumentError, ShapeError } from './errors.js';
import type { Graph } from './graph.js';
import { formatShape, sameShape } from './shape.js';
import type { Node, Value } from './value.js';

/** The one operation differentiation itself needs; handed in, because operations build on graphs and not the reverse. */
export interface Accumulator {
  add(a: Value, b: Value): Value;
}

/**
 * Records the vector-Jacobian product: the gradients by `sources` of `Σ targets·upstream`.
 *
 * @param targets what is differentiated
 * @param upstream one gradient a target, of its shape; `null` for zero
 * @param sources what to differentiate by: inputs, reads of variables, or any value in between
 * @returns one gradient a source, `null` where the targets do not depend on it
 */
export function differentiate(
  targets: readonly Value[],
  upstream: readonly (Value | null)[],
  sources: readonly Value[],
  accumulator: Accumulator,
): (Value | null)[] {
  const graph = targets[0]?.graph;
  if (!graph) return sources.map(() => null);
  for (const source of sources) {
    if (source.graph !== graph) {
      throw new ArgumentError({
        culprit: 'differentiate',
        problem: `a source belongs to graph "${source.graph.name}", the target to "${graph.name}"`,
        remedy: 'differentiate within one graph',
      });
    }
  }
  const relevant = dependents(graph, sources);
  const gradients = new Map<Value, Value>();
  const accumulate = (value: Value, gradient: Value): void => {
    const sum = gradients.get(value);
    gradients.set(value, sum ? accumulator.add(sum, gradient) : gradient);
  };
  targets.forEach((target, i) => {
    const gradient = upstream[i];
    if (gradient) accumulate(target, gradient);
  });

  // The rules append nodes to the graph; only those recorded before are walked.
  const forward = graph.nodes.slice();
  for (let i = forward.length - 1; i >= 0; i--) {
    const node = forward[i]!;
    const wanted = node.inputs.map((input) => input !== null && relevant.has(input));
    const { gradient: rule, name } = node.operation;
    if (!wanted.includes(true) || rule === 'zero') continue;
    const dOutputs = node.outputs.map((output) => gradients.get(output) ?? null);
    if (!dOutputs.some((gradient) => gradient !== null)) continue;
    if (!rule) {
      throw new ArgumentError({
        culprit: `differentiate, operation "${name}"`,
        problem: 'has no gradient rule: differentiation is of the first order',
        remedy: 'put stopGradient around its result, or write it with other operations',
      });
    }
    const dInputs = rule(node, dOutputs, wanted);
    node.inputs.forEach((input, index) => {
      const gradient = dInputs[index];
      if (!input || !wanted[index] || !gradient) return;
      checkGradient(node, input, gradient);
      accumulate(input, gradient);
    });
  }
  return sources.map((source) => gradients.get(source) ?? null);
}

/** The values that depend on a source through differentiable operations, the sources among them. */
function dependents(graph: Graph, sources: readonly Value[]): Set<Value> {
  const relevant = new Set<Value>(sources);
  for (const node of graph.nodes) {
    if (node.operation.gradient === 'zero') continue;
    if (!node.inputs.some((input) => input && relevant.has(input))) continue;
    for (const output of node.outputs) if (output.dtype === 'float32') relevant.add(output);
  }
  return relevant;
}

function checkGradient(node: Node, input: Value, gradient: Value): void {
  if (sameShape(input.shape, gradient.shape)) return;
  throw new ShapeError({
    culprit: `gradient rule of ${node.operation.name}`,
    problem: `an input of shape ${formatShape(input.shape)} got a gradient of shape ${formatShape(gradient.shape)}`,
    remedy: 'a gradient has the shape of what it is the gradient of',
  });
}
