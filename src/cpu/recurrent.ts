/** `recurrent` and its backward on the CPU: one driver over time for every cell. */
import { CELLS } from '../ops/cells.js';
import {
  RECURRENT_INPUTS,
  recurrentBackwardOperation,
  recurrentOperation,
  recurrentSizes,
  type RecurrentAttributes,
} from '../ops/recurrent.js';
import type { Node } from '../graph/value.js';
import { CELL_EQUATIONS } from './cells.js';
import { defineKernel, Residual, type KernelCall } from './kernel.js';
import { product, sumRows, transposeInto } from './product.js';
import type { RealArray } from './storage.js';

/** The initial states, zeros where absent. */
function initialStates(call: KernelCall<RecurrentAttributes>, units: number): RealArray[] {
  return CELLS[call.attributes.cell].states.map(
    (_, s) => call.optional(RECURRENT_INPUTS.states + s) ?? call.scratch(units).fill(0),
  );
}

/** Step `t` of a sequence of blocks of `size` elements. */
function at(sequence: RealArray, t: number, size: number): RealArray {
  return sequence.subarray(t * size, (t + 1) * size);
}

/**
 * The input's part of all gates in one product over all steps; then, a step at a time, the hidden state's
 * part and the cell. The residual is `[saved, ...sequences of the states but the first]`.
 */
export const recurrentKernel = defineKernel(
  recurrentOperation,
  (call) => {
    const { cell } = call.attributes;
    const { T, B, I, H, G } = recurrentSizes(call.node.inputs, cell);
    const { saved: savedCount, forward } = CELL_EQUATIONS[cell];
    const stateCount = CELLS[cell].states.length;
    const weightHh = call.real(RECURRENT_INPUTS.weightHh);
    const biasHh = call.optional(RECURRENT_INPUTS.biasHh);
    const units = B * H;
    const rows = G * H;

    const fromInput = call.scratch(T * B * rows);
    const weightIh = call.real(RECURRENT_INPUTS.weightIh);
    const biasIh = call.optional(RECURRENT_INPUTS.biasIh);
    product(fromInput, call.real(RECURRENT_INPUTS.x), weightIh, T * B, rows, I, biasIh);

    // Without a backward, two steps of the states but the first are kept, and one of what a step saves.
    const keep = call.wanted(1 + stateCount);
    const array = (steps: number, size: number): RealArray =>
      keep ? call.allocate(T * size) : call.scratch(Math.min(steps, T) * size);
    const y = call.allocate(T * units);
    const saved = array(1, B * savedCount * H);
    const others = Array.from({ length: stateCount - 1 }, () => array(2, units));
    const place = (t: number, steps: number): number => (keep ? t : t % steps);
    const statesAt = (t: number): RealArray[] => [
      at(y, t, units),
      ...others.map((sequence) => at(sequence, place(t, 2), units)),
    ];

    const fromHidden = call.scratch(B * rows);
    let states = initialStates(call, units);
    for (let t = 0; t < T; t++) {
      product(fromHidden, states[0]!, weightHh, B, rows, H, biasHh);
      const next = statesAt(t);
      forward({
        B,
        H,
        fromInput: at(fromInput, t, B * rows),
        fromHidden,
        states,
        next,
        saved: at(saved, place(t, 1), B * savedCount * H),
      });
      states = next;
    }
    const finals = states.map((state, s) => {
      if (!call.wanted(1 + s)) return null;
      const copy = call.allocate(units);
      copy.set(state);
      return copy;
    });
    return [y, ...finals, keep ? new Residual([saved, ...others]) : null];
  },
  (node) => {
    const { T, B, I, H, G } = recurrentSizes(node.inputs, node.attributes.cell);
    return 2 * T * B * G * H * (I + H) + 10 * T * B * G * H;
  },
);

