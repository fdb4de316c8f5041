/** Looks into a model as it reads a text: its hidden units at every character, and what it expects next. */
import {
  Graph,
  softmax,
  type CarriedState,
  type CharacterModel,
  type CharacterState,
  type Plan,
} from '../../src/index.js';
import type { Inspection } from './protocol.js';
import { findSelectiveUnits } from './selective-units.js';

/** Characters of a run: longer texts take several, the state going on from one to the next. */
const CHUNK = 64;
/** So many of the likeliest next characters are told. */
const LIKELIEST = 5;

/** Reads texts with one model, whatever its weights are at the moment. */
export class Inspector {
  readonly model: CharacterModel;
  readonly #plan: Plan;
  readonly #state: CarriedState<CharacterState>;

  private constructor(model: CharacterModel, plan: Plan, state: CarriedState<CharacterState>) {
    this.model = model;
    this.#plan = plan;
    this.#state = state;
  }

  /** Records and compiles the reading of a stretch, with the model's own layers. */
  static async create(model: CharacterModel): Promise<Inspector> {
    const { embedding, rnn, output } = model.network;
    const state = rnn.createState(1);
    const graph = new Graph('inspect');
    const tokens = graph.input('tokens', [CHUNK, 1], 'int32');
    const { output: hidden, state: next } = rnn.forward(embedding.forward(tokens), state.read(graph));
    state.update(graph, next);
    graph.output('hidden', hidden);
    graph.output('probabilities', softmax(output.forward(hidden)));
    return new Inspector(model, await model.executor.compile(graph), state);
  }

  /** @throws TextError for characters that the model does not know */
  async inspect(text: string): Promise<Inspection> {
    const { tokenizer, executor, config } = this.model;
    const tokens = tokenizer.encode(text);
    const characters = Array.from(text);
    const H = config.hiddenSize;
    const V = tokenizer.size;
    const hidden = new Float32Array(tokens.length * H);
    const expected: Inspection['expected'][number][] = [];
    this.#state.reset(executor);
    for (let begin = 0; begin < tokens.length; begin += CHUNK) {
      const count = Math.min(CHUNK, tokens.length - begin);
      const chunk = new Int32Array(CHUNK);
      chunk.set(tokens.subarray(begin, begin + count));
      const { outputs } = await this.#plan.run({ tokens: chunk }, { read: ['hidden', 'probabilities'] });
      hidden.set(outputs['hidden']!.subarray(0, count * H), begin * H);
      for (let t = 0; t < count; t++) {
        const row = outputs['probabilities']!.subarray(t * V, (t + 1) * V);
        expected.push(likeliest(row).map((token) => [tokenizer.characters[token]!, row[token]!] as const));
      }
    }
    return { characters, units: H, hidden, expected, selective: findSelectiveUnits(characters, hidden, H) };
  }

  /** Frees plan and state. */
  dispose(): void {
    const { executor } = this.model;
    if (executor.disposed) return;
    this.#plan.dispose();
    executor.release(this.#state.variables.values());
  }
}

/** The tokens of the largest probabilities, the largest first. */
function likeliest(probabilities: ArrayLike<number>): number[] {
  return Array.from({ length: probabilities.length }, (_, token) => token)
    .sort((a, b) => probabilities[b]! - probabilities[a]!)
    .slice(0, LIKELIEST);
}
