/** Terms of a loss that keep weights or activities small. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import { checkNumber, checkOptions, checkWhole } from '../graph/options.js';
import type { Value, Variable } from '../graph/value.js';
import { namedVariables, type Module } from '../nn/module.js';
import { add, mul } from '../ops/binary.js';
import { sum } from '../ops/reduce-sum.js';
import { abs, square } from '../ops/unary.js';
import { nameMatcher, type ParameterMatch } from '../optim/parameter-groups.js';

/** How much to add to a loss, as Keras' `regularizers.L1L2`. */
export interface Penalty {
  /** Times the sum of sizes. Default 0. */
  readonly l1?: number;
  /** Times the sum of squares. Default 0. */
  readonly l2?: number;
}

/** A {@link Penalty} on parameters. */
export interface WeightPenalty extends Penalty {
  /** Which parameters. Default: those whose last name does not begin with `bias`. */
  readonly match?: ParameterMatch;
}

/**
 * `l1·Σ|w| + l2·Σw²` over the parameters that match, a scalar to add to a loss.
 * @throws ArgumentError for a penalty out of range, or one that matches no parameter
 */
export function weightPenalty(
  graph: Graph,
  parameters: Module | ReadonlyMap<string, Variable>,
  options: WeightPenalty,
): Value {
  const culprit = 'weightPenalty';
  checkOptions(culprit, options, ['l1', 'l2', 'match']);
  const factors = checkPenalty(culprit, options);
  const matches = nameMatcher(culprit, options.match ?? /(^|\.)(?!bias)[^.]*$/);
  const named = namedVariables(culprit, parameters);
  const chosen = new Set([...named].filter(([name]) => matches(name)).map(([, variable]) => variable));
  const terms = [...chosen].map((variable) => penalize(graph.read(variable), factors));
  const [first, ...rest] = terms;
  if (first) return rest.reduce((total, term) => add(total, term), first);
  throw new ArgumentError({
    culprit,
    problem: 'match fits none of the parameters',
    remedy: `they are ${[...named.keys()].join(', ')}`,
  });
}

/**
 * `(l1·Σ|x| + l2·Σx²) / batch` of a layer's output, a scalar to add to a loss; as Keras' `activity_regularizer`.
 * @param options.batchAxis which axis of `x` is the batch. Default: 1 of `[T,B,·]`, else 0
 */
export function activityPenalty(x: Value, options: Penalty & { readonly batchAxis?: number }): Value {
  const culprit = 'activityPenalty';
  checkOptions(culprit, options, ['l1', 'l2', 'batchAxis']);
  const factors = checkPenalty(culprit, options);
  const { batchAxis = x.shape.length === 3 ? 1 : 0 } = options;
  checkWhole(culprit, 'batchAxis', batchAxis, 0);
  const batch = x.shape[batchAxis];
  if (batch === undefined) {
    throw new ShapeError({
      culprit,
      problem: `batchAxis is ${batchAxis}, x has ${x.shape.length} dimensions`,
      remedy: 'pass the axis along which the samples lie',
    });
  }
  return mul(penalize(x, factors), 1 / batch);
}

function checkPenalty(culprit: string, { l1 = 0, l2 = 0 }: Penalty): Required<Penalty> {
  checkNumber(culprit, 'l1', l1, { min: 0 });
  checkNumber(culprit, 'l2', l2, { min: 0 });
  if (l1 > 0 || l2 > 0) return { l1, l2 };
  throw new ArgumentError({
    culprit,
    problem: 'l1 and l2 are 0',
    remedy: 'set one of them, or leave the penalty out',
  });
}

function penalize(x: Value, { l1, l2 }: Required<Penalty>): Value {
  const sizes = l1 > 0 ? mul(sum(abs(x)), l1) : null;
  const squares = l2 > 0 ? mul(sum(square(x)), l2) : null;
  // `checkPenalty` has seen to it that one of them is there.
  return sizes && squares ? add(sizes, squares) : (sizes ?? squares)!;
}
