/** Random orthonormal vectors, as a product of Householder reflections. */
import type { Random } from './random.js';

/**
 * `count` orthonormal vectors of `length ≥ count` numbers, one after another, uniform over all such sets:
 * the first columns of a product of reflections of random normal vectors, each shorter by one (Stewart,
 * SIAM J. Numer. Anal. 17, 1980). That is what the QR decomposition of a normal matrix gives, at half its
 * price. Only exactly rounded operations are used, so equal seeds give equal numbers everywhere.
 */
export function householderColumns(length: number, count: number, random: Random): Float64Array {
  const columns = new Float64Array(length * count);
  const reflector = new Float64Array(length);
  // The last reflection acts first, on vectors that are zero above it.
  for (let k = count - 1; k >= 0; k--) {
    columns[k * length + k] = 1;
    let square = 0;
    for (let i = k; i < length; i++) {
      const value = random.normal();
      reflector[i] = value;
      square += value * value;
    }
    const first = reflector[k]!;
    const norm = Math.sqrt(square);
    // v is reflected to −sign(v₀)·|v|·e₀, the choice without cancellation.
    const target = first < 0 ? norm : -norm;
    reflector[k] = first - target;
    // With w = v − target·e₀: |w|²/2 = norm² − v₀·target. A zero vector reflects nothing.
    const half = square - first * target;
    if (half > 0) {
      for (let column = k; column < count; column++) {
        reflect(columns, column * length, reflector, k, length, half);
      }
    }
    // The triangular factor's diagonal becomes positive, which makes the distribution uniform.
    if (target < 0) for (let i = k; i < length; i++) columns[k * length + i]! *= -1;
  }
  return columns;
}

/** Subtracts `(w·x/half)·w` from x, the vector that begins at `begin`; both are zero before `from`. */
function reflect(
  data: Float64Array,
  begin: number,
  reflector: Float64Array,
  from: number,
  length: number,
  half: number,
): void {
  let dot = 0;
  for (let i = from; i < length; i++) dot += reflector[i]! * data[begin + i]!;
  const scale = dot / half;
  for (let i = from; i < length; i++) data[begin + i]! -= scale * reflector[i]!;
}
