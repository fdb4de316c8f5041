/** Reading and writing characters on the device, many a run: the recurrent state and the last token never leave it. */
import type { Executor, Feeds, Plan } from '../graph/executor.js';
import type { Graph } from '../graph/graph.js';
import { PlanCache } from '../graph/plan-cache.js';
import { Variable } from '../graph/value.js';
import type { CarriedState } from '../nn/recurrent.js';
import { readTokens, writeTokens, type GenerateNetwork } from '../ops/generate.js';
import { reshape } from '../ops/reshape.js';
import { slice } from '../ops/slice.js';
import type { CharacterNetwork, CharacterState } from './character-network.js';
import type { SamplingOptions } from './sampling.js';

/** Characters of a run: few at first, so that the first come soon; more as they prove to be quick. */
const SIZES: readonly number[] = [1, 4, 16, 64, 256];
/** Milliseconds that a run may take, so that it may be stopped and others get their turn. */
const LONGEST = 100;

/** How to write. */
export interface WriteSettings extends SamplingOptions {
  /** One a sample, each a whole number from 0 to 2⁵³ − 1. */
  readonly seeds: readonly number[];
}

/** Which plan: so many tokens, read or written. */
interface RunKey extends Readonly<Record<string, number | boolean>> {
  readonly length: number;
  readonly writes: boolean;
  /** Whether only some tokens may be drawn. */
  readonly cuts: boolean;
}

/** Writes a number of samples side by side. Each writer has a state of its own. */
export class CharacterWriter {
  readonly samples: number;
  readonly #executor: Executor;
  readonly #network: CharacterNetwork;
  readonly #plans: PlanCache<RunKey>;
  readonly #state: CarriedState<CharacterState>;
  readonly #token: Variable;
  /** Milliseconds a token took, when last seen; `null` before. */
  #pace: number | null = null;
  /** When the last run was read back. */
  #arrived = 0;
  #position = 0;

