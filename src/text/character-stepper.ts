/** One character at a time: a plan for T = 1, B = 1 whose recurrent state never leaves the device. */
import type { Executor, Plan } from '../graph/executor.js';
import { Graph } from '../graph/graph.js';
import type { CarriedState } from '../nn/recurrent.js';
import { reshape } from '../ops/reshape.js';
import type { CharacterNetwork, CharacterState } from './character-network.js';

/** Feeds a network one token after another. Each has a state of its own. */
export class CharacterStepper {
  readonly #executor: Executor;
  readonly #plan: Plan;
  readonly #state: CarriedState<CharacterState>;

  private constructor(executor: Executor, plan: Plan, state: CarriedState<CharacterState>) {
    this.#executor = executor;
    this.#plan = plan;
    this.#state = state;
  }

  /** Records and compiles the step. */
  static async create(executor: Executor, network: CharacterNetwork): Promise<CharacterStepper> {
    const carried = network.rnn.createState(1);
    const graph = new Graph('character step');
    const token = graph.input('token', [1, 1], 'int32');
    const { logits, state } = network.forward(token, carried.read(graph));
    carried.update(graph, state);
    graph.output('logits', reshape(logits, [network.embedding.vocabSize]));
    return new CharacterStepper(executor, await executor.compile(graph), carried);
  }

  /** Forgets what was read. */
  reset(): void {
    this.#state.reset(this.#executor);
  }

  /** Reads one character. */
  async advance(token: number): Promise<void> {
    await this.#plan.run({ token: Int32Array.of(token) });
  }

  /** Reads one character and gives the logits [V] of the next. */
  async predict(token: number): Promise<ArrayLike<number>> {
    const { outputs } = await this.#plan.run({ token: Int32Array.of(token) }, { read: ['logits'] });
    return outputs['logits']!;
  }

  /** Frees plan and state. */
  dispose(): void {
    this.#plan.dispose();
    if (!this.#executor.disposed) this.#executor.release(this.#state.variables.values());
  }
}
