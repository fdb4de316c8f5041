/** `CharacterModel`: a recurrent network that learns a text by character and goes on writing it. */
import {
  AbortError,
  ArgumentError,
  DeviceLostError,
  DisposedError,
  NonFiniteError,
  TextError,
  throwIfAborted,
} from '../graph/errors.js';
import {
  checkExecutor,
  type Executor,
  type MemoryUsage,
  type Plan,
  type PlanStatistics,
} from '../graph/executor.js';
import { checkFlag, checkNumber, checkOptions, checkSignal, checkWhole, show } from '../graph/options.js';
import { CheckpointReader, checkSavable, CheckpointWriter } from '../io/checkpoint.js';
import { randomSeed } from '../nn/random.js';
import { Adam } from '../optim/adam.js';
import { checkOptimizer, type Optimizer } from '../optim/optimizer.js';
import type { RecoveredSteps } from '../train/recovery.js';
import { learningRateAt, type LearningRate } from '../optim/schedules.js';
import {
  blamingFile,
  readCharacterFile,
  readConfig,
  writeCharacterFile,
  writeConfig,
  type CharacterConfig,
} from './character-file.js';
import { CharacterNetwork, type CharacterNetworkOptions } from './character-network.js';
import { CharacterTraining, type FitProgress, type FitResult } from './character-training.js';
import { CharacterWriter } from './character-writer.js';
import { LaneBatches } from './lane-batches.js';
import { checkSampling, type SamplingOptions } from './sampling.js';
import { CharacterTokenizer, checkText } from './tokenizer.js';

/** Options of {@link CharacterModel.create}: an executor, one source of the vocabulary, and the network's sizes. */
export interface CharacterModelOptions extends Omit<CharacterNetworkOptions, 'vocabSize' | 'seed'> {
  readonly executor: Executor;
  /** A text whose characters are the vocabulary. */
  readonly text?: string;
  /** Or the vocabulary itself: each character once. */
  readonly characters?: string | readonly string[];
  /** Or a tokenizer. */
  readonly tokenizer?: CharacterTokenizer;
  /** Makes first weights and dropout repeat. Default 0. */
  readonly seed?: number;
}

/** Options of {@link CharacterModel.fit}. */
export interface FitOptions {
  /** Updates to make. Default 500. */
  readonly steps?: number;
  /** B: stretches of the text read side by side. Default 32. */
  readonly batchSize?: number;
  /** T: characters of each stretch a step. Default 64. */
  readonly sequenceLength?: number;
  /**
   * Default: Adam with learning rate 2e-3. Its moments live on in the model: a later call with the same
   * optimizer, or with none, goes on with them.
   */
  readonly optimizer?: Optimizer;
  /**
   * In this call, instead of the optimizer's own: a number, a function of the step counted from 1, or a schedule
   * that follows the validation loss, such as `ReduceOnPlateau`.
   */
  readonly learningRate?: LearningRate;
  /** Gradients are scaled down to this global norm; 0 for no clipping. Default 5. */
  readonly clipNorm?: number;
  /** Then each element of a gradient is held within ± this; 0 for no bound. Default 0. */
  readonly clipValue?: number;
  /** Which part of the text, from its end, is held out for validation: 0 ≤ f < 1. Default 0: none. */
  readonly validationFraction?: number;
  /** Validate after every so many steps, and after the last. Default 0: after the last only. */
  readonly validateEvery?: number;
  /**
   * Called once a step, in order; as losses are read every few steps, a few steps late, but with the
   * weights of its step where it brings a `validationLoss`. A promise it returns is awaited.
   */
  readonly onProgress?: (progress: FitProgress) => void | Promise<void>;
  /**
   * Whether a loss that is not finite stops it as soon as it has been read, with `stopped: true` and an `error` that
   * names the step and the gradient to blame. The weights are then those that a finite loss last vouched for, of at
   * most some 64 steps before, or those of the begin, and the optimizer begins anew. Default `true`.
   */
  readonly stopOnNaN?: boolean;
  /**
   * Called when the device was lost and another has taken its place: the training goes on from its last snapshot.
   * Steps that are made again are not reported again. A promise it returns is awaited.
   */
  readonly onRecovered?: (steps: RecoveredSteps) => void | Promise<void>;
  /** Stops at a step boundary; the call then returns as usual, with `stopped: true`. */
  readonly signal?: AbortSignal;
}

