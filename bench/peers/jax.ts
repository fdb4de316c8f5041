/** jax-js: the LSTM's equations in arrays, unrolled over time, differentiated and compiled by `jit`. */
import * as jax from '@jax-js/jax';
import { nn, numpy as np } from '@jax-js/jax';
import type { Contender, CreateContender } from '../contender.js';
import { createData, createWeights, oneHot, isTrained } from '../data.js';
import type { TrainingWorkload } from '../workloads.js';

type Tensor = np.Array;
type Tensors = Record<string, Tensor>;

export const createContender: CreateContender = async (backend, workload) => {
  if (workload.kind === 'training') return createTraining(backend as 'webgpu' | 'wasm', workload);
  throw new Error(`jax-js does not do ${workload.name}`);
};

function createTraining(device: 'webgpu' | 'wasm', workload: TrainingWorkload): Contender {
  const { cell, input, inputSize, numLayers, vocabSize, predict, clipNorm } = workload;
  const { batchSize: B, sequenceLength: T, optimizer, learningRate } = workload;
  if (cell !== 'lstm') throw new Error('only LSTM here');
  const data = createData(workload);
  const weights = createWeights(workload);
  const names = [...weights.keys()];

  /** Takes ownership of what it is given, as all functions of this library do. */
  function lossOf(p: Tensors, x: Tensor, targets: Tensor): Tensor {
    let rows = x;
    if (input === 'embedding') rows = np.matmul(rows, p['embedding.weight']!.ref);
    let sequence: Tensor[] = [];
    for (let layer = 0; layer < numLayers; layer++) {
      const bias = p[`rnn.bias_ih_l${layer}`]!.ref.add(p[`rnn.bias_hh_l${layer}`]!.ref);
      const weight = np.transpose(p[`rnn.weight_ih_l${layer}`]!.ref);
      if (layer > 0) rows = np.concatenate(sequence, 0);
      // The input's product for all steps at once, then a step at a time.
      const steps = np.split(np.matmul(rows, weight).add(bias), T, 0);
      const recurrent = np.transpose(p[`rnn.weight_hh_l${layer}`]!.ref);
      let h: Tensor | null = null;
      let c: Tensor | null = null;
      sequence = steps.map((fromInput): Tensor => {
        const sums: Tensor = h ? fromInput.add(np.matmul(h, recurrent.ref)) : fromInput;
        const [i, f, g, o] = np.split(sums, 4, 1) as [Tensor, Tensor, Tensor, Tensor];
        const fresh: Tensor = nn.sigmoid(i).mul(np.tanh(g));
        if (c) c = nn.sigmoid(f).mul(c).add(fresh);
        else {
          f.dispose();
          c = fresh;
        }
        const out: Tensor = nn.sigmoid(o).mul(np.tanh(c.ref));
        h = out.ref;
        return out;
      });
      (h as Tensor | null)?.dispose();
      (c as Tensor | null)?.dispose();
      recurrent.dispose();
    }
    const unread = predict === 'last' ? sequence.slice(0, -1) : [];
    for (const step of unread) step.dispose();
    const read = predict === 'last' ? sequence.at(-1)! : np.concatenate(sequence, 0);
    let loss: Tensor;
    if (vocabSize === 0) {
      loss = np.mean(np.square(read));
      targets.dispose();
    } else {
      const logits = np.matmul(read, np.transpose(p['output.weight']!.ref)).add(p['output.bias']!.ref);
      const count = B * (predict === 'every' ? T : 1);
      loss = np.sum(nn.logSoftmax(logits, 1).mul(targets)).mul(-1 / count);
    }
    for (const name of names) p[name]!.dispose();
    return loss;
  }

  const lossAndGradients = jax.valueAndGrad(lossOf);

  /** A whole step: loss, gradients, clipping, update. `scalars` are the learning rate's and Adam's factors. */
  function stepOf(
    p: Tensors,
    m: Tensors,
    v: Tensors,
    scalars: Tensor,
    x: Tensor,
    targets: Tensor,
  ): [Tensor, Tensors, Tensors, Tensors] {
    const refs = Object.fromEntries(names.map((name) => [name, p[name]!.ref]));
    const [loss, gradients] = lossAndGradients(refs, x, targets) as unknown as [Tensor, Tensors];
    let scale: Tensor | null = null;
    if (clipNorm > 0) {
      let squares: Tensor | null = null;
      for (const name of names.filter(isTrained)) {
        const square = np.sum(np.square(gradients[name]!.ref));
        squares = squares ? (squares as Tensor).add(square) : square;
      }
      scale = np.minimum(np.divide(clipNorm, np.sqrt(squares!).add(1e-6)), 1);
    }
    const newP: Tensors = {};
    const newM: Tensors = {};
    const newV: Tensors = {};
    const [first, second] = np.split(scalars, 2, 0) as [Tensor, Tensor];
    for (const name of names) {
      let g: Tensor = gradients[name]!;
      if (!isTrained(name)) {
        g.dispose();
        [newP[name], newM[name], newV[name]] = [p[name]!, m[name]!, v[name]!];
        continue;
      }
      if (scale) g = g.mul(scale.ref);
      if (optimizer === 'sgd') {
        newP[name] = p[name]!.sub(g.mul(learningRate));
        newM[name] = m[name]!;
        newV[name] = v[name]!;
        continue;
      }
      const adam = optimizer === 'adam';
      const decay = adam ? 0.999 : 0.9;
      newV[name] = v[name]!.mul(decay).add(np.square(g.ref).mul(1 - decay));
      if (adam) {
        newM[name] = m[name]!.mul(0.9).add(g.mul(0.1));
        const root = np.sqrt(newV[name].ref.mul(second.ref)).add(1e-7);
        newP[name] = p[name]!.sub(newM[name].ref.mul(first.ref).div(root));
      } else {
        newM[name] = m[name]!;
        newP[name] = p[name]!.sub(g.mul(learningRate).div(np.sqrt(newV[name].ref).add(1e-8)));
      }
    }
    scale?.dispose();
    first.dispose();
    second.dispose();
    return [loss, newP, newM, newV];
  }

  const compiled = jax.jit(stepOf);
  let p: Tensors = {};
  let m: Tensors = {};
  let v: Tensors = {};
  let x: Tensor;
  let targets: Tensor;
  let steps = 0;

  const array = (numbers: Float32Array, shape: readonly number[]): Tensor =>
    np.array(numbers as Float32Array<ArrayBuffer>, { shape: [...shape], device });

  async function begin(): Promise<number[]> {
    await jax.init(device);
    jax.defaultDevice(device);
    for (const [name, { shape, data: numbers }] of weights) {
      p[name] = array(numbers, shape);
      const small = optimizer === 'adam' ? shape : [1];
      m[name] = np.zeros([...small], { device });
      v[name] = np.zeros([...(optimizer === 'sgd' ? [1] : shape)], { device });
    }
    const width = input === 'embedding' ? vocabSize : inputSize;
    const features = input === 'embedding' ? oneHot(data.tokens, vocabSize) : data.features;
    x = array(features, [T * B, width]);
    const rows = vocabSize > 0 ? oneHot(data.targets, vocabSize) : new Float32Array(1);
    targets = array(rows, vocabSize > 0 ? [rows.length / vocabSize, vocabSize] : [1]);
    return run(1);
  }

  async function run(count: number): Promise<number[]> {
    jax.defaultDevice(device);
    let loss = NaN;
    for (let index = 1; index <= count; index++) {
      steps++;
      const scalars = Float32Array.of(learningRate / (1 - 0.9 ** steps), 1 / (1 - 0.999 ** steps));
      const result = compiled(p, m, v, array(scalars, [2]), x.ref, targets.ref) as unknown as [
        Tensor,
        Tensors,
        Tensors,
        Tensors,
      ];
      p = result[1];
      m = result[2];
      v = result[3];
      if (index === count) {
        [loss] = (await result[0].data()) as unknown as [number];
        await jax.blockUntilReady(p);
      } else result[0].dispose();
    }
    return [loss];
  }

  return {
    begin,
    run,
    async dispose() {
      for (const name of names) {
        p[name]?.dispose();
        m[name]?.dispose();
        v[name]?.dispose();
      }
      x.dispose();
      targets.dispose();
    },
    get description() {
      return `jax-js 0.1.25 ${device}`;
    },
  };
}
