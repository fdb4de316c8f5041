/** TensorFlow.js: Keras' layers in a sequential model, a loss, and its optimizers. */
import type * as TensorFlow from '@tensorflow/tfjs';
import type { Contender, CreateContender, HostTensor } from '../contender.js';
import { createData, createGenerationWeights, createWeights, oneHot, PROMPT, type Weights } from '../data.js';
import { transposed } from '../onnx-model.js';
import { FIRST_CHARACTERS, type GenerationWorkload, type TrainingWorkload } from '../workloads.js';

declare global {
  interface Window {
    tf?: typeof TensorFlow & { wasm?: { setWasmPaths(folder: string): void } };
  }
}

const PACKAGES = '/bench/node_modules/@tensorflow/';

/** Loads the library once: its own bundles, as a page would from a CDN. */
let loading: Promise<NonNullable<Window['tf']>> | null = null;

export function loadTensorFlow(): Promise<NonNullable<Window['tf']>> {
  loading ??= (async () => {
    for (const file of [
      'tfjs/dist/tf.min.js',
      'tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js',
      'tfjs-backend-wasm/dist/tf-backend-wasm.min.js',
    ]) {
      await new Promise((resolve, reject) => {
        const script = document.createElement('script');
        script.src = `${PACKAGES}${file}`;
        script.onload = resolve;
        script.onerror = () => reject(new Error(`${file} did not load`));
        document.head.append(script);
      });
    }
    const { tf } = window;
    tf!.wasm!.setWasmPaths(`${PACKAGES}tfjs-backend-wasm/dist/`);
    return tf!;
  })();
  return loading;
}

/** Swaps the first two of three dimensions: `[T,B,…]` to `[B,T,…]`. */
function batchFirst(data: Float32Array, T: number, B: number): Float32Array {
  const width = data.length / (T * B);
  const result = new Float32Array(data.length);
  for (let t = 0; t < T; t++) {
    for (let b = 0; b < B; b++) {
      result.set(data.subarray((t * B + b) * width, (t * B + b + 1) * width), (b * T + t) * width);
    }
  }
  return result;
}

export const createContender: CreateContender = async (backend, workload) => {
  const tf = await loadTensorFlow();
  if (workload.kind === 'training') return createTraining(tf, backend, workload);
  if (workload.kind === 'generation') return createGeneration(tf, backend, workload);
  throw new Error(`TensorFlow.js does not do ${workload.name}`);
};

/** Weights in the order and layouts of Keras' layers. */
function kerasWeights(tf: typeof TensorFlow, weights: Weights, numLayers: number): TensorFlow.Tensor[] {
  const tensor = ({ shape, data }: HostTensor): TensorFlow.Tensor => tf.tensor(data, shape as number[]);
  const list: TensorFlow.Tensor[] = [];
  const embedding = weights.get('embedding.weight');
  if (embedding) list.push(tensor(embedding));
  for (let index = 0; index < numLayers; index++) {
    list.push(tensor(transposed(weights.get(`rnn.weight_ih_l${index}`)!)));
    list.push(tensor(transposed(weights.get(`rnn.weight_hh_l${index}`)!)));
    // One bias stands for PyTorch's two.
    const [one, other] = ['ih', 'hh'].map((part) => weights.get(`rnn.bias_${part}_l${index}`)!.data);
    list.push(tf.tensor1d(one!.map((number, i) => number + other![i]!)));
  }
  const output = weights.get('output.weight');
  if (output) list.push(tensor(transposed(output)), tensor(weights.get('output.bias')!));
  return list;
}

/** A stateful model, one step a character, its next input chosen on the host from the logits. */
function createGeneration(tf: typeof TensorFlow, backend: string, workload: GenerationWorkload): Contender {
  const { vocabSize, embeddingSize, hiddenSize, numLayers } = workload;
  let model: TensorFlow.Sequential;

  async function begin(): Promise<number[]> {
    await tf.setBackend(backend);
    await tf.ready();
    model = tf.sequential();
    model.add(
      tf.layers.embedding({ inputDim: vocabSize, outputDim: embeddingSize, batchInputShape: [1, 1] }),
    );
    for (let index = 0; index < numLayers; index++) {
      model.add(
        tf.layers.lstm({
          units: hiddenSize,
          stateful: true,
          returnSequences: index < numLayers - 1,
          recurrentActivation: 'sigmoid',
          // Never used: the weights are given, and the default, orthogonal, takes minutes at this size.
          recurrentInitializer: 'zeros',
        }),
      );
    }
    model.add(tf.layers.dense({ units: vocabSize }));
    model.setWeights(kerasWeights(tf, createGenerationWeights(workload), numLayers));
    return run(FIRST_CHARACTERS);
  }

  async function run(length: number): Promise<number[]> {
    await tf.setBackend(backend);
    model.resetStates();
    const tokens: number[] = [];
    let token = PROMPT;
    for (let index = 0; index < length; index++) {
      const logits = tf.tidy(() => model.predict(tf.tensor2d([token], [1, 1])) as TensorFlow.Tensor);
      const numbers = (await logits.data()) as Float32Array;
      logits.dispose();
      token = numbers.indexOf(Math.max(...numbers));
      tokens.push(token);
    }
    return tokens.slice(0, FIRST_CHARACTERS);
  }

  return {
    begin,
    run,
    async dispose() {
      await tf.setBackend(backend);
      model.dispose();
    },
    get description() {
      return `TensorFlow.js ${tf.version_core} ${backend}, initializers without cost`;
    },
  };
}

