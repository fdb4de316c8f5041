/** What is measured: sizes of each workload, the work in it, and the least memory and traffic it can do with. */

/** A training step: forward, loss, backward, clipping, update. */
export interface TrainingWorkload {
  readonly kind: 'training';
  readonly name: string;
  readonly cell: 'lstm' | 'gru';
  /** `embedding`: tokens through a table; `one-hot`: tokens as float32 rows of V; `dense`: float32 features. */
  readonly input: 'embedding' | 'one-hot' | 'dense';
  /** D: features that enter the first layer. V for `one-hot`. */
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly batchSize: number;
  readonly sequenceLength: number;
  /** V: classes of the output; 0 where there is none and the loss is the mean square of the layer's output. */
  readonly vocabSize: number;
  /** Whether the output layer reads every step or the last one. */
  readonly predict: 'every' | 'last';
  readonly optimizer: 'adam' | 'rmsprop' | 'sgd';
  readonly learningRate: number;
  /** Global norm; 0 for no clipping. */
  readonly clipNorm: number;
  /** Minutes a step on software adapters: only on a GPU, or by name. */
  readonly large: boolean;
}

/** Text written a character at a time, B = 1, greedily. A unit is a character. */
export interface GenerationWorkload {
  readonly kind: 'generation';
  readonly name: string;
  readonly vocabSize: number;
  readonly embeddingSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly large: boolean;
}

/** How many characters contenders must agree on; the first unit of a generation writes so many. */
export const FIRST_CHARACTERS = 16;

/** `count` products `[m,k]·[k,n]`, one after another. */
export interface ProductWorkload {
  readonly kind: 'product';
  readonly name: string;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly count: number;
  readonly large: boolean;
}

/** CTC loss and its gradient with respect to log probabilities. */
export interface CtcWorkload {
  readonly kind: 'ctc';
  readonly name: string;
  readonly batchSize: number;
  readonly sequenceLength: number;
  readonly classes: number;
  readonly labels: number;
  readonly large: boolean;
}

export type Workload = TrainingWorkload | GenerationWorkload | ProductWorkload | CtcWorkload;

type LayerSizes = Pick<TrainingWorkload, 'hiddenSize' | 'batchSize' | 'sequenceLength'> &
  Partial<TrainingWorkload>;

/** One recurrent layer alone, as DeepBench and FlashRNN time it. */
function layer(name: string, sizes: LayerSizes): TrainingWorkload {
  return {
    kind: 'training',
    name,
    cell: 'lstm',
    input: 'dense',
    inputSize: sizes.hiddenSize,
    numLayers: 1,
    vocabSize: 0,
    predict: 'every',
    optimizer: 'sgd',
    learningRate: 1e-3,
    clipNorm: 0,
    large: true,
    ...sizes,
  };
}

/** A character or word model. */
function model(
  name: string,
  sizes: LayerSizes & Pick<TrainingWorkload, 'input' | 'inputSize' | 'vocabSize'>,
): TrainingWorkload {
  return {
    ...layer(name, sizes),
    optimizer: 'adam',
    learningRate: 2e-3,
    large: false,
    ...sizes,
  };
}

const DEEPBENCH = [
  ...[16, 64].map((batchSize) => ({
    cell: 'lstm' as const,
    hiddenSize: 256,
    sequenceLength: 150,
    batchSize,
  })),
  ...[512, 1024].flatMap((hiddenSize) =>
    [16, 32, 64, 128].map((batchSize) => ({
      cell: 'lstm' as const,
      hiddenSize,
      sequenceLength: 25,
      batchSize,
    })),
  ),
  { cell: 'gru' as const, hiddenSize: 1024, sequenceLength: 25, batchSize: 32 },
];

