/** Layer normalization inside a cell: rows brought to mean 0 and variance 1, then scaled and shifted. */
import type { RealArray } from '../storage.js';

/** `LN(v) = gain⊙(v − mean)/√(var + ε) + bias` over rows of `width` (Ba et al., 2016), `var` biased. */
export class LayerNorm {
  readonly width: number;
  /** Gradient by gain and bias over all backward calls, `[2,width]`. */
  readonly gradient: Float64Array;
  readonly #parameters: RealArray;
  readonly #epsilon: number;

  /** @param parameters gain and bias, `[2,width]` */
  constructor(parameters: RealArray, epsilon: number) {
    this.width = parameters.length / 2;
    this.gradient = new Float64Array(parameters.length);
    this.#parameters = parameters;
    this.#epsilon = epsilon;
  }

  /**
   * Normalizes each row of `values` in place.
   * @param normalized to write: the rows before gain and bias
   * @param scale to write: `1/√(var + ε)` of each row
   */
  forward(values: RealArray, normalized: RealArray, scale: RealArray): void {
    const { width } = this;
    const parameters = this.#parameters;
    for (let row = 0; row < scale.length; row++) {
      const begin = row * width;
      let sum = 0;
      for (let j = 0; j < width; j++) sum += values[begin + j]!;
      const mean = sum / width;
      let squares = 0;
      for (let j = 0; j < width; j++) squares += (values[begin + j]! - mean) ** 2;
      const factor = 1 / Math.sqrt(squares / width + this.#epsilon);
      scale[row] = factor;
      for (let j = 0; j < width; j++) {
        const unit = (values[begin + j]! - mean) * factor;
        normalized[begin + j] = unit;
        values[begin + j] = parameters[j]! * unit + parameters[width + j]!;
      }
    }
  }

  /** Turns each row of the gradient by the result, in place, into that by the argument. */
  backward(gradient: RealArray, normalized: RealArray, scale: RealArray): void {
    const { width, gradient: sums } = this;
    const parameters = this.#parameters;
    for (let row = 0; row < scale.length; row++) {
      const begin = row * width;
      let mean = 0;
      let slope = 0;
      for (let j = 0; j < width; j++) {
        const d = gradient[begin + j]!;
        const unit = normalized[begin + j]!;
        sums[j] = sums[j]! + d * unit;
        sums[width + j] = sums[width + j]! + d;
        mean += (d * parameters[j]!) / width;
        slope += (d * parameters[j]! * unit) / width;
      }
      const factor = scale[row]!;
      for (let j = 0; j < width; j++) {
        const d = gradient[begin + j]! * parameters[j]!;
        gradient[begin + j] = factor * (d - mean - normalized[begin + j]! * slope);
      }
    }
  }
}
