/** The equations of the cells, forward and backward, one step at a time. A new cell is one entry here. */
import type { RecurrentAttributes } from '../../ops/recurrent-attributes.js';
import type { RealArray } from '../storage.js';
import { activationOf, rounded, type Activation } from './activations.js';
import type { Affine } from './affine.js';
import type { LayerNorm } from './layer-norm.js';

/** What a step reads in either direction, for `B` sequences of `H` units. */
interface Step {
  readonly B: number;
  readonly H: number;
  /** The states before this step: h `[B,R]`, then c `[B,H]`. */
  readonly states: readonly RealArray[];
  /** h as the recurrent product sees it. */
  readonly seen: RealArray;
  /** `[B, saved·H]`: what the forward step leaves to the backward one. */
  readonly saved: RealArray;
  /** lstm with layer normalization: c normalized, before gain and bias, `[B,H]`, and its rows' scales `[B]`. */
  readonly normalizedCell: RealArray | null;
  readonly cellScale: RealArray | null;
}

/** One step forward; it writes `saved` and the normalized cell too. */
export interface ForwardStep extends Step {
  /** `x·W_ihᵀ + b_ih`, `[B,G·H]` */
  readonly fromInput: RealArray;
  /** `h·W_hhᵀ + b_hh`, `[B,G·H]`; without the gates that have another recurrent product */
  readonly fromHidden: RealArray;
  /** To write: h before projection, `[B,H]`. */
  readonly h: RealArray;
  /** To write: the new c; never the same array as the old. */
  readonly c: RealArray | null;
}

