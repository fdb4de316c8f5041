/** The generator is Threefry-2x32, its numbers are exact, and its distributions are right. */
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../../src/graph/errors.js';
import { naturalLogarithm, Random, threefry2x32 } from '../../../src/nn/random.js';

describe('threefry2x32', () => {
  // Known answers of the Random123 distribution (kat_vectors, threefry2x32 20).
  it('gives the published answers', () => {
    expect(threefry2x32([0, 0], [0, 0])).toEqual([0x6b200159, 0x99ba4efe]);
    expect(threefry2x32([0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff])).toEqual([
      0x1cb996fc, 0xbb002be7,
    ]);
    expect(threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3])).toEqual([
      0xc4923a9c, 0x483df7a0,
    ]);
  });
});

describe('Random', () => {
  it('repeats with its seed and differs between seeds and streams', () => {
    const take = (seed: number, stream?: number) => {
      const random = new Random(seed, stream);
      return Array.from({ length: 8 }, () => random.uniform());
    };
    expect(take(3)).toEqual(take(3));
    expect(take(3)).not.toEqual(take(4));
    expect(take(3, 1)).not.toEqual(take(3, 2));
    expect(take(2 ** 32)).not.toEqual(take(0));
  });
  it('begins with these numbers, on every platform', () => {
    const random = new Random(0);
    expect([random.nextUint32(), random.nextUint32()]).toEqual([0x6b200159, 0x99ba4efe]);
  });
  it('is uniform', () => {
    const random = new Random(1);
    const n = 100_000;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      const u = random.uniform(-2, 4);
      if (!(u >= -2 && u < 4)) throw new Error(`${u} is out of range`);
      sum += u;
      squares += (u - 1) ** 2;
    }
    // Mean 1, variance 3; five standard errors.
    expect(Math.abs(sum / n - 1)).toBeLessThan(5 * Math.sqrt(3 / n));
    expect(Math.abs(squares / n - 3)).toBeLessThan(0.05);
  });
  it('is normal', () => {
    const random = new Random(2);
    const n = 100_000;
    let sum = 0;
    let squares = 0;
    let beyond = 0;
    for (let i = 0; i < n; i++) {
      const x = random.normal();
      sum += x;
      squares += x * x;
      if (Math.abs(x) > 1.959964) beyond++;
    }
    expect(Math.abs(sum / n)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(squares / n - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(beyond / n - 0.05)).toBeLessThan(5 * Math.sqrt((0.05 * 0.95) / n));
  });
  it.each([-1, 0.5, NaN, 2 ** 53])('refuses the seed %s', (seed) => {
    expect(() => new Random(seed)).toThrow(ArgumentError);
  });
});

describe('naturalLogarithm', () => {
  it('agrees with Math.log to the last bits', () => {
    for (const x of [1e-300, 1e-10, 0.1, 0.5, 0.7071, 0.99999, 1, 1.5, 2, 10, 1e300]) {
      expect(Math.abs(naturalLogarithm(x) - Math.log(x))).toBeLessThanOrEqual(
        4e-16 * Math.max(1, Math.abs(Math.log(x))),
      );
    }
  });
});
