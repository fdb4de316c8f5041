/** One direction of a recurrent layer over time, forward and backward: one driver for every cell and option. */
import {
  directionGradientBegin,
  DIRECTION_INPUTS,
  directionInputs,
  RECURRENT_INPUTS,
  recurrentSizes,
  stateWidths,
  type DirectionInputs,
  type RecurrentSizes,
} from '../../ops/recurrent.js';
import type { RecurrentAttributes } from '../../ops/recurrent-attributes.js';
import type { KernelCall } from '../kernel.js';
import { sumRows } from '../product.js';
import type { RealArray } from '../storage.js';
import { Affine } from './affine.js';
import { cellEquations, type CellContext, type CellEquations } from './cells.js';
import { LayerNorm } from './layer-norm.js';
import {
  drawHeld,
  drawRecurrentDropout,
  dropsRecurrent,
  hold,
  holdsStates,
  splitHeld,
  type MaskSource,
} from './masks.js';
import { openTrace, Sequence, traceArrays, type Trace, type TraceName, type TraceSizes } from './trace.js';

/** A direction during one call: its sizes, maps and equations, and scratch arrays. */
export class DirectionRun {
  readonly #call: KernelCall<RecurrentAttributes>;
  readonly #attributes: RecurrentAttributes;
  readonly #sizes: RecurrentSizes;
  readonly #widths: readonly number[];
  readonly #d: number;
  readonly #inputs: DirectionInputs<RealArray>;
  readonly #masks: MaskSource;
  readonly #equations: CellEquations;
  readonly #inputMap: Affine;
  readonly #hiddenMap: Affine;
  /** gru with the reset before: the map that makes n; the hidden map then makes r and z alone. */
  readonly #candidate: CellContext['candidate'];
  readonly #projection: Affine | null;
  readonly #normIh: LayerNorm | null;
  readonly #normHh: LayerNorm | null;
  readonly #normC: LayerNorm | null;
  readonly #dPeephole: Float64Array | null;
  readonly #initial: readonly RealArray[];
  /** How much of its old value each unit of each state keeps; none where all is new. */
  readonly #held: readonly RealArray[] | null;
  /** Factors of recurrent dropout and h times them; none without it. */
  readonly #dropout: { readonly factors: RealArray; readonly dropped: RealArray } | null;
  /** The steps in this direction's order. */
  readonly #times: readonly number[];
  /** From a step to the one before it in this direction's order. */
  readonly #back: number;

  constructor(call: KernelCall<RecurrentAttributes>, d: number) {
    const { attributes, node } = call;
    const { cell, directions, layerNorm, epsilon, resetAfter } = attributes;
    const sizes = recurrentSizes(node.inputs, attributes);
    const { T, B, I, H, R, G } = sizes;
    this.#call = call;
    this.#attributes = attributes;
    this.#sizes = sizes;
    this.#widths = stateWidths(cell, sizes);
    this.#d = d;
    const reals = node.inputs.map((input, i) => (input?.dtype === 'float32' ? call.real(i) : null));
    const inputs = directionInputs(reals, d, cell);
    this.#inputs = inputs;
    this.#masks = {
      attributes,
      mask: node.inputs[RECURRENT_INPUTS.mask] ? call.int(RECURRENT_INPUTS.mask) : null,
      seed: node.inputs[RECURRENT_INPUTS.seed] ? call.int(RECURRENT_INPUTS.seed)[0]! : 0,
      d,
    };

