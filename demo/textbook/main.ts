/** `npm run textbook -- NAME`: runs one of the programs that every introduction to recurrent networks shows. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createExecutor, RnnError } from '../../src/index.js';
import { equations } from './equations.js';
import { names } from './names.js';
import type { Program } from './program.js';
import { simpleRnn } from './simple-rnn.js';
import { text } from './text.js';
import { words } from './words.js';

const PROGRAMS: Readonly<Record<string, readonly [Program, about: string]>> = {
  'simple-rnn': [simpleRnn, 'a layer of 64 units over a batch of 32 sequences'],
  names: [names, 'names to languages, character by character; --file FILE with lines name,language'],
  equations: [equations, 'an RNN and an LSTM from their equations, 1,000 epochs'],
  words: [words, 'an LSTM of 100 units that reads sentences as words'],
  text: [text, 'a GRU that learns a text and writes; --file FILE with the text'],
};

const USAGE = `npm run textbook -- NAME [--file FILE] [--backend cpu|webgpu]

${Object.entries(PROGRAMS)
  .map(([name, [, about]]) => `  ${name.padEnd(12)}${about}`)
  .join('\n')}

The backend is cpu by default. Node has no WebGPU of its own: there, webgpu uses the package \`webgpu\` (Dawn).
`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function fail(message: string): never {
  process.stderr.write(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        file: { type: 'string' },
        backend: { type: 'string', default: 'cpu' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return fail((error as Error).message);
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return fail(`--file: ${(error as Error).message}`);
  }
}

/** Gives this process WebGPU, by the package for Node. */
async function provideWebGpu(): Promise<void> {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]) }, configurable: true });
}

const { values, positionals } = parse();
const [name, ...rest] = positionals;
const { backend, file } = values;
if (name === undefined || values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const program = Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name]![0] : fail(`there is no program "${name}"`);
if (rest.length > 0) fail(`one program at a time: "${rest.join(' ')}" is one too many`);
if (backend !== 'cpu' && backend !== 'webgpu') fail(`--backend is "${backend}": pass cpu or webgpu`);
if (file !== undefined && name !== 'names' && name !== 'text') fail(`${name} takes no --file`);
const own = file === undefined ? undefined : read(file);
if (backend === 'webgpu') await provideWebGpu();
try {
  const executor = await createExecutor({ backend });
  await program(executor, print, own);
  executor.dispose();
} catch (error) {
  if (!(error instanceof RnnError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
// Dawn keeps the process alive.
process.exit(0);
