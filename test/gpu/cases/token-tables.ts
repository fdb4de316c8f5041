/** Recurrent layers that look their inputs up in a table of the vocabulary's products, against the reference. */
import type { HostArray, Value } from '../../../src/graph/value.js';
import { Embedding } from '../../../src/nn/embedding.js';
import { GRU, LSTM, RNN, type RecurrentLayer } from '../../../src/nn/recurrent.js';
import type { GpuCase } from '../case.js';
import { compareExecutors, outputWithGradients } from '../compare-executors.js';

type Layer = RecurrentLayer<Readonly<Record<string, Value>>>;

const [T, B, V, E, H] = [5, 3, 7, 5, 6];
const sizes = { inputSize: E, hiddenSize: H, seed: 5 };

interface TableCase {
  readonly name: string;
  readonly layer: () => unknown;
  readonly lengths?: boolean;
  /** What else becomes of the embedding's rows. */
  readonly rows?: 'are an output' | 'have a gradient';
  readonly frozen?: boolean;
  readonly lookups?: number;
}

const tables: readonly TableCase[] = [
  { name: 'an lstm', layer: () => new LSTM(sizes) },
  {
    name: 'an lstm of 8 units without biases',
    layer: () => new LSTM({ ...sizes, hiddenSize: 8, bias: false }),
  },
  { name: 'a gru', layer: () => new GRU(sizes) },
  { name: 'a gru with the reset before', layer: () => new GRU({ ...sizes, resetAfter: false }) },
  { name: 'an rnn of 8 units', layer: () => new RNN({ ...sizes, hiddenSize: 8 }) },
  { name: 'a projected lstm', layer: () => new LSTM({ ...sizes, projSize: 3 }) },
  {
    name: 'two bidirectional lstm layers of different lengths',
    layer: () => new LSTM({ ...sizes, numLayers: 2, bidirectional: true }),
    lengths: true,
  },
  {
    name: 'a bidirectional gru in segments',
    layer: () => new GRU({ ...sizes, bidirectional: true, segment: 2 }),
  },
  { name: 'an lstm in segments', layer: () => new LSTM({ ...sizes, segment: 2 }) },
  { name: 'an lstm with layer normalization', layer: () => new LSTM({ ...sizes, layerNorm: true }) },
  { name: 'an lstm whose inputs are an output', layer: () => new LSTM(sizes), rows: 'are an output' },
  { name: 'an lstm whose inputs have a gradient', layer: () => new LSTM(sizes), rows: 'have a gradient' },
  { name: 'an lstm behind a frozen embedding', layer: () => new LSTM(sizes), frozen: true },
  { name: 'an rnn behind an embedding that is looked up twice', layer: () => new RNN(sizes), lookups: 2 },
];

export const cases: readonly GpuCase[] = tables.map(
  ({ name, layer: create, lengths = false, rows, frozen = false, lookups = 1 }): GpuCase => ({
    name,
    async run(context) {
      const embedding = new Embedding({ vocabSize: V, embeddingSize: E, seed: 3 });
      const layer = create() as Layer;
      // One token never occurs.
      const feeds: Record<string, HostArray> = {
        tokens: Int32Array.from({ length: T * B }, (_, i) => (i * i + 2 * i) % (V - 1)),
        ...(lengths && { lengths: Int32Array.of(4, 1, 5) }),
      };
      await compareExecutors(
        context,
        (graph) => {
          const tokens = graph.input('tokens', [T, B], 'int32');
          const given = lengths ? { lengths: graph.input('lengths', [B], 'int32') } : {};
          const outputs: Record<string, Value> = {};
          const sources: Record<string, Value> = {};
          for (let i = 0; i < lookups; i++) {
            const x = embedding.forward(tokens);
            const { output, state } = layer.forward(x, undefined, undefined, given);
            outputs[`y${i}`] = output;
            outputs[`h${i}`] = state['h']!;
            if (rows === 'are an output') outputs['x'] = x;
            if (rows === 'have a gradient') sources['x'] = x;
          }
          for (const [parameter, variable] of layer.namedParameters())
            sources[parameter] = graph.read(variable);
          if (!frozen) sources['embedding'] = graph.read(embedding.weight);
          outputWithGradients(graph, outputs, sources);
        },
        { feeds },
      );
    },
  }),
);
