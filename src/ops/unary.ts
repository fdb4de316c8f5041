/** `unary`: functions of one number, applied to each element, and their derivatives. */
import { defineOperation } from '../graph/operation.js';
import type { Value } from '../graph/value.js';
import { apply, checkSameShape, only, typed } from './check.js';

/** The functions there are. */
export type UnaryKind =
  'neg' | 'exp' | 'log' | 'sqrt' | 'square' | 'abs' | 'reciprocal' | 'tanh' | 'sigmoid' | 'relu' | 'softplus';

/** Attributes of {@link unaryOperation} and {@link unaryBackwardOperation}. */
export interface UnaryAttributes {
  readonly kind: UnaryKind;
}

/** `[x] → [y]`, `y = f(x)`. */
export const unaryOperation = defineOperation<UnaryAttributes>({
  name: 'unary',
  called: ({ kind }) => kind,
  infer(inputs, _attributes, culprit) {
    return [{ shape: typed(culprit, inputs, 0, 'x').shape, dtype: 'float32' }];
  },
  gradient(node, dOutputs) {
    const y = node.outputs[0]!;
    const x = OF_ARGUMENT.has(node.attributes.kind) ? node.inputs[0]! : y;
    return [...apply(unaryBackwardOperation, [x, y, only(dOutputs)], node.attributes, node.label)];
  },
});

/** Those whose derivative cannot be told from their value: of the others x need not be kept, as in PyTorch. */
const OF_ARGUMENT: ReadonlySet<UnaryKind> = new Set(['log', 'square', 'abs', 'softplus']);

/**
 * `[x, y, dY] → [dX]`, `dX = f′(x)·dY`; for x may stand y where the derivative follows from that. At the kinks
 * of `relu` and `abs`, where `x = 0`, the derivative is 0, as in PyTorch.
 */
export const unaryBackwardOperation = defineOperation<UnaryAttributes>({
  name: 'unaryBackward',
  infer(inputs, _attributes, culprit) {
    const x = typed(culprit, inputs, 0, 'x');
    checkSameShape(culprit, 'y', typed(culprit, inputs, 1, 'y'), x.shape);
    checkSameShape(culprit, 'dY', typed(culprit, inputs, 2, 'dY'), x.shape);
    return [{ shape: x.shape, dtype: 'float32' }];
  },
  gradient: null,
});

function record(kind: UnaryKind, x: Value): Value {
  return apply(unaryOperation, [x], { kind })[0]!;
}

/** `−x`. */
export function neg(x: Value): Value {
  return record('neg', x);
}
/** `eˣ`. */
export function exp(x: Value): Value {
  return record('exp', x);
}
/** The natural logarithm. */
export function log(x: Value): Value {
  return record('log', x);
}
/** `√x`. */
export function sqrt(x: Value): Value {
  return record('sqrt', x);
}
/** `x²`. */
export function square(x: Value): Value {
  return record('square', x);
}
/** `|x|`. */
export function abs(x: Value): Value {
  return record('abs', x);
}
/** `1/x`. */
export function reciprocal(x: Value): Value {
  return record('reciprocal', x);
}
/** The hyperbolic tangent. */
export function tanh(x: Value): Value {
  return record('tanh', x);
}
/** `1/(1 + e⁻ˣ)`. */
export function sigmoid(x: Value): Value {
  return record('sigmoid', x);
}
/** `max(0, x)`. */
export function relu(x: Value): Value {
  return record('relu', x);
}
/** `ln(1 + eˣ)`. */
export function softplus(x: Value): Value {
  return record('softplus', x);
}