/**
 * Every call switches to this contender's backend first: the library has one at a time. Where the two
 * backends race each other, tensors stay where they were made.
 */
function createTraining(tf: typeof TensorFlow, backend: string, workload: TrainingWorkload): Contender {
  const { cell, input, inputSize, hiddenSize, numLayers, vocabSize, predict, clipNorm } = workload;
  const { batchSize: B, sequenceLength: T, optimizer: kind, learningRate } = workload;
  if (cell !== 'lstm') throw new Error('only LSTM here: its GRU has other equations');
  const data = createData(workload);
  const weights = createWeights(workload);
  let model: TensorFlow.Sequential;
  let x: TensorFlow.Tensor;
  let targets: TensorFlow.Tensor | null = null;
  let building = 0;
  let step: () => TensorFlow.Scalar;

  async function begin(): Promise<number[]> {
    await tf.setBackend(backend);
    await tf.ready();
    model = tf.sequential();
    // The weights are given, so the default for the recurrent ones, orthogonal, has no effect but on the first
    // step, which it makes tens of seconds longer on software. It is there where that step is looked at.
    const initializer = workload.name === 'train-small' ? 'orthogonal' : 'zeros';
    const layers: TensorFlow.layers.Layer[] = [];
    if (input === 'embedding') {
      // As a product with one-hot rows: the layer `embedding` has no gradient on WebAssembly.
      layers.push(tf.layers.dense({ units: inputSize, useBias: false, inputShape: [T, vocabSize] }));
    }
    for (let index = 0; index < numLayers; index++) {
      layers.push(
        tf.layers.lstm({
          units: hiddenSize,
          returnSequences: predict === 'every' || index < numLayers - 1,
          recurrentActivation: 'sigmoid',
          recurrentInitializer: initializer,
          ...(layers.length === 0 ? { inputShape: [T, inputSize] } : {}),
        }),
      );
    }
    if (vocabSize > 0) layers.push(tf.layers.dense({ units: vocabSize }));
    const began = performance.now();
    for (const layer of layers) model.add(layer);
    for (const weight of model.getWeights()) await weight.data();
    building = performance.now() - began;
    model.setWeights(kerasWeights(tf, weights, numLayers));

    const features = input === 'embedding' ? oneHot(data.tokens, vocabSize) : data.features;
    const width = input === 'embedding' ? vocabSize : inputSize;
    // Float32 rows: int32 ones break a shader of this library on current Chromium.
    x = tf.tensor3d(batchFirst(features, T, B), [B, T, width]);
    if (vocabSize > 0) {
      const rows = oneHot(data.targets, vocabSize);
      targets = tf.tensor2d(predict === 'every' ? batchFirst(rows, T, B) : rows, [
        rows.length / vocabSize,
        vocabSize,
      ]);
    }
    const loss = (): TensorFlow.Scalar => {
      const predicted = model.apply(x, { training: true }) as TensorFlow.Tensor;
      if (!targets) return predicted.square().mean();
      return tf.losses.softmaxCrossEntropy(targets, predicted.reshape([-1, vocabSize])) as TensorFlow.Scalar;
    };
    const optimizer =
      kind === 'adam'
        ? tf.train.adam(learningRate, 0.9, 0.999, 1e-7)
        : kind === 'rmsprop'
          ? // Its epsilon is under the root: squared, it stands for the others' 1e-8.
            tf.train.rmsprop(learningRate, 0.9, 0, 1e-16)
          : tf.train.sgd(learningRate);
    step = () => {
      if (clipNorm === 0) return optimizer.minimize(loss, true)!;
      return tf.tidy(() => {
        const { value, grads } = tf.variableGrads(loss);
        const squares = Object.values(grads).map((gradient) => gradient.square().sum());
        const norm = tf.addN(squares).sqrt();
        const scale = tf.minimum(tf.div(clipNorm, norm.add(1e-6)), 1);
        optimizer.applyGradients(
          Object.fromEntries(Object.entries(grads).map(([name, gradient]) => [name, gradient.mul(scale)])),
        );
        return value;
      });
    };
    return run(1);
  }

  async function run(steps: number): Promise<number[]> {
    await tf.setBackend(backend);
    let loss = NaN;
    for (let index = 1; index <= steps; index++) {
      const cost = step();
      if (index === steps) [loss] = (await cost.data()) as unknown as [number];
      cost.dispose();
    }
    return [loss];
  }

  return {
    begin,
    run,
    async dispose() {
      await tf.setBackend(backend);
      model.dispose();
      x.dispose();
      targets?.dispose();
    },
    get description() {
      const seconds = (building / 1000).toFixed(1);
      return `TensorFlow.js ${tf.version_core} ${backend}; its first step has ${seconds} s of ${workload.name === 'train-small' ? 'default initializers' : 'initializers, without the default orthogonal one'}`;
    },
  };
}
