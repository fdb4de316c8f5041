/** A small recurrent network that tells gestures apart, with the library's `Model`. */
import {
  accuracy,
  Adam,
  crossEntropy,
  GRU,
  Linear,
  Model,
  ModuleDict,
  Random,
  type Executor,
} from '../../src/index.js';
import type { Example, GestureEvent } from './protocol.js';
import { FEATURES, featuresOf, POINTS, vary, type Stroke } from './strokes.js';

const HIDDEN = 32;
/** Variants of all examples together, and times over them. */
const SAMPLES = 384;
const EPOCHS = 8;
const BATCH = 32;

/** Learns once; then classifies. */
export class Recognizer {
  readonly #model: Model;
  readonly #modules: ModuleDict<{ rnn: GRU; output: Linear }>;
  readonly #executor: Executor;

  constructor(executor: Executor, classes: number) {
    const rnn = new GRU({
      inputSize: FEATURES,
      hiddenSize: HIDDEN,
      batchFirst: true,
      returnSequences: false,
      seed: 1,
    });
    const output = new Linear({ inputSize: HIDDEN, outputSize: classes, seed: 2 });
    this.#modules = new ModuleDict({ rnn, output });
    this.#executor = executor;
    this.#model = new Model({
      executor,
      network: this.#modules,
      forward: (x, context) => output.forward(rnn.forward(x, undefined, context).output),
      loss: (logits, targets) => crossEntropy(logits, targets),
      optimizer: new Adam({ learningRate: 0.01 }),
      clipNorm: 1,
    });
  }

  /** Learns variants of the examples; the part of fresh variants that it then gets right. */
  async learn(examples: readonly Example[], emit: (event: GestureEvent) => void): Promise<number> {
    const random = new Random(3);
    const steps = (EPOCHS * SAMPLES) / BATCH;
    await this.#model.fit(variantsOf(examples, SAMPLES, random), {
      epochs: EPOCHS,
      batchSize: BATCH,
      seed: 4,
      callbacks: { onBatchEnd: ({ step, loss }) => emit({ step, steps, loss }) },
    });
    const fresh = variantsOf(examples, 96, random);
    const { data } = await this.#model.predict(fresh.x);
    return accuracy(data, fresh.y.data);
  }

  /** The probability of each gesture. */
  async classify(stroke: Stroke): Promise<number[]> {
    const { data } = await this.#model.predict({ shape: [1, POINTS, FEATURES], data: featuresOf(stroke) });
    const largest = Math.max(...data);
    const weights = Array.from(data, (logit) => Math.exp(logit - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  }

  /** Frees everything on the device. */
  dispose(): void {
    this.#model.dispose();
    if (!this.#executor.disposed) this.#executor.release(this.#modules.parameters());
  }
}

/** As many variants of each example, in turn. */
function variantsOf(examples: readonly Example[], count: number, random: Random) {
  const x = new Float32Array(count * POINTS * FEATURES);
  const y = new Int32Array(count);
  for (let n = 0; n < count; n++) {
    const { stroke, label } = examples[n % examples.length]!;
    x.set(featuresOf(vary(stroke, () => random.uniform())), n * POINTS * FEATURES);
    y[n] = label;
  }
  return { x: { shape: [count, POINTS, FEATURES], data: x }, y: { shape: [count], data: y } };
}
