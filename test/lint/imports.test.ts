/** Proves that each import rule fires where it should and nowhere else, on a planted copy of the folders. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** Which rooms each room may import. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  graph: [],
  ops: ['graph'],
  cpu: ['graph', 'ops'],
  gpu: ['graph', 'ops'],
  nn: ['graph', 'ops'],
  optim: ['graph', 'ops'],
  io: ['graph', 'ops', 'nn', 'optim'],
  train: ['graph', 'ops', 'nn', 'optim', 'io'],
  text: ['graph', 'ops', 'nn', 'optim', 'io', 'train'],
};
const ROOMS = Object.keys(ALLOWED);

/** One file with its text, and the rules that must object to what it imports. */
interface Plant {
  readonly file: string;
  readonly code: string;
  readonly rules: readonly string[];
}

const plants: Plant[] = [
  // Every room imports every other; by value, by type, by re-export and dynamically in turn.
  ...ROOMS.flatMap((from, i) =>
    ROOMS.filter((to) => to !== from).map((to, j) => {
      const target = `'../${to}/thing.js'`;
      const forms = [
        `import { thing } from ${target};\nexport const used = thing;\n`,
        `import type { Thing } from ${target};\nexport type Used = Thing;\n`,
        `export { thing } from ${target};\n`,
        `export const later = () => import(${target});\n`,
        `export type Used = import(${target}).Thing;\n`,
      ];
      return {
        file: `src/${from}/imports-${to}.ts`,
        code: forms[(i + j) % forms.length]!,
        rules: ALLOWED[from]!.includes(to) ? [] : [`${from}-imports`],
      };
    }),
  ),
  { file: 'src/gpu/uses-shader.ts', code: shader('../../shaders/some.wgsl?raw'), rules: [] },
  {
    file: 'src/nn/uses-shader.ts',
    code: shader('../../shaders/some.wgsl?raw'),
    rules: ['shaders-belong-to-gpu'],
  },
  {
    file: 'src/cpu/uses-shader.ts',
    code: shader('../../shaders/some.wgsl'),
    rules: ['shaders-belong-to-gpu'],
  },
  {
    file: 'demo/uses-shader.ts',
    code: shader('../shaders/some.wgsl?raw'),
    rules: ['demo-uses-the-public-api', 'shaders-belong-to-gpu'],
  },
  {
    file: 'src/index.ts',
    code: ROOMS.map((room) => `export * as ${room} from './${room}/thing.js';\n`).join(''),
    rules: [],
  },
  { file: 'src/inference.ts', code: `export * from './gpu/thing.js';\n`, rules: [] },
  { file: 'src/create-executor.ts', code: `export * from './cpu/thing.js';\n`, rules: [] },
  {
    file: 'src/train/uses-executors.ts',
    code: `export * from '../create-executor.js';\n`,
    rules: ['train-imports'],
  },
  {
    file: 'src/train/uses-entry.ts',
    code: `import type { Thing } from '../index.js';\nexport type T = Thing;\n`,
    rules: ['nothing-imports-the-entry'],
  },
  {
    file: 'src/text/uses-entry.ts',
    code: `export * from '../inference.js';\n`,
    rules: ['nothing-imports-the-entry'],
  },
  { file: 'src/utils/thing.ts', code: thing(), rules: ['unknown-room-alone'] },
  { file: 'src/helpers/busy.ts', code: `export * from '../graph/thing.js';\n`, rules: ['unknown-room'] },
  { file: 'src/helpers/idle.ts', code: thing(), rules: [] },
  {
    file: 'src/nn/uses-unknown.ts',
    code: `export * from '../helpers/idle.js';\n`,
    rules: ['nn-imports', 'unknown-room-imported'],
  },
  { file: 'src/loose.ts', code: `export * from './graph/thing.js';\n`, rules: ['unknown-room'] },
  {
    file: 'src/io/uses-node.ts',
    code: `export { readFileSync } from 'node:fs';\n`,
    rules: ['library-stands-alone'],
  },
  {
    file: 'src/io/uses-test.ts',
    code: `export * from '../../test/thing.js';\n`,
    rules: ['library-stands-alone'],
  },
  {
    file: 'src/io/uses-nothing.ts',
    code: `export * from './absent.js';\n`,
    rules: ['library-stands-alone', 'unresolvable'],
  },
  // A circle is reported once, at the first of its files.
  {
    file: 'src/graph/circle-a.ts',
    code: `import { b } from './circle-b.js';\nexport const a = () => b;\n`,
    rules: ['no-cycles'],
  },
  {
    file: 'src/graph/circle-b.ts',
    code: `import { a } from './circle-a.js';\nexport const b = () => a;\n`,
    rules: [],
  },
  {
    file: 'src/graph/types-a.ts',
    code: `import type { B } from './types-b.js';\nexport type A = B | 1;\n`,
    rules: [],
  },
  {
    file: 'src/graph/types-b.ts',
    code: `import type { A } from './types-a.js';\nexport type B = A[];\n`,
    rules: [],
  },
  { file: 'demo/page.ts', code: `export * from '../src/index.js';\n`, rules: [] },
  {
    file: 'demo/uses-inside.ts',
    code: `import type { Thing } from '../src/nn/thing.js';\nexport type T = Thing;\n`,
    rules: ['demo-uses-the-public-api'],
  },
  {
    file: 'demo/uses-script.ts',
    code: `export * from '../scripts/thing.js';\n`,
    rules: ['demo-page-stands-alone'],
  },
  { file: 'demo/headless/main.ts', code: `export * from '../../scripts/thing.js';\n`, rules: [] },
  {
    file: 'test/uses-all.ts',
    code: `export * from '../src/index.js';\nexport * from '../src/gpu/thing.js';\n`,
    rules: [],
  },
];

