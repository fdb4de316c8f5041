/** The settings as a table: label, kind, bounds, a line that explains each, and the papers it comes from. */
import type { Settings } from './protocol.js';

/** A published source. */
export interface Paper {
  readonly name: string;
  readonly url: string;
}

/** One setting of the form. */
export interface Control {
  readonly name: keyof Settings;
  readonly label: string;
  readonly hint: string;
  readonly papers?: readonly Paper[];
  /** A choice of values with labels, or a number. */
  readonly choices?: readonly (readonly [value: string, label: string])[];
  readonly min?: number;
  readonly max?: number;
  /** Whole numbers, unless `any`. */
  readonly step?: 'any';
}

/** Settings that belong together. */
export interface ControlGroup {
  readonly title: string;
  /** Shown from the start, or folded away. */
  readonly open: boolean;
  readonly controls: readonly Control[];
}

const arxiv = (name: string, id: string): Paper => ({ name, url: `https://arxiv.org/abs/${id}` });
const doi = (name: string, id: string): Paper => ({ name, url: `https://doi.org/${id}` });

export const CONTROL_GROUPS: readonly ControlGroup[] = [
  {
    title: 'Network',
    open: true,
    controls: [
      {
        name: 'cell',
        label: 'Cell',
        hint: 'What carries the memory: an LSTM gates it most finely, a GRU with fewer weights, a plain RNN not at all.',
        papers: [
          doi('Hochreiter & Schmidhuber 1997', '10.1162/neco.1997.9.8.1735'),
          arxiv('Cho et al. 2014', '1406.1078'),
          doi('Elman 1990', '10.1207/s15516709cog1402_1'),
        ],
        choices: [
          ['lstm', 'LSTM'],
          ['gru', 'GRU'],
          ['rnn', 'RNN (tanh)'],
        ],
      },
      {
        name: 'hiddenSize',
        label: 'Hidden size',
        hint: 'Units of memory in a layer. Twice as many cost about four times the work.',
        papers: [arxiv('Karpathy et al. 2015', '1506.02078')],
        min: 1,
      },
      {
        name: 'numLayers',
        label: 'Layers',
        hint: 'Each layer reads what the one below has made of the text.',
        papers: [arxiv('Graves 2013', '1308.0850')],
        min: 1,
      },
      {
        name: 'embeddingSize',
        label: 'Embedding size',
        hint: 'How many numbers stand for one character before the network reads it.',
        papers: [{ name: 'Bengio et al. 2003', url: 'https://www.jmlr.org/papers/v3/bengio03a.html' }],
        min: 1,
      },
      {
        name: 'dropout',
        label: 'Dropout',
        hint: 'Part of each layer’s output left out at random while training, against learning by heart.',
        papers: [arxiv('Zaremba et al. 2014', '1409.2329')],
        min: 0,
        max: 0.95,
        step: 'any',
      },
    ],
  },
  {
    title: 'Training',
    open: true,
    controls: [
      { name: 'steps', label: 'Steps', hint: 'Updates of all weights. You may stop at any one.', min: 1 },
      {
        name: 'learningRate',
        label: 'Learning rate',
        hint: 'How far an update goes. You can change it while the network trains.',
        papers: [arxiv('Smith 2015', '1506.01186')],
        min: 0,
        step: 'any',
      },
      {
        name: 'batchSize',
        label: 'Batch size',
        hint: 'Stretches of text read side by side: more make steadier steps and take more memory.',
        papers: [arxiv('Keskar et al. 2016', '1609.04836')],
        min: 1,
      },
      {
        name: 'sequenceLength',
        label: 'Sequence length',
        hint: 'Characters that a gradient reaches back; the state itself goes on beyond.',
        papers: [doi('Williams & Peng 1990', '10.1162/neco.1990.2.4.490')],
        min: 1,
      },
      {
        name: 'backend',
        label: 'Runs on',
        hint: 'WebGPU where there is a GPU; the CPU does the same sums anywhere, more slowly.',
        choices: [
          ['webgpu', 'WebGPU'],
          ['cpu', 'CPU'],
        ],
      },
    ],
  },
  {
    title: 'More training settings',
    open: false,
    controls: [
      {
        name: 'optimizer',
        label: 'Optimizer',
        hint: 'How gradients become updates. Adam needs the least care; SGD has momentum 0.9 and wants a rate near 1; Lion one near 0.0003.',
        papers: [
          arxiv('Adam: Kingma & Ba 2014', '1412.6980'),
          arxiv('AdamW: Loshchilov & Hutter 2017', '1711.05101'),
          { name: 'NAdam: Dozat 2016', url: 'https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ' },
          arxiv('RMSprop: Graves 2013', '1308.0850'),
          arxiv('Lion: Chen et al. 2023', '2302.06675'),
        ],
        choices: [
          ['adam', 'Adam'],
          ['adamw', 'AdamW'],
          ['nadam', 'NAdam'],
          ['rmsprop', 'RMSprop'],
          ['sgd', 'SGD'],
          ['lion', 'Lion'],
        ],
      },
      {
        name: 'clipNorm',
        label: 'Clip gradients at norm',
        hint: 'Longer gradients are shortened to this, so that none throws the weights off; 0 for no clipping.',
        papers: [arxiv('Pascanu et al. 2012', '1211.5063')],
        min: 0,
        step: 'any',
      },
      {
        name: 'seed',
        label: 'Seed',
        hint: 'The same seed and settings give the same run again on the same device.',
        min: 0,
      },
      {
        name: 'validationFraction',
        label: 'Part held out',
        hint: 'From the end of the text, never trained on. Where its loss rises, the network learns by heart.',
        papers: [{ name: 'Prechelt 1998', url: 'https://doi.org/10.1007/3-540-49430-8_3' }],
        min: 0,
        max: 0.9,
        step: 'any',
      },
      {
        name: 'validateEvery',
        label: 'Validate every … steps',
        hint: '0 for once, at the end.',
        min: 0,
      },
    ],
  },
  {
    title: 'Samples',
    open: false,
    controls: [
      {
        name: 'sampleEvery',
        label: 'Sample every … steps',
        hint: 'Training waits while the network writes; 0 for once, at the end.',
        min: 0,
      },
      { name: 'sampleLength', label: 'Sample length', hint: 'Characters.', min: 1 },
      {
        name: 'temperature',
        label: 'Temperature',
        hint: 'Below 1 the network plays safe, above 1 it gambles; 0 always takes the likeliest character.',
        papers: [doi('Ackley et al. 1985', '10.1207/s15516709cog0901_7')],
        min: 0,
        step: 'any',
      },
      {
        name: 'topK',
        label: 'Top-k',
        hint: 'Choose among so many likeliest characters; 0 for all.',
        papers: [arxiv('Fan et al. 2018', '1805.04833')],
        min: 0,
      },
      {
        name: 'topP',
        label: 'Top-p',
        hint: 'Choose among the likeliest that together reach this probability; 1 for all.',
        papers: [arxiv('Holtzman et al. 2019', '1904.09751')],
        min: 0,
        max: 1,
        step: 'any',
      },
    ],
  },
];