/** Options of {@link CharacterModel.generate}. */
export interface GenerateOptions extends SamplingOptions {
  /** What the model reads first. Default: a line feed if the vocabulary has it, else its first character. */
  readonly prompt?: string;
  /** How many characters to write. Default 200. */
  readonly length?: number;
  /** Makes the text repeat. Default: drawn by chance. */
  readonly seed?: number;
  /** Ends with an AbortError. */
  readonly signal?: AbortSignal;
}

/** Options of {@link CharacterModel.generateBatch}. */
export interface GenerateBatchOptions extends GenerateOptions {
  /** How many texts to write side by side. */
  readonly samples: number;
}

/** Which plan {@link CharacterModel.describe} and {@link CharacterModel.statistics} tell of. */
export interface PlanOptions {
  /** B. Default 32. */
  readonly batchSize?: number;
  /** T. Default 64. */
  readonly sequenceLength?: number;
  /** Of a training step, the default, or of a validation. */
  readonly training?: boolean;
}

/** Options of {@link CharacterModel.restore}. */
export interface RestoreOptions {
  readonly executor: Executor;
  /** One of the kind and settings that the checkpoint was made with. Default: that of `fit`, Adam. */
  readonly optimizer?: Optimizer;
}

/** Options of {@link CharacterModel.load}. */
export interface LoadOptions {
  readonly executor: Executor;
  /** Makes dropout repeat in further training. Default 0. */
  readonly seed?: number;
}

const CULPRIT = 'character model';

/**
 * Embedding → RNN, LSTM or GRU → logits over characters, trained by truncated backpropagation through
 * time with the state carried from step to step on the device.
 */
export class CharacterModel {
  readonly executor: Executor;
  readonly tokenizer: CharacterTokenizer;
  readonly network: CharacterNetwork;
  readonly config: Readonly<CharacterConfig>;
  readonly #seed: number;
  #training: CharacterTraining | null = null;
  /** Writers no one uses now. */
  readonly #idle: CharacterWriter[] = [];
  #fitting = false;
  #disposed = false;

  private constructor(
    executor: Executor,
    tokenizer: CharacterTokenizer,
    config: CharacterConfig,
    seed: number,
  ) {
    this.executor = executor;
    this.tokenizer = tokenizer;
    this.config = Object.freeze({ ...config });
    this.#seed = seed;
    this.network = new CharacterNetwork({ ...config, vocabSize: tokenizer.size, seed });
  }

  /**
   * A model with fresh weights.
   * @throws ArgumentError for an option out of range or unknown, TextError for an unusable vocabulary
   */
  static create(options: CharacterModelOptions): CharacterModel {
    checkOptions(CULPRIT, options, [
      'executor',
      'text',
      'characters',
      'tokenizer',
      'cell',
      'nonlinearity',
      'embeddingSize',
      'hiddenSize',
      'numLayers',
      'dropout',
      'seed',
    ]);
    const { executor, cell = 'lstm', nonlinearity = 'tanh', seed = 0 } = options;
    const { embeddingSize = 64, hiddenSize = 128, numLayers = 1, dropout = 0 } = options;
    checkExecutor(CULPRIT, executor);
    checkWhole(CULPRIT, 'seed', seed, 0);
    const config = { cell, nonlinearity, embeddingSize, hiddenSize, numLayers, dropout };
    return new CharacterModel(executor, createTokenizer(options), config, seed);
  }

  /**
   * A model from a file that {@link save} wrote.
   * @throws FormatError, ShapeError or NonFiniteError naming what is wrong with the file
   */
  static load(bytes: Uint8Array | ArrayBuffer, options: LoadOptions): CharacterModel {
    checkOptions(CULPRIT, options, ['executor', 'seed']);
    const { executor, seed = 0 } = options;
    checkExecutor(CULPRIT, executor);
    checkWhole(CULPRIT, 'seed', seed, 0);
    const { config, tokenizer, state } = readCharacterFile(bytes);
    let model: CharacterModel | undefined;
    blamingFile(() => {
      model = new CharacterModel(executor, tokenizer, config, seed);
      model.network.loadState(executor, state);
    });
    return model!;
  }

