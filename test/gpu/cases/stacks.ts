/** Stacks of recurrent layers that run side by side. */
import { ForwardContext } from '../../../src/nn/context.js';
import { LSTM } from '../../../src/nn/recurrent.js';
import type { GpuCase } from '../case.js';
import { compareExecutors, outputWithGradients } from '../compare-executors.js';
import { stackCase, type Stack } from '../stack-case.js';

const I = 3;
const NONE = [false, false];

const stacks: readonly Stack[] = [
  { cell: 'lstm', layers: 2, T: 26, B: 8, H: 8 },
  { cell: 'lstm', layers: 2, T: 24, B: 8, H: 12, initial: NONE, finals: NONE, dropout: 0.3 },
  { cell: 'gru', layers: 2, T: 31, B: 7, H: 20, initial: NONE, lengths: [31, 1, 10, 11, 30], dropout: 0.5 },
  { cell: 'rnn', layers: 3, T: 25, B: 8, H: 4, vocabulary: 6, initial: [true, false, true], bias: false },
  { cell: 'lstm', layers: 4, T: 24, B: 8, H: 4, lengths: [24, 3, 9], dropout: 0.2, vocabulary: 5 },
  { cell: 'gru', layers: 2, T: 26, B: 8, H: 8, direction: 'reverse', lengths: [20, 26, 2] },
  // The output is not read: the last layer's gradient begins with that of its final states.
  { cell: 'lstm', layers: 2, T: 41, B: 5, H: 8, output: false, finals: [false, true], initial: NONE },
  { cell: 'rnn', layers: 2, T: 26, B: 8, H: 8, output: false, initial: [false, true] },
  // Nothing is kept for a backward pass.
  { cell: 'lstm', layers: 2, T: 26, B: 8, H: 8, gradients: false },
  { cell: 'gru', layers: 2, T: 25, B: 8, H: 8, gradients: false, lengths: [25, 9], initial: NONE },
  { cell: 'rnn', layers: 2, T: 100, B: 3, H: 4, gradients: false, direction: 'reverse', vocabulary: 7 },
  // One after the other all the same: too short, padded, or read by others on the way back.
  { cell: 'lstm', layers: 2, T: 6, B: 8, H: 4, pairs: false },
  { cell: 'gru', layers: 2, T: 26, B: 8, H: 6, pairs: false },
  { cell: 'rnn', layers: 2, T: 26, B: 8, H: 4, skip: true, pairs: false },
];

export const cases: readonly GpuCase[] = [
  ...stacks.map(stackCase),
  {
    name: 'three layers that carry their state from run to run, with dropout',
    async run(context) {
      const layer = new LSTM({
        inputSize: I,
        hiddenSize: 8,
        numLayers: 3,
        dropout: 0.25,
        stateful: true,
        seed: 5,
      });
      await compareExecutors(
        context,
        (graph) => {
          const x = graph.input('x', [25, 8, I]);
          const { output, state } = layer.forward(
            x,
            undefined,
            new ForwardContext(graph, { training: true }),
          );
          const parameters = [...layer.namedParameters()].map(
            ([name, variable]) => [name, graph.read(variable)] as const,
          );
          outputWithGradients(graph, { output, ...state }, { x, ...Object.fromEntries(parameters) });
        },
        { feeds: { dropoutSeed: 17 }, runs: 3 },
      );
    },
  },
];