/** One step backward. */
export interface BackwardStep extends Step {
  /** The new c that the forward step gave. */
  readonly c: RealArray | null;
  /** The gradient by h before projection. */
  readonly dH: RealArray;
  /** The gradient by the new c, but for what flows through h. */
  readonly dC: RealArray | null;
  /**
   * To write: the gradients by the states before this step, but for what flows through the recurrent product.
   * That by h is zeros at first.
   */
  readonly dStates: readonly RealArray[];
  /** To write: the gradient by `fromInput`. */
  readonly dInput: RealArray;
  /** To write: the gradient by `fromHidden`; left alone unless the cell splits the two. */
  readonly dHidden: RealArray;
  /** To write, by cells with another recurrent product: its gradient, `[B,H]`. */
  readonly dCandidate: RealArray | null;
  /** To add to, by cells with another recurrent product: the gradient by what the products saw. */
  readonly dSeen: RealArray;
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

/** What the equations of a layer rest on. */
export interface CellContext {
  readonly attributes: RecurrentAttributes;
  /** An array of the precision in use. */
  readonly like: RealArray;
  /** lstm: weights of c in i, f, o, `[3,H]`. */
  readonly peephole: RealArray | null;
  /** lstm: the gradient by them, which backward steps add to. */
  readonly dPeephole: Float64Array | null;
  readonly normC: LayerNorm | null;
  /** gru with the reset before the product: the product that makes n, and scratch arrays `[B,H]` for it. */
  readonly candidate: {
    readonly map: Affine;
    readonly argument: RealArray;
    readonly result: RealArray;
  } | null;
}

/** The equations of the layer's cell; see `CELLS` for them in formulas. */
export function cellEquations(context: CellContext): CellEquations {
  switch (context.attributes.cell) {
    case 'rnn':
      return elman(context);
    case 'lstm':
      return lstm(context);
    case 'gru':
      return context.candidate ? gruResetBefore(context, context.candidate) : gru(context);
  }
}

/** The activations of new content and of gates. */
function activations({ attributes, like }: CellContext): { content: Activation; gate: Activation } {
  const { activation, gateActivation, gateClip } = attributes;
  return {
    content: activationOf(activation, gateClip, like),
    gate: activationOf(gateActivation, gateClip, like),
  };
}

/** `h' = act(a + r)`. */
function elman(context: CellContext): CellEquations {
  const { f, derivative } = activations(context).content;
  return {
    saved: 1,
    splits: false,
    forward({ fromInput, fromHidden, h, saved }) {
      for (let k = 0; k < h.length; k++) {
        const value = f(fromInput[k]! + fromHidden[k]!);
        h[k] = value;
        saved[k] = value;
      }
    },
    backward({ saved, dH, dInput }) {
      for (let k = 0; k < dH.length; k++) dInput[k] = derivative(saved[k]!) * dH[k]!;
    },
  };
}

/**
 * `c' = f⊙c + i⊙g`, normalized or clamped where asked for, `h' = o⊙act(c')`. Each half of a step is a loop
 * of its own, for a row must be whole before it can be normalized.
 */
function lstm(context: CellContext): CellEquations {
  const { attributes, like, peephole, dPeephole, normC } = context;
  const { coupled, cellClip, outputActivation } = attributes;
  const { content, gate } = activations(context);
  const output = activationOf(outputActivation, 0, like);
  const bound = cellClip > 0 ? rounded(cellClip, like) : Infinity;

  return {
    // i, f, g, o.
    saved: 4,
    splits: false,
    forward({ B, H, fromInput: a, fromHidden: r, states, h, c: newCell, saved, normalizedCell, cellScale }) {
      const c = states[1]!;
      const c1 = newCell!;
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const ki = b * 4 * H + j;
          const kf = ki + H;
          const kg = kf + H;
          let argumentI = a[ki]! + r[ki]!;
          let argumentF = a[kf]! + r[kf]!;
          if (peephole) {
            argumentI += peephole[j]! * c[k]!;
            argumentF += peephole[H + j]! * c[k]!;
          }
          const i = gate.f(argumentI);
          const f = coupled ? 1 - i : gate.f(argumentF);
          const g = content.f(a[kg]! + r[kg]!);
          c1[k] = Math.min(bound, Math.max(-bound, f * c[k]! + i * g));
          saved[ki] = i;
          saved[kf] = f;
          saved[kg] = g;
        }
      }
      normC?.forward(c1, normalizedCell!, cellScale!);
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const ko = b * 4 * H + 3 * H + j;
          let argumentO = a[ko]! + r[ko]!;
          if (peephole) argumentO += peephole[2 * H + j]! * c1[k]!;
          const o = gate.f(argumentO);
          h[k] = o * output.f(c1[k]!);
          saved[ko] = o;
        }
      }
    },
    backward({ B, H, states, c: newCell, saved, dH, dC, dStates, dInput, normalizedCell, cellScale }) {
      const c = states[1]!;
      const c1 = newCell!;
      const dCell = dStates[1]!;
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const ko = b * 4 * H + 3 * H + j;
          const o = saved[ko]!;
          const outputC = output.f(c1[k]!);
          const dO = dH[k]! * outputC * gate.derivative(o);
          let d = dC![k]! + dH[k]! * o * output.derivative(outputC);
          if (peephole) {
            d += dO * peephole[2 * H + j]!;
            dPeephole![2 * H + j] = dPeephole![2 * H + j]! + dO * c1[k]!;
          }
          dInput[ko] = dO;
          dCell[k] = Math.abs(c1[k]!) < bound ? d : 0;
        }
      }
      normC?.backward(dCell, normalizedCell!, cellScale!);
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const ki = b * 4 * H + j;
          const kf = ki + H;
          const kg = kf + H;
          const i = saved[ki]!;
          const f = saved[kf]!;
          const g = saved[kg]!;
          const d = dCell[k]!;
          const dI = d * (coupled ? g - c[k]! : g) * gate.derivative(i);
          const dF = coupled ? 0 : d * c[k]! * gate.derivative(f);
          dInput[ki] = dI;
          dInput[kf] = dF;
          dInput[kg] = d * i * content.derivative(g);
          dCell[k] = d * f;
          if (peephole) {
            dCell[k] = d * f + dI * peephole[j]! + dF * peephole[H + j]!;
            dPeephole![j] = dPeephole![j]! + dI * c[k]!;
            dPeephole![H + j] = dPeephole![H + j]! + dF * c[k]!;
          }
        }
      }
    },
  };
}

