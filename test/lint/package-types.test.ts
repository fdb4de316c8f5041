/** The built type declarations, as users of several kinds see them, with every file of theirs checked. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFolderPortable, makePortable } from '../../scripts/portable-types.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-types-'));
  const dist = join(folder, 'node_modules/webgpu-rnn/dist');
  expect(await tsc(PROJECT, '-p', 'tsconfig.build.json', '--outDir', dist)).toBe('');
  await makeFolderPortable(dist);
  await put('node_modules/webgpu-rnn/package.json', await readFile(join(PROJECT, 'package.json'), 'utf8'));
  await put('package.json', '{ "type": "module" }');
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

it('need no WebGPU types and no new library', async () => {
  const errors = await check(
    `import { createExecutor, GpuExecutor, LSTM } from 'webgpu-rnn';
     const executor = await createExecutor({ backend: 'cpu' });
     export const size: number = new LSTM({ inputSize: 2, hiddenSize: 3 }).parameterCount;
     export const destroy = (gpu: GpuExecutor) => { gpu.device.destroy(); executor.dispose(); };
    `,
    { lib: ['ES2022', 'DOM'], types: [] },
  );
  expect(errors).toBe('');
});

it('speak of the user’s own GPUDevice where there is one', async () => {
  const errors = await check(
    `import { createExecutor, GpuExecutor } from 'webgpu-rnn';
     export const device = (gpu: GpuExecutor): GPUDevice => gpu.device;
     export const open = (own: GPUDevice) => createExecutor({ device: own });
    `,
    { lib: ['ES2022', 'DOM'], types: [join(PROJECT, 'node_modules/@webgpu/types')] },
  );
  expect(errors).toBe('');
});

it('still refuse what is wrong', async () => {
  const errors = await check(
    `import { LSTM } from 'webgpu-rnn';
     export const layer = new LSTM({ inputSize: 'two', hiddenSize: 3 });
    `,
    { lib: ['ES2022', 'DOM'], types: [] },
  );
  expect(errors).toContain("Type 'string' is not assignable to type 'number'");
});

it('get an alias for each WebGPU type they name, and for nothing else', () => {
  const text = `/** Of a GPUQueue. */
export declare const a: GPUBuffer; // not a GPUTexture
export type Like = typeof globalThis extends { GPUDevice: unknown } ? 1 : 2;
`;
  expect(makePortable('gpu/a.d.ts', text)).toBe(
    `${text}type GPUBuffer = typeof globalThis extends { GPUBuffer: { prototype: infer T } } ? T : unknown;\n`,
  );
});

/** What TypeScript has to say of one file of a user. */
async function check(code: string, options: Readonly<Record<string, unknown>>): Promise<string> {
  await put('main.ts', code);
  const compilerOptions = {
    target: 'ES2022',
    module: 'NodeNext',
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    ...options,
  };
  await put('tsconfig.json', JSON.stringify({ compilerOptions, files: ['main.ts'] }));
  return tsc(folder, '-p', '.');
}

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), text);
}

/** Runs the compiler; its messages, empty when it is content. */
async function tsc(cwd: string, ...args: readonly string[]): Promise<string> {
  const program = join(PROJECT, 'node_modules/typescript/bin/tsc');
  try {
    return (await promisify(execFile)(process.execPath, [program, ...args], { cwd })).stdout;
  } catch (error) {
    return (error as { readonly stdout: string }).stdout;
  }
}
