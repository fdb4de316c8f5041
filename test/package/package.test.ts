/** The packed package in fresh projects of each kind that it promises to work in: every one trains something. */
import { execFile } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import puppeteer, { type Browser } from 'puppeteer';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { findBrowser } from '../../scripts/browser.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));

/** What the tests install beside the package; versions are those that were tried. */
const TOOLS = {
  esbuild: '0.25.12',
  webpack: '5.112.2',
  deno: '2.9.6',
  react: '19.2.0',
  'react-dom': '19.2.0',
  'typescript-5.4': 'npm:typescript@5.4.5',
};

/** A model that has learned: what test/package/train.mjs returns. */
const LEARNED = {
  first: expect.closeTo(Math.log(4), 0) as number,
  written: 'bcdabcd',
};

let folder: string;
let tarball: string;
let server: Server | undefined;
let address: string;
let browser: Browser | undefined;

const run = promisify(execFile);
const npm = (...args: readonly string[]) => {
  const options = { cwd: folder, shell: process.platform === 'win32', maxBuffer: 2 ** 26 };
  return run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], options);
};
const tool = (name: string): string => join(folder, 'node_modules', name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-rnn-package-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder, '--loglevel=error'], {
    cwd: PROJECT,
    shell: process.platform === 'win32',
    maxBuffer: 2 ** 26,
  });
  // What the build prints stands before the answer.
  const [packed] = JSON.parse(stdout.slice(stdout.search(/^\[$/m))) as [{ readonly filename: string }];
  tarball = join(folder, packed.filename);
  const dependencies = { 'webgpu-rnn': `file:${tarball}`, ...TOOLS };
  await put(
    'package.json',
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies,
      allowScripts: { esbuild: true, deno: true },
    }),
  );
  await npm('install', '--prefer-offline').catch((cause: unknown) => {
    const names = Object.keys(TOOLS).join(', ');
    throw new Error(`npm could not install ${names}: these tests need the npm registry`, { cause });
  });
  await copyFile(join(HERE, 'train.mjs'), join(folder, 'train.mjs'));
  const files = createServer((request, response) => {
    const file = join(folder, decodeURIComponent(new URL(request.url!, 'http://localhost').pathname));
    if (!file.startsWith(folder) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    const type = extname(file) === '.html' ? 'text/html' : 'text/javascript';
    response.writeHead(200, { 'content-type': type });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  server = files;
  address = `http://127.0.0.1:${(files.address() as AddressInfo).port}/`;
  browser = await puppeteer.connect({ browserWSEndpoint: inject('browserEndpoint'), protocolTimeout: 0 });
}, 240_000);

afterAll(async () => {
  await browser?.disconnect();
  server?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Opens a page with these scripts and gives what it puts into `globalThis.result`. */
async function open(name: string, html: string): Promise<unknown> {
  await put(`${name}.html`, `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">${html}`);
  const page = await browser!.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  try {
    await page.goto(`${address}${name}.html`);
    const result = await page.waitForFunction('globalThis.result', { timeout: 90_000 });
    expect(problems).toEqual([]);
    return await result.jsonValue();
  } catch (error) {
    throw new Error([`${name}.html:`, ...problems].join('\n'), { cause: error });
  } finally {
    await page.close();
  }
}

const PAGE = (backend: string): string =>
  `import { train } from './train.mjs';
   const result = await train({ backend: '${backend}' });
   const downloaded = performance.getEntriesByType('resource').map(({ name }) => name);
   globalThis.result = { ...result, downloaded };\n`;

describe('in a page', () => {
  it('that Vite has built', async () => {
    await put('vite-entry.js', PAGE('webgpu'));
    await put('vite-index.html', '<script type="module" src="./vite-entry.js"></script>');
    await build({
      configFile: false,
      root: folder,
      base: './',
      logLevel: 'error',
      build: {
        outDir: 'vite',
        target: 'es2022',
        rolldownOptions: { input: join(folder, 'vite-index.html'), output: { entryFileNames: 'main.js' } },
      },
    });
    const result = await open('vite', '<script type="module" src="./vite/main.js"></script>');
    expect(result).toMatchObject({ ...LEARNED, kind: 'webgpu' });
    const { downloaded } = result as { readonly downloaded: readonly string[] };
    const chunks = await readdir(join(folder, 'vite/assets'));
    const loaded = (part: RegExp): boolean[] =>
      chunks
        .filter((name) => part.test(name))
        .map((name) => downloaded.some((address) => address.endsWith(name)));
    expect(loaded(/^optimizer-update-/)).toContain(true);
    expect(loaded(/^(ctc-loss|norm)-/)).not.toContain(true);
    expect(loaded(/^(ctc-loss|norm)-/).length).toBeGreaterThan(1);
  });

  it('that webpack has built', async () => {
    await put('webpack-entry.js', PAGE('cpu'));
    await put(
      'build-webpack.mjs',
      `import webpack from 'webpack';
       const compiler = webpack({
         mode: 'production', entry: './webpack-entry.js', target: ['web', 'es2022'], performance: false,
         output: { path: ${JSON.stringify(join(folder, 'webpack'))}, filename: 'main.js' },
       });
       compiler.run((error, stats) => {
         console.log(error ?? stats.toString({ all: false, errors: true, warnings: true }));
         process.exitCode = error || stats.hasErrors() || stats.hasWarnings() ? 1 : 0;
       });`,
    );
    await run(process.execPath, ['build-webpack.mjs'], { cwd: folder });
    const result = await open('webpacked', '<script src="./webpack/main.js"></script>');
    expect(result).toMatchObject({ ...LEARNED, kind: 'cpu' });
  });

  it('that esbuild has built', async () => {
    await put('esbuild-entry.js', PAGE('cpu'));
    const options = ['--bundle', '--minify', '--format=esm', '--outfile=esbuild/main.js'];
    await run(join(tool('esbuild'), 'bin/esbuild'), ['esbuild-entry.js', ...options], { cwd: folder });
    const result = await open('esbuilt', '<script type="module" src="./esbuild/main.js"></script>');
    expect(result).toMatchObject({ ...LEARNED, kind: 'cpu' });
  });

  /** The built files as they are, from a static server. */
  const MAP = `<script type="importmap">{ "imports": {
    "webgpu-rnn": "./node_modules/webgpu-rnn/dist/webgpu-rnn.min.js",
    "webgpu-rnn/inference": "./node_modules/webgpu-rnn/dist/inference.min.js" } }</script>`;

  it('with one file and nothing but a module script', async () => {
    const result = await open('bare', `${MAP}<script type="module">${PAGE('webgpu')}</script>`);
    expect(result).toMatchObject({ ...LEARNED, kind: 'webgpu' });
  });

  it('in a worker', async () => {
    // A worker has no import map.
    await put(
      'worker.js',
      `import { createExecutor, CharacterModel } from './node_modules/webgpu-rnn/dist/index.js';
       const executor = await createExecutor({ backend: 'webgpu' });
       const text = 'ab'.repeat(40);
       const model = CharacterModel.create({ executor, text, embeddingSize: 4, hiddenSize: 8, seed: 1 });
       const losses = [];
       const onProgress = ({ loss }) => losses.push(loss);
       await model.fit(text, { steps: 20, batchSize: 4, sequenceLength: 6, learningRate: 0.05, onProgress });
       postMessage({ kind: executor.kind, window: typeof window, fell: losses.at(-1) < losses[0] / 2 });`,
    );
    const code = `new Worker('./worker.js', { type: 'module' }).onmessage = ({ data }) => (globalThis.result = data);`;
    const result = await open('with-worker', `<script type="module">${code}</script>`);
    expect(result).toEqual({ kind: 'webgpu', window: 'undefined', fell: true });
  });
});

it('continues what is typed into the page of README.md', async () => {
  const page = await readFile(join(PROJECT, 'demo/embed/plain.html'), 'utf8');
  expect(await readFile(join(PROJECT, 'README.md'), 'utf8')).toContain(`\`\`\`html\n${page}\`\`\`\n`);
  expect(page.split('\n').length).toBeLessThanOrEqual(30);
  await putModel();
  const typing = `<script type="module">
    const text = document.querySelector('#text');
    text.value = 'The cat!';
    while (text.value.length < 208) {
      if (text.value.length === 8) document.querySelector('#more').click();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    globalThis.result = text.value;
  </script>`;
  expect(await open('embed', page + typing)).toMatch(/^The cat![The cat]{200}$/);
});

it('continues what is typed into the React component, mounted twice as in development', async () => {
  await putModel();
  await copyFile(join(PROJECT, 'demo/embed/react.jsx'), join(folder, 'writing-box.jsx'));
  await put(
    'react-entry.jsx',
    `import { StrictMode } from 'react';
     import { createRoot } from 'react-dom/client';
     import { WritingBox } from './writing-box.jsx';
     const root = document.querySelector('#root');
     createRoot(root).render(<StrictMode><WritingBox model="model.safetensors" /></StrictMode>);
     const until = async (good) => {
       while (!good()) await new Promise((resolve) => setTimeout(resolve, 20));
     };
     await until(() => root.querySelector('button')?.disabled === false);
     root.querySelector('button').click();
     await until(() => root.querySelector('textarea').value.length === 204);
     globalThis.result = root.querySelector('textarea').value;`,
  );
  const options = ['--bundle', '--format=esm', '--jsx=automatic', '--outfile=react/main.js'];
  const mode = '--define:process.env.NODE_ENV="development"';
  await run(join(tool('esbuild'), 'bin/esbuild'), ['react-entry.jsx', ...options, mode], { cwd: folder });
  const page = '<div id="root"></div><script type="module" src="./react/main.js"></script>';
  expect(await open('react', page)).toMatch(/^The [The cat]{200}$/);
});

describe('in Node', () => {
  it('on the CPU', async () => {
    const result = await node(`import { train } from './train.mjs';
      console.log(JSON.stringify(await train({ backend: 'cpu' })));`);
    expect(JSON.parse(result)).toMatchObject({ ...LEARNED, kind: 'cpu' });
  });

  it('on WebGPU, with the package webgpu', async () => {
    const dawn = pathToFileURL(join(PROJECT, 'node_modules/webgpu/index.js')).href;
    const result = await node(`import { create, globals } from '${dawn}';
      import { train } from './train.mjs';
      Object.assign(globalThis, globals);
      globalThis.gpu = create([]);
      const adapter = await gpu.requestAdapter();
      const device = await adapter.requestDevice();
      console.log(JSON.stringify(await train({ backend: 'webgpu', device })));
      process.exit(0);`);
    expect(JSON.parse(result)).toMatchObject({ ...LEARNED, kind: 'webgpu' });
  });

  it('touches no global when it is imported', async () => {
    const result = await node(`
      const names = Object.getOwnPropertyNames(globalThis);
      const touched = [];
      for (const name of ['navigator', 'window', 'document', 'self', 'location', 'fetch', 'performance',
        'localStorage', 'indexedDB', 'crypto', 'GPUBufferUsage', 'GPUShaderStage', 'GPUMapMode']) {
        const value = globalThis[name];
        Object.defineProperty(globalThis, name, { configurable: true, get: () => (touched.push(name), value) });
      }
      const before = Object.getOwnPropertyNames(globalThis);
      await import('webgpu-rnn');
      await import('webgpu-rnn/inference');
      const after = Object.getOwnPropertyNames(globalThis);
      console.log(JSON.stringify({ touched,
        added: after.filter((name) => !before.includes(name)) }));`);
    expect(JSON.parse(result)).toEqual({ touched: [], added: [] });
  });
});

it('trains in Deno', async () => {
  await put(
    'deno.mjs',
    `import { train } from './train.mjs';\nconsole.log(JSON.stringify(await train({ backend: 'cpu' })));\n`,
  );
  const deno = join(folder, 'node_modules/.bin/deno');
  const { stdout } = await run(deno, ['run', '-A', '--node-modules-dir=manual', 'deno.mjs'], { cwd: folder });
  expect(JSON.parse(stdout)).toMatchObject({ ...LEARNED, kind: 'cpu' });
});

describe('its types', () => {
  it.each([
    ['5.4', 'typescript-5.4'],
    ['5.9', join(PROJECT, 'node_modules/typescript')],
  ])('are whole for TypeScript %s without WebGPU’s, library files checked', async (_, typescript) => {
    await put(
      'types.ts',
      `import { createExecutor, LSTM, type Executor } from 'webgpu-rnn';
       import { loadTextGenerator, type TextGenerator } from 'webgpu-rnn/inference';
       export const executor: Promise<Executor> = createExecutor({ backend: 'cpu' });
       export const size: number = new LSTM({ inputSize: 2, hiddenSize: 3 }).parameterCount;
       export const generator: Promise<TextGenerator> = loadTextGenerator(new Uint8Array());
       // @ts-expect-error
       export const wrong = loadTextGenerator('text');
      `,
    );
    const compilerOptions = {
      target: 'ES2022',
      module: 'NodeNext',
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      lib: ['ES2022', 'DOM'],
      types: [],
    };
    await put('tsconfig.json', JSON.stringify({ compilerOptions, files: ['types.ts'] }));
    const tsc = join(dirname(typescript) === '.' ? tool(typescript) : typescript, 'bin/tsc');
    const output = await run(process.execPath, [tsc, '-p', '.'], { cwd: folder }).catch(
      (error: unknown) => error as { readonly stdout: string },
    );
    expect(output.stdout).toBe('');
  });

  it('and exports satisfy publint and Are the types wrong', async () => {
    await inProject('publint/src/cli.js', 'run', tarball, '--strict');
    await inProject('@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only');
  });
});

/** Puts a model that has learned nothing beside the pages that load one. */
async function putModel(): Promise<void> {
  await node(`import { writeFile } from 'node:fs/promises';
    import { CharacterModel, createExecutor } from 'webgpu-rnn';
    const executor = await createExecutor({ backend: 'cpu' });
    const model = CharacterModel.create({ executor, characters: 'The cat', hiddenSize: 8, seed: 1 });
    await writeFile('model.safetensors', await model.save());`);
}

/** Runs a program of the project's own tools; its output is the message where it fails. */
async function inProject(program: string, ...args: readonly string[]): Promise<void> {
  await run(process.execPath, [join(PROJECT, 'node_modules', program), ...args], { cwd: folder }).catch(
    (error: unknown) => {
      const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
      throw new Error(`${program}\n${stdout}\n${stderr}`, { cause: error });
    },
  );
}

/** Runs a module in the consumer's folder; gives what it prints. */
async function node(code: string): Promise<string> {
  await put('node-entry.mjs', code);
  const driver = join(dirname(findBrowser() ?? ''), 'vk_swiftshader_icd.json');
  const usual = [driver, '/usr/lib/chromium/vk_swiftshader_icd.json'].find((file) => existsSync(file));
  const env = { ...process.env, ...(usual !== undefined && { VK_ICD_FILENAMES: usual }) };
  return (await run(process.execPath, ['node-entry.mjs'], { cwd: folder, env, timeout: 90_000 })).stdout;
}

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), text);
}
