/** The weights of a character model's file, as a runner takes them. */
import { FormatError } from '../graph/errors.js';
import { FROZEN_GATES, type FrozenNetwork } from '../graph/frozen.js';
import { formatShape, sameShape, type Shape } from '../graph/shape.js';
import type { StateMap } from '../nn/module.js';
import type { CharacterConfig } from './character-file.js';

/**
 * Takes the tensors by their names.
 * @throws FormatError for one that is missing, of another shape or type, or not finite
 */
export function frozenNetwork(config: CharacterConfig, vocabSize: number, state: StateMap): FrozenNetwork {
  const { cell, nonlinearity, embeddingSize, hiddenSize, numLayers } = config;
  const rows = FROZEN_GATES[cell] * hiddenSize;
  const take = (name: string, ...shape: number[]): Float32Array => takeTensor(state, name, shape);
  return {
    cell,
    nonlinearity,
    vocabSize,
    embeddingSize,
    hiddenSize,
    embedding: take('embedding.weight', vocabSize, embeddingSize),
    layers: Array.from({ length: numLayers }, (_, l) => {
      const inputSize = l === 0 ? embeddingSize : hiddenSize;
      return {
        inputSize,
        weightIh: take(`rnn.weight_ih_l${l}`, rows, inputSize),
        weightHh: take(`rnn.weight_hh_l${l}`, rows, hiddenSize),
        biasIh: take(`rnn.bias_ih_l${l}`, rows),
        biasHh: take(`rnn.bias_hh_l${l}`, rows),
      };
    }),
    outputWeight: take('output.weight', vocabSize, hiddenSize),
    outputBias: take('output.bias', vocabSize),
  };
}

function takeTensor(state: StateMap, name: string, shape: Shape): Float32Array {
  const tensor = state.get(name);
  const numbers =
    tensor && (tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data));
  const problem = !numbers
    ? 'is missing'
    : !sameShape(tensor.shape, shape)
      ? `has shape ${formatShape(tensor.shape)}, its model needs ${formatShape(shape)}`
      : tensor.data instanceof Int32Array
        ? 'holds whole numbers'
        : numbers.some((number) => !Number.isFinite(number))
          ? 'holds NaN or infinity'
          : null;
  if (numbers && problem === null) return numbers;
  throw new FormatError({
    culprit: `character model file, tensor "${name}"`,
    problem: problem!,
    remedy: 'load a file that CharacterModel.save() wrote',
  });
}
