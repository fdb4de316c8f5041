/** `fill`: an array of one repeated number. */
import type { Graph } from '../graph/graph.js';
import { defineOperation } from '../graph/operation.js';
import { checkShape, type Shape } from '../graph/shape.js';
import type { Value } from '../graph/value.js';

/** Attributes of {@link fillOperation}. */
export interface FillAttributes {
  readonly shape: Shape;
  readonly value: number;
}

/** `[] → [y]`. */
export const fillOperation = defineOperation<FillAttributes>({
  name: 'fill',
  infer(_inputs, { shape }, culprit) {
    checkShape(culprit, shape);
    return [{ shape, dtype: 'float32' }];
  },
  gradient: 'zero',
});

/** An array of `shape` whose every element is `value`. */
export function fill(graph: Graph, shape: Shape, value: number): Value {
  return graph.record(fillOperation, [], { shape: [...shape], value })[0]!;
}
