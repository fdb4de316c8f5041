/**
 * `ctcLoss` and its backward on the CPU: forward and backward variables in log space. The states of a target of
 * S labels are its labels with blanks around and between them, 2S + 1 in all. The residual is the logarithm of
 * the probability of each state's prefix, `[B,T,2S+1]`, and of each whole target, `[B]`.
 */
import { ArgumentError } from '../graph/errors.js';
import {
  ctcLossBackwardOperation,
  ctcLossOperation,
  ctcSizes,
  type CtcLossAttributes,
} from '../ops/ctc-loss.js';
import { defineKernel, Residual, type KernelCall } from './kernel.js';

/** One sequence of a batch. */
interface Sequence {
  readonly inputLength: number;
  readonly targetLength: number;
  /** Number of states. */
  readonly states: number;
  /** The class of a state. */
  readonly classOf: (state: number) => number;
  /** Whether a path may go to `state` from two states before, past a blank. */
  readonly skips: (state: number) => boolean;
  /** Where the log probability of `state`'s class at `t` lies. */
  readonly place: (t: number, state: number) => number;
}

function sequenceOf(call: KernelCall<CtcLossAttributes>, b: number): Sequence {
  const { T, B, C, S } = ctcSizes(call.node.inputs);
  const { blank } = call.attributes;
  const targets = call.int(1);
  const inputLength = call.int(2)[b]!;
  const targetLength = call.int(3)[b]!;
  const refuse = (problem: string, remedy: string): void => {
    const { label } = call.node;
    throw new ArgumentError({ culprit: label ? `ctcLoss "${label}"` : 'ctcLoss', problem, remedy });
  };
  if (inputLength < 0 || inputLength > T) {
    refuse(`the input of sequence ${b} has length ${inputLength}`, `pass lengths from 0 to ${T}`);
  }
  if (targetLength < 0 || targetLength > S) {
    refuse(`the target of sequence ${b} has length ${targetLength}`, `pass lengths from 0 to ${S}`);
  }
  for (let s = 0; s < targetLength; s++) {
    const target = targets[b * S + s]!;
    if (target >= 0 && target < C && target !== blank) continue;
    refuse(
      `label ${target} at place ${s} of sequence ${b} is ${target === blank ? 'the blank' : `none of ${C} classes`}`,
      `pass labels from 0 to ${C - 1} other than the blank, ${blank}`,
    );
  }
  const classOf = (state: number): number => (state % 2 === 0 ? blank : targets[b * S + (state - 1) / 2]!);
  return {
    inputLength,
    targetLength,
    states: 2 * targetLength + 1,
    classOf,
    skips: (state) => state % 2 === 1 && state >= 3 && classOf(state) !== classOf(state - 2),
    place: (t, state) => (t * B + b) * C + classOf(state),
  };
}

/** `ln(eᵃ + eᵇ + eᶜ)`. */
function logAdd(a: number, b: number, c: number): number {
  const largest = Math.max(a, b, c);
  if (largest === -Infinity) return largest;
  return largest + Math.log(Math.exp(a - largest) + Math.exp(b - largest) + Math.exp(c - largest));
}

/** The losses, by the forward variables. */
export const ctcLossKernel = defineKernel(
  ctcLossOperation,
  (call) => {
    const logProbabilities = call.real(0);
    const { T, B, S } = ctcSizes(call.node.inputs);
    const { zeroInfinity, perLabel } = call.attributes;
    const width = 2 * S + 1;
    const alphas = call.allocate(B * T * width).fill(-Infinity);
    const totals = call.allocate(B);
    const loss = call.allocate(B);
    for (let b = 0; b < B; b++) {
      const { inputLength, targetLength, states, skips, place } = sequenceOf(call, b);
      const at = (t: number, state: number): number => (b * T + t) * width + state;
      for (let t = 0; t < inputLength; t++) {
        for (let state = 0; state < states; state++) {
          const before = (back: number): number => alphas[at(t - 1, state - back)]!;
          const reached =
            t === 0
              ? state < 2
                ? 0
                : -Infinity
              : logAdd(before(0), state > 0 ? before(1) : -Infinity, skips(state) ? before(2) : -Infinity);
          alphas[at(t, state)] = reached + logProbabilities[place(t, state)]!;
        }
      }
      // A path ends in the last label or in the blank after it. No input gives no label, with certainty.
      const end = (back: number): number =>
        states > back ? alphas[at(inputLength - 1, states - 1 - back)]! : -Infinity;
      const total = inputLength > 0 ? logAdd(end(0), end(1), -Infinity) : targetLength === 0 ? 0 : -Infinity;
      totals[b] = total;
      const own = total === -Infinity && zeroInfinity ? 0 : -total;
      loss[b] = perLabel ? own / Math.max(1, targetLength) : own;
    }
    return [loss, new Residual([alphas, totals])];
  },
  (node) => {
    const { T, B, S } = ctcSizes(node.inputs);
    return 8 * B * T * (2 * S + 1);
  },
);

/** `−dLoss·Σ exp(alpha + beta − total)` over the states of each class. */
export const ctcLossBackwardKernel = defineKernel(
  ctcLossBackwardOperation,
  (call) => {
    const logProbabilities = call.real(0);
    const [alphas, totals] = call.residual(4);
    const dLoss = call.real(5);
    const { T, B, C, S } = ctcSizes(call.node.inputs);
    const { zeroInfinity, perLabel } = call.attributes;
    const width = 2 * S + 1;
    const dLogProbabilities = call.allocate(logProbabilities.length).fill(0);
    // The probability, in logarithm, of a path's rest after each state at `t`, its own class at `t` included.
    const rest = call.scratch(width);
    const next = call.scratch(width);
    for (let b = 0; b < B; b++) {
      const { inputLength, targetLength, states, skips, place } = sequenceOf(call, b);
      const total = totals![b]!;
      const scale = -dLoss[b]! / (perLabel ? Math.max(1, targetLength) : 1);
      if (total === -Infinity) {
        if (zeroInfinity) continue;
        for (let t = 0; t < inputLength; t++) {
          dLogProbabilities.fill(NaN, (t * B + b) * C, (t * B + b + 1) * C);
        }
        continue;
      }
      for (let t = inputLength - 1; t >= 0; t--) {
        next.set(rest);
        for (let state = 0; state < states; state++) {
          const beta =
            t === inputLength - 1
              ? state >= states - 2
                ? 0
                : -Infinity
              : logAdd(
                  next[state]!,
                  state + 1 < states ? next[state + 1]! : -Infinity,
                  state + 2 < states && skips(state + 2) ? next[state + 2]! : -Infinity,
                );
          const index = place(t, state);
          rest[state] = beta + logProbabilities[index]!;
          const alpha = alphas![(b * T + t) * width + state]!;
          dLogProbabilities[index]! += scale * Math.exp(alpha + beta - total);
        }
      }
    }
    return [dLogProbabilities];
  },
  (node) => {
    const { T, B, S } = ctcSizes(node.inputs);
    return 12 * B * T * (2 * S + 1);
  },
);
