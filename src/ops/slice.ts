/** `slice` cuts a block out of an array; `pad` sets one into zeros: each is the other's gradient. */
import { ArgumentError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { formatShape } from '../graph/shape.js';
import { checkValue, type Value } from '../graph/value.js';
import { apply, checkNumbers, only, present, typed } from './check.js';

/** Attributes of {@link sliceOperation}: one number a dimension. */
export interface SliceAttributes {
  readonly begin: readonly number[];
  readonly size: readonly number[];
}

/** Attributes of {@link padOperation}: one number a dimension. */
export interface PadAttributes {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** `[x] → [y]`, of any element type: the block of `size` that starts at `begin`. */
export const sliceOperation = defineOperation<SliceAttributes>({
  name: 'slice',
  infer(inputs, { begin, size }, culprit) {
    const x = present(culprit, inputs, 0, 'x');
    checkNumbers(culprit, x);
    const fits =
      begin.length === x.shape.length &&
      size.length === x.shape.length &&
      x.shape.every((d, axis) => {
        const b = begin[axis]!;
        const s = size[axis]!;
        return Number.isInteger(b) && Number.isInteger(s) && b >= 0 && s >= 1 && b + s <= d;
      });
    if (!fits) {
      throw new ArgumentError({
        culprit,
        problem: `begin ${formatShape(begin)} with size ${formatShape(size)} of shape ${formatShape(x.shape)}`,
        remedy: 'pass one whole number a dimension, and stay inside the array',
      });
    }
    return [{ shape: size, dtype: x.dtype }];
  },
  gradient(node, dOutputs) {
    const { begin, size } = node.attributes;
    const { shape } = node.inputs[0]!;
    return [
      pad(
        only(dOutputs),
        begin,
        shape.map((d, axis) => d - begin[axis]! - size[axis]!),
      ),
    ];
  },
});

/** `[x] → [y]`: `x` with `before` zeros ahead and `after` zeros behind, along each dimension. */
export const padOperation = defineOperation<PadAttributes>({
  name: 'pad',
  infer(inputs, { before, after }, culprit) {
    const x = typed(culprit, inputs, 0, 'x');
    const fits =
      before.length === x.shape.length &&
      after.length === x.shape.length &&
      [...before, ...after].every((n) => Number.isInteger(n) && n >= 0);
    if (!fits) {
      throw new ArgumentError({
        culprit,
        problem: `before ${formatShape(before)} and after ${formatShape(after)} of shape ${formatShape(x.shape)}`,
        remedy: 'pass one whole number of at least 0 a dimension',
      });
    }
    return [{ shape: x.shape.map((d, axis) => before[axis]! + d + after[axis]!), dtype: 'float32' }];
  },
  gradient: (node, dOutputs) => [slice(only(dOutputs), node.attributes.before, node.inputs[0]!.shape)],
});

/** The block of `size` that starts at `begin`, one number a dimension; a size of −1 takes the rest. */
export function slice(x: Value, begin: readonly number[], size: readonly number[]): Value {
  checkValue('slice', 'x', x);
  const resolved = size.map((s, axis) => (s === -1 ? (x.shape[axis] ?? 0) - (begin[axis] ?? 0) : s));
  return apply(sliceOperation, [x], { begin: [...begin], size: resolved })[0]!;
}

/** `x` with `before` zeros ahead of it and `after` zeros behind it along each dimension. */
export function pad(x: Value, before: readonly number[], after: readonly number[]): Value {
  return apply(padOperation, [x], { before: [...before], after: [...after] })[0]!;
}
