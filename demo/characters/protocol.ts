/** What the page of character models, its worker and the headless command say to each other. */
import type { SelfTestProgress, SelfTestReport } from '../../src/index.js';
import type { DeviceFacts } from '../frame/device.js';
import type { SelectiveUnit } from './selective-units.js';
import type { TaskName } from './task-labels.js';

/** Everything a training run is told besides its text. */
export interface Settings {
  readonly cell: 'lstm' | 'gru' | 'rnn';
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly embeddingSize: number;
  readonly dropout: number;
  readonly batchSize: number;
  readonly sequenceLength: number;
  readonly steps: number;
  readonly optimizer: 'adam' | 'adamw' | 'nadam' | 'rmsprop' | 'sgd' | 'lion';
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
  /** Only among so many likeliest characters; 0 for all. */
  readonly topK: number;
  /** Only among the likeliest that reach this probability together; 1 for all. */
  readonly topP: number;
}

/** What the form begins with, and what the headless command takes where it is told nothing. */
export const DEFAULT_SETTINGS: Settings = {
  cell: 'lstm',
  hiddenSize: 128,
  numLayers: 1,
  embeddingSize: 64,
  dropout: 0,
  batchSize: 32,
  sequenceLength: 64,
  steps: 500,
  optimizer: 'adam',
  learningRate: 0.002,
  clipNorm: 5,
  seed: 1,
  backend: 'webgpu',
  validationFraction: 0.1,
  validateEvery: 100,
  sampleEvery: 100,
  sampleLength: 200,
  temperature: 0.8,
  topK: 0,
  topP: 1,
};

/** Where a text comes from. */
export type TextSource =
  | { readonly kind: 'library' }
  | { readonly kind: 'task'; readonly task: TaskName }
  | { readonly kind: 'url'; readonly url: string; readonly name: string }
  | { readonly kind: 'file'; readonly file: Blob; readonly name: string };

/** A text in short. */
export interface TextFacts {
  readonly name: string;
  /** Code points. */
  readonly characters: number;
  /** The task that the text was made for, if any. */
  readonly task: TaskName | null;
  /** Each character of the text, the most frequent first, with how often it occurs. */
  readonly vocabulary: readonly (readonly [character: string, count: number])[];
  /** How the text begins. */
  readonly preview: string;
}

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
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly validationLoss?: number;
  readonly skippedUpdates: number;
  readonly charactersPerSecond: number;
  readonly secondsLeft: number;
  /** Time trained, pauses apart. */
  readonly seconds: number;
}

/** How a model answered the questions of a task that it had never seen. */
export interface Score {
  readonly step: number;
  /** Questions answered exactly, 0 to 1. */
  readonly exact: number;
  readonly cases: readonly { readonly question: string; readonly answer: string; readonly written: string }[];
}

/** Text that a model wrote after a step. */
export interface Sample {
  readonly step: number;
  readonly text: string;
}

/** What happened to a model so far: one entry a step in arrays of equal length. */
export interface History {
  readonly steps: number[];
  readonly losses: number[];
  readonly gradientNorms: number[];
  readonly learningRates: number[];
  readonly seconds: number[];
  readonly validation: { step: number; loss: number; seconds: number }[];
  readonly samples: Sample[];
  readonly scores: Score[];
}

/** A history before the first step. */
export function emptyHistory(): History {
  return {
    steps: [],
    losses: [],
    gradientNorms: [],
    learningRates: [],
    seconds: [],
    validation: [],
    samples: [],
    scores: [],
  };
}