/** Settings that have proved good, to begin from. */
export const PRESETS: readonly {
  readonly name: string;
  readonly about: string;
  readonly settings: Partial<Settings>;
}[] = [
  {
    name: 'Quick look',
    about: 'Words appear within a few hundred steps, on any machine.',
    settings: { cell: 'lstm', hiddenSize: 128, numLayers: 1, steps: 500 },
  },
  {
    name: 'For a GPU',
    about: 'Good text in a few minutes on a graphics card.',
    settings: {
      cell: 'lstm',
      hiddenSize: 512,
      numLayers: 1,
      batchSize: 64,
      sequenceLength: 128,
      steps: 3000,
      sampleLength: 400,
      validateEvery: 250,
    },
  },
  {
    name: 'char-rnn',
    about: 'The sizes of Karpathy’s well-known program: two layers of 128, RMSprop, 50 characters.',
    settings: {
      cell: 'lstm',
      hiddenSize: 128,
      numLayers: 2,
      batchSize: 50,
      sequenceLength: 50,
      optimizer: 'rmsprop',
      learningRate: 0.002,
      steps: 2000,
    },
  },
  {
    name: 'Lean GRU',
    about: 'Small and fast: for a phone, or for the CPU.',
    settings: {
      cell: 'gru',
      hiddenSize: 64,
      embeddingSize: 32,
      batchSize: 16,
      sequenceLength: 48,
      learningRate: 0.005,
      steps: 400,
    },
  },
];
