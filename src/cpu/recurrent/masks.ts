/** Which units keep their old value, and which the recurrent product does not see. */
import {
  hasZoneout,
  recurrentDropoutCounter,
  zoneoutCounter,
  type RecurrentAttributes,
} from '../../ops/recurrent-attributes.js';
import { threefry2x32 } from '../dropout.js';
import type { RealArray } from '../storage.js';

const words = new Uint32Array(2);

/** A number from 0 to below 1 that the key and the counter determine; the same on every device. */
function draw(seed: number, stream: number, counter0: number, counter1: number): number {
  threefry2x32(seed, stream, counter0, counter1, words);
  return (words[0]! >>> 8) * 2 ** -24;
}

/** What decides about masks in one direction. */
export interface MaskSource {
  readonly attributes: RecurrentAttributes;
  /** int32 `[T,B]`: 0 where a sequence has no step */
  readonly mask: Int32Array | null;
  readonly seed: number;
  /** Index of the direction. */
  readonly d: number;
}

/** Whether states may keep their old values, wholly or in part. */
export function holdsStates({ attributes, mask }: MaskSource): boolean {
  return mask !== null || hasZoneout(attributes);
}

/**
 * Writes how much of its old value each unit of state `s` keeps at step `t`, for `B` sequences: all of it
 * where the mask is 0, else 0 or 1 by zoneout's draw, and its probability in evaluation.
 */
export function drawHeld(held: RealArray, source: MaskSource, s: number, t: number, B: number): void {
  const { attributes, mask, seed, d } = source;
  const { stream, training } = attributes;
  const p = attributes.zoneout[s] ?? 0;
  const threshold = Math.fround(p);
  const counter = zoneoutCounter(s, d);
  const width = held.length / B;
  for (let b = 0; b < B; b++) {
    const begin = b * width;
    if (mask?.[t * B + b] === 0) {
      held.fill(1, begin, begin + width);
    } else if (!training || p === 0) {
      held.fill(p, begin, begin + width);
    } else {
      const first = (t * B + b) * width;
      for (let j = 0; j < width; j++) {
        held[begin + j] = draw(seed, stream, first + j, counter) < threshold ? 1 : 0;
      }
    }
  }
}

/** `next = held⊙old + (1 − held)⊙next`. */
export function hold(next: RealArray, old: RealArray, held: RealArray): void {
  for (let k = 0; k < next.length; k++) {
    const z = held[k]!;
    next[k] = z * old[k]! + (1 - z) * next[k]!;
  }
}

/** Splits the gradient by a held state: what goes to the old one to `dOld`, what to the new one stays in `dNext`. */
export function splitHeld(dOld: RealArray, dNext: RealArray, held: RealArray): void {
  for (let k = 0; k < dNext.length; k++) {
    const d = dNext[k]!;
    dOld[k] = held[k]! * d;
    dNext[k] = (1 - held[k]!) * d;
  }
}

/** Whether the recurrent product sees a part of h only. */
export function dropsRecurrent({ training, recurrentDropout }: RecurrentAttributes): boolean {
  return training && recurrentDropout > 0;
}

/** Writes the factors of recurrent dropout: `1/(1 − p)` where a unit is seen, else 0. */
export function drawRecurrentDropout(factors: RealArray, { attributes, seed, d }: MaskSource): void {
  const { stream, recurrentDropout: p } = attributes;
  const threshold = Math.fround(p);
  const counter = recurrentDropoutCounter(d);
  const scale = 1 / (1 - p);
  for (let k = 0; k < factors.length; k++) {
    factors[k] = draw(seed, stream, k, counter) >= threshold ? scale : 0;
  }
}
