/** `npm run golden -- [--backend webgpu|cpu] FILE…`: checks golden files, a line each. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { launchBrowser, type AdapterChoice } from '../../scripts/browser.js';
import { servePages } from '../../scripts/serve.js';
import { createExecutor } from '../../src/index.js';
import { GoldenPage } from './golden-page.js';
import { formatReport, runGolden, type GoldenReport } from './run-golden.js';

const USAGE = `npm run golden -- [--backend webgpu|cpu] [--adapter swiftshader|gpu|auto] FILE…
  --backend  webgpu, the default: in a headless browser; cpu: the float64 reference, in Node
  --adapter  what the browser computes with: software (the default), a real GPU, or whichever there is
`;

/** Runs one file's bytes. */
type Run = (name: string, bytes: Uint8Array) => Promise<GoldenReport>;

interface Backend {
  readonly description: string;
  readonly run: Run;
  close(): Promise<void>;
}

const options = parse();
// An exit, unlike a signal's own end, takes the browser along.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
process.exitCode = await main(options);

function parse(): { backend: 'webgpu' | 'cpu'; adapter: AdapterChoice; files: string[] } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        backend: { type: 'string', default: 'webgpu' },
        adapter: { type: 'string', default: 'swiftshader' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const { backend, adapter } = values;
    if (backend !== 'webgpu' && backend !== 'cpu')
      throw new Error(`--backend is "${backend}", not webgpu or cpu`);
    if (adapter !== 'swiftshader' && adapter !== 'gpu' && adapter !== 'auto') {
      throw new Error(`--adapter is "${adapter}", not swiftshader, gpu or auto`);
    }
    if (positionals.length === 0) throw new Error('no files are given');
    return { backend, adapter, files: positionals };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

async function main({ backend, adapter, files }: ReturnType<typeof parse>): Promise<number> {
  let passed = 0;
  try {
    const opened = backend === 'cpu' ? await openCpu() : await openBrowser(adapter);
    try {
      console.log(opened.description);
      for (const file of files) {
        const report = await runFile(file, opened.run);
        if (report.passed) passed++;
        console.log(formatReport(report));
      }
    } finally {
      await opened.close();
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  console.log(`${passed} passed, ${files.length - passed} failed`);
  return passed === files.length ? 0 : 1;
}

async function runFile(file: string, run: Run): Promise<GoldenReport> {
  const name = basename(file);
  try {
    return await run(name, await readFile(file));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { name, passed: false, unsupported: null, text };
  }
}

async function openCpu(): Promise<Backend> {
  const executor = await createExecutor({ backend: 'cpu', precision: 'float64' });
  return {
    description: executor.description,
    run: (name, bytes) => runGolden(name, bytes, executor),
    close: async () => executor.dispose(),
  };
}

async function openBrowser(adapter: AdapterChoice): Promise<Backend> {
  const server = await servePages();
  try {
    const browser = await launchBrowser({ adapter });
    const close = async (): Promise<void> => {
      await browser.close();
      await server.close();
    };
    try {
      const page = await GoldenPage.open(browser, server.url);
      return { description: await page.describe(), run: (name, bytes) => page.run(name, bytes), close };
    } catch (error) {
      await close();
      throw error;
    }
  } catch (error) {
    await server.close();
    throw error;
  }
}