  /** Numbers in all parameters. */
  get parameterCount(): number {
    return this.network.parameterCount;
  }

  /** A table of parameters and sizes, for people. */
  summary(): string {
    const { cell, nonlinearity, embeddingSize, hiddenSize, numLayers, dropout } = this.config;
    const rows = [...this.network.namedParameters()].map(
      ([name, { shape, size }]) => [name, `[${shape.join(',')}]`, String(size)] as const,
    );
    const width = (column: 0 | 1 | 2): number => Math.max(...rows.map((row) => row[column].length));
    const lines = rows.map(
      ([name, shape, size]) =>
        `${name.padEnd(width(0))}  ${shape.padEnd(width(1))}  ${size.padStart(width(2))}`,
    );
    const kind = cell === 'rnn' ? `rnn ${nonlinearity}` : cell;
    return [
      `${CULPRIT}: ${this.tokenizer.size} characters, embedding ${embeddingSize}, ${kind} ${numLayers}×${hiddenSize}, dropout ${dropout}`,
      ...lines,
      `${this.parameterCount} parameters on ${this.executor.description}`,
    ].join('\n');
  }

  /** Bytes that the executor holds, other models on it included. */
  memory(): MemoryUsage {
    return this.executor.memory();
  }

  /**
   * Trains on a text. The text is cut into `batchSize` stretches that are read side by side,
   * `sequenceLength` characters a step, the state going on from step to step.
   * @throws TextError for text that is empty, too short, or has unknown characters; ArgumentError for
   * options out of range, and while another `fit` of this model runs
   */
  async fit(text: string, options: FitOptions = {}): Promise<FitResult> {
    this.#checkAlive();
    checkOptions('fit', options, FIT_OPTIONS);
    const { steps = 500, batchSize = 32, sequenceLength = 64, clipNorm = 5, signal, onProgress } = options;
    const { onRecovered } = options;
    const { clipValue = 0, validationFraction = 0, validateEvery = 0, learningRate } = options;
    const { stopOnNaN = true } = options;
    checkFlag('fit', 'stopOnNaN', stopOnNaN);
    checkWhole('fit', 'steps', steps, 1);
    checkWhole('fit', 'batchSize', batchSize, 1);
    checkWhole('fit', 'sequenceLength', sequenceLength, 1);
    checkNumber('fit', 'clipNorm', clipNorm, { min: 0 });
    checkNumber('fit', 'validationFraction', validationFraction, { min: 0, below: 1 });
    checkWhole('fit', 'validateEvery', validateEvery, 0);
    checkNumber('fit', 'clipValue', clipValue, { min: 0 });
    checkSignal('fit', signal);
    // A function is asked when its step comes.
    if (learningRate !== undefined && typeof learningRate !== 'function')
      learningRateAt('fit', learningRate, 1);
    checkText(text, 'text');
    const tokens = this.tokenizer.encode(text);
    const heldOut = Math.floor(tokens.length * validationFraction);
    const cut = tokens.length - heldOut;
    const sizes = { batchSize, sequenceLength };
    const what = heldOut > 0 ? `training part of the text (${cut} of ${tokens.length} characters)` : 'text';
    const training = new LaneBatches(tokens.subarray(0, cut), sizes, what);
    const validation = validationFraction > 0 ? validationLanes(tokens.subarray(cut), sizes) : null;
    if (this.#fitting) {
      throw new ArgumentError({
        culprit: 'fit',
        problem: 'this model is already being trained',
        remedy: 'wait for the other call, or abort it',
      });
    }
    const loop = this.#trainingFor(options.optimizer);
    loop.trainer.clipNorm = clipNorm;
    loop.trainer.clipValue = clipValue;
    this.#fitting = true;
    try {
      return await loop.run({
        training,
        validation,
        steps,
        validateEvery,
        learningRate: learningRate ?? null,
        onProgress: onProgress ?? null,
        stopOnNaN,
        onRecovered: onRecovered ?? null,
        signal,
      });
    } catch (error) {
      loop.forgetGood();
      throw error;
    } finally {
      this.#fitting = false;
    }
  }

