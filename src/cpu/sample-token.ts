/** `sampleToken` on the CPU. */
import { NonFiniteError } from '../graph/errors.js';
import { SAMPLE_TOKEN_INPUTS as AT, sampleTokenOperation } from '../ops/sample-token.js';
import { threefry2x32 } from './dropout.js';
import { defineKernel } from './kernel.js';
import type { RealArray } from './storage.js';

/** Settings of one draw. */
interface Draw {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  /** From 0 to below 1. */
  readonly uniform: number;
}

export const sampleTokenKernel = defineKernel(
  sampleTokenOperation,
  (call) => {
    const logits = call.real(AT.logits);
    const seeds = call.int(AT.seeds);
    const position = call.int(AT.position)[0]!;
    const [B, V] = call.shape(AT.logits) as readonly [number, number];
    // As a GPU holds them, so that both keep the same tokens.
    const temperature = Math.fround(call.real(AT.temperature)[0]!);
    const topP = Math.fround(call.optional(AT.topP)?.[0] ?? 1);
    const topK = call.node.inputs[AT.topK] ? call.int(AT.topK)[0]! : 0;
    const words = new Uint32Array(2);
    const tokens = call.arena.int(B);
    for (let b = 0; b < B; b++) {
      threefry2x32(seeds[2 * b]!, seeds[2 * b + 1]!, position, 0, words);
      const uniform = (words[0]! >>> 8) * 2 ** -24;
      const settings = { temperature, topK: topK > 0 ? topK : V, topP, uniform };
      tokens[b] = draw(logits.subarray(b * V, (b + 1) * V), settings);
    }
    return [tokens];
  },
  (node) => 3 * node.inputs[0]!.size,
);

function draw(logits: RealArray, { temperature, topK, topP, uniform }: Draw): number {
  const best = likeliest(logits);
  if (temperature === 0) return best;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - logits[best]!) / temperature));
  let kept = Array.from(weights.keys());
  const totalOf = (tokens: readonly number[]): number => tokens.reduce((sum, v) => sum + weights[v]!, 0);
  if (topK < kept.length || topP < 1) {
    kept.sort((a, b) => logits[b]! - logits[a]! || a - b);
    kept = kept.slice(0, topK);
    const enough = topP * totalOf(kept);
    let sum = 0;
    const last = topP < 1 ? kept.findIndex((v) => (sum += weights[v]!) >= enough) : -1;
    if (last >= 0) kept.length = last + 1;
    kept.sort((a, b) => a - b);
  }
  let rest = uniform * totalOf(kept);
  for (const v of kept) {
    rest -= weights[v]!;
    if (rest < 0) return v;
  }
  // Rounding may leave a trace at the end: the last token that has any weight.
  return kept.findLast((v) => weights[v]! > 0) ?? best;
}

/** The highest logit's token, the lowest of equals. */
function likeliest(logits: RealArray): number {
  let best = 0;
  for (let v = 0; v < logits.length; v++) {
    if (!Number.isFinite(logits[v]!)) {
      throw new NonFiniteError({
        culprit: 'sampleToken',
        problem: `the logit of token ${v} is ${logits[v]}`,
        remedy: 'the parameters have diverged: train with a lower learning rate or a smaller clipNorm',
      });
    }
    if (logits[v]! > logits[best]!) best = v;
  }
  return best;
}
