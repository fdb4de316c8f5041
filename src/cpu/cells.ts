/** The equations of the cells, forward and backward, one step at a time. A new cell is one entry here. */
import type { CellName } from '../ops/cells.js';
import type { RealArray } from './storage.js';
import { sigmoid } from './unary.js';

/** One step forward, for `B` sequences of `H` units. Arrays of states are `[B,H]`, of gates `[B,G·H]`. */
export interface ForwardStep {
  readonly B: number;
  readonly H: number;
  /** `x·W_ihᵀ + b_ih` */
  readonly fromInput: RealArray;
  /** `h·W_hhᵀ + b_hh` */
  readonly fromHidden: RealArray;
  /** The states before this step. */
  readonly states: readonly RealArray[];
  /** To write: the states after it; never the same arrays. */
  readonly next: readonly RealArray[];
  /** To write: what the backward step needs, `[B, saved·H]`. */
  readonly saved: RealArray;
}

/** One step backward. */
export interface BackwardStep {
  readonly B: number;
  readonly H: number;
  readonly states: readonly RealArray[];
  readonly next: readonly RealArray[];
  readonly saved: RealArray;
  /** The gradients by the states after this step. */
  readonly dNext: readonly RealArray[];
  /** To write: the gradients by the states before it, but for what flows through `h·W_hhᵀ`. */
  readonly dStates: readonly RealArray[];
  /** To write: the gradient by `fromInput`. */
  readonly dInput: RealArray;
  /** To write: the gradient by `fromHidden`; the same array as `dInput` unless the cell splits them. */
  readonly dHidden: RealArray;
}

/** The equations of one cell. */
export interface CellEquations {
  /** Numbers a unit that the forward step saves for the backward one. */
  readonly saved: number;
  /** Whether `fromInput` and `fromHidden` enter a gate other than by their sum. */
  readonly splits: boolean;
  readonly forward: (step: ForwardStep) => void;
  readonly backward: (step: BackwardStep) => void;
}

/** `h' = f(a + r)`, where the derivative is a function of `h'` alone. */
function elman(f: (x: number) => number, derivative: (y: number) => number): CellEquations {
  return {
    saved: 0,
    splits: false,
    forward({ fromInput, fromHidden, next }) {
      const h1 = next[0]!;
      for (let k = 0; k < h1.length; k++) h1[k] = f(fromInput[k]! + fromHidden[k]!);
    },
    backward({ next, dNext, dStates, dInput }) {
      const h1 = next[0]!;
      const dH1 = dNext[0]!;
      const dH = dStates[0]!;
      for (let k = 0; k < h1.length; k++) {
        dInput[k] = derivative(h1[k]!) * dH1[k]!;
        dH[k] = 0;
      }
    },
  };
}

const lstm: CellEquations = {
  saved: 4,
  splits: false,
  forward({ B, H, fromInput: a, fromHidden: r, states, next, saved }) {
    const c = states[1]!;
    const h1 = next[0]!;
    const c1 = next[1]!;
    for (let b = 0; b < B; b++) {
      for (let j = 0; j < H; j++) {
        const k = b * H + j;
        const ki = b * 4 * H + j;
        const kf = ki + H;
        const kg = kf + H;
        const ko = kg + H;
        const i = sigmoid(a[ki]! + r[ki]!);
        const f = sigmoid(a[kf]! + r[kf]!);
        const g = Math.tanh(a[kg]! + r[kg]!);
        const o = sigmoid(a[ko]! + r[ko]!);
        const cell = f * c[k]! + i * g;
        c1[k] = cell;
        h1[k] = o * Math.tanh(cell);
        saved[ki] = i;
        saved[kf] = f;
        saved[kg] = g;
        saved[ko] = o;
      }
    }
  },
  backward({ B, H, states, next, saved, dNext, dStates, dInput }) {
    const c = states[1]!;
    const c1 = next[1]!;
    const dH1 = dNext[0]!;
    const dC1 = dNext[1]!;
    const dH = dStates[0]!;
    const dC = dStates[1]!;
    for (let b = 0; b < B; b++) {
      for (let j = 0; j < H; j++) {
        const k = b * H + j;
        const ki = b * 4 * H + j;
        const kf = ki + H;
        const kg = kf + H;
        const ko = kg + H;
        const i = saved[ki]!;
        const f = saved[kf]!;
        const g = saved[kg]!;
        const o = saved[ko]!;
        const tanhC = Math.tanh(c1[k]!);
        const dCell = dC1[k]! + dH1[k]! * o * (1 - tanhC * tanhC);
        dInput[ki] = dCell * g * i * (1 - i);
        dInput[kf] = dCell * c[k]! * f * (1 - f);
        dInput[kg] = dCell * i * (1 - g * g);
        dInput[ko] = dH1[k]! * tanhC * o * (1 - o);
        dC[k] = dCell * f;
        dH[k] = 0;
      }
    }
  },
};

const gru: CellEquations = {
  // r, z, n and the recurrent part of n.
  saved: 4,
  splits: true,
  forward({ B, H, fromInput: a, fromHidden: q, states, next, saved }) {
    const h = states[0]!;
    const h1 = next[0]!;
    for (let b = 0; b < B; b++) {
      for (let j = 0; j < H; j++) {
        const k = b * H + j;
        const kr = b * 3 * H + j;
        const kz = kr + H;
        const kn = kz + H;
        const r = sigmoid(a[kr]! + q[kr]!);
        const z = sigmoid(a[kz]! + q[kz]!);
        const n = Math.tanh(a[kn]! + r * q[kn]!);
        h1[k] = (1 - z) * n + z * h[k]!;
        const s = b * 4 * H + j;
        saved[s] = r;
        saved[s + H] = z;
        saved[s + 2 * H] = n;
        saved[s + 3 * H] = q[kn]!;
      }
    }
  },
  backward({ B, H, states, saved, dNext, dStates, dInput, dHidden }) {
    const h = states[0]!;
    const dH1 = dNext[0]!;
    const dH = dStates[0]!;
    for (let b = 0; b < B; b++) {
      for (let j = 0; j < H; j++) {
        const k = b * H + j;
        const kr = b * 3 * H + j;
        const kz = kr + H;
        const kn = kz + H;
        const s = b * 4 * H + j;
        const r = saved[s]!;
        const z = saved[s + H]!;
        const n = saved[s + 2 * H]!;
        const recurrentN = saved[s + 3 * H]!;
        const d = dH1[k]!;
        const dN = d * (1 - z) * (1 - n * n);
        const dZ = d * (h[k]! - n) * z * (1 - z);
        const dR = dN * recurrentN * r * (1 - r);
        dInput[kr] = dR;
        dInput[kz] = dZ;
        dInput[kn] = dN;
        dHidden[kr] = dR;
        dHidden[kz] = dZ;
        dHidden[kn] = dN * r;
        dH[k] = d * z;
      }
    }
  },
};

/** The equations of every cell; see `CELLS` for them in formulas. */
export const CELL_EQUATIONS: Readonly<Record<CellName, CellEquations>> = {
  rnn_tanh: elman(Math.tanh, (y) => 1 - y * y),
  rnn_relu: elman(
    (x) => Math.max(0, x),
    (y) => (y > 0 ? 1 : 0),
  ),
  lstm,
  gru,
};
