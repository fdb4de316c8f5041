/** `recurrent` and its backward on the CPU: each direction by the driver in `recurrent/`. */
import { CELLS } from '../ops/cells.js';
import {
  backwardInputPlaces,
  directionInputs,
  recurrentBackwardOperation,
  recurrentOperation,
  recurrentSizes,
} from '../ops/recurrent.js';
import type { RecurrentAttributes } from '../ops/recurrent-attributes.js';
import type { Node } from '../graph/value.js';
import { defineKernel, outputSize, Residual, type KernelCall } from './kernel.js';
import { DirectionRun } from './recurrent/direction.js';
import type { RealArray } from './storage.js';

/** The residual is what each direction traced, one after the other. */
export const recurrentKernel = defineKernel(
  recurrentOperation,
  (call) => {
    const { cell, directions } = call.attributes;
    const stateCount = CELLS[cell].states.length;
    const residualPlace = 1 + directions.length * stateCount;
    const keep = call.wanted(residualPlace);
    const y = call.allocate(outputSize(call.node));
    const runs = directions.map((_, d) => new DirectionRun(call, d).forward(y, keep));
    const finals = runs.flatMap((run, d) =>
      run.finals.map((state, s) => (call.wanted(1 + d * stateCount + s) ? copyOf(call, state) : null)),
    );
    return [y, ...finals, keep ? new Residual(runs.flatMap((run) => run.trace)) : null];
  },
  (node) => multiplications(node) * 2 + elements(node) * 10,
);

/** The input's gradient is the sum of the directions'; all others are a direction's own. */
export const recurrentBackwardKernel = defineKernel(
  recurrentBackwardOperation,
  (call) => {
    const { cell, directions } = call.attributes;
    const stateCount = CELLS[cell].states.length;
    const places = backwardInputPlaces(call.attributes);
    const residual = [...call.residual(places.residual)];
    const dX = call.wanted(0) ? call.allocate(outputSize(call.node)) : null;
    const gradients = directions.flatMap((_, d) => {
      const dFinals = CELLS[cell].states.map((_, s) => call.optional(places.dFinals + d * stateCount + s));
      const run = new DirectionRun(call, d);
      return run.backward(call.real(places.y), residual, call.optional(places.dY), dFinals, dX);
    });
    return [dX, ...gradients];
  },
  (node) => multiplications(node) * 4 + elements(node) * 15,
);

function copyOf(call: KernelCall<RecurrentAttributes>, array: RealArray): RealArray {
  const copy = call.allocate(array.length);
  copy.set(array);
  return copy;
}

/** Multiplications in the products of one forward pass. */
function multiplications(node: Node<RecurrentAttributes>): number {
  const { T, B, I, H, R, D, G } = recurrentSizes(node.inputs, node.attributes);
  const projection = directionInputs(node.inputs, 0, node.attributes.cell).weightHr ? R * H : 0;
  return T * B * D * (G * H * (I + R) + projection);
}

/** Gates computed in one forward pass. */
function elements(node: Node<RecurrentAttributes>): number {
  const { T, B, H, D, G } = recurrentSizes(node.inputs, node.attributes);
  return T * B * D * G * H;
}
