/** A recurrent network that reads a series and gives the next value as a normal distribution, to draw futures from. */
import {
  Adam,
  add,
  concat,
  exp,
  Graph,
  GRU,
  Linear,
  LSTM,
  mean,
  ModuleDict,
  mul,
  Random,
  RNN,
  slice,
  square,
  sub,
  tanh,
  Trainer,
  type CharacterState,
  type CarriedState,
  type Executor,
  type Plan,
  type RecurrentLayer,
  type Value,
} from '../../src/index.js';
import type { ForecastSettings } from './protocol.js';

/** T and B of a training step: windows of the series, from anywhere in it. */
const WINDOW = 48;
const BATCH = 16;
/** Where training begins, the deviation is about that of the series. */
const FIRST_SPREAD = 0.8;
/** Futures drawn side by side. */
export const PATHS = 24;

/** Plans that read the past and draw the future, their state shared. */
interface Reading {
  readonly state: CarriedState<CharacterState>;
  readonly past: Plan;
  readonly next: Plan;
  readonly pastLength: number;
}

/** Learns one series. */
export class Forecaster {
  readonly #executor: Executor;
  readonly #rnn: RecurrentLayer<CharacterState>;
  readonly #output: Linear;
  readonly #trainer: Trainer;
  readonly #modules: ModuleDict<{ rnn: RecurrentLayer<CharacterState>; output: Linear }>;
  readonly #random: Random;
  readonly #values: Float32Array;
  readonly #center: number;
  readonly #scale: number;
  #reading: Reading | null = null;

  /** @throws Error for a series that is too short */
  constructor(executor: Executor, values: readonly number[], settings: ForecastSettings) {
    const { cell, hiddenSize, learningRate, seed } = settings;
    if (values.length < 16) {
      throw new Error(`series: has ${values.length} values; draw or paste at least 16`);
    }
    this.#executor = executor;
    this.#random = new Random(seed);
    this.#center = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - this.#center) ** 2, 0) / values.length;
    this.#scale = Math.sqrt(variance) || 1;
    this.#values = Float32Array.from(values, (value) => (value - this.#center) / this.#scale);
    const sizes = { inputSize: 1, hiddenSize, seed };
    const rnn = cell === 'lstm' ? new LSTM(sizes) : cell === 'gru' ? new GRU(sizes) : new RNN(sizes);
    this.#rnn = rnn as unknown as RecurrentLayer<CharacterState>;
    this.#output = new Linear({ inputSize: hiddenSize, outputSize: 2, seed: seed + 1 });
    this.#modules = new ModuleDict({ rnn: this.#rnn, output: this.#output });
    this.#trainer = new Trainer({
      executor,
      parameters: this.#modules,
      optimizer: new Adam({ learningRate }),
      clipNorm: 1,
      // The negative logarithm of the likelihood of what came, but for a constant.
      record: (_graph, { x, target }, context) => {
        const { center, logDeviation } = this.#distribution(this.#rnn.forward(x!, undefined, context).output);
        const distance = mul(sub(target!, center), exp(mul(logDeviation, -1)));
        return mean(add(logDeviation, mul(square(distance), 0.5)));
      },
    });
  }

  /** One update; the losses that have arrived, by step. */
  async step(last: boolean): Promise<readonly { readonly step: number; readonly loss: number }[]> {
    const series = this.#values;
    const T = Math.min(WINDOW, series.length - 1);
    const x = new Float32Array(T * BATCH);
    const target = new Float32Array(T * BATCH);
    for (let b = 0; b < BATCH; b++) {
      const begin = Math.floor(this.#random.uniform() * (series.length - T));
      for (let t = 0; t < T; t++) {
        x[t * BATCH + b] = series[begin + t]!;
        target[t * BATCH + b] = series[begin + t + 1]!;
      }
    }
    const shape = [T, BATCH, 1];
    const { records } = await this.#trainer.step(
      { x: { shape, data: x }, target: { shape, data: target } },
      { flush: last },
    );
    return records;
  }

  /** Futures of so many values from the end of the series; the same seed draws the same. */
  async draw(horizon: number, seed: number): Promise<Float32Array[]> {
    this.#reading ??= await this.#record();
    const { state, past, next, pastLength } = this.#reading;
    const random = new Random(seed);
    const series = this.#values;
    state.reset(this.#executor);
    const read = new Float32Array(pastLength * PATHS);
    for (let t = 0; t < pastLength; t++)
      read.fill(series[series.length - pastLength + t]!, t * PATHS, (t + 1) * PATHS);
    let { outputs } = await past.run({ x: read }, { read: ['distribution'] });
    const paths = Array.from({ length: PATHS }, () => new Float32Array(horizon));
    for (let t = 0; t < horizon; t++) {
      const distribution = outputs['distribution']!;
      const drawn = Float32Array.from({ length: PATHS }, (_, path) => {
        const value = distribution[2 * path]! + Math.exp(distribution[2 * path + 1]!) * random.normal();
        paths[path]![t] = this.#center + this.#scale * value;
        return value;
      });
      if (t + 1 < horizon) ({ outputs } = await next.run({ x: drawn }, { read: ['distribution'] }));
    }
    return paths;
  }

  /** Frees everything on the device. */
  dispose(): void {
    this.#reading?.past.dispose();
    this.#reading?.next.dispose();
    this.#trainer.dispose();
    if (this.#executor.disposed) return;
    if (this.#reading) this.#executor.release(this.#reading.state.variables.values());
    this.#executor.release(this.#modules.parameters());
  }

  /** Mean and logarithm of the deviation, which is held between e⁻⁵ and e: neither certain nor lost. */
  #distribution(hidden: Value): { readonly center: Value; readonly logDeviation: Value } {
    const [T, B] = hidden.shape as readonly [number, number, number];
    const both = this.#output.forward(hidden);
    const center = slice(both, [0, 0, 0], [T, B, 1]);
    const logDeviation = sub(mul(tanh(add(slice(both, [0, 0, 1], [T, B, 1]), FIRST_SPREAD)), 3), 2);
    return { center, logDeviation };
  }

  async #record(): Promise<Reading> {
    const state = this.#rnn.createState(PATHS);
    const pastLength = Math.min(4 * WINDOW, this.#values.length);
    const plan = async (T: number): Promise<Plan> => {
      const graph = new Graph('forecast');
      const x = graph.input('x', [T, PATHS, 1]);
      const { output, state: after } = this.#rnn.forward(x, state.read(graph));
      state.update(graph, after);
      const H = output.shape[2]!;
      const { center, logDeviation } = this.#distribution(slice(output, [T - 1, 0, 0], [1, PATHS, H]));
      graph.output('distribution', concat([center, logDeviation], 2));
      return this.#executor.compile(graph);
    };
    return { state, past: await plan(pastLength), next: await plan(1), pastLength };
  }
}
