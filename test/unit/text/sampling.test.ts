/** Sampling follows the softmax, is stable, and repeats with its seed. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, NonFiniteError } from '../../../src/graph/errors.js';
import { Random } from '../../../src/nn/random.js';
import { sampleToken, type SamplingOptions } from '../../../src/text/sampling.js';

function frequencies(logits: number[], options: SamplingOptions, draws = 20_000): number[] {
  const random = new Random(5);
  const counts = logits.map(() => 0);
  for (let i = 0; i < draws; i++) counts[sampleToken(logits, { ...options, random })]!++;
  return counts.map((count) => count / draws);
}

describe('sampleToken', () => {
  // Standard error of a frequency over 20,000 draws is at most 0.0036: 4 of them.
  const near = (actual: number[], expected: number[]): void =>
    actual.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(0.0145));

  it('draws by the softmax of logits over temperature', () => {
    const logits = [Math.log(0.5), Math.log(0.3), Math.log(0.2)];
    near(frequencies(logits, {}), [0.5, 0.3, 0.2]);
    const squares = [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38];
    near(frequencies(logits, { temperature: 0.5 }), squares);
  });
  it('keeps the K likeliest', () => {
    near(frequencies([Math.log(0.2), Math.log(0.5), Math.log(0.3)], { topK: 2 }), [0, 0.625, 0.375]);
  });
  it('keeps the likeliest that reach topP', () => {
    near(frequencies([Math.log(0.2), Math.log(0.5), Math.log(0.3)], { topP: 0.6 }), [0, 0.625, 0.375]);
    near(frequencies([Math.log(0.2), Math.log(0.5), Math.log(0.3)], { topP: 0.4 }), [0, 1, 0]);
  });
  it('takes the likeliest at temperature 0, the first among equals', () => {
    expect(sampleToken([1, 3, 3, 2], { temperature: 0, random: new Random(0) })).toBe(1);
  });
  it('stays finite for huge logits and tiny temperatures', () => {
    expect(sampleToken([3e38, -3e38], { random: new Random(0) })).toBe(0);
    expect(sampleToken([0, 1], { temperature: 1e-300, random: new Random(0) })).toBe(1);
  });
  it('repeats with its seed', () => {
    const draw = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 50 }, () => sampleToken([0, 0, 0, 0], { random }));
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });
  it('refuses logits that are not finite, and options out of range', () => {
    const random = new Random(0);
    expect(() => sampleToken([0, NaN], { random })).toThrow(NonFiniteError);
    expect(() => sampleToken([0, Infinity], { random })).toThrow(/token 1 is Infinity/);
    expect(() => sampleToken([], { random })).toThrow(ArgumentError);
    for (const bad of [
      { temperature: -1 },
      { temperature: NaN },
      { topK: 0 },
      { topK: 1.5 },
      { topP: 0 },
      { topP: 1.1 },
    ]) {
      expect(() => sampleToken([0], { ...bad, random }), JSON.stringify(bad)).toThrow(ArgumentError);
    }
    expect(() => sampleToken([0], { random, temprature: 1 } as never)).toThrow(/no option "temprature"/);
  });
});
