/** The same data and first weights for every contender, made from a seed. */
import { Random } from '../src/index.js';
import type { HostTensor } from './contender.js';
import {
  gatesOf,
  type CtcWorkload,
  type GenerationWorkload,
  type ProductWorkload,
  type TrainingWorkload,
} from './workloads.js';

/** What a training step is fed. */
export interface TrainingData {
  /** `[T,B]`; for `dense` input all 0. */
  readonly tokens: Int32Array;
  /** `[T,B]`, or `[B]` where only the last step is predicted. */
  readonly targets: Int32Array;
  /** `[T,B,D]` for `one-hot` and `dense` input, else empty. */
  readonly features: Float32Array;
}

/** Parameters under PyTorch's names and in its layouts: `embedding.weight`, `rnn.weight_ih_l0`, `output.bias` … */
export type Weights = ReadonlyMap<string, HostTensor>;

/**
 * Whether a parameter is trained. Of PyTorch's two biases of a layer only one is, by everybody: Keras has one, and
 * optimizers that rescale gradients would move the sum of two twice as far.
 */
export function isTrained(name: string): boolean {
  return !name.includes('bias_hh');
}

/** Rows that are 1 at their token and 0 elsewhere. */
export function oneHot(tokens: Int32Array, size: number): Float32Array {
  const rows = new Float32Array(tokens.length * size);
  tokens.forEach((token, index) => {
    rows[index * size + token] = 1;
  });
  return rows;
}

/** The batch of a training workload. */
export function createData(workload: TrainingWorkload): TrainingData {
  const { input, inputSize, vocabSize, predict, batchSize: B, sequenceLength: T } = workload;
  const random = new Random(1);
  const draw = (count: number): Int32Array =>
    Int32Array.from({ length: count }, () => Math.floor(random.uniform() * vocabSize));
  const tokens = draw(T * B);
  const targets = draw(predict === 'every' ? T * B : B);
  const features =
    input === 'embedding'
      ? new Float32Array(0)
      : input === 'one-hot'
        ? oneHot(tokens, inputSize)
        : Float32Array.from({ length: T * B * inputSize }, () => random.uniform(-1, 1));
  return { tokens, targets, features };
}

/** First weights of a training workload. */
export function createWeights(workload: TrainingWorkload): Weights {
  const { cell, input, inputSize, hiddenSize, numLayers, vocabSize } = workload;
  const builder = new WeightsBuilder();
  if (input === 'embedding') builder.add('embedding.weight', [vocabSize, inputSize], 1);
  builder.addLayers(gatesOf(cell), inputSize, hiddenSize, numLayers);
  if (vocabSize > 0) builder.addOutput(hiddenSize, vocabSize);
  return builder.weights;
}

/** Weights of a generation workload. */
export function createGenerationWeights(workload: GenerationWorkload): Weights {
  const { vocabSize, embeddingSize, hiddenSize, numLayers } = workload;
  const builder = new WeightsBuilder();
  builder.add('embedding.weight', [vocabSize, embeddingSize], 1);
  // Larger weights than one would begin with, so that the text does not stand still.
  builder.addLayers(4, embeddingSize, hiddenSize, numLayers, 3);
  builder.addOutput(hiddenSize, vocabSize);
  return builder.weights;
}

/** The character that generations begin with. */
export const PROMPT = 7;

/** Factors of a product workload. */
export function createFactors({ m, k, n }: ProductWorkload): { left: Float32Array; right: Float32Array } {
  const random = new Random(4);
  const draw = (length: number): Float32Array => Float32Array.from({ length }, () => random.uniform(-1, 1));
  return { left: draw(m * k), right: draw(k * n) };
}

/** Scores, labels and their counts of a CTC workload. */
export function createCtcData({ batchSize: B, sequenceLength: T, classes: C, labels: S }: CtcWorkload): {
  /** Logits `[T,B,C]`. */
  readonly scores: Float32Array;
  /** `[B,S]`. */
  readonly labels: Int32Array;
  /** `[B]`. */
  readonly inputLengths: Int32Array;
  /** `[B]`. */
  readonly labelCounts: Int32Array;
} {
  const random = new Random(3);
  return {
    scores: Float32Array.from({ length: T * B * C }, () => random.uniform(-2, 2)),
    labels: Int32Array.from({ length: B * S }, () => 1 + Math.floor(random.uniform() * (C - 1))),
    inputLengths: Int32Array.from({ length: B }, (_, b) => T - (b % 8) * 5),
    labelCounts: Int32Array.from({ length: B }, (_, b) => S - (b % 5)),
  };
}

class WeightsBuilder {
  readonly weights = new Map<string, HostTensor>();
  readonly #random = new Random(2);

  add(name: string, shape: readonly number[], bound: number): void {
    const length = shape.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length }, () => this.#random.uniform(-bound, bound));
    this.weights.set(name, { shape, data });
  }

  addLayers(gates: number, inputSize: number, hiddenSize: number, numLayers: number, scale = 1): void {
    const bound = scale / Math.sqrt(hiddenSize);
    for (let index = 0; index < numLayers; index++) {
      const rows = gates * hiddenSize;
      this.add(`rnn.weight_ih_l${index}`, [rows, index === 0 ? inputSize : hiddenSize], bound);
      this.add(`rnn.weight_hh_l${index}`, [rows, hiddenSize], bound);
      this.add(`rnn.bias_ih_l${index}`, [rows], bound);
      this.add(`rnn.bias_hh_l${index}`, [rows], bound);
    }
  }

  addOutput(hiddenSize: number, vocabSize: number): void {
    const bound = 1 / Math.sqrt(hiddenSize);
    this.add('output.weight', [vocabSize, hiddenSize], bound);
    this.add('output.bias', [vocabSize], bound);
  }
}