/** What a finished or stopped run came to. */
export interface TrainOutcome {
  readonly model: ModelFacts;
  readonly stopped: boolean;
  /** The last step taken. */
  readonly steps: number;
  /** One training loss a step of this call, in nats a character. */
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

/** What a run is told. */
export interface TrainRequest {
  readonly settings: Settings;
  /** Whether to begin with a new model, or to go on with the one there is, up to `settings.steps` in all. */
  readonly mode: 'fresh' | 'resume';
  /** Whether to keep the model in the browser's storage meanwhile. */
  readonly keep: boolean;
}

/** A model in the browser's storage, in short. */
export interface KeptFacts {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly textName: string;
  readonly step: number;
  readonly steps: number;
  readonly loss: number | null;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  readonly bytes: number;
  /** Why it cannot be opened any more; null where it is whole. */
  readonly damage: string | null;
}

/** How a model is opened: to go on with it, to read it only, as a copy, or though another tab has it. */
export interface OpenRequest {
  readonly id: string;
  readonly backend: Settings['backend'];
  readonly how: 'own' | 'read' | 'copy' | 'take';
}

/** A model taken out of the browser's storage, with all that the page shows of it. */
export interface OpenedModel {
  readonly kept: KeptFacts;
  readonly model: ModelFacts;
  readonly text: TextFacts;
  readonly settings: Settings;
  readonly history: History;
  /** Whether another tab may train it, and this one not. */
  readonly readOnly: boolean;
}

/** How to write text. */
export interface GenerateSettings {
  /** Empty for the model's own beginning. */
  readonly prompt: string;
  readonly length: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
}

/** A model as it reads a text of T characters. */
export interface Inspection {
  readonly characters: readonly string[];
  /** H, of the last layer. */
  readonly units: number;
  /** The units after each character was read, `[T,H]`. */
  readonly hidden: Float32Array;
  /** After each character, the likeliest next ones with their probabilities. */
  readonly expected: readonly (readonly (readonly [character: string, probability: number])[])[];
  /** Units that follow something that has a name. */
  readonly selective: readonly SelectiveUnit[];
}

/** What the page asks of its worker. */
export interface CharacterCalls {
  probe(request: null): DeviceFacts;
  /** Checks that the GPU computes right; the call may be cancelled. */
  check(request: null): SelfTestReport;
  /** Reads a text, which the next fresh run learns. */
  read(request: TextSource): TextFacts;
  train(request: TrainRequest): TrainOutcome;
  /** Holds the run at the next step, lets it go on, or lets one step through. */
  hold(request: 'pause' | 'resume' | 'step'): null;
  /** Changes the learning rate of the run. */
  rate(request: number): null;
  generate(request: GenerateSettings): null;
  /** Looks into the model as it reads a text; where that is empty, the end of the text that it learns. */
  inspect(request: string): Inspection;
  /** The model as a safetensors file. */
  save(request: null): ArrayBuffer;
  /** A model from a safetensors file. */
  load(request: { readonly bytes: ArrayBuffer; readonly backend: Settings['backend'] }): ModelFacts;
  /** Forgets the model; what is kept of it stays. */
  reset(request: null): null;
  /** Keeps the model in the browser's storage now. */
  keep(request: null): null;
  /** What the browser's storage has, the newest first. */
  kept(request: null): readonly KeptFacts[];
  /** Null where another tab has the model. */
  open(request: OpenRequest): OpenedModel | null;
  rename(request: { readonly id: string; readonly name: string }): null;
  remove(request: { readonly id: string }): null;
  /** What is left of the weights of a damaged model. */
  rescue(request: { readonly id: string }): ArrayBuffer;
  /** Tells what happens when nothing was asked for; answered when the worker ends. */
  watch(request: null): null;
}

/** What the worker tells while it works. */
export type WorkerEvent =
  | ({ readonly type: 'checking' } & SelfTestProgress)
  | { readonly type: 'reading'; readonly bytes: number; readonly total: number | null }
  /** The first step is done: the text and the sizes are good. */
  | {
      readonly type: 'ready';
      readonly model: ModelFacts;
      readonly characters: number;
      /** Bytes that the device holds. */
      readonly deviceBytes: number;
    }
  | ({ readonly type: 'step' } & StepReport)
  /** The run is held, and the page may show what it has. */
  | { readonly type: 'held'; readonly step: number }
  /** A sample begins; its characters follow as `written`, and it ends with `sample`. */
  | { readonly type: 'sampling'; readonly step: number }
  | { readonly type: 'written'; readonly text: string }
  | ({ readonly type: 'sample' } & Sample)
  | ({ readonly type: 'score' } & Score)
  /** The model was kept in the browser's storage. */
  | { readonly type: 'kept'; readonly id: string; readonly step: number }
  /** The model could not be kept, though the run goes on. */
  | { readonly type: 'unkept'; readonly message: string }
  /** The device was lost, and another has taken its place: the run goes on after this step. */
  | { readonly type: 'recovered'; readonly step: number }
  /** Another tab has taken the model over, as it was after a step. */
  | { readonly type: 'taken'; readonly id: string; readonly step: number };

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
