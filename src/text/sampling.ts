/** Choosing the next token from its logits. */
import { ArgumentError, NonFiniteError } from '../graph/errors.js';
import { checkNumber, checkOptions, checkWhole, show } from '../graph/options.js';
import { Random } from '../nn/random.js';

/** How to choose. */
export interface SamplingOptions {
  /** Divides the logits: below 1 more certain, above 1 more random; 0 always takes the likeliest. Default 1. */
  readonly temperature?: number;
  /** Only among the K likeliest. Default: all. */
  readonly topK?: number;
  /** Only among the likeliest that together reach this probability, in (0, 1] (Holtzman et al., 2020). Default 1: all. */
  readonly topP?: number;
}

/** Throws when a sampling option is out of range. */
export function checkSampling(culprit: string, options: SamplingOptions): void {
  const { temperature = 1, topK, topP = 1 } = options;
  checkNumber(culprit, 'temperature', temperature, { min: 0 });
  checkNumber(culprit, 'topP', topP, { above: 0, max: 1 });
  if (topK !== undefined) checkWhole(culprit, 'topK', topK, 1);
}

/**
 * Draws a token from softmax(logits / temperature), or takes the likeliest at temperature 0 (the lowest
 * token among equals). Stable for logits of any finite size.
 * @throws NonFiniteError when a logit is NaN or infinite
 */
export function sampleToken(
  logits: ArrayLike<number>,
  options: SamplingOptions & { readonly random: Random },
): number {
  checkOptions('sampleToken', options, ['temperature', 'topK', 'topP', 'random']);
  checkSampling('sampleToken', options);
  const { temperature = 1, topK = logits.length, topP = 1, random } = options;
  if (!(random instanceof Random)) {
    throw new ArgumentError({
      culprit: 'sampleToken',
      problem: `random is ${show(random)}`,
      remedy: 'pass a new Random(seed)',
    });
  }
  const best = argmax(logits);
  if (temperature === 0) return best;

  const weights = Array.from(logits, (logit) => Math.exp((logit - logits[best]!) / temperature));
  const order = weights.map((_, token) => token);
  if (topK < order.length || topP < 1) {
    order.sort((a, b) => weights[b]! - weights[a]! || a - b);
    order.length = Math.min(order.length, topK);
    if (topP < 1) keepProbable(order, weights, topP);
  }
  const total = order.reduce((sum, token) => sum + weights[token]!, 0);
  let rest = random.uniform() * total;
  for (const token of order) {
    rest -= weights[token]!;
    if (rest < 0) return token;
  }
  // Rounding may leave a trace at the end: take the last token that has any weight.
  return order.findLast((token) => weights[token]! > 0) ?? best;
}

/** Cuts `order` (likeliest first) where the probability summed so far reaches `topP`. */
function keepProbable(order: number[], weights: readonly number[], topP: number): void {
  const total = order.reduce((sum, token) => sum + weights[token]!, 0);
  let sum = 0;
  const last = order.findIndex((token) => (sum += weights[token]!) >= topP * total);
  if (last >= 0) order.length = last + 1;
}

function argmax(logits: ArrayLike<number>): number {
  if (logits.length === 0) {
    throw new ArgumentError({
      culprit: 'sampleToken',
      problem: 'there are no logits',
      remedy: 'pass at least one',
    });
  }
  let best = 0;
  for (let token = 0; token < logits.length; token++) {
    if (!Number.isFinite(logits[token]!)) {
      throw new NonFiniteError({
        culprit: 'sampleToken',
        problem: `the logit of token ${token} is ${logits[token]}`,
        remedy: 'the parameters have diverged: train with a lower learning rate or a smaller clipNorm',
      });
    }
    if (logits[token]! > logits[best]!) best = token;
  }
  return best;
}
