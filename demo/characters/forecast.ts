/** What a model will have and need, reckoned before anything is made. */
import type { Settings } from './protocol.js';

/** Counts and bytes of a training run. */
export interface Forecast {
  readonly parameters: number;
  /** About what training needs on the device. */
  readonly bytes: number;
  /** The largest single array. */
  readonly largestArray: number;
}

const GATES = { lstm: 4, gru: 3, rnn: 1 } as const;
const STATES = { lstm: 2, gru: 1, rnn: 1 } as const;
/** Arrays as large as the parameters: weights, gradients, two moments, and copies in the kernels' order. */
const COPIES = { adam: 5, adamw: 5, nadam: 5, rmsprop: 4, sgd: 4, lion: 4 } as const;

/** @param vocabularySize V */
export function forecast(settings: Settings, vocabularySize: number): Forecast {
  const { cell, hiddenSize: H, numLayers, embeddingSize: E, batchSize: B, sequenceLength: T } = settings;
  const V = vocabularySize;
  const G = GATES[cell];
  const recurrent = G * H * (E + H + 2 + (numLayers - 1) * (2 * H + 2));
  const parameters = V * E + V * H + V + recurrent;
  const rows = T * B;
  const gates = rows * G * H;
  const states = rows * STATES[cell] * H;
  const logits = rows * V;
  // Each layer: gates and their gradients in one array, inputs' products, states, outputs and their gradients.
  const activations = numLayers * (2 * gates + states + 2 * rows * H) + 2 * rows * E + 2 * logits;
  const words = COPIES[settings.optimizer] * parameters + activations;
  return {
    parameters,
    bytes: 4 * words,
    largestArray:
      4 * Math.max(gates, logits, V * E, G * H * H, COPIES[settings.optimizer] > 4 ? parameters : 0),
  };
}
