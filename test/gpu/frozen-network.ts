/** A network with random weights, as an executor for inference takes it. */
import { FROZEN_GATES, type FrozenNetwork } from '../../src/graph/frozen.js';
import { Random } from '../../src/nn/random.js';

/** Vocabulary, embedding, hidden units and layers. */
export interface FrozenSizes {
  readonly V: number;
  readonly E: number;
  readonly H: number;
  readonly L: number;
}

/** The same numbers each time. */
export function createFrozenNetwork(
  cell: FrozenNetwork['cell'],
  nonlinearity: FrozenNetwork['nonlinearity'],
  { V, E, H, L }: FrozenSizes,
): FrozenNetwork {
  const random = new Random(7);
  const array = (size: number): Float32Array =>
    Float32Array.from({ length: size }, () => random.uniform(-1, 1) / Math.sqrt(H));
  const rows = FROZEN_GATES[cell] * H;
  return {
    cell,
    nonlinearity,
    vocabSize: V,
    embeddingSize: E,
    hiddenSize: H,
    embedding: array(V * E),
    layers: Array.from({ length: L }, (_, l) => {
      const inputSize = l === 0 ? E : H;
      return {
        inputSize,
        weightIh: array(rows * inputSize),
        weightHh: array(rows * H),
        biasIh: array(rows),
        biasHh: array(rows),
      };
    }),
    outputWeight: array(V * H),
    outputBias: array(V),
  };
}
