/** Data of a fit: samples along the first axis, cut into batches, shuffled, and turned time-major where a network wants it. */
import { ArgumentError, guardMemory, NonFiniteError, ShapeError } from '../graph/errors.js';
import { show } from '../graph/options.js';
import { formatShape, sizeOf, type Shape } from '../graph/shape.js';
import type { HostArray } from '../graph/value.js';
import type { TensorData } from '../nn/module.js';
import { Random } from '../nn/random.js';
import type { BatchInput } from './trainer.js';

/** Samples with what is wanted of each: both `[N,…]`, real numbers or whole ones (an Int32Array). */
export interface Dataset {
  readonly x: TensorData;
  readonly y: TensorData;
}

/** Throws unless `tensor` has a first axis and its numbers fill its shape. */
export function checkTensor(culprit: string, tensor: TensorData | undefined): asserts tensor is TensorData {
  const fail = (problem: string, wanted = 'a typed array'): never => {
    throw new ShapeError({ culprit, problem, remedy: `pass { shape: [N, …], data: ${wanted} }` });
  };
  if (!tensor || !Array.isArray(tensor.shape)) return fail('has no shape');
  const { shape, data } = tensor as { shape: Shape; data: unknown };
  if (!(data instanceof Float32Array || data instanceof Float64Array || data instanceof Int32Array)) {
    return fail(
      `its data is ${show(data)}`,
      'Float32Array.from(…), or Int32Array.from(…) for classes and tokens',
    );
  }
  if (shape.length === 0 || shape.some((dimension) => !Number.isSafeInteger(dimension) || dimension < 1)) {
    return fail(`has shape ${formatShape(shape)}`);
  }
  if (sizeOf(shape) !== data.length) fail(`has ${data.length} numbers, its shape is ${formatShape(shape)}`);
}

/** Throws unless both parts are tensors of equally many samples. */
export function checkDataset(
  culprit: string,
  dataset: Dataset | null | undefined,
): asserts dataset is Dataset {
  const missing = ['x', 'y'].find((name) => !(Object(dataset) as Partial<Record<string, unknown>>)[name]);
  if (missing) {
    throw new ArgumentError({
      culprit,
      problem: `the data has no ${missing}`,
      remedy: 'pass both in one object: { x, y }',
    });
  }
  const { x, y } = dataset!;
  checkTensor(`${culprit}, x`, x);
  checkTensor(`${culprit}, y`, y);
  const [n, m] = [x.shape[0]!, y.shape[0]!];
  if (n === m) return;
  throw new ShapeError({
    culprit,
    problem: `x has ${n} samples, y ${m}`,
    remedy: 'give one target a sample',
  });
}

/** Throws a NonFiniteError that names the first number of the data that is not finite. */
export function checkFinite(culprit: string, { x, y }: Dataset): void {
  for (const [name, { shape, data }] of Object.entries({ x, y })) {
    const at = data.findIndex((number) => !Number.isFinite(number));
    if (at < 0) continue;
    throw new NonFiniteError({
      culprit: `${culprit}, ${name}`,
      problem: `element ${at}, of sample ${Math.floor(at / sizeOf(shape.slice(1)))}, is ${data[at]}`,
      remedy: 'mend the data or leave the sample out; `stopOnNaN: false` trains with it all the same',
    });
  }
}

/** The samples from `begin` to before `end`; the numbers are not copied. */
export function sliceSamples({ shape, data }: TensorData, begin: number, end: number): TensorData {
  const size = sizeOf(shape.slice(1));
  return { shape: [end - begin, ...shape.slice(1)], data: data.subarray(begin * size, end * size) };
}

/** The samples of a training and those held out, which are the last ones. */
export function splitDataset({ x, y }: Dataset, fraction: number): { training: Dataset; heldOut: Dataset } {
  const samples = x.shape[0]!;
  const cut = Math.floor(samples * (1 - fraction));
  if (cut < 1 || cut === samples) {
    throw new ArgumentError({
      culprit: 'fit',
      problem: `validationSplit ${fraction} of ${samples} samples leaves ${cut} to train with and ${samples - cut} to validate`,
      remedy: 'give more samples, or another fraction',
    });
  }
  const part = (begin: number, end: number): Dataset => ({
    x: sliceSamples(x, begin, end),
    y: sliceSamples(y, begin, end),
  });
  return { training: part(0, cut), heldOut: part(cut, samples) };
}

/** The order of the samples in an epoch: 0, 1, 2, … or, shuffled, the same for equal seed and epoch. */
export function sampleOrder(samples: number, shuffle: { seed: number; epoch: number } | null): Int32Array {
  const order = guardMemory('order of the samples', () => Int32Array.from({ length: samples }, (_, i) => i));
  if (!shuffle) return order;
  const random = new Random(shuffle.seed, shuffle.epoch);
  for (let last = samples - 1; last > 0; last--) {
    const other = Math.floor(random.uniform() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

/**
 * The samples of these numbers as one batch: `[B,…]`, or `[T,B,…]` of `[N,T,…]` with `timeMajor`.
 * @throws OutOfMemoryError where the host has no memory for it
 */
export function gatherBatch(tensor: TensorData, samples: ArrayLike<number>, timeMajor: boolean): BatchInput {
  const { shape, data } = tensor;
  const batch = samples.length;
  const steps = timeMajor ? shape[1]! : 1;
  const size = sizeOf(shape.slice(timeMajor ? 2 : 1));
  const Numbers = data.constructor as new (length: number) => HostArray;
  const gathered = guardMemory('batch', () => new Numbers(batch * steps * size));
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < steps; t++) {
      const from = (samples[b]! * steps + t) * size;
      gathered.set(data.subarray(from, from + size), (t * batch + b) * size);
    }
  }
  const rest = shape.slice(timeMajor ? 2 : 1);
  return { shape: timeMajor ? [steps, batch, ...rest] : [batch, ...rest], data: gathered };
}

/** `[B,T,…]` of `[T,B,…]`. */
export function toBatchMajor({ shape, data }: TensorData): TensorData {
  const [steps, batch, ...rest] = shape as [number, number, ...number[]];
  const size = sizeOf(rest);
  const result = guardMemory('prediction', () => data.slice());
  for (let t = 0; t < steps; t++) {
    for (let b = 0; b < batch; b++) {
      const from = (t * batch + b) * size;
      result.set(data.subarray(from, from + size), (b * steps + t) * size);
    }
  }
  return { shape: [batch, steps, ...rest], data: result };
}

/** A number that tells data apart: FNV-1a over the 32-bit patterns of the numbers. */
export function fingerprintOf(tensors: readonly TensorData[]): number {
  let hash = 0x811c9dc5;
  for (const { shape, data } of tensors) {
    const words = new Int32Array(data.buffer, data.byteOffset, data.byteLength / 4);
    for (const word of [...shape, data.BYTES_PER_ELEMENT]) hash = Math.imul(hash ^ word, 0x01000193);
    for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  }
  return hash >>> 0;
}
