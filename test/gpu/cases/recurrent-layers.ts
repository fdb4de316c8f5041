/** Recurrent layers with their options, against the reference: what is recorded around the fused operation. */
import { RnnError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import type { HostArray, Value } from '../../../src/graph/value.js';
import { ForwardContext } from '../../../src/nn/context.js';
import { GRU, LSTM, RNN, type RecurrentLayer } from '../../../src/nn/recurrent.js';
import type { GpuCase } from '../case.js';
import { compareExecutors, outputWithGradients } from '../compare-executors.js';

type State = Readonly<Record<string, Value>>;
type Layer = RecurrentLayer<State>;

const [T, B, I, H] = [5, 3, 4, 6];
const sizes = { inputSize: I, hiddenSize: H, seed: 5 };

interface LayerCase {
  readonly name: string;
  readonly layer: () => unknown;
  readonly batchFirst?: boolean;
  readonly sequences?: 'lengths' | 'mask';
  readonly training?: boolean;
  readonly runs?: number;
}

const layers: readonly LayerCase[] = [
  {
    name: 'two bidirectional lstm layers of different lengths, the last step merged by concat',
    layer: () => new LSTM({ ...sizes, numLayers: 2, bidirectional: true, returnSequences: false }),
    sequences: 'lengths',
  },
  {
    name: 'two bidirectional gru layers merged by sum, masked',
    layer: () => new GRU({ ...sizes, numLayers: 2, bidirectional: true, merge: 'sum' }),
    sequences: 'mask',
  },
  {
    name: 'a bidirectional rnn merged by mul, batch first, masked',
    layer: () => new RNN({ ...sizes, bidirectional: true, merge: 'mul', batchFirst: true }),
    batchFirst: true,
    sequences: 'mask',
  },
  {
    name: 'a bidirectional projected lstm merged by ave, with learned states',
    layer: () =>
      new LSTM({ ...sizes, projSize: 3, bidirectional: true, merge: 'ave', learnedInitialState: true }),
  },
  {
    name: 'the last step of a bidirectional gru merged by ave',
    layer: () => new GRU({ ...sizes, bidirectional: true, merge: 'ave', returnSequences: false }),
  },
  {
    name: 'three stateful gru layers, one run after another',
    layer: () => new GRU({ ...sizes, numLayers: 3, stateful: true }),
    runs: 3,
  },
  {
    name: 'a training lstm backwards, with dropouts and zoneout, in segments',
    layer: () =>
      new LSTM({
        ...sizes,
        numLayers: 2,
        dropout: 0.25,
        recurrentDropout: 0.25,
        zoneout: { c: 0.5 },
        goBackwards: true,
        segment: 2,
      }),
    training: true,
    sequences: 'lengths',
  },
];

const layerCases = layers.map(
  ({ name, layer: create, batchFirst = false, sequences, training = false, runs = 1 }): GpuCase => ({
    name,
    async run(context) {
      const layer = create() as Layer;
      const shape = batchFirst ? [B, T] : [T, B];
      const feeds: Record<string, HostArray | number> = {
        ...(training && { dropoutSeed: 17 }),
        ...(sequences === 'lengths' && { lengths: Int32Array.of(4, 1, 5) }),
        ...(sequences === 'mask' && { mask: Int32Array.from({ length: T * B }, (_, i) => (i % 4 ? 3 : 0)) }),
      };
      await compareExecutors(
        context,
        (graph) => {
          const x = graph.input('x', [...shape, I]);
          const given =
            sequences === 'lengths'
              ? { lengths: graph.input('lengths', [B], 'int32') }
              : sequences === 'mask'
                ? { mask: graph.input('mask', shape, 'int32') }
                : {};
          const forwardContext = new ForwardContext(graph, { training });
          const { output, state } = layer.forward(x, undefined, forwardContext, given);
          const parameters = [...layer.namedParameters()].map(
            ([parameter, variable]) => [parameter, graph.read(variable)] as const,
          );
          outputWithGradients(graph, { output, ...state }, { x, ...Object.fromEntries(parameters) });
        },
        { feeds, runs },
      );
    },
  }),
);

export const cases: readonly GpuCase[] = [
  ...layerCases,
  {
    name: 'four steps of a cell',
    async run(context) {
      const cell = new LSTM({ ...sizes, peephole: true, forgetBias: 1 }).createCell();
      await compareExecutors(context, (graph) => {
        const inputs = [0, 1, 2, 3].map((t) => graph.input(`x${t}`, [B, I]));
        let state = cell.initialState(graph, B);
        for (const x of inputs) state = cell.step(x, state);
        const weights = [...cell.namedParameters()].map(
          ([name, variable]) => [name, graph.read(variable)] as const,
        );
        outputWithGradients(graph, { ...state }, { x0: inputs[0]!, ...Object.fromEntries(weights) });
      });
    },
  },
  {
    name: 'lengths out of range are refused where they are fed, and nothing runs',
    async run({ executor }) {
      const layer = new RNN(sizes);
      const graph = new Graph('lengths');
      const lengths = graph.input('lengths', [B], 'int32');
      graph.output(
        'h',
        layer.forward(graph.input('x', [T, B, I]), undefined, undefined, { lengths }).state.h,
      );
      const plan = await executor.compile(graph);
      for (const wrong of [0, T + 1, -1]) {
        let message = '';
        try {
          await plan.run({ x: new Float32Array(T * B * I), lengths: Int32Array.of(1, wrong, T) });
        } catch (error) {
          if (!(error instanceof RnnError)) throw error;
          ({ message } = error);
        }
        const expected = `input "lengths": the length at index 1 is ${wrong}; feed lengths from 1 to ${T}`;
        if (!message.endsWith(expected)) throw new Error(`got "${message}", expected "… ${expected}"`);
      }
      await plan.run({ x: new Float32Array(T * B * I), lengths: Int32Array.of(1, T, 2) });
      plan.dispose();
      executor.release(layer.parameters());
    },
  },
];
