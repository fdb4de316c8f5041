/** Numbers as a float16 would hold them, worked out with plain arithmetic. */

/**
 * The nearest float16, of two that are as near the even one; at most 65504, and zero below 2⁻¹⁴. Infinities stay.
 * @param x one that float32 holds
 */
export function roundToFloat16(x: number): number {
  const size = Math.abs(x);
  if (size < 2 ** -14) return 0;
  if (size === Infinity) return x;
  const step = 2 ** (Math.floor(Math.log2(size)) - 10);
  const steps = size / step;
  const whole = Math.floor(steps);
  const up = steps - whole > 0.5 || (steps - whole === 0.5 && whole % 2 === 1);
  return Math.sign(x) * Math.min((whole + Number(up)) * step, 65504);
}
