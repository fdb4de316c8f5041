/** The options of the headless command: one table for parsing, checking and the help. */
import { DEFAULT_SETTINGS, type Settings } from '../characters/protocol.js';
import type { AdapterChoice } from '../../scripts/browser.js';

/** A command line that cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the command line asks for. */
export interface Command {
  readonly text: string;
  readonly out: string;
  readonly adapter: AdapterChoice;
  readonly json: boolean;
  readonly settings: Settings;
}

/** What a value must be: one of a few words, or a number. */
type Kind =
  | { readonly choices: readonly string[] }
  | { readonly whole: true; readonly min: number }
  | {
      readonly whole: false;
      readonly min: number;
      readonly above?: true;
      readonly below?: number;
      readonly max?: number;
    };

interface Option {
  readonly setting: keyof Settings;
  readonly kind: Kind;
  readonly help: string;
}

const size: Kind = { whole: true, min: 1 };
const count: Kind = { whole: true, min: 0 };
const real: Kind = { whole: false, min: 0 };

const SETTINGS: Readonly<Record<string, Option>> = {
  cell: { setting: 'cell', kind: { choices: ['lstm', 'gru', 'rnn'] }, help: 'kind of network' },
  hidden: { setting: 'hiddenSize', kind: size, help: 'hidden size' },
  layers: { setting: 'numLayers', kind: size, help: 'recurrent layers' },
  dropout: {
    setting: 'dropout',
    kind: { whole: false, min: 0, below: 1 },
    help: 'part of each layer’s output left out while training',
  },
  embedding: { setting: 'embeddingSize', kind: size, help: 'embedding size' },
  batch: { setting: 'batchSize', kind: size, help: 'stretches of text read side by side' },
  seq: { setting: 'sequenceLength', kind: size, help: 'characters of each a step' },
  steps: { setting: 'steps', kind: size, help: 'updates to make' },
  optimizer: {
    setting: 'optimizer',
    kind: { choices: ['adam', 'adamw', 'nadam', 'rmsprop', 'sgd', 'lion'] },
    help: 'what makes updates of gradients',
  },
  lr: { setting: 'learningRate', kind: { whole: false, min: 0, above: true }, help: 'learning rate' },
  clip: { setting: 'clipNorm', kind: real, help: 'clip gradients at this global norm; 0 for no clipping' },
  seed: { setting: 'seed', kind: count, help: 'makes a run repeat' },
  temperature: { setting: 'temperature', kind: real, help: 'of samples; 0 takes the likeliest' },
  'top-k': { setting: 'topK', kind: count, help: 'of samples: only so many likeliest characters; 0 for all' },
  'top-p': {
    setting: 'topP',
    kind: { whole: false, min: 0, above: true, max: 1 },
    help: 'of samples: only the likeliest that reach this probability together',
  },
  validation: {
    setting: 'validationFraction',
    kind: { whole: false, min: 0, below: 1 },
    help: 'part of the text held out, from its end',
  },
  'validate-every': { setting: 'validateEvery', kind: count, help: 'steps; 0 for at the end only' },
  'sample-every': { setting: 'sampleEvery', kind: count, help: 'steps; 0 for at the end only' },
  'sample-length': { setting: 'sampleLength', kind: size, help: 'characters of a sample' },
  backend: { setting: 'backend', kind: { choices: ['webgpu', 'cpu'] }, help: 'what computes' },
};

const ADAPTERS = ['auto', 'gpu', 'swiftshader'] as const;

/** What `--help` prints. */
export function usage(): string {
  const rows = Object.entries(SETTINGS).map(([name, { setting, kind, help }]): [string, string] => {
    const value = 'choices' in kind ? kind.choices.join('|') : kind.whole ? 'N' : 'X';
    return [`--${name} ${value}`, `${help} (${DEFAULT_SETTINGS[setting]})`];
  });
  rows.unshift(['--text FILE', 'the text to learn, in UTF-8']);
  rows.push(
    [
      '--adapter auto|gpu|swiftshader',
      'which adapter the browser gives WebGPU: a GPU, or the software one (auto)',
    ],
    ['--out FOLDER', 'where model.safetensors, loss.png, history.json and history.csv go (out)'],
    ['--json', 'close with one line of JSON on standard output; all else goes to standard error'],
    ['--help', 'this list'],
  );
  const width = Math.max(...rows.map(([option]) => option.length));
  return [
    'npm start -- --headless --text FILE [options]',
    'Trains the demo’s character model in a browser without a window. Ctrl-C stops at a step boundary',
    'and still writes everything; a second one quits at once.',
    '',
    ...rows.map(([option, help]) => `  ${option.padEnd(width)}  ${help}`),
    '',
    'Exit status: 0 done, 1 failed, 2 wrong options, 130 stopped by Ctrl-C.',
    '',
  ].join('\n');
}

/**
 * Reads a command line; `null` when it asks for help.
 * @throws UsageError that names the option and what it takes
 */
export function parseCommand(args: readonly string[]): Command | null {
  const values = new Map<string, string>();
  let json = false;
  for (let index = 0; index < args.length; index++) {
    const [, name, attached] = /^--([^=]+)(?:=(.*))?$/s.exec(args[index]!) ?? [];
    if (name === undefined) throw new UsageError(`"${args[index]!}" is no option; --help lists them`);
    if (name === 'help') return null;
    if (name === 'json' && attached === undefined) {
      json = true;
      continue;
    }
    if (!Object.hasOwn(SETTINGS, name) && !['text', 'out', 'adapter'].includes(name)) {
      throw new UsageError(`there is no option --${name}; --help lists them`);
    }
    const value = attached ?? args[++index];
    if (value === undefined || value === '')
      throw new UsageError(`--${name} needs a value; --help lists them`);
    if (values.has(name)) throw new UsageError(`--${name} is given twice; give it once`);
    values.set(name, value);
  }
  const text = values.get('text');
  if (text === undefined) throw new UsageError('--text is missing; name the file to learn from');
  const given = Object.entries(SETTINGS).flatMap(([name, { setting, kind }]) => {
    const value = values.get(name);
    return value === undefined ? [] : [[setting, parseValue(name, kind, value)] as const];
  });
  return {
    text,
    out: values.get('out') ?? 'out',
    adapter: choose('adapter', ADAPTERS, values.get('adapter') ?? 'auto'),
    json,
    settings: { ...DEFAULT_SETTINGS, ...Object.fromEntries(given) },
  };
}

function parseValue(name: string, kind: Kind, value: string): string | number {
  if ('choices' in kind) return choose(name, kind.choices, value);
  // Number() alone would take blanks, hexadecimal and the like.
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : NaN;
  if (kind.whole) {
    if (Number.isSafeInteger(number) && number >= kind.min) return number;
    throw new UsageError(`--${name} is ${value}; pass a whole number of at least ${kind.min}`);
  }
  const { min, above = false, below = Infinity, max = Infinity } = kind;
  const good = (above ? number > min : number >= min) && number < below && number <= max;
  if (Number.isFinite(number) && good) return number;
  const upper = below < Infinity ? ` and less than ${below}` : max < Infinity ? ` and at most ${max}` : '';
  const bounds = `${above ? 'greater than' : 'at least'} ${min}${upper}`;
  throw new UsageError(`--${name} is ${value}; pass a number ${bounds}`);
}

function choose<C extends string>(name: string, choices: readonly C[], value: string): C {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new UsageError(`--${name} is ${value}; choose one of ${choices.join(', ')}`);
}