/** Steps from last to first give the gradients by all gates; the weights' gradients are products over all steps. */
export const recurrentBackwardKernel = defineKernel(
  recurrentBackwardOperation,
  (call) => {
    const { cell } = call.attributes;
    const { T, B, I, H, G } = recurrentSizes(call.node.inputs, cell);
    const { saved: savedCount, splits, backward } = CELL_EQUATIONS[cell];
    const stateCount = CELLS[cell].states.length;
    const first = RECURRENT_INPUTS.states + stateCount;
    const y = call.real(first);
    const [saved, ...others] = call.residual(first + 1) as readonly [RealArray, ...RealArray[]];
    const dY = call.optional(first + 2);
    const weightHh = call.real(RECURRENT_INPUTS.weightHh);
    const units = B * H;
    const rows = G * H;
    const steps = T * B;

    const initial = initialStates(call, units);
    const sequences = [y, ...others];
    const statesAfter = (t: number): RealArray[] =>
      t < 0 ? initial : sequences.map((sequence) => at(sequence, t, units));

    const transposedHh = call.scratch(rows * H);
    transposeInto(transposedHh, weightHh, rows, H);
    const dInput = call.scratch(steps * rows);
    const dHidden = splits ? call.scratch(steps * rows) : dInput;
    let dNext = initial.map((_, s) => {
      const array = call.scratch(units);
      const dFinal = call.optional(first + 3 + s);
      if (dFinal) array.set(dFinal);
      else array.fill(0);
      return array;
    });
    let dStates = initial.map(() => call.scratch(units));
    for (let t = T - 1; t >= 0; t--) {
      if (dY) {
        const dH = dNext[0]!;
        for (let k = 0; k < units; k++) dH[k] = dH[k]! + dY[t * units + k]!;
      }
      const dHiddenNow = at(dHidden, t, B * rows);
      backward({
        B,
        H,
        states: statesAfter(t - 1),
        next: statesAfter(t),
        saved: at(saved, t, B * savedCount * H),
        dNext,
        dStates,
        dInput: at(dInput, t, B * rows),
        dHidden: dHiddenNow,
      });
      product(dStates[0]!, dHiddenNow, transposedHh, B, H, rows, null, true);
      [dNext, dStates] = [dStates, dNext];
    }

    const ifWanted = (index: number, compute: () => RealArray): RealArray | null =>
      call.wanted(index) ? compute() : null;
    /** `gates[T·B,G·H]ᵀ · rightᵀ`, where `right` is `[columns,T·B]`. */
    const weightGradient = (gates: RealArray, right: RealArray, columns: number): RealArray => {
      const gatesByRow = call.scratch(rows * steps);
      transposeInto(gatesByRow, gates, steps, rows);
      const result = call.allocate(rows * columns);
      product(result, gatesByRow, right, rows, columns, steps);
      return result;
    };
    const biasGradient = (gates: RealArray): RealArray => {
      const result = call.allocate(rows);
      sumRows(result, gates, steps, rows);
      return result;
    };
    return [
      ifWanted(0, () => {
        const transposedIh = call.scratch(rows * I);
        transposeInto(transposedIh, call.real(RECURRENT_INPUTS.weightIh), rows, I);
        const dX = call.allocate(steps * I);
        product(dX, dInput, transposedIh, steps, I, rows);
        return dX;
      }),
      ifWanted(1, () => {
        const inputs = call.scratch(I * steps);
        transposeInto(inputs, call.real(RECURRENT_INPUTS.x), steps, I);
        return weightGradient(dInput, inputs, I);
      }),
      ifWanted(2, () => {
        // The hidden state that step t saw is the initial one, then y[t − 1].
        const hidden = call.scratch(H * steps);
        transposeInto(hidden, initial[0]!, B, H, steps);
        transposeInto(hidden, y, steps - B, H, steps, B);
        return weightGradient(dHidden, hidden, H);
      }),
      ifWanted(3, () => biasGradient(dInput)),
      ifWanted(4, () => biasGradient(dHidden)),
      ...dNext.map((array, s) =>
        ifWanted(RECURRENT_INPUTS.states + s, () => {
          const copy = call.allocate(units);
          copy.set(array);
          return copy;
        }),
      ),
    ];
  },
  (node) => recurrentBackwardFlops(node),
);

function recurrentBackwardFlops(node: Node<RecurrentAttributes>): number {
  const { T, B, I, H, G } = recurrentSizes(node.inputs, node.attributes.cell);
  return 4 * T * B * G * H * (I + H) + 15 * T * B * G * H;
}
