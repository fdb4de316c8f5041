/** `binary`: arithmetic on two arrays, element by element, broadcasting as NumPy does. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { broadcastShapes, formatShape, type Shape } from '../graph/shape.js';
import { checkValue, type Value, type ValueSpec } from '../graph/value.js';
import { apply, only, typed } from './check.js';
import { fill } from './fill.js';
import { sumTo } from './reduce-sum.js';
import { neg } from './unary.js';

/** The functions there are. */
export type BinaryKind = 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum';

/** Attributes of {@link binaryOperation}. */
export interface BinaryAttributes {
  readonly kind: BinaryKind;
}

/** Attributes of {@link binaryMaskOperation}. */
export interface BinaryMaskAttributes {
  readonly kind: 'maximum' | 'minimum';
}

/** The most dimensions a result may have. */
export const MAX_BROADCAST_RANK = 4;

function inferBroadcast(inputs: readonly (ValueSpec | null)[], culprit: string): Shape {
  const a = typed(culprit, inputs, 0, 'a');
  const b = typed(culprit, inputs, 1, 'b');
  const shape = broadcastShapes(culprit, a.shape, b.shape);
  if (shape.length > MAX_BROADCAST_RANK) {
    throw new ShapeError({
      culprit,
      problem: `the result ${formatShape(shape)} has ${shape.length} dimensions`,
      remedy: `reshape the operands to at most ${MAX_BROADCAST_RANK}`,
    });
  }
  return shape;
}

/** `[a, b] → [y]`, both broadcast to `y`'s shape. */
export const binaryOperation = defineOperation<BinaryAttributes>({
  name: 'binary',
  called: ({ kind }) => kind,
  infer(inputs, _attributes, culprit) {
    return [{ shape: inferBroadcast(inputs, culprit), dtype: 'float32' }];
  },
  gradient(node, dOutputs, wanted) {
    const a = node.inputs[0]!;
    const b = node.inputs[1]!;
    const y = node.outputs[0]!;
    const dY = only(dOutputs);
    const { kind } = node.attributes;
    const toA = (gradient: Value): Value => sumTo(gradient, a.shape);
    const toB = (gradient: Value): Value => sumTo(gradient, b.shape);
    switch (kind) {
      case 'add':
        return [wanted[0] ? toA(dY) : null, wanted[1] ? toB(dY) : null];
      case 'sub':
        return [wanted[0] ? toA(dY) : null, wanted[1] ? neg(toB(dY)) : null];
      case 'mul':
        return [wanted[0] ? toA(mul(dY, b)) : null, wanted[1] ? toB(mul(dY, a)) : null];
      case 'div': {
        const dA = div(dY, b);
        return [wanted[0] ? toA(dA) : null, wanted[1] ? neg(toB(mul(dA, y))) : null];
      }
      case 'maximum':
      case 'minimum': {
        const weightsOfA = apply(binaryMaskOperation, [a, b], { kind }, node.label)[0]!;
        const dA = mul(dY, weightsOfA);
        return [wanted[0] ? toA(dA) : null, wanted[1] ? toB(sub(dY, dA)) : null];
      }
    }
  },
});

/**
 * `[a, b] → [weights]`: the derivative of `maximum` or `minimum` by `a`, of the broadcast shape: 1 where `a`
 * was taken, 0 where `b` was, ½ on ties, as PyTorch shares them. The derivative by `b` is 1 less it.
 */
export const binaryMaskOperation = defineOperation<BinaryMaskAttributes>({
  name: 'binaryMask',
  called: ({ kind }) => kind,
  infer(inputs, _attributes, culprit) {
    return [{ shape: inferBroadcast(inputs, culprit), dtype: 'float32' }];
  },
  gradient: 'zero',
});

function record(kind: BinaryKind, a: Value | number, b: Value | number): Value {
  if (typeof a === 'number' && typeof b === 'number') {
    throw new ArgumentError({
      culprit: kind,
      problem: 'both operands are plain numbers',
      remedy: 'pass at least one value of a graph',
    });
  }
  const operand = (x: Value | number, other: Value | number): Value => {
    if (typeof x !== 'number') return x;
    checkValue(kind, 'input', other);
    return fill(other.graph, [], x);
  };
  return apply(binaryOperation, [operand(a, b), operand(b, a)], { kind })[0]!;
}

/** `a + b`, broadcasting; either may be a plain number. */
export function add(a: Value | number, b: Value | number): Value {
  return record('add', a, b);
}
/** `a − b`, broadcasting; either may be a plain number. */
export function sub(a: Value | number, b: Value | number): Value {
  return record('sub', a, b);
}
/** `a · b`, broadcasting; either may be a plain number. */
export function mul(a: Value | number, b: Value | number): Value {
  return record('mul', a, b);
}
/** `a / b`, broadcasting; either may be a plain number. */
export function div(a: Value | number, b: Value | number): Value {
  return record('div', a, b);
}
/** The larger of each pair, broadcasting; on ties each gets half the gradient. */
export function maximum(a: Value | number, b: Value | number): Value {
  return record('maximum', a, b);
}
/** The smaller of each pair, broadcasting; on ties each gets half the gradient. */
export function minimum(a: Value | number, b: Value | number): Value {
  return record('minimum', a, b);
}
