/** `concat`: arrays joined along one axis. */
import { ArgumentError, ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { formatShape, normalizeAxis } from '../graph/shape.js';
import { checkValue, type Value } from '../graph/value.js';
import { apply, checkNumbers, only, present } from './check.js';
import { reshape } from './reshape.js';
import { slice } from './slice.js';

/** Attributes of {@link concatOperation}. */
export interface ConcatAttributes {
  readonly axis: number;
}

/** `[x0, …] → [y]`, of any element type; all dimensions but `axis` agree. */
export const concatOperation = defineOperation<ConcatAttributes>({
  name: 'concat',
  infer(inputs, { axis }, culprit) {
    const first = present(culprit, inputs, 0, 'the first value');
    checkNumbers(culprit, first);
    normalizeAxis(culprit, axis, first.shape.length);
    let length = 0;
    inputs.forEach((_, i) => {
      const x = present(culprit, inputs, i, `value ${i}`);
      const agrees =
        x.dtype === first.dtype &&
        x.shape.length === first.shape.length &&
        x.shape.every((d, k) => k === axis || d === first.shape[k]);
      if (!agrees) {
        throw new ShapeError({
          culprit,
          problem: `value ${i} is ${x.dtype}${formatShape(x.shape)}, value 0 is ${first.dtype}${formatShape(first.shape)}`,
          remedy: `let them agree in everything but axis ${axis}`,
        });
      }
      length += x.shape[axis]!;
    });
    return [{ shape: first.shape.map((d, k) => (k === axis ? length : d)), dtype: first.dtype }];
  },
  gradient(node, dOutputs, wanted) {
    const { axis } = node.attributes;
    const dY = only(dOutputs);
    let offset = 0;
    return node.inputs.map((input, i) => {
      const { shape } = input!;
      const begin = shape.map((_, k) => (k === axis ? offset : 0));
      offset += shape[axis]!;
      return wanted[i] ? slice(dY, begin, shape) : null;
    });
  },
});

/** The values joined along `axis`; a negative axis counts from the end. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) {
    throw new ArgumentError({ culprit: 'concat', problem: 'got no values', remedy: 'pass at least one' });
  }
  checkValue('concat', 'value 0', first);
  const normalized = normalizeAxis('concat', axis, first.shape.length);
  if (values.length === 1) return first;
  return apply(concatOperation, values, { axis: normalized })[0]!;
}

/** Values of one shape joined along a new axis, the first by default. */
export function stack(values: readonly Value[], axis = 0): Value {
  const [first] = values;
  if (!first) {
    throw new ArgumentError({ culprit: 'stack', problem: 'got no values', remedy: 'pass at least one' });
  }
  values.forEach((value, i) => checkValue('stack', `value ${i}`, value));
  const normalized = normalizeAxis('stack', axis, first.shape.length + 1);
  const raise = (x: Value): Value =>
    reshape(x, [...x.shape.slice(0, normalized), 1, ...x.shape.slice(normalized)]);
  return concat(values.map(raise), normalized);
}
