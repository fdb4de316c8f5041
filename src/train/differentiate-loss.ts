/** Gradients of a loss by those parameters that its graph reads. */
import { ArgumentError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import type { Value, Variable } from '../graph/value.js';
import { gradients } from '../ops/gradients.js';

/**
 * Records the gradients of `loss`.
 * @returns one a parameter; `null` for those that the graph never reads, which an optimizer leaves alone
 * @throws ArgumentError when it reads none of them
 */
export function differentiateLoss(
  culprit: string,
  graph: Graph,
  loss: Value,
  parameters: readonly Variable[],
): (Value | null)[] {
  const used = parameters.filter((variable) => graph.reads.has(variable));
  if (used.length === 0) {
    throw new ArgumentError({
      culprit,
      problem: 'the loss reads none of the parameters',
      remedy: 'record it with the layers whose parameters are trained',
    });
  }
  const results = gradients(
    loss,
    used.map((variable) => graph.read(variable)),
  );
  const byVariable = new Map(used.map((variable, i) => [variable, results[i]!]));
  return parameters.map((variable) => byVariable.get(variable) ?? null);
}