  /**
   * Writes on from a prompt, a character at a time; the prompt itself is not among them. The device draws the
   * characters, many a run: they come in groups, small ones at first. May run while `fit` does, with the weights
   * of the moment.
   * @throws TextError for an empty prompt or unknown characters, ArgumentError for options out of range;
   * the iterator throws AbortError when its signal asks, DisposedError when the model is disposed,
   * NonFiniteError when the weights are such that a logit is not finite
   */
  generate(options: GenerateOptions = {}): AsyncGenerator<string, void, undefined> {
    this.#checkAlive();
    checkOptions('generate', options, GENERATE_OPTIONS);
    return this.#writeOne(this.#prepareWriting('generate', options, 1));
  }

  /**
   * Writes several texts on from one prompt, side by side. Each step of the
   * iterator gives the next character of every text. Text i is that which {@link generate} writes with the seed
   * `seed + i`.
   * @throws as {@link generate} does
   */
  generateBatch(options: GenerateBatchOptions): AsyncGenerator<readonly string[], void, undefined> {
    this.#checkAlive();
    checkOptions('generateBatch', options, [...GENERATE_OPTIONS, 'samples']);
    checkWhole('generateBatch', 'samples', options.samples, 1, MAX_SAMPLES);
    return this.#write(this.#prepareWriting('generateBatch', options, options.samples));
  }

