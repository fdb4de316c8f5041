/** `CharacterNetwork`: embedding → recurrent layers → output, the layers of a character model. */
import { checkChoice, checkNumber, checkOptions, checkWhole } from '../graph/options.js';
import type { Graph } from '../graph/graph.js';
import type { Value } from '../graph/value.js';
import type { ForwardContext } from '../nn/context.js';
import { applyDropout } from '../nn/dropout.js';
import { Embedding } from '../nn/embedding.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { Random, randomSeed } from '../nn/random.js';
import { GRU, LSTM, RNN, type RecurrentLayer } from '../nn/recurrent.js';
import type { GenerateLayer, GenerateNetwork } from '../ops/generate.js';

/** Sizes and kind of a character network. */
export interface CharacterNetworkOptions {
  /** V: number of characters. */
  readonly vocabSize: number;
  /** Default `lstm`. */
  readonly cell?: 'lstm' | 'gru' | 'rnn';
  /** Of the `rnn` cell. Default `tanh`. */
  readonly nonlinearity?: 'tanh' | 'relu';
  /** E. Default 64. */
  readonly embeddingSize?: number;
  /** H. Default 128. */
  readonly hiddenSize?: number;
  /** L. Default 1. */
  readonly numLayers?: number;
  /** Probability of dropout after each recurrent layer, the last included, while training. Default 0. */
  readonly dropout?: number;
  /** Makes the first weights repeat. Default: drawn by chance. */
  readonly seed?: number;
}

/** The names of a layer's parameters, as an operation has them and as PyTorch does. */
const LAYER_PARAMETERS = {
  weightIh: 'weight_ih',
  weightHh: 'weight_hh',
  biasIh: 'bias_ih',
  biasHh: 'bias_hh',
} as const;

/** The states of whichever cell it is, by name. */
export type CharacterState = Readonly<Record<string, Value>>;

const NAME = 'character network';

/** Parameters: `embedding.weight`, `rnn.weight_ih_l0` …, `output.weight`, `output.bias`. */
export class CharacterNetwork extends Module {
  readonly embedding: Embedding;
  readonly rnn: RecurrentLayer<CharacterState>;
  readonly output: Linear;
  readonly #dropout: number;
  readonly #nonlinearity: 'tanh' | 'relu';

  /** @throws ArgumentError for an option out of range or unknown */
  constructor(options: CharacterNetworkOptions) {
    super(NAME);
    checkOptions(NAME, options, [
      'vocabSize',
      'cell',
      'nonlinearity',
      'embeddingSize',
      'hiddenSize',
      'numLayers',
      'dropout',
      'seed',
    ]);
    const { vocabSize, cell = 'lstm', nonlinearity, seed = randomSeed() } = options;
    const { embeddingSize = 64, hiddenSize = 128, numLayers = 1, dropout = 0 } = options;
    checkWhole(NAME, 'vocabSize', vocabSize, 1);
    checkWhole(NAME, 'embeddingSize', embeddingSize, 1);
    checkWhole(NAME, 'hiddenSize', hiddenSize, 1);
    checkWhole(NAME, 'numLayers', numLayers, 1);
    checkWhole(NAME, 'seed', seed, 0);
    checkNumber(NAME, 'dropout', dropout, { min: 0, below: 1 });
    checkChoice(NAME, 'cell', cell, ['lstm', 'gru', 'rnn']);
    if (nonlinearity !== undefined) {
      checkChoice(NAME, 'nonlinearity', nonlinearity, cell === 'rnn' ? ['tanh', 'relu'] : ['tanh']);
    }
    const random = new Random(seed);
    const nextSeed = (): number => random.nextUint32();
    this.#dropout = dropout;
    this.#nonlinearity = nonlinearity ?? 'tanh';
    this.embedding = this.addModule(
      'embedding',
      new Embedding({ vocabSize, embeddingSize, name: 'embedding', seed: nextSeed() }),
    );
    const sizes = { inputSize: embeddingSize, hiddenSize, numLayers, dropout, name: 'rnn', seed: nextSeed() };
    const rnn =
      cell === 'lstm'
        ? new LSTM(sizes)
        : cell === 'gru'
          ? new GRU(sizes)
          : new RNN({ ...sizes, nonlinearity: nonlinearity ?? 'tanh' });
    // The network passes states on without looking inside.
    this.rnn = this.addModule('rnn', rnn as unknown as RecurrentLayer<CharacterState>);
    this.output = this.addModule(
      'output',
      new Linear({ inputSize: hiddenSize, outputSize: vocabSize, name: 'output', seed: nextSeed() }),
    );
  }

  /** The recurrent part and its weights, for the operations that read and write one token after another. */
  describe(graph: Graph, states: CharacterState): GenerateNetwork {
    const parameters = this.rnn.namedParameters();
    const layers = Array.from({ length: this.rnn.numLayers }, (_, layer) => {
      const entries = Object.entries(LAYER_PARAMETERS).map(
        ([key, name]) => [key, graph.read(parameters.get(`${name}_l${layer}`)!)] as const,
      );
      return Object.fromEntries(entries) as unknown as GenerateLayer;
    });
    return {
      cell: this.rnn.cell.name,
      activation: this.#nonlinearity,
      table: graph.read(this.embedding.weight),
      layers,
      states,
    };
  }

  /**
   * @param tokens int32 `[T,B]`
   * @param state the states before the first step; zeros by default
   * @returns logits `[T,B,V]` and the states after the last step
   */
  forward(
    tokens: Value,
    state?: CharacterState,
    context?: ForwardContext,
  ): { logits: Value; state: CharacterState } {
    const run = this.rnn.forward(this.embedding.forward(tokens), state, context);
    const hidden = applyDropout(run.output, this.#dropout, context, 'output.dropout');
    return { logits: this.output.forward(hidden), state: run.state };
  }
}
