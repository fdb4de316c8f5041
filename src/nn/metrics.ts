/** Metrics on the host, from what a plan has given. On the device, `mean(correctTopK(…))` is an accuracy too. */
import { ShapeError } from '../graph/errors.js';
import { checkNumber, checkOptions, checkWhole } from '../graph/options.js';
import { IGNORE_INDEX } from '../ops/softmax-cross-entropy.js';

/** Options of {@link accuracy}. */
export interface AccuracyOptions {
  /** Targets equal to it are not counted. Default −100, as in the losses; `null` to count all. */
  readonly ignoreIndex?: number | null;
}

/** Options of {@link topKAccuracy}. */
export interface TopKAccuracyOptions extends AccuracyOptions {
  /** How many of the highest scores may hold the target. */
  readonly k: number;
}

/** Options of {@link binaryAccuracy}. */
export interface BinaryAccuracyOptions {
  /** Scores above it stand for 1. Default 0, which is a probability of one half for logits; 0.5 for probabilities. */
  readonly threshold?: number;
}

/**
 * The share of targets with the highest score of their row; of equal scores the lower class is the highest.
 * @param scores `[…,V]`, row after row: logits or probabilities
 * @param targets `[…]`, classes from 0 to V−1
 * @returns from 0 to 1; NaN where no target counts
 * @throws ShapeError when the scores are not a row for each target
 */
export function accuracy(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: AccuracyOptions = {},
): number {
  checkOptions('accuracy', options, ['ignoreIndex']);
  return shareCorrect('accuracy', scores, targets, 1, options);
}

/**
 * The share of targets whose score is among the k highest of their row; of equal scores the lower class comes
 * first.
 * @param scores `[…,V]`, row after row: logits or probabilities
 * @param targets `[…]`, classes from 0 to V−1
 * @returns from 0 to 1; NaN where no target counts
 * @throws ShapeError when the scores are not a row for each target; ArgumentError when k is below 1
 */
export function topKAccuracy(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: TopKAccuracyOptions,
): number {
  checkOptions('topKAccuracy', options, ['k', 'ignoreIndex']);
  checkWhole('topKAccuracy', 'k', options.k, 1);
  return shareCorrect('topKAccuracy', scores, targets, options.k, options);
}

/**
 * The share of scores on their target's side of the threshold.
 * @param scores logits, or probabilities with a threshold of 0.5
 * @param targets as many, 1 or true above one half
 * @returns from 0 to 1; NaN where there are none
 * @throws ShapeError when there are not as many targets as scores
 */
export function binaryAccuracy(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: BinaryAccuracyOptions = {},
): number {
  checkOptions('binaryAccuracy', options, ['threshold']);
  const { threshold = 0 } = options;
  checkNumber('binaryAccuracy', 'threshold', threshold);
  if (scores.length !== targets.length) {
    throw new ShapeError({
      culprit: 'binaryAccuracy',
      problem: `there are ${scores.length} scores and ${targets.length} targets`,
      remedy: 'pass one target a score',
    });
  }
  let correct = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (!Number.isNaN(score) && score > threshold === targets[i]! > 0.5) correct++;
  }
  return correct / scores.length;
}

/** `e^loss`: among how many equally likely classes a mean cross-entropy of `loss` nats would leave one guessing. */
export function perplexity(loss: number): number {
  return Math.exp(loss);
}

/** Nats as bits: what a mean cross-entropy of characters, or of any other tokens, comes to in bits for each. */
export function bitsPerCharacter(loss: number): number {
  return loss / Math.LN2;
}

function shareCorrect(
  culprit: string,
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  k: number,
  { ignoreIndex = IGNORE_INDEX }: AccuracyOptions,
): number {
  const V = scores.length / targets.length;
  if (targets.length > 0 ? !Number.isInteger(V) || V === 0 : scores.length > 0) {
    throw new ShapeError({
      culprit,
      problem: `there are ${scores.length} scores for ${targets.length} targets`,
      remedy: 'pass a row of scores for each target',
    });
  }
  let counted = 0;
  let correct = 0;
  for (let row = 0; row < targets.length; row++) {
    const target = targets[row]!;
    if (target === ignoreIndex) continue;
    counted++;
    const own = target >= 0 && target < V ? scores[row * V + target]! : NaN;
    if (Number.isNaN(own)) continue;
    let before = 0;
    for (let c = 0; c < V; c++) {
      const score = scores[row * V + c]!;
      if (score > own || (score === own && c < target)) before++;
    }
    if (before < k) correct++;
  }
  return correct / counted;
}
