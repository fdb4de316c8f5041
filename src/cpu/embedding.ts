/** `embedding` and its backward on the CPU. */
import { embeddingBackwardOperation, embeddingOperation } from '../ops/embedding.js';
import { defineKernel, outputSize } from './kernel.js';
import { checkTokens } from './tokens.js';

/** `y[i] = table[tokens[i]]`. */
export const embeddingKernel = defineKernel(
  embeddingOperation,
  (call) => {
    const table = call.real(0);
    const tokens = call.int(1);
    const [V, E] = call.shape(0) as readonly [number, number];
    checkTokens(call.node, tokens, V);
    const y = call.allocate(tokens.length * E);
    for (let i = 0; i < tokens.length; i++) {
      const from = tokens[i]! * E;
      for (let j = 0; j < E; j++) y[i * E + j] = table[from + j]!;
    }
    return [y];
  },
  () => 0,
);

/** `dTable[v] = Σ dY[i]` over the places `i` of token `v`. */
export const embeddingBackwardKernel = defineKernel(
  embeddingBackwardOperation,
  (call) => {
    const dY = call.real(0);
    const tokens = call.int(1);
    const [V, E] = call.outputShape(0) as readonly [number, number];
    checkTokens(call.node, tokens, V);
    const dTable = call.allocate(outputSize(call.node)).fill(0);
    for (let i = 0; i < tokens.length; i++) {
      const to = tokens[i]! * E;
      for (let j = 0; j < E; j++) dTable[to + j] = dTable[to + j]! + dY[i * E + j]!;
    }
    return [dTable];
  },
  (node) => node.inputs[0]!.size,
);