  #prepareWriting(culprit: string, options: GenerateOptions, samples: number): Writing {
    // Not so high that the last sample's would be inexact.
    const { length = 200, seed = randomSeed() } = options;
    const prompt = options.prompt ?? (this.tokenizer.has('\n') ? '\n' : this.tokenizer.characters[0]!);
    checkWhole(culprit, 'length', length, 1);
    checkWhole(culprit, 'seed', seed, 0);
    checkSampling(culprit, options);
    checkSignal(culprit, options.signal);
    if (prompt === '') {
      throw new TextError({
        culprit: 'prompt',
        problem: 'is empty',
        remedy: 'give at least one character, or leave it out',
      });
    }
    checkText(prompt, 'prompt');
    const tokens = this.tokenizer.encode(prompt, 'prompt');
    const seeds = Array.from({ length: samples }, (_, i) => (seed + i) % 2 ** 53);
    return { culprit, prompt: tokens, length, seeds, options };
  }

  async *#writeOne(writing: Writing): AsyncGenerator<string, void, undefined> {
    for await (const [character] of this.#write(writing)) yield character!;
  }

  async *#write(writing: Writing): AsyncGenerator<readonly string[], void, undefined> {
    const { culprit, prompt, length, seeds, options } = writing;
    const proceed = (): void => {
      this.#checkAlive();
      throwIfAborted(options.signal, culprit);
    };
    proceed();
    const samples = seeds.length;
    const idle = this.#idle.findIndex((writer) => writer.samples === samples);
    const writer =
      this.#idle.splice(idle, idle < 0 ? 0 : 1)[0] ??
      new CharacterWriter(this.executor, this.network, samples);
    let kept = true;
    const written: Int32Array[] = [];
    let left = length;
    let losses = -1;
    try {
      while (left > 0) {
        try {
          await writer.begin(prompt, written, proceed);
          for await (const tokens of writer.write(left, { ...options, seeds }, proceed)) {
            written.push(tokens);
            left -= tokens.length / samples;
            for (let at = 0; at < tokens.length; at += samples) {
              proceed();
              yield Array.from(tokens.subarray(at, at + samples), (token) =>
                this.#characterOf(culprit, token),
              );
            }
          }
        } catch (error) {
          // The state went with the device; on the next one it reads again what has been written.
          if (!(error instanceof DeviceLostError) || error.final || error.losses === losses) throw error;
          losses = error.losses;
          await this.#attempt(() => this.executor.snapshot(this.network.parameters()));
        }
      }
    } catch (error) {
      // What has no memory to write keeps none.
      kept = error instanceof AbortError;
      throw error;
    } finally {
      if (this.#disposed || !kept) writer.dispose();
      else this.#idle.push(writer);
      // Of those that wait for their like, only the latest.
      for (const old of this.#idle.splice(0, this.#idle.length - IDLE_WRITERS)) old.dispose();
    }
  }

  #characterOf(culprit: string, token: number): string {
    const character = this.tokenizer.characters[token];
    if (character !== undefined) return character;
    throw new NonFiniteError({
      culprit,
      problem: 'a logit is not finite',
      remedy: 'the parameters have diverged: train with a lower learning rate or a smaller clipNorm',
    });
  }

  /**
   * The model as a safetensors file: parameters under PyTorch's names (`embedding.weight`,
   * `rnn.weight_ih_l0`, `output.weight`, …), settings and vocabulary in its metadata. While `fit` runs,
   * the weights are those of one step boundary.
   * @throws NonFiniteError where a parameter holds a number that is not finite
   */
  async save(): Promise<Uint8Array> {
    this.#checkAlive();
    const state = await this.#attempt(() => this.network.state(this.executor));
    for (const [name, { data }] of state) checkSavable(`${CULPRIT}, parameter "${name}"`, data);
    return writeCharacterFile({ config: this.config, tokenizer: this.tokenizer, state });
  }

  /**
   * The model and its whole training as a safetensors file: what {@link save} keeps, and the optimizer's
   * moments and counters, learning rate, random numbers, place in the text and carried state. It is of one
   * step boundary; it may be taken while `fit` runs, from `onProgress` too, and after one was stopped. Once a loss
   * that was not finite has been reported, it is that of the last good weights.
   * @throws NonFiniteError where it would hold a number that is not finite
   */
  async checkpoint(): Promise<Uint8Array> {
    this.#checkAlive();
    const training = this.#trainingFor(undefined);
    const { trainer } = training;
    return trainer.recovery.attempt(async () => {
      const writer = new CheckpointWriter(CULPRIT);
      writer.field('model', writeConfig(this.config, this.tokenizer));
      await trainer.capture(writer, (into) => training.capture(into));
      return writer.toBytes();
    });
  }

  /**
   * A model from what {@link checkpoint} gave. Its first `fit`, called with the text and options of the one
   * that was interrupted, goes on with the step after the checkpoint, and every loss from there on is the
   * same to the last bit as if there had been no interruption, on the same kind of executor.
   * @throws FormatError, ShapeError or NonFiniteError naming what is wrong with the file
   */
  static async restore(bytes: Uint8Array | ArrayBuffer, options: RestoreOptions): Promise<CharacterModel> {
    checkOptions(CULPRIT, options, ['executor', 'optimizer']);
    const { executor, optimizer } = options;
    checkExecutor(CULPRIT, executor);
    const reader = new CheckpointReader(bytes, CULPRIT);
    const { config, tokenizer } = readConfig(reader.text('model'), reader.names('model.').length);
    let model: CharacterModel | undefined;
    blamingFile(() => {
      model = new CharacterModel(executor, tokenizer, config, 0);
    });
    const training = model!.#trainingFor(optimizer);
    const commit = training.trainer.prepareRestore(reader);
    const commitFit = training.prepareRestore(reader);
    reader.finish();
    await commit();
    commitFit();
    return model!;
  }

  /** The listing of the plan for batches of this size, for people. */
  async describe(options: PlanOptions = {}): Promise<string> {
    return (await this.#planFor('describe', options)).describe();
  }

  /** Figures of that plan: dispatches, submits, bytes and operations of one run. */
  async statistics(options: PlanOptions = {}): Promise<PlanStatistics> {
    return (await this.#planFor('statistics', options)).statistics;
  }

  async #planFor(culprit: string, options: PlanOptions): Promise<Plan> {
    this.#checkAlive();
    checkOptions(culprit, options, ['batchSize', 'sequenceLength', 'training']);
    const { batchSize = 32, sequenceLength = 64, training = true } = options;
    checkWhole(culprit, 'batchSize', batchSize, 1);
    checkWhole(culprit, 'sequenceLength', sequenceLength, 1);
    checkFlag(culprit, 'training', training);
    return this.#trainingFor(undefined).plan(batchSize, sequenceLength, training);
  }

  /** Frees everything this model holds on the executor, which lives on. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#training?.dispose();
    for (const writer of this.#idle.splice(0)) writer.dispose();
    if (!this.executor.disposed) this.executor.release(this.network.parameters());
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkAlive(): void {
    if (!this.#disposed) return;
    throw new DisposedError({ culprit: CULPRIT, problem: 'was disposed', remedy: 'create or load it again' });
  }

  /** Does what needs the weights; where they were lost with the device, the training goes back first. */
  #attempt<R>(work: () => Promise<R>): Promise<R> {
    return this.#training ? this.#training.trainer.recovery.attempt(work) : work();
  }

  /** The loop of this optimizer; that of the last one when none is given. */
  #trainingFor(optimizer: Optimizer | undefined): CharacterTraining {
    if (optimizer !== undefined) checkOptimizer('fit', optimizer);
    if (this.#training && (optimizer === undefined || optimizer === this.#training.optimizer)) {
      return this.#training;
    }
    this.#training?.dispose();
    const chosen = optimizer ?? new Adam({ learningRate: 2e-3 });
    this.#training = new CharacterTraining(this.executor, this.network, chosen, this.#seed);
    return this.#training;
  }
}

