/** `npm run size`: what the built package weighs in an application; fails where an entry has outgrown its limit. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** Modules that an application downloads when it first needs them, under `dist/`. */
const CPU = 'cpu/executor.js';
const GPU = 'gpu/executor.js';
const OPTIMIZER = ['gpu/lower/optimizer-update.js', 'gpu/lower/global-norm.js'];

/** What an application imports. */
interface Import {
  readonly title: string;
  readonly names: readonly string[];
  /** What it downloads later to do its work, of the modules under `dist/` that are imported when needed. */
  readonly later?: readonly string[];
  /** Most kilobytes (of 1000 bytes), minified and gzipped, until its work is done. */
  readonly limit: number;
}

const TRAINING = ['LSTM', 'Linear', 'Adam', 'crossEntropy', 'createExecutor'];

const IMPORTS: readonly Import[] = [
  {
    title: 'CharacterModel that trains and writes on WebGPU',
    names: ['CharacterModel', 'createExecutor'],
    later: [GPU, ...OPTIMIZER, 'gpu/lower/generate.js'],
    limit: 109,
  },
  {
    title: 'Model, LSTM, Adam: training on WebGPU',
    names: ['Model', ...TRAINING],
    later: [GPU, ...OPTIMIZER],
    limit: 98,
  },
  {
    title: 'Trainer, LSTM, Adam: training on WebGPU',
    names: ['Trainer', ...TRAINING],
    later: [GPU, ...OPTIMIZER],
    limit: 89.5,
  },
  {
    title: 'Trainer, LSTM, Adam: training on the CPU',
    names: ['Trainer', ...TRAINING],
    later: [CPU],
    limit: 57,
  },
  { title: 'parseSafetensors', names: ['parseSafetensors'], limit: 3.8 },
];

/** The files with everything, under `dist/`; the limits keep them from growing until they are what they should be. */
const FILES = [
  { file: 'webgpu-rnn.min.js', limit: 151, aim: 45 },
  { file: 'inference.min.js', limit: 17, aim: 20 },
];

/** Bytes of a bundle. */
export interface Size {
  readonly minified: number;
  readonly gzip: number;
  readonly brotli: number;
  /** Minified bytes in WGSL. */
  readonly shaders: number;
}

/** What an application downloads: before it runs, and until its work is done. */
export interface Sizes {
  readonly start: Size;
  readonly work: Size;
}

/** Bundles an application that imports this and nothing else, as Vite does for production. */
export async function measure(names: readonly string[], later: readonly string[] = []): Promise<Sizes> {
  const path = JSON.stringify(`${DIST}index.js`);
  const entry = `import { ${names.join(', ')} } from ${path};\nglobalThis.kept = [${names.join(', ')}];`;
  const result = (await build({
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'application',
        resolveId: (id) => (id === 'application' ? '\0application' : null),
        load: (id) => (id === '\0application' ? entry : null),
      },
    ],
    build: { write: false, minify: true, modulePreload: false, rolldownOptions: { input: 'application' } },
  })) as Rolldown.RolldownOutput;
  const chunks = result.output.filter((file) => file.type === 'chunk');
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  /** Chunks and what they import, all downloaded together. */
  const closure = (roots: readonly Rolldown.OutputChunk[]): Rolldown.OutputChunk[] => {
    const found = new Set(roots);
    for (const chunk of found) for (const name of chunk.imports) found.add(byName.get(name)!);
    return [...found];
  };
  const first = chunks.filter((chunk) => chunk.isEntry);
  const then = later.map((module) => {
    const chunk = chunks.find(({ moduleIds }) => moduleIds.includes(`${DIST}${module}`));
    if (!chunk) throw new Error(`no chunk has dist/${module}`);
    return chunk;
  });
  const codes = (roots: readonly Rolldown.OutputChunk[]): string[] => closure(roots).map(({ code }) => code);
  return { start: sizeOf(codes(first)), work: sizeOf(codes([...first, ...then])) };
}

function sizeOf(files: readonly string[]): Size {
  const sum = (size: (code: string) => number): number =>
    files.reduce((total, code) => total + size(code), 0);
  return {
    minified: sum((code) => Buffer.byteLength(code)),
    gzip: sum((code) => gzipSync(code, { level: 9 }).length),
    brotli: sum((code) => brotliCompressSync(code).length),
    shaders: sum((code) => shadersIn(code)),
  };
}

/** Bytes of the string literals that hold WGSL. */
function shadersIn(code: string): number {
  const strings = code.match(/`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*"/gs) ?? [];
  return strings
    .filter((text) => /@compute|\bfn \w+\([^)]*:/.test(text))
    .reduce((sum, { length }) => sum + length, 0);
}

/** The table, and what has outgrown its limit. */
export async function report(): Promise<{ readonly table: string; readonly faults: readonly string[] }> {
  const rows = [['kB, minified', 'at start, gzip', 'in all', 'of it WGSL', 'gzip', 'brotli', 'aim', 'limit']];
  const faults: string[] = [];
  const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);
  const add = (title: string, { start, work }: Sizes, limit: number, aim?: number): void => {
    const { minified, shaders, gzip, brotli } = work;
    const sizes = [start.gzip, minified, shaders, gzip, brotli].map(kilobytes);
    rows.push([title, ...sizes, aim ? `${aim}` : '', `${limit}`]);
    if (gzip > limit * 1000) {
      faults.push(`${title}: ${kilobytes(gzip)} kB gzipped, more than its limit of ${limit} kB`);
    }
  };
  for (const { file, limit, aim } of FILES) {
    const size = sizeOf([await readFile(`${DIST}${file}`, 'utf8')]);
    add(file, { start: size, work: size }, limit, aim);
  }
  for (const { title, names, later, limit } of IMPORTS) add(title, await measure(names, later), limit);
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  return { table: rows.map(line).join('\n'), faults };
}

if (process.argv[1] !== fileURLToPath(import.meta.url)) {
  // Imported, by a test.
} else if (!existsSync(DIST)) {
  console.error('There is no dist/ to measure: run npm run build:library first.');
  process.exitCode = 1;
} else {
  const { table, faults } = await report();
  console.log(table);
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