/** Every workload by the name one asks for; some names stand for several. */
export const WORKLOADS: Readonly<Record<string, readonly Workload[]>> = {
  // The size that demos in browsers use.
  'train-small': [
    model('train-small', {
      input: 'embedding',
      inputSize: 64,
      hiddenSize: 128,
      batchSize: 32,
      sequenceLength: 64,
      vocabSize: 65,
    }),
  ],
  // The default of karpathy/char-rnn.
  'train-charrnn': [
    model('train-charrnn', {
      input: 'one-hot',
      inputSize: 65,
      hiddenSize: 128,
      numLayers: 2,
      batchSize: 50,
      sequenceLength: 50,
      vocabSize: 65,
      optimizer: 'rmsprop',
      clipNorm: 5,
    }),
  ],
  // TensorFlow.js' example lstm-text-generation.
  'train-keras': [
    model('train-keras', {
      input: 'one-hot',
      inputSize: 65,
      hiddenSize: 128,
      batchSize: 128,
      sequenceLength: 40,
      vocabSize: 65,
      predict: 'last',
      optimizer: 'rmsprop',
      learningRate: 1e-2,
    }),
  ],
  // The large setting of char-rnn.
  'train-large': [
    model('train-large', {
      input: 'one-hot',
      inputSize: 65,
      hiddenSize: 512,
      numLayers: 2,
      batchSize: 50,
      sequenceLength: 50,
      vocabSize: 65,
      optimizer: 'rmsprop',
      clipNorm: 5,
      large: true,
    }),
  ],
  // The medium model of Zaremba et al., 2014.
  'train-ptb': [
    model('train-ptb', {
      input: 'embedding',
      inputSize: 650,
      hiddenSize: 650,
      numLayers: 2,
      batchSize: 20,
      sequenceLength: 35,
      vocabSize: 10_000,
      optimizer: 'sgd',
      learningRate: 1,
      clipNorm: 5,
      large: true,
    }),
  ],
  // Baidu DeepBench, the recurrent layers that fit a browser.
  deepbench: DEEPBENCH.map((sizes) =>
    layer(
      `deepbench ${sizes.cell} H ${sizes.hiddenSize} T ${sizes.sequenceLength} B ${sizes.batchSize}`,
      sizes,
    ),
  ),
  // FlashRNN's shape.
  long: [layer('long', { hiddenSize: 64, batchSize: 16, sequenceLength: 1024 })],
  generate: [
    { size: 256, layers: 1, large: false },
    { size: 512, layers: 2, large: false },
  ].map(({ size, layers, large }) => ({
    kind: 'generation' as const,
    name: `generate ${layers}×${size}`,
    vocabSize: 65,
    embeddingSize: 64,
    hiddenSize: size,
    numLayers: layers,
    large,
  })),
  matmul: [{ kind: 'product', name: 'matmul 512×512×192', m: 512, k: 192, n: 512, count: 8, large: false }],
  ctc: [
    {
      kind: 'ctc',
      name: 'ctc',
      batchSize: 32,
      sequenceLength: 200,
      classes: 29,
      labels: 40,
      large: false,
    },
  ],
};

/** Gates of a cell: row blocks of its weights. */
export function gatesOf(cell: TrainingWorkload['cell']): number {
  return cell === 'lstm' ? 4 : 3;
}

/**
 * Floating-point operations of a unit of work, a multiplication and an addition counting as two. A training
 * step is 6 operations a weight, step of time and sequence: 2 forward and 4 backward (24·B·T·H·(D+H) for an
 * LSTM's layer). Where the first layer looks its input up, its input product needs none (D = 0): one-hot
 * input, and an embedding whose product with the weights is made once a word where V < B·T. Here an embedding
 * counts with its D, as all contenders may multiply it out; {@link tableFlops} is without.
 */