  constructor(executor: Executor, network: CharacterNetwork, samples: number) {
    this.samples = samples;
    this.#executor = executor;
    this.#network = network;
    this.#state = network.rnn.createState(samples);
    this.#token = new Variable({ name: 'token', shape: [samples], dtype: 'int32' });
    this.#plans = new PlanCache<RunKey>({
      executor,
      name: 'generate',
      record: (graph, key) => this.#record(graph, key),
    });
  }

  #record(graph: Graph, { length, writes, cuts }: RunKey): void {
    const { samples } = this;
    const network: GenerateNetwork = this.#network.describe(graph, this.#state.read(graph));
    if (!writes) {
      const tokens = graph.input('tokens', [length, samples], 'int32');
      this.#state.update(graph, readTokens(network, tokens, 'generate'));
      return;
    }
    const { output } = this.#network;
    const { tokens, states } = writeTokens(
      {
        ...network,
        token: graph.read(this.#token),
        length,
        outputWeight: graph.read(output.weight),
        outputBias: output.bias && graph.read(output.bias),
        sampler: {
          temperature: graph.scalar('temperature'),
          ...(cuts && { topK: graph.scalar('topK', 'int32'), topP: graph.scalar('topP') }),
          seeds: graph.input('seeds', [samples, 2], 'int32'),
          position: graph.scalar('position', 'int32'),
        },
      },
      'generate',
    );
    this.#state.update(graph, states);
    graph.update(this.#token, reshape(slice(tokens, [length - 1, 0], [1, samples]), [samples]));
    graph.output('tokens', tokens);
  }

  /**
   * Begins anew: every sample reads this prompt and what it has written already, but for the last token, with which
   * {@link write} begins.
   * @param written tokens [T,B] in parts
   * @param proceed called before each run; throws to stop
   */
  async begin(prompt: Int32Array, written: readonly Int32Array[], proceed: () => void): Promise<void> {
    this.#state.reset(this.#executor);
    const { samples } = this;
    this.#position = written.reduce((sum, part) => sum + part.length / samples, 0);
    const steps = prompt.length + this.#position - 1;
    const tokens = new Int32Array((steps + 1) * samples);
    prompt.forEach((token, t) => tokens.fill(token, t * samples, (t + 1) * samples));
    let end = prompt.length * samples;
    for (const part of written) {
      tokens.set(part, end);
      end += part.length;
    }
    for (let at = 0; at < steps;) {
      proceed();
      const length = SIZES.findLast((size) => size <= steps - at && size <= 64)!;
      const plan = await this.#plans.get({ length, writes: false, cuts: false });
      proceed();
      await plan.run({ tokens: tokens.slice(at * samples, (at + length) * samples) });
      at += length;
      // Of a long prompt no more than this is in flight.
      if (length === 64) await this.#executor.synchronize();
    }
    this.#executor.write(this.#token, tokens.slice(steps * samples));
  }

  /**
   * Writes `length` tokens a sample. While one run is read back the next is already submitted, but no more.
   * @param proceed called before each run; throws to stop
   * @yields tokens [T,B] as they come, T·B of them at a time, `length`·B in all
   */
  async *write(
    length: number,
    settings: WriteSettings,
    proceed: () => void,
  ): AsyncGenerator<Int32Array, void, undefined> {
    const { temperature = 1, topK = 0, topP = 1, seeds } = settings;
    const words = Int32Array.from(seeds.flatMap((seed) => [seed >>> 0, Math.floor(seed / 2 ** 32)]));
    const cuts = (topK > 0 && topK < this.#network.embedding.vocabSize) || topP < 1;
    const feeds = {
      temperature: Math.min(temperature, 1e30),
      ...(cuts && { topK: Math.min(topK, 2 ** 31 - 1), topP }),
    };
    let submitted = 0;
    let runs = 0;
    const next = async (): Promise<Run | null> => {
      if (submitted >= length) return null;
      proceed();
      const size = this.#sizeFor(length - submitted, runs++);
      const plan = await this.#plans.get({ length: size, writes: true, cuts });
      proceed();
      submitted += size;
      return this.#submit(plan, size, { ...feeds, seeds: words });
    };
    let current = await next();
    let written = 0;
    while (current) {
      const ahead = await next();
      const tokens = await current.tokens;
      const wanted = Math.min(current.size, length - written);
      written += wanted;
      yield tokens.subarray(0, wanted * this.samples);
      current = ahead;
    }
  }

  #submit(plan: Plan, size: number, feeds: Feeds): Run {
    const submitted = performance.now();
    const result = plan.run({ ...feeds, position: this.#position }, { read: ['tokens'] });
    this.#position += size;
    const tokens = result.then(({ outputs }) => {
      const now = performance.now();
      // A run begins when the one before it has ended.
      this.#pace = (now - Math.max(submitted, this.#arrived)) / size;
      this.#arrived = now;
      return outputs['tokens'] as Int32Array;
    });
    // What goes wrong is told where it is awaited; if it never is, nobody needs to know.
    tokens.catch(() => undefined);
    return { size, tokens };
  }

  /**
   * Tokens of the next run: more from run to run as far as time allows. At the end a few may be too many: they are
   * computed and thrown away.
   */
  #sizeFor(left: number, run: number): number {
    const pace = this.#pace ?? Infinity;
    const most = Math.min(
      run,
      Math.max(
        0,
        SIZES.findLastIndex((size) => size * pace <= LONGEST),
      ),
    );
    const allowed = SIZES.slice(0, most + 1);
    return (
      allowed.find((size) => size >= left && size < 2 * left) ?? allowed.findLast((size) => size <= left)!
    );
  }

  /** Frees plans and state. */
  dispose(): void {
    this.#plans.dispose();
    if (!this.#executor.disposed) {
      this.#executor.release([...this.#state.variables.values(), this.#token]);
    }
  }
}

/** A run on its way. */
interface Run {
  readonly size: number;
  readonly tokens: Promise<Int32Array>;
}