let folder: string;
let found: Map<string, string[]>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'import-rules-'));
  const things = [...ROOMS.map((room) => `src/${room}/thing.ts`), 'scripts/thing.ts', 'test/thing.ts'];
  for (const file of things) await plant(file, thing());
  await plant('shaders/some.wgsl', 'fn nothing() {}\n');
  for (const { file, code } of plants) await plant(file, code);
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json']) {
    await cp(join(PROJECT, file), join(folder, file));
  }
  found = await cruise();
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

it.each(plants.map((one) => [one.file, one.rules] as const))('%s: %j', (file, rules) => {
  expect(found.get(file) ?? []).toEqual([...rules].sort());
});

it('objects to nothing else', () => {
  const planted = new Set(plants.map(({ file }) => file));
  expect([...found.keys()].filter((file) => !planted.has(file))).toEqual([]);
});

function thing(): string {
  return `export const thing = 1;\nexport type Thing = number;\n`;
}

function shader(path: string): string {
  return `import code from '${path}';\nexport const used: string = code;\n`;
}

async function plant(file: string, code: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), code);
}

/** The rules broken, sorted, by importing file. */
async function cruise(): Promise<Map<string, string[]>> {
  const program = join(PROJECT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [
    'src',
    'demo',
    'scripts',
    'test',
    '--config',
    '.dependency-cruiser.cjs',
    '--output-type',
    'json',
  ];
  // The program's exit code counts the faults planted here: only its report matters.
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
    cwd: folder,
    maxBuffer: 1 << 26,
  }).catch((error: unknown) => error as { readonly stdout: string });
  const report = JSON.parse(stdout) as {
    readonly summary: {
      readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
    };
  };
  const rules = new Map<string, Set<string>>();
  for (const { from, rule } of report.summary.violations) {
    if (!rules.has(from)) rules.set(from, new Set());
    rules.get(from)!.add(rule.name);
  }
  return new Map([...rules].map(([file, names]) => [file, [...names].sort()]));
}
