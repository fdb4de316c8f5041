/** A trained network that reads one token after another: its weights as plain numbers, and who runs it. */

/** One recurrent layer: PyTorch's arrays, row by row. */
export interface FrozenLayer {
  /** Features of its input: E in the first layer, H in the others. */
  readonly inputSize: number;
  /** `[G·H,inputSize]` */
  readonly weightIh: Float32Array;
  /** `[G·H,H]` */
  readonly weightHh: Float32Array;
  /** `[G·H]` */
  readonly biasIh: Float32Array;
  /** `[G·H]` */
  readonly biasHh: Float32Array;
}

/** Embedding → recurrent layers → output, as its file gives it. */
export interface FrozenNetwork {
  readonly cell: 'lstm' | 'gru' | 'rnn';
  readonly nonlinearity: 'tanh' | 'relu';
  readonly vocabSize: number;
  readonly embeddingSize: number;
  readonly hiddenSize: number;
  /** `[V,E]` */
  readonly embedding: Float32Array;
  readonly layers: readonly FrozenLayer[];
  /** `[V,H]` */
  readonly outputWeight: Float32Array;
  /** `[V]` */
  readonly outputBias: Float32Array;
}

/** What a layer carries from token to token; cells without c leave it alone. */
export interface FrozenState {
  readonly h: Float32Array;
  readonly c: Float32Array;
}

/** Runs a {@link FrozenNetwork}. */
export interface FrozenRunner {
  /** What computes, for people. */
  readonly description: string;
  /** A reader with states of its own: these, one a layer, or zeros where there are none. */
  start(states?: readonly FrozenState[]): FrozenReader;
  /** Frees what it holds, and its readers. */
  dispose(): void;
}

/** Reads token after token. One call waits for the one before. */
export interface FrozenReader {
  /** Reads one token, at the latest when something waits for it. */
  advance(token: number): void;
  /** Reads one token and gives the logits `[V]` of the next. */
  predict(token: number): Promise<ArrayLike<number>>;
  /** Waits until what was asked for is done. */
  synchronize(): Promise<void>;
  /** Frees its state. */
  dispose(): void;
}

/** Gates of each cell. */
export const FROZEN_GATES: Readonly<Record<FrozenNetwork['cell'], number>> = { rnn: 1, gru: 3, lstm: 4 };
