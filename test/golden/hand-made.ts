/** Golden files worked out by hand, so that the runner is tested where no others are at hand. */
import { writeSafetensors, type TensorData } from '../../src/index.js';

/** A golden file's parts, to be changed before they are written. */
export interface GoldenParts {
  readonly metadata: Map<string, string>;
  readonly config: Record<string, unknown>;
  readonly tensors: Map<string, TensorData>;
}

/** The bytes of a file. */
export function writeGolden({ metadata, config, tensors }: GoldenParts): Uint8Array {
  return writeSafetensors(tensors, new Map([...metadata, ['config', JSON.stringify(config)]]));
}

/**
 * `nn.RNN` with one unit, one input, two steps, one sequence: `h1 = tanh(w·x1 + u·h0 + b + d)`,
 * `h2 = tanh(w·x2 + u·h1 + b + d)`, and the gradients of `p1·h1 + p2·h2 + q·h2`, term by term.
 */
export function handMadeLayer(): GoldenParts {
  // Eighths and quarters: float32 holds them exactly.
  const [x1, x2, h0, w, u, b, d] = [0.5, -0.75, 0.25, 1.25, -0.5, 0.125, 0.375];
  const [p1, p2, q] = [1.5, -0.5, 2];
  const h1 = Math.tanh(w * x1 + u * h0 + b + d);
  const h2 = Math.tanh(w * x2 + u * h1 + b + d);
  const da2 = (p2 + q) * (1 - h2 * h2);
  const da1 = (p1 + u * da2) * (1 - h1 * h1);
  return {
    metadata: new Map([['format', 'rnn-golden-1']]),
    config: {
      kind: 'layer',
      cell: 'RNN',
      inputSize: 1,
      hiddenSize: 1,
      numLayers: 1,
      bidirectional: false,
      projSize: 0,
      nonlinearity: 'tanh',
      bias: true,
      T: 2,
      B: 1,
    },
    tensors: new Map([
      ['x', tensor([2, 1, 1], x1, x2)],
      ['h0', tensor([1, 1, 1], h0)],
      ['param.weight_ih_l0', tensor([1, 1], w)],
      ['param.weight_hh_l0', tensor([1, 1], u)],
      ['param.bias_ih_l0', tensor([1], b)],
      ['param.bias_hh_l0', tensor([1], d)],
      ['upstream.y', tensor([2, 1, 1], p1, p2)],
      ['upstream.hn', tensor([1, 1, 1], q)],
      ['y', tensor([2, 1, 1], h1, h2)],
      ['hn', tensor([1, 1, 1], h2)],
      ['grad.x', tensor([2, 1, 1], w * da1, w * da2)],
      ['grad.h0', tensor([1, 1, 1], u * da1)],
      ['grad.weight_ih_l0', tensor([1, 1], da1 * x1 + da2 * x2)],
      ['grad.weight_hh_l0', tensor([1, 1], da1 * h0 + da2 * h1)],
      ['grad.bias_ih_l0', tensor([1], da1 + da2)],
      ['grad.bias_hh_l0', tensor([1], da1 + da2)],
    ]),
  };
}

/**
 * One SGD step of a model whose recurrent weights are all zero: the hidden state is zero, so are the
 * logits' weights' gradients, and the loss is that of the output's bias alone: softmax over two tokens.
 */
export function handMadeTraining(): GoldenParts {
  const [bias0, bias1, learningRate] = [0.5, -0.25, 0.125];
  const probability1 = 1 / (1 + Math.exp(bias0 - bias1));
  // The target is token 1 at the one step of the one sequence.
  const gradient1 = probability1 - 1;
  const weights: [string, TensorData][] = [
    ['embedding.weight', tensor([2, 1], 0.5, -0.5)],
    ['rnn.weight_ih_l0', tensor([1, 1], 0)],
    ['rnn.weight_hh_l0', tensor([1, 1], 0)],
    ['rnn.bias_ih_l0', tensor([1], 0)],
    ['rnn.bias_hh_l0', tensor([1], 0)],
    ['output.weight', tensor([2, 1], 0, 0)],
  ];
  return {
    metadata: new Map([['format', 'rnn-golden-1']]),
    config: {
      kind: 'train',
      cell: 'RNN',
      vocabSize: 2,
      embeddingSize: 1,
      hiddenSize: 1,
      numLayers: 1,
      B: 1,
      T: 1,
      steps: 1,
      optimizer: 'sgd',
      learningRate,
      clipNorm: 100,
      carryState: true,
    },
    tensors: new Map([
      ...weights.map(([name, data]) => [`param.${name}`, data] as const),
      ...weights.map(([name, data]) => [`final.${name}`, data] as const),
      ['param.output.bias', tensor([2], bias0, bias1)],
      ['final.output.bias', tensor([2], bias0 + learningRate * gradient1, bias1 - learningRate * gradient1)],
      ['inputs', { shape: [1, 1, 1], data: new Int32Array([0]) }],
      ['targets', { shape: [1, 1, 1], data: new Int32Array([1]) }],
      ['losses', tensor([1], -Math.log(probability1))],
      ['gradNorms', tensor([1], Math.SQRT2 * Math.abs(gradient1))],
    ]),
  };
}

/**
 * One label in two steps of two classes: every path gives it but that of two blanks, of probability `q1·q2`, so
 * the loss is `−ln(1 − q1·q2)`.
 */
export function handMadeCtc(): GoldenParts {
  const [blank1, label1, blank2, label2] = [0.5, -0.25, 0.125, 1];
  const q1 = 1 / (1 + Math.exp(label1 - blank1));
  const q2 = 1 / (1 + Math.exp(label2 - blank2));
  const ratio = (q1 * q2) / (1 - q1 * q2);
  const [d1, d2] = [ratio * (1 - q1), ratio * (1 - q2)];
  return {
    metadata: new Map([['format', 'rnn-golden-1']]),
    config: { kind: 'ctc', T: 2, B: 1, classes: 2, blank: 0, zeroInfinity: true },
    tensors: new Map<string, TensorData>([
      ['logits', tensor([2, 1, 2], blank1, label1, blank2, label2)],
      ['targets', { shape: [1, 1], data: new Int32Array([1]) }],
      ['inputLengths', { shape: [1], data: new Int32Array([2]) }],
      ['targetLengths', { shape: [1], data: new Int32Array([1]) }],
      ['loss', tensor([1], -Math.log(1 - q1 * q2))],
      ['grad.logits', tensor([2, 1, 2], d1, -d1, d2, -d2)],
    ]),
  };
}

/** A float32 tensor of these numbers. */
export function tensor(shape: readonly number[], ...numbers: readonly number[]): TensorData {
  return { shape, data: Float32Array.from(numbers) };
}
