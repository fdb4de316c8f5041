/** `TextGenerator`: a trained character model that writes on and cannot be trained. */
import { DisposedError, throwIfAborted } from '../graph/errors.js';
import type { FrozenReader, FrozenRunner } from '../graph/frozen.js';
import { checkOptions, checkSignal, checkWhole } from '../graph/options.js';
import { Random, randomSeed } from '../nn/random.js';
import type { CharacterConfig } from './character-file.js';
import type { GenerateOptions } from './character-model.js';
import { checkSampling, sampleToken } from './sampling.js';
import { checkText, type CharacterTokenizer } from './tokenizer.js';

/** How many characters of a prompt are read between two looks at the signal and at the page's events. */
const PROMPT_DEPTH = 32;

/** Goes on writing from a prompt. Made by `loadTextGenerator`. */
export class TextGenerator {
  /** The characters that the model knows. */
  readonly tokenizer: CharacterTokenizer;
  /** Kind and sizes of the network. */
  readonly config: Readonly<CharacterConfig>;
  readonly #runner: FrozenRunner;
  #disposed = false;

  /** @internal */
  constructor(runner: FrozenRunner, tokenizer: CharacterTokenizer, config: CharacterConfig) {
    this.#runner = runner;
    this.tokenizer = tokenizer;
    this.config = Object.freeze({ ...config });
  }

  /** What computes, for people. */
  get description(): string {
    return this.#runner.description;
  }

  /**
   * Reads a text from its beginning.
   * @returns the logits `[V]` of the character after it, in the order of `tokenizer.characters`
   * @throws TextError for an empty text or unknown characters, DisposedError after {@link dispose}
   */
  async predict(text: string): Promise<ArrayLike<number>> {
    this.#checkAlive();
    checkText(text, 'text');
    const tokens = this.tokenizer.encode(text, 'text');
    const reader = this.#runner.start();
    try {
      await this.#read(reader, tokens, undefined);
      return await reader.predict(tokens.at(-1)!);
    } finally {
      reader.dispose();
    }
  }

  /**
   * Writes on from a prompt, a character at a time; the prompt itself is not among them. Several calls may
   * run side by side. A seed repeats, but draws other characters here than with `CharacterModel.generate`.
   * @throws TextError for an empty prompt or unknown characters, ArgumentError for options out of range;
   * the iterator throws AbortError when its signal asks, DisposedError when the generator is disposed
   */
  generate(options: GenerateOptions = {}): AsyncGenerator<string, void, undefined> {
    this.#checkAlive();
    checkOptions('generate', options, ['prompt', 'length', 'temperature', 'topK', 'topP', 'seed', 'signal']);
    const { tokenizer } = this;
    const { length = 200, seed = randomSeed(), temperature = 1, topP = 1, topK = tokenizer.size } = options;
    const prompt = options.prompt ?? (tokenizer.has('\n') ? '\n' : tokenizer.characters[0]!);
    checkWhole('generate', 'length', length, 1);
    checkWhole('generate', 'seed', seed, 0);
    checkSampling('generate', options);
    checkSignal('generate', options.signal);
    checkText(prompt, 'prompt');
    const tokens = tokenizer.encode(prompt, 'prompt');
    const sampling = { temperature, topP, topK, random: new Random(seed) };
    return this.#write(tokens, length, sampling, options.signal);
  }

  async *#write(
    prompt: Int32Array,
    length: number,
    sampling: Parameters<typeof sampleToken>[1],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<string, void, undefined> {
    this.#proceed(signal);
    const reader = this.#runner.start();
    try {
      await this.#read(reader, prompt, signal);
      let token = prompt.at(-1)!;
      for (let count = 0; count < length; count++) {
        this.#proceed(signal);
        token = sampleToken(await reader.predict(token), sampling);
        yield this.tokenizer.characters[token]!;
      }
    } finally {
      reader.dispose();
    }
  }

  /** Reads all tokens but the last. */
  async #read(reader: FrozenReader, tokens: Int32Array, signal: AbortSignal | undefined): Promise<void> {
    for (const [index, token] of tokens.subarray(0, -1).entries()) {
      reader.advance(token);
      if ((index + 1) % PROMPT_DEPTH !== 0) continue;
      await reader.synchronize();
      this.#proceed(signal);
    }
  }

  /** Frees what it holds. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#runner.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #proceed(signal: AbortSignal | undefined): void {
    this.#checkAlive();
    throwIfAborted(signal, 'generate');
  }

  #checkAlive(): void {
    if (!this.#disposed) return;
    throw new DisposedError({ culprit: 'text generator', problem: 'was disposed', remedy: 'load it again' });
  }
}
