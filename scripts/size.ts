/** `npm run size`: what the built package weighs in an application; fails where an entry has outgrown its limit. */
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** What an application imports. */
interface Import {
  readonly title: string;
  readonly entry: 'index' | 'inference';
  /** All there is where none are named. */
  readonly names?: readonly string[];
  /** Most kilobytes (of 1000 bytes), minified and gzipped. */
  readonly limit?: number;
  /** What it should weigh one day; `limit` keeps it from growing until then. */
  readonly aim?: number;
}

const IMPORTS: readonly Import[] = [
  { title: 'webgpu-rnn, everything', entry: 'index', limit: 135, aim: 45 },
  { title: 'webgpu-rnn/inference, everything', entry: 'inference', limit: 20, aim: 20 },
  { title: 'CharacterModel, createExecutor', entry: 'index', names: ['CharacterModel', 'createExecutor'] },
  {
    title: 'LSTM, Linear, Adam, Trainer, crossEntropy, createExecutor',
    entry: 'index',
    names: ['LSTM', 'Linear', 'Adam', 'Trainer', 'crossEntropy', 'createExecutor'],
  },
  { title: 'LSTM, createExecutor', entry: 'index', names: ['LSTM', 'createExecutor'] },
  {
    title: 'LSTM, CpuExecutor, Graph',
    entry: 'index',
    names: ['LSTM', 'CpuExecutor', 'Graph'],
  },
  { title: 'parseSafetensors', entry: 'index', names: ['parseSafetensors'] },
];

/** Bytes of a bundle, all its chunks together. */
export interface Size {
  readonly minified: number;
  readonly gzip: number;
  readonly brotli: number;
  /** Minified bytes in WGSL. */
  readonly shaders: number;
}

/** Bundles an application that imports this and nothing else, as Vite does for production. */
export async function measure(entry: string, names?: readonly string[]): Promise<Size> {
  const path = JSON.stringify(`${DIST}${entry}.js`);
  const code = names
    ? `import { ${names.join(', ')} } from ${path};\nglobalThis.kept = [${names.join(', ')}];`
    : `import * as all from ${path};\nglobalThis.kept = all;`;
  const result = (await build({
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'application',
        resolveId: (id) => (id === 'application' ? '\0application' : null),
        load: (id) => (id === '\0application' ? code : null),
      },
    ],
    build: { write: false, minify: true, modulePreload: false, rolldownOptions: { input: 'application' } },
  })) as Rolldown.RolldownOutput;
  const chunks = result.output.map((file) => (file.type === 'chunk' ? file.code : ''));
  const sum = (size: (chunk: string) => number): number =>
    chunks.reduce((total, chunk) => total + size(chunk), 0);
  return {
    minified: sum((chunk) => Buffer.byteLength(chunk)),
    gzip: sum((chunk) => gzipSync(chunk, { level: 9 }).length),
    brotli: sum((chunk) => brotliCompressSync(chunk).length),
    shaders: sum((chunk) => shadersIn(chunk)),
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
  const rows = [['what is imported', 'minified', 'of it WGSL', 'gzip', 'brotli', 'gzip aim', 'gzip limit']];
  const faults: string[] = [];
  const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);
  for (const { title, entry, names, limit, aim } of IMPORTS) {
    const { minified, shaders, gzip, brotli } = await measure(entry, names);
    rows.push([
      title,
      ...[minified, shaders, gzip, brotli].map(kilobytes),
      ...[aim, limit].map((most) => (most ? `${most}` : '')),
    ]);
    if (limit !== undefined && gzip > limit * 1000) {
      faults.push(`${title}: ${kilobytes(gzip)} kB gzipped, more than its limit of ${limit} kB`);
    }
  }
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  return { table: ['kB, minified by Vite', ...rows.map(line)].join('\n'), faults };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { table, faults } = await report();
  console.log(table);
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
