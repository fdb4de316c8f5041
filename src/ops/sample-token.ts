/** `sampleToken`: tokens drawn from their logits, by temperature, top-k and top-p, as a seed and a counter say. */
import { ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { formatShape } from '../graph/shape.js';
import type { Value, ValueSpec } from '../graph/value.js';
import { apply, checkSameShape, typed } from './check.js';

/** Attributes of {@link sampleTokenOperation}: none. */
export type SampleTokenAttributes = Readonly<Record<string, never>>;

/** Where the inputs of {@link sampleTokenOperation} stand. */
export const SAMPLE_TOKEN_INPUTS = {
  logits: 0,
  temperature: 1,
  topK: 2,
  topP: 3,
  seeds: 4,
  position: 5,
} as const;

/** Checks the inputs that say how to draw, the same for every operation that draws tokens. */
export function checkSampler(
  culprit: string,
  inputs: readonly (ValueSpec | null)[],
  first: number,
  batch: number,
): void {
  checkSameShape(culprit, 'temperature', typed(culprit, inputs, first, 'temperature'), []);
  if (inputs[first + 1])
    checkSameShape(culprit, 'topK', typed(culprit, inputs, first + 1, 'topK', 'int32'), []);
  if (inputs[first + 2]) checkSameShape(culprit, 'topP', typed(culprit, inputs, first + 2, 'topP'), []);
  checkSameShape(culprit, 'seeds', typed(culprit, inputs, first + 3, 'seeds', 'int32'), [batch, 2], 'B,2');
  checkSameShape(culprit, 'position', typed(culprit, inputs, first + 4, 'position', 'int32'), []);
}

/**
 * `[logits[B,V], temperature[], topK int32[]|null, topP[]|null, seeds int32[B,2], position int32[]] → [tokens int32[B]]`.
 *
 * A token v has the weight `exp((logit(v) − max)/temperature)`, all of them reals of float32. In order of falling
 * logits, the lower token first among equals, those are kept that come before the topK-th and then, of these, the
 * fewest whose weights sum to `topP` of the whole (Holtzman et al., "The curious case of neural text
 * degeneration", ICLR 2020). Of the kept in order of tokens, the first is drawn whose weights, summed so far,
 * exceed `u·total`, with `u = (x >>> 8)·2⁻²⁴` of the first word x of Threefry-2x32 with 20 rounds (Salmon et al.,
 * "Parallel random numbers: as easy as 1, 2, 3", SC 2011), key `seeds[b]`, counter `(position, 0)`. At temperature
 * 0 it is the first of all.
 *
 * Where some logit of a row is not finite the CPU throws; a GPU, where nothing can throw, gives −1.
 */
export const sampleTokenOperation = defineOperation<SampleTokenAttributes>({
  name: 'sampleToken',
  infer(inputs, _attributes, culprit) {
    const logits = typed(culprit, inputs, SAMPLE_TOKEN_INPUTS.logits, 'logits');
    const [batch] = logits.shape;
    if (logits.shape.length !== 2) {
      throw new ShapeError({
        culprit,
        problem: `logits have shape ${formatShape(logits.shape)}`,
        remedy: 'pass shape [B,V]',
      });
    }
    checkSampler(culprit, inputs, SAMPLE_TOKEN_INPUTS.temperature, batch!);
    return [{ shape: [batch!], dtype: 'int32' }];
  },
  gradient: 'zero',
});

/** How tokens are drawn: values, so that other settings need no new plan. */
export interface Sampler {
  /** Scalar. Divides the logits; 0 takes the likeliest token. */
  readonly temperature: Value;
  /** int32 scalar: only the K likeliest; 0, or V and more, for all. Not cut by default, which is quicker. */
  readonly topK?: Value | null;
  /** Scalar in (0, 1]: only the likeliest that together reach this probability; 1, the default, for all. */
  readonly topP?: Value | null;
  /** int32 `[B,2]`: the two words of each row's seed, lower first. */
  readonly seeds: Value;
  /** int32 scalar: how many tokens were drawn before with these seeds. */
  readonly position: Value;
}

/** The inputs of a {@link Sampler} in the operations' order. */
export function samplerInputs({ temperature, topK, topP, seeds, position }: Sampler): (Value | null)[] {
  return [temperature, topK ?? null, topP ?? null, seeds, position];
}

/**
 * Draws a token a row. Equal settings, seeds and positions draw equal tokens from equal logits, on every executor
 * (but for rounding where two tokens all but meet).
 * @param logits `[B,V]`
 * @returns int32 `[B]`; it has no gradient
 */
export function drawTokens(logits: Value, sampler: Sampler, label = ''): Value {
  return apply(sampleTokenOperation, [logits, ...samplerInputs(sampler)], {}, label)[0]!;
}
