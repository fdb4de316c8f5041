/** What the page, its training worker and the headless command say to each other. */

/** Everything a training run is told besides its text. */
export interface Settings {
  readonly cell: 'lstm' | 'gru' | 'rnn';
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly embeddingSize: number;
  readonly batchSize: number;
  readonly sequenceLength: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly clipNorm: number;
  readonly seed: number;
  readonly backend: 'webgpu' | 'cpu';
  readonly validationFraction: number;
  /** Steps between two validations; 0 for one at the end only. */
  readonly validateEvery: number;
  /** Steps between two samples; 0 for one at the end only. */
  readonly sampleEvery: number;
  readonly sampleLength: number;
  readonly temperature: number;
}

/** What the form begins with, and what the headless command takes where it is told nothing. */
export const DEFAULT_SETTINGS: Settings = {
  cell: 'lstm',
  hiddenSize: 128,
  numLayers: 1,
  embeddingSize: 64,
  batchSize: 32,
  sequenceLength: 64,
  steps: 500,
  learningRate: 0.002,
  clipNorm: 5,
  seed: 1,
  backend: 'webgpu',
  validationFraction: 0.1,
  validateEvery: 100,
  sampleEvery: 100,
  sampleLength: 200,
  temperature: 0.8,
};

/** A model in short. */
export interface ModelFacts {
  /** What it runs on. */
  readonly adapter: string;
  /** Kind and sizes, for people: `LSTM 1×128`. */
  readonly kind: string;
  readonly vocabularySize: number;
  readonly parameterCount: number;
}

/** What is known after a step. */
export interface StepReport {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly validationLoss?: number;
  readonly skippedUpdates: number;
  readonly charactersPerSecond: number;
  readonly secondsLeft: number;
}

/** What a finished or stopped run came to. */
export interface TrainOutcome {
  readonly model: ModelFacts;
  readonly stopped: boolean;
  readonly steps: number;
  /** One training loss a step, in nats a character. */
  readonly losses: readonly number[];
  readonly validation: readonly { readonly step: number; readonly loss: number }[];
  readonly skippedUpdates: number;
  readonly seconds: number;
  /** From the call to the end of the first step, compiling included. */
  readonly secondsToFirstStep: number;
  readonly millisecondsPerStep: number;
  readonly dispatchesPerStep: number;
  readonly submitsPerStep: number;
  /** Text that the model wrote at the end. */
  readonly sample: string;
}

/** How to write text. */
export interface GenerateSettings {
  /** Empty for the model's own beginning. */
  readonly prompt: string;
  readonly length: number;
  readonly temperature: number;
  readonly seed: number;
}

/** What the page asks of its worker. */
export type Request =
  | { readonly type: 'probe' }
  | {
      readonly type: 'train';
      /** UTF-8. */
      readonly text: ArrayBuffer;
      readonly textName: string;
      readonly settings: Settings;
      /** Whether to go on with the model there is. */
      readonly further: boolean;
    }
  | ({ readonly type: 'generate' } & GenerateSettings)
  | { readonly type: 'save' }
  | { readonly type: 'load'; readonly bytes: ArrayBuffer; readonly backend: Settings['backend'] };

/** What the worker answers to each request. */
export interface Replies {
  /** What WebGPU runs on here. */
  probe: string;
  train: TrainOutcome;
  generate: null;
  save: ArrayBuffer;
  load: ModelFacts;
}

/** What the worker tells while it works. */
export type WorkerEvent =
  /** The first step is done: the text and the sizes are good. */
  | { readonly type: 'ready'; readonly model: ModelFacts; readonly characters: number }
  | ({ readonly type: 'step' } & StepReport)
  | { readonly type: 'sample'; readonly step: number; readonly text: string }
  | { readonly type: 'written'; readonly text: string };

/** A message to the worker. */
export type ToWorker =
  { readonly id: number; readonly request: Request } | { readonly id: number; readonly cancel: true };

/** A message from the worker. */
export type FromWorker =
  | { readonly id: number; readonly event: WorkerEvent }
  | { readonly id: number; readonly reply: Replies[keyof Replies] }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } };

/** What the page offers to whoever drives it from outside: the same steps that its buttons take. */
export interface DemoControl {
  /** Fetches the text, fills the form with the settings, and trains. */
  train(
    text: { readonly name: string; readonly url: string },
    settings: Settings,
    onEvent?: (event: WorkerEvent) => void,
  ): Promise<TrainOutcome>;
  /** Ends the training at the next step boundary; {@link train} then resolves. */
  stop(): void;
  /** The model as a safetensors file. */
  model(): Promise<Blob>;
  /** The loss curve as a PNG image that is legible on its own. */
  curve(): Promise<Blob>;
}

declare global {
  interface Window {
    /** There once the page has loaded. */
    demo?: DemoControl;
  }
}
