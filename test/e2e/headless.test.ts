/** `npm start -- --headless` as a program: its files, its closing line, Ctrl-C, and what it says to bad input. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findBrowser } from '../../scripts/browser.js';
import { CharacterModel, CpuExecutor } from '../../src/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const FILES = ['history.csv', 'history.json', 'loss.png', 'model.safetensors'];
const SMALL =
  '--hidden 16 --embedding 8 --batch 4 --seq 16 --sample-every 4 --sample-length 20 --validate-every 4';
const PNG = [0x89, 0x50, 0x4e, 0x47];

let folder: string;
let text: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-rnn-'));
  text = join(folder, 'text.txt');
  await writeFile(text, 'the quick brown fox jumps over the lazy dog. '.repeat(40));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command to its end; `watch` sees it whenever it prints to standard error. */
function headless(
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly beginning?: (child: ChildProcess) => void;
    readonly watch?: (child: ChildProcess, stderr: string) => void;
  } = {},
): Promise<Result> {
  const child = spawn(
    process.execPath,
    ['scripts/start.mjs', '--headless', '--adapter', 'swiftshader', ...args],
    { cwd: root, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  options.beginning?.(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (stdout += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr += part;
    options.watch?.(child, stderr);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** The one line of JSON on standard output. */
function closingLine(stdout: string): Record<string, unknown> {
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function expectFiles(out: string): Promise<void> {
  expect((await readdir(out)).sort()).toEqual(FILES);
  const model = CharacterModel.load(new Uint8Array(await readFile(join(out, 'model.safetensors'))), {
    executor: new CpuExecutor(),
  });
  expect(model.config).toMatchObject({ cell: 'gru', hiddenSize: 16 });
  expect([...(await readFile(join(out, 'loss.png')))].slice(0, 4)).toEqual(PNG);
}

it('trains, and leaves the model, the curve and the history', async () => {
  const out = join(folder, 'new', 'out');
  const { status, stdout, stderr } = await headless([
    '--text',
    text,
    '--out',
    out,
    '--cell',
    'gru',
    '--steps',
    '10',
    '--json',
    ...SMALL.split(' '),
  ]);
  expect(stderr).toContain('sample after step 4');
  expect(status).toBe(0);
  const line = closingLine(stdout);
  expect(Object.keys(line)).toEqual([
    'steps',
    'trainLoss',
    'valLoss',
    'msPerStep',
    'adapter',
    'dispatchesPerStep',
    'submitsPerStep',
    'sample',
  ]);
  for (const name of ['trainLoss', 'valLoss', 'msPerStep', 'dispatchesPerStep']) {
    expect(line[name], name).toSatisfy((value) => Number.isFinite(value) && (value as number) > 0);
  }
  expect(line).toMatchObject({ steps: 10, submitsPerStep: 1 });
  expect(line['adapter']).toMatch(/swiftshader/i);
  expect(line['sample']).toHaveLength(20);
  await expectFiles(out);
  const history = JSON.parse(await readFile(join(out, 'history.json'), 'utf8')) as {
    losses: number[];
    validation: { step: number }[];
  };
  expect(history.losses).toHaveLength(10);
  expect(history.losses[9]).toBe(line['trainLoss']);
  expect(history.validation.map(({ step }) => step)).toEqual([4, 8, 10]);
});

it('stops at Ctrl-C, and still writes everything', async () => {
  const out = join(folder, 'interrupted');
  let interrupted = false;
  const { status, stdout } = await headless(
    ['--text', text, '--out', out, '--cell', 'gru', '--steps', '1000000', '--json', ...SMALL.split(' ')],
    {
      watch: (child, stderr) => {
        if (interrupted || !stderr.includes('sample after step 4')) return;
        interrupted = true;
        child.kill('SIGINT');
      },
    },
  );
  expect(interrupted).toBe(true);
  expect(status).toBe(130);
  const { steps } = closingLine(stdout);
  expect(steps).toBeGreaterThanOrEqual(4);
  expect(steps).toBeLessThan(1_000_000);
  await expectFiles(out);
});

it('quits at once at Ctrl-C while there is nothing to write yet', async () => {
  const out = join(folder, 'quit');
  const began = performance.now();
  const { status } = await headless(['--text', text, '--out', out], {
    beginning: (child) => setTimeout(() => child.kill('SIGINT'), 1500),
  });
  expect(status).not.toBe(0);
  expect(performance.now() - began).toBeLessThan(20_000);
  await expect(readdir(out)).rejects.toThrow('ENOENT');
});

it.each([
  ['no text', [], 2, '--text is missing'],
  ['a missing file', ['--text', 'no-such-file.txt'], 1, 'no-such-file.txt: there is no such file'],
  ['a folder', ['--text', '.'], 1, 'is a folder'],
  ['an unknown option', ['--text', 'TEXT', '--colour', 'red'], 2, 'there is no option --colour'],
  [
    'a hidden size of 0',
    ['--text', 'TEXT', '--hidden', '0'],
    2,
    '--hidden is 0; pass a whole number of at least 1',
  ],
  ['a negative batch', ['--text', 'TEXT', '--batch', '-4'], 2, '--batch is -4; pass a whole number'],
  ['a fractional length', ['--text', 'TEXT', '--seq=1.5'], 2, '--seq is 1.5; pass a whole number'],
  ['a wrong cell', ['--text', 'TEXT', '--cell', 'lstn'], 2, '--cell is lstn; choose one of lstm, gru, rnn'],
  ['an empty file', ['--text', 'EMPTY'], 1, 'text: is empty'],
  ['a file that is not UTF-8', ['--text', 'BINARY'], 1, 'binary.txt: is not UTF-8: byte 3 (0xff)'],
  ['a text too short', ['--text', 'SHORT'], 1, 'needs at least 2049; give more text, or set batchSize 1'],
] as const)('refuses %s in one line, and writes nothing', async (_name, args, expected, message) => {
  const inputs = {
    TEXT: text,
    EMPTY: join(folder, 'empty.txt'),
    BINARY: join(folder, 'binary.txt'),
    SHORT: join(folder, 'short.txt'),
  };
  await writeFile(inputs.EMPTY, '');
  await writeFile(inputs.BINARY, Uint8Array.of(97, 98, 99, 0xff, 0xfe));
  await writeFile(inputs.SHORT, 'a few words');
  const out = join(folder, 'refused');
  const real = args.map((arg) => (arg in inputs ? inputs[arg as keyof typeof inputs] : arg));
  const { status, stdout, stderr } = await headless([...real, '--out', out, '--json']);
  expect(stderr).toContain(message);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(stdout).toBe('');
  expect(status).toBe(expected);
  await expect(readdir(out)).rejects.toThrow('ENOENT');
});

it('says that there is no WebGPU adapter', async () => {
  const out = join(folder, 'no-adapter');
  const blind = join(folder, 'blind-browser');
  await writeFile(
    blind,
    `#!/bin/sh\nexec "${findBrowser()!}" --disable-gpu --disable-software-rasterizer "$@"\n`,
  );
  await chmod(blind, 0o755);
  const { status, stderr } = await headless(['--text', text, '--out', out, ...SMALL.split(' ')], {
    env: { PUPPETEER_EXECUTABLE_PATH: blind },
  });
  expect(stderr).toContain('WebGPU: the browser offers no adapter');
  expect(status).toBe(1);
  await expect(readdir(out)).rejects.toThrow('ENOENT');
});