/** `h' = (1 − z)⊙n + z⊙h` with `n = act(a_n + r⊙q_n)`, `q` being the recurrent product. */
function gru(context: CellContext): CellEquations {
  const { content, gate } = activations(context);
  return {
    // r, z, n and the recurrent part of n.
    saved: 4,
    splits: true,
    forward({ B, H, fromInput: a, fromHidden: q, states, h: h1, saved }) {
      const h = states[0]!;
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const kr = b * 3 * H + j;
          const kz = kr + H;
          const kn = kz + H;
          const r = gate.f(a[kr]! + q[kr]!);
          const z = gate.f(a[kz]! + q[kz]!);
          const n = content.f(a[kn]! + r * q[kn]!);
          h1[k] = (1 - z) * n + z * h[k]!;
          const s = b * 4 * H + j;
          saved[s] = r;
          saved[s + H] = z;
          saved[s + 2 * H] = n;
          saved[s + 3 * H] = q[kn]!;
        }
      }
    },
    backward({ B, H, states, saved, dH: dH1, dStates, dInput, dHidden }) {
      const h = states[0]!;
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
          const dN = d * (1 - z) * content.derivative(n);
          const dZ = d * (h[k]! - n) * gate.derivative(z);
          const dR = dN * recurrentN * gate.derivative(r);
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
}

/** The same with `n = act(a_n + (r⊙h)·W_hnᵀ + b_hn)`: n waits for a product of its own. */
function gruResetBefore(
  context: CellContext,
  { map, argument, result }: NonNullable<CellContext['candidate']>,
): CellEquations {
  const { content, gate } = activations(context);
  return {
    // r, z, n.
    saved: 3,
    splits: true,
    forward({ B, H, fromInput: a, fromHidden: q, states, seen, h: h1, saved }) {
      const h = states[0]!;
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const kr = b * 3 * H + j;
          const kz = kr + H;
          const from = b * 2 * H + j;
          const r = gate.f(a[kr]! + q[from]!);
          saved[kr] = r;
          saved[kz] = gate.f(a[kz]! + q[from + H]!);
          argument[k] = r * seen[k]!;
        }
      }
      map.forward(result, argument, B);
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const kz = b * 3 * H + H + j;
          const kn = kz + H;
          const z = saved[kz]!;
          const n = content.f(a[kn]! + result[k]!);
          h1[k] = (1 - z) * n + z * h[k]!;
          saved[kn] = n;
        }
      }
    },
    backward({ B, H, states, seen, saved, dH: dH1, dStates, dInput, dHidden, dCandidate, dSeen }) {
      const h = states[0]!;
      const dH = dStates[0]!;
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const kz = b * 3 * H + H + j;
          const kn = kz + H;
          const z = saved[kz]!;
          const n = saved[kn]!;
          const d = dH1[k]!;
          const dN = d * (1 - z) * content.derivative(n);
          const dZ = d * (h[k]! - n) * gate.derivative(z);
          dCandidate![k] = dN;
          dInput[kn] = dN;
          dInput[kz] = dZ;
          dHidden[b * 2 * H + H + j] = dZ;
          dH[k] = d * z;
        }
      }
      const dArgument = argument;
      map.backward(dArgument, dCandidate!, B, false);
      for (let b = 0; b < B; b++) {
        for (let j = 0; j < H; j++) {
          const k = b * H + j;
          const kr = b * 3 * H + j;
          const r = saved[kr]!;
          const dR = dArgument[k]! * seen[k]! * gate.derivative(r);
          dInput[kr] = dR;
          dHidden[b * 2 * H + j] = dR;
          dSeen[k] = dSeen[k]! + dArgument[k]! * r;
        }
      }
    },
  };
}