    const { weightIh, weightHh, biasIh, biasHh, weightHr, peephole } = inputs;
    const hiddenGates = resetAfter ? G : G - 1;
    const split = hiddenGates * H;
    // Layer normalization stands between product and bias.
    this.#inputMap = new Affine(call, weightIh, layerNorm ? null : biasIh, G * H, I);
    this.#hiddenMap = new Affine(
      call,
      weightHh.subarray(0, split * R),
      layerNorm ? null : (biasHh?.subarray(0, split) ?? null),
      split,
      R,
    );
    this.#candidate = resetAfter
      ? null
      : {
          map: new Affine(call, weightHh.subarray(split * R), biasHh?.subarray(split) ?? null, H, R),
          argument: call.scratch(B * H),
          result: call.scratch(B * H),
        };
    this.#projection = weightHr && new Affine(call, weightHr, null, R, H);
    this.#normIh = inputs.normIh && new LayerNorm(inputs.normIh, epsilon);
    this.#normHh = inputs.normHh && new LayerNorm(inputs.normHh, epsilon);
    this.#normC = inputs.normC && new LayerNorm(inputs.normC, epsilon);
    this.#dPeephole = peephole && new Float64Array(peephole.length);
    this.#equations = cellEquations({
      attributes,
      like: weightIh,
      peephole,
      dPeephole: this.#dPeephole,
      normC: this.#normC,
      candidate: this.#candidate,
    });

    this.#initial = this.#widths.map((width, s) => inputs.states[s] ?? call.scratch(B * width).fill(0));
    this.#held = holdsStates(this.#masks) ? this.#widths.map((width) => call.scratch(B * width)) : null;
    this.#dropout = null;
    if (dropsRecurrent(attributes)) {
      this.#dropout = { factors: call.scratch(B * R), dropped: call.scratch(B * R) };
      drawRecurrentDropout(this.#dropout.factors, this.#masks);
    }
    const reverse = directions[d] === 'reverse';
    this.#times = Array.from({ length: T }, (_, k) => (reverse ? T - 1 - k : k));
    this.#back = reverse ? 1 : -1;
  }

  /** Whether y holds just this direction's h of every step. */
  get #yIsHidden(): boolean {
    return this.#sizes.D === 1 && this.#masks.mask === null;
  }

  /** Elements a step of what is traced. */
  get #traceSizes(): TraceSizes {
    const { B, H, R, G } = this.#sizes;
    const { cell, zoneout } = this.#attributes;
    const isLstm = cell === 'lstm';
    const normalized = this.#normHh !== null;
    return {
      saved: B * this.#equations.saved * H,
      hidden: this.#yIsHidden ? 0 : B * R,
      cell: isLstm ? B * H : 0,
      newCell: isLstm && (zoneout[1] ?? 0) > 0 ? B * H : 0,
      unprojected: this.#projection ? B * H : 0,
      normalizedInput: normalized ? B * G * H : 0,
      inputScale: normalized ? B : 0,
      normalizedHidden: normalized ? B * G * H : 0,
      hiddenScale: normalized ? B : 0,
      normalizedCell: this.#normC ? B * H : 0,
      cellScale: this.#normC ? B : 0,
    };
  }

  /** The states before step `t`: the initial ones at this direction's first step. */
  #statesBefore(t: number, hidden: Sequence, cell: Sequence | undefined): readonly RealArray[] {
    if (t === this.#times[0]) return this.#initial;
    const before = t + this.#back;
    return cell ? [hidden.at(before), cell.at(before)] : [hidden.at(before)];
  }

  /** h as the recurrent product sees it. */
  #see(h: RealArray): RealArray {
    if (!this.#dropout) return h;
    const { factors, dropped } = this.#dropout;
    for (let k = 0; k < h.length; k++) dropped[k] = h[k]! * factors[k]!;
    return dropped;
  }

  /**
   * Writes this direction's columns of `y` and gives its final states, which belong to nobody yet.
   * @param keep whether a backward pass needs the trace
   * @returns the final states, which may lie within `y` or the trace, and the trace's arrays
   */
  forward(y: RealArray, keep: boolean): { finals: readonly RealArray[]; trace: RealArray[] } {
    const { T, B, H } = this.#sizes;
    const call = this.#call;
    // Without a backward pass, two steps of the states are kept and one of the rest; the input's part of all
    // gates is made for all steps at once.
    const kept: Partial<Record<TraceName, number>> = {
      hidden: 2,
      cell: 2,
      normalizedInput: T,
      inputScale: T,
    };
    const trace = openTrace(this.#traceSizes, (name, size) =>
      keep ? call.allocate(T * size) : call.scratch(Math.min(T, kept[name] ?? 1) * size),
    );
    const hidden = trace.hidden ?? new Sequence(y, B * this.#sizes.R);
    const fromInput = this.#fromInput(trace);
    const fromHidden = call.scratch(B * this.#hiddenMap.rows);
    let states: readonly RealArray[] = this.#initial;
    for (const t of this.#times) {
      const seen = this.#see(states[0]!);
      this.#hiddenMap.forward(fromHidden, seen, B);
      if (this.#normHh) {
        this.#normHh.forward(fromHidden, trace.normalizedHidden!.at(t), trace.hiddenScale!.at(t));
        addToRows(fromHidden, this.#inputs.biasHh);
      }
      const next = trace.cell ? [hidden.at(t), trace.cell.at(t)] : [hidden.at(t)];
      const unprojected = trace.unprojected?.at(t) ?? next[0]!;
      this.#equations.forward({
        B,
        H,
        states,
        seen,
        fromInput: fromInput.at(t),
        fromHidden,
        h: unprojected,
        c: next[1] ?? null,
        saved: trace.saved!.at(t),
        normalizedCell: trace.normalizedCell?.at(t) ?? null,
        cellScale: trace.cellScale?.at(t) ?? null,
      });
      this.#projection?.forward(next[0]!, unprojected, B);
      trace.newCell?.at(t).set(next[1]!);
      this.#held?.forEach((held, s) => {
        drawHeld(held, this.#masks, s, t, B);
        hold(next[s]!, states[s]!, held);
      });
      if (!this.#yIsHidden) this.#writeOutput(y, next[0]!, t);
      states = next;
    }
    return { finals: states, trace: traceArrays(trace) };
  }

  /** The input's part of all gates at all steps. */
  #fromInput(trace: Trace): Sequence {
    const { T, B } = this.#sizes;
    const { rows } = this.#inputMap;
    const array = this.#call.scratch(T * B * rows);
    this.#inputMap.forward(array, this.#call.real(RECURRENT_INPUTS.x), T * B);
    if (this.#normIh) {
      this.#normIh.forward(array, trace.normalizedInput!.array, trace.inputScale!.array);
      addToRows(array, this.#inputs.biasIh);
    }
    return new Sequence(array, B * rows);
  }

  /** Copies h of step `t` to this direction's columns, 0 where the mask is. */
  #writeOutput(y: RealArray, h: RealArray, t: number): void {
    const { B, R, D } = this.#sizes;
    const { mask } = this.#masks;
    for (let b = 0; b < B; b++) {
      const to = (t * B + b) * D * R + this.#d * R;
      if (mask?.[t * B + b] === 0) y.fill(0, to, to + R);
      else y.set(h.subarray(b * R, (b + 1) * R), to);
    }
  }

  /**
   * Goes through the steps from last to first for the gradients by all gates; the weights' gradients are
   * products over all steps.
   * @param y the forward pass's
   * @param residual what {@link forward} gave; arrays are taken from its begin
   * @param dFinals gradients by the final states
   * @param dX to write, or to add to when this is not the first direction; `null` where nothing reads it
   * @returns the gradients by this direction's inputs, `null` where nothing reads them
   */
  backward(
    y: RealArray,
    residual: RealArray[],
    dY: RealArray | null,
    dFinals: readonly (RealArray | null)[],
    dX: RealArray | null,
  ): (RealArray | null)[] {
    const { T, B, H, R, G } = this.#sizes;
    const call = this.#call;
    const trace = openTrace(this.#traceSizes, () => residual.shift()!);
    const hidden = trace.hidden ?? new Sequence(y, B * R);
    const newCell = trace.newCell ?? trace.cell;
    const normHh = this.#normHh;
    const hiddenRows = this.#hiddenMap.rows;
    const scratch = (size: number): Sequence => new Sequence(call.scratch(T * size), size);

    const dInputs = scratch(B * G * H);
    // The two gradients are one unless the cell or layer normalization tells them apart.
    const dHiddens = this.#equations.splits || normHh ? scratch(B * hiddenRows) : dInputs;
    const dCandidates = this.#candidate && scratch(B * H);
    const dProjected = this.#projection && scratch(B * R);
    const dUnprojected = this.#projection && call.scratch(B * H);
    const dSeenApart = this.#dropout && call.scratch(B * R);
    const passed = this.#held?.map((held) => call.scratch(held.length));
    let dNext = this.#widths.map((width, s) => {
      const array = call.scratch(B * width);
      const dFinal = dFinals[s];
      if (dFinal) array.set(dFinal);
      else array.fill(0);
      return array;
    });
    let dStates = this.#widths.map((width) => call.scratch(B * width));

    for (const t of this.#times.toReversed()) {
      if (dY) this.#addOutputGradient(dNext[0]!, dY, t);
      passed?.forEach((array, s) => {
        drawHeld(this.#held![s]!, this.#masks, s, t, B);
        splitHeld(array, dNext[s]!, this.#held![s]!);
      });
      if (this.#projection) {
        dProjected!.at(t).set(dNext[0]!);
        this.#projection.backward(dUnprojected!, dNext[0]!, B, false);
      }
      const states = this.#statesBefore(t, hidden, trace.cell);
      const dInput = dInputs.at(t);
      const dHidden = dHiddens.at(t);
      const dSeen = dSeenApart?.fill(0) ?? dStates[0]!;
      dStates[0]!.fill(0);
      this.#equations.backward({
        B,
        H,
        states,
        seen: this.#see(states[0]!),
        c: newCell?.at(t) ?? null,
        dH: dUnprojected ?? dNext[0]!,
        dC: dNext[1] ?? null,
        dStates,
        dInput,
        dHidden,
        dCandidate: dCandidates?.at(t) ?? null,
        dSeen,
        saved: trace.saved!.at(t),
        normalizedCell: trace.normalizedCell?.at(t) ?? null,
        cellScale: trace.cellScale?.at(t) ?? null,
      });
      if (normHh) {
        if (!this.#equations.splits) dHidden.set(dInput);
        normHh.backward(dHidden, trace.normalizedHidden!.at(t), trace.hiddenScale!.at(t));
      }
      this.#hiddenMap.backward(dSeen, dHidden, B, true);
      if (this.#dropout) addProduct(dStates[0]!, dSeen, this.#dropout.factors);
      passed?.forEach((array, s) => add(dStates[s]!, array));
      [dNext, dStates] = [dStates, dNext];
    }
    this.#normIh?.backward(dInputs.array, trace.normalizedInput!.array, trace.inputScale!.array);
    if (dX) this.#inputMap.backward(dX, dInputs.array, T * B, this.#d > 0);
    return this.#gradients(trace, hidden, {
      dInputs: dInputs.array,
      dHiddens: dHiddens.array,
      dCandidates: dCandidates?.array ?? null,
      dProjected: dProjected?.array ?? null,
      dInitial: dNext,
    });
  }

  /** Adds the gradient by step `t` of this direction's columns of y, but for steps that the mask takes out. */
  #addOutputGradient(dH: RealArray, dY: RealArray, t: number): void {
    const { B, R, D } = this.#sizes;
    const { mask } = this.#masks;
    for (let b = 0; b < B; b++) {
      if (mask?.[t * B + b] === 0) continue;
      const from = (t * B + b) * D * R + this.#d * R;
      for (let j = 0; j < R; j++) dH[b * R + j] = dH[b * R + j]! + dY[from + j]!;
    }
  }

  /** What the recurrent product saw at every step, `[T·B,R]`. */
  #seenSequence(hidden: Sequence): RealArray {
    const { T, B, R } = this.#sizes;
    const result = this.#call.scratch(T * B * R);
    for (let t = 0; t < T; t++) {
      result.set(this.#see(this.#statesBefore(t, hidden, undefined)[0]!), t * B * R);
    }
    return result;
  }

  /** The gradients by this direction's inputs that something reads, in their order. */
  #gradients(
    trace: Trace,
    hidden: Sequence,
    parts: {
      readonly dInputs: RealArray;
      readonly dHiddens: RealArray;
      readonly dCandidates: RealArray | null;
      readonly dProjected: RealArray | null;
      readonly dInitial: readonly RealArray[];
    },
  ): (RealArray | null)[] {
    const { T, B, I, H, R, G } = this.#sizes;
    const call = this.#call;
    const begin = directionGradientBegin(this.#d, this.#attributes.cell);
    const steps = T * B;
    const rows = G * H;
    const split = this.#hiddenMap.rows;
    const ifWanted = (index: number, size: number, write: (target: RealArray) => void): RealArray | null => {
      if (!call.wanted(begin + index)) return null;
      const target = call.allocate(size);
      write(target);
      return target;
    };
    /** The gradient by gain and bias of a normalization, whose second half is also that by the bias after it. */
    const biasGradient = (target: RealArray, norm: LayerNorm | null, gates: RealArray): void => {
      if (norm) target.set(norm.gradient.subarray(norm.width));
      else sumRows(target, gates, steps, target.length);
    };
    const copyOrZero = (target: RealArray, source: Float64Array | undefined | null): void => {
      if (source) target.set(source);
      else target.fill(0);
    };
    const at = DIRECTION_INPUTS;
    return [
      ifWanted(at.weightIh, rows * I, (target) => {
        this.#inputMap.weightGradient(target, parts.dInputs, call.real(RECURRENT_INPUTS.x), steps);
      }),
      ifWanted(at.weightHh, rows * R, (target) => {
        const seen = this.#seenSequence(hidden);
        this.#hiddenMap.weightGradient(target.subarray(0, split * R), parts.dHiddens, seen, steps);
        if (!this.#candidate) return;
        scaleByReset(seen, trace.saved!.array, H);
        this.#candidate.map.weightGradient(target.subarray(split * R), parts.dCandidates!, seen, steps);
      }),
      ifWanted(at.biasIh, rows, (target) => biasGradient(target, this.#normIh, parts.dInputs)),
      ifWanted(at.biasHh, rows, (target) => {
        biasGradient(target.subarray(0, split), this.#normHh, parts.dHiddens);
        if (parts.dCandidates) sumRows(target.subarray(split), parts.dCandidates, steps, H);
      }),
      ifWanted(at.weightHr, R * H, (target) => {
        if (!this.#projection) target.fill(0);
        else this.#projection.weightGradient(target, parts.dProjected!, trace.unprojected!.array, steps);
      }),
      ifWanted(at.peephole, 3 * H, (target) => copyOrZero(target, this.#dPeephole)),
      ifWanted(at.normIh, 2 * rows, (target) => copyOrZero(target, this.#normIh?.gradient)),
      ifWanted(at.normHh, 2 * rows, (target) => copyOrZero(target, this.#normHh?.gradient)),
      ifWanted(at.normC, 2 * H, (target) => copyOrZero(target, this.#normC?.gradient)),
      ...parts.dInitial.map((array, s) =>
        ifWanted(at.states + s, array.length, (target) => target.set(array)),
      ),
    ];
  }
}

/** Multiplies what gru's products saw, `[T·B,H]`, by the reset gates, the first of three saved numbers a unit. */
function scaleByReset(seen: RealArray, saved: RealArray, H: number): void {
  for (let k = 0; k < seen.length; k++) {
    const row = Math.floor(k / H);
    seen[k] = seen[k]! * saved[row * 2 * H + k]!;
  }
}

/** Adds `bias`, if there is one, to each row of `values`. */
function addToRows(values: RealArray, bias: RealArray | null): void {
  if (!bias) return;
  for (let begin = 0; begin < values.length; begin += bias.length) {
    for (let j = 0; j < bias.length; j++) values[begin + j] = values[begin + j]! + bias[j]!;
  }
}

function add(target: RealArray, source: RealArray): void {
  for (let k = 0; k < target.length; k++) target[k] = target[k]! + source[k]!;
}

function addProduct(target: RealArray, a: RealArray, b: RealArray): void {
  for (let k = 0; k < target.length; k++) target[k] = target[k]! + a[k]! * b[k]!;
}