export function flopsOf(workload: Workload): number {
  switch (workload.kind) {
    case 'training':
      return trainingFlops(workload, workload.input === 'one-hot' ? 0 : workload.inputSize);
    case 'generation': {
      const { embeddingSize, hiddenSize, numLayers, vocabSize } = workload;
      const first = 8 * hiddenSize * (embeddingSize + hiddenSize);
      return first + (numLayers - 1) * 16 * hiddenSize * hiddenSize + 2 * hiddenSize * vocabSize;
    }
    case 'product':
      return 2 * workload.m * workload.k * workload.n * workload.count;
    case 'ctc':
      // Not products but logarithms and exponentials: no figure would mean much.
      return 0;
  }
}

/** The same, where the first layer's input product is a table lookup. */
export function tableFlops(workload: TrainingWorkload): number {
  return trainingFlops(workload, workload.input === 'dense' ? workload.inputSize : 0);
}

function trainingFlops(workload: TrainingWorkload, inputSize: number): number {
  const { cell, batchSize: B, sequenceLength: T, hiddenSize: H, numLayers, vocabSize, predict } = workload;
  const perUnit = 6 * gatesOf(cell) * B * T * H;
  const layers = perUnit * (inputSize + H) + (numLayers - 1) * perUnit * 2 * H;
  return layers + 6 * B * (predict === 'every' ? T : 1) * H * vocabSize;
}

/** Numbers in all parameters, PyTorch's two biases a layer among them. */
export function parameterCount(workload: TrainingWorkload): number {
  const { cell, input, inputSize, hiddenSize: H, numLayers, vocabSize } = workload;
  let count = input === 'embedding' ? vocabSize * inputSize : 0;
  for (let index = 0; index < numLayers; index++) {
    count += gatesOf(cell) * H * ((index === 0 ? inputSize : H) + H + 2);
  }
  return count + (vocabSize > 0 ? vocabSize * (H + 1) : 0);
}

const MOMENTS = { adam: 2, rmsprop: 1, sgd: 0 } as const;

/**
 * The least bytes that a training step must have alive at once, in float32, without computing anything twice.
 *
 * Always: parameters, the optimizer's moments, and what the step is fed (a token is 4 bytes, so is a target).
 * Of each layer: the gates, over which backward writes their gradients; the h sequence and, for an LSTM, the
 * c sequence, each with the state before the first step. A GRU also keeps the recurrent part of n. Two
 * moments of the step compete:
 * - the loss: all of that, and the logits, over which their gradients are written. Gradients of weights do
 *   not exist yet, but for the loss' own;
 * - the last weight gradients, those of the first layer: gates and h of that layer, and all gradients, for
 *   the global norm needs them together. Logits, c and the layers above are dead by then.
 */
export function leastBytes(workload: TrainingWorkload): number {
  const { cell, input, inputSize, hiddenSize: H, numLayers, vocabSize, predict } = workload;
  const { batchSize: B, sequenceLength: T, optimizer } = workload;
  const parameters = parameterCount(workload);
  const fed = input === 'embedding' ? B * T : B * T * inputSize;
  const targets = vocabSize > 0 ? B * (predict === 'every' ? T : 1) : 0;
  const always = parameters * (1 + MOMENTS[optimizer]) + fed + targets;
  const gates = T * B * H * 4;
  const states = (T + 1) * B * H;
  const layer = gates + states * (cell === 'lstm' ? 2 : 1);
  const logits = vocabSize * B * (predict === 'every' ? T : 1);
  const atLoss = always + numLayers * layer + logits;
  const atGradients = always + parameters + gates + states;
  return 4 * Math.max(atLoss, atGradients);
}

/**
 * The least bytes that a training step reads and writes, in float32: 2·T·16H² a layer where the recurrent
 * weight of an LSTM is read again each step, forward and backward, and about 88·B·T·H for its sequences.
 */
export function leastTraffic({
  cell,
  hiddenSize: H,
  batchSize: B,
  sequenceLength: T,
  numLayers,
}: TrainingWorkload): number {
  const share = gatesOf(cell) / 4;
  return numLayers * share * (2 * T * 16 * H * H + 88 * B * T * H);
}
