/** First values of parameters, each a function of a seed and a stream, computed when a device asks for them. */
import { Random } from './random.js';

/** Computes the first values of an array; the same at each call. */
export type Initializer = () => Float32Array;

/** Uniform over [−bound, bound). */
export function uniform(size: number, bound: number, seed: number, stream: number): Initializer {
  return () => {
    const random = new Random(seed, stream);
    return Float32Array.from({ length: size }, () => random.uniform(-bound, bound));
  };
}

/** Normal with mean 0 and the standard deviation given. */
export function normal(size: number, deviation: number, seed: number, stream: number): Initializer {
  return () => {
    const random = new Random(seed, stream);
    return Float32Array.from({ length: size }, () => deviation * random.normal());
  };
}