/** What a call of `generate` or `generateBatch` was checked to want. */
interface Writing {
  readonly culprit: string;
  readonly prompt: Int32Array;
  readonly length: number;
  /** One a sample. */
  readonly seeds: readonly number[];
  readonly options: GenerateOptions;
}

/** More than any device writes side by side. */
const MAX_SAMPLES = 2 ** 16;

/** Writers kept for a next call. */
const IDLE_WRITERS = 4;

const GENERATE_OPTIONS = ['prompt', 'length', 'temperature', 'topK', 'topP', 'seed', 'signal'];

const FIT_OPTIONS = [
  'steps',
  'batchSize',
  'sequenceLength',
  'optimizer',
  'learningRate',
  'clipNorm',
  'clipValue',
  'validationFraction',
  'validateEvery',
  'onProgress',
  'stopOnNaN',
  'onRecovered',
  'signal',
];

/** Lanes over a held-out part, fewer and shorter than in training where it is small. */
function validationLanes(
  tokens: Int32Array,
  { batchSize, sequenceLength }: { readonly batchSize: number; readonly sequenceLength: number },
): LaneBatches {
  const predictions = tokens.length - 1;
  if (predictions < 1) {
    throw new TextError({
      culprit: 'held-out part of the text',
      problem: `has ${tokens.length} characters, a validation needs at least 2`,
      remedy: 'give more text, raise validationFraction, or set it to 0',
    });
  }
  const lanes = Math.max(1, Math.min(batchSize, Math.floor(predictions / sequenceLength)));
  const length = Math.min(sequenceLength, Math.floor(predictions / lanes));
  return new LaneBatches(tokens, { batchSize: lanes, sequenceLength: length }, 'held-out part of the text');
}

function createTokenizer(options: CharacterModelOptions): CharacterTokenizer {
  const { text, characters, tokenizer } = options;
  if ([text, characters, tokenizer].filter((source) => source !== undefined).length !== 1) {
    throw new ArgumentError({
      culprit: CULPRIT,
      problem: 'it needs exactly one source of its vocabulary',
      remedy: 'pass one of text, characters and tokenizer',
    });
  }
  if (tokenizer instanceof CharacterTokenizer) return tokenizer;
  if (text !== undefined) return CharacterTokenizer.fromText(text);
  if (characters !== undefined) return CharacterTokenizer.fromCharacters(characters);
  throw new ArgumentError({
    culprit: CULPRIT,
    problem: `tokenizer is ${show(tokenizer)}`,
    remedy: 'pass a CharacterTokenizer',
  });
}
