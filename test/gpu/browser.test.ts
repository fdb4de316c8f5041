/** Runs every GPU case in the browser, one test a case. */
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { GpuCaseModule } from './case.js';
import { cases as faults } from './harness/faults.js';

const modules = import.meta.glob<GpuCaseModule>('./cases/*.ts', { eager: true });

let browser: Browser;
let page: Page;
const messages: string[] = [];

beforeAll(async () => {
  browser = await puppeteer.connect({
    browserWSEndpoint: inject('browserEndpoint'),
    protocolTimeout: 0,
    defaultViewport: null,
  });
  page = await browser.newPage();
  page.on('console', (message) => {
    messages.push(`${message.type()}: ${message.text()}`);
    if (message.type() === 'info') console.info(message.text());
  });
  page.on('pageerror', (error) => messages.push(`page error: ${String(error)}`));
  await offerHeap(page);
  await page.goto(`${inject('pagesUrl')}test/gpu/harness/index.html`);
  await page
    .waitForFunction(() => window.gpuTests !== undefined, { timeout: 30_000 })
    .catch((error: unknown) => {
      throw new Error(`the harness page did not load\n${messages.join('\n')}`, { cause: error });
    });
});

afterAll(async () => {
  await page.close();
  await browser.disconnect();
});

it('has a WebGPU adapter', async () => {
  expect(await page.evaluate(() => window.gpuTests!.describeAdapter())).not.toBe('');
});

it('has cases', () => {
  expect(Object.keys(modules)).not.toEqual([]);
});

describe('the harness', () => {
  it.each(faults)('sees $name', async ({ name, says }) => {
    const problem = await run('faults.ts', name);
    if (says === null) expect(problem).toBeNull();
    else expect(problem).toContain(says);
  });
});

for (const [path, { cases }] of Object.entries(modules)) {
  const file = path.slice('./cases/'.length);
  describe(file, () => {
    it.each(cases.map(({ name }) => name))('%s', async (name) => {
      const problem = await run(file, name);
      if (problem !== null) throw new Error([problem, ...messages].join('\n'));
    });
  });
}

/** Lets the page ask for the bytes of its heap, after garbage was collected: as `measureHeap`. */
async function offerHeap(asked: Page): Promise<void> {
  const session = await asked.createCDPSession();
  await asked.exposeFunction('measureHeap', async () => {
    await session.send('HeapProfiler.collectGarbage');
    const usage = await session.send('Runtime.getHeapUsage');
    return usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize;
  });
}

/** Runs one case in the page; what the page says meanwhile is kept for a failure. */
function run(file: string, name: string): Promise<string | null> {
  messages.length = 0;
  return page.evaluate((f, n) => window.gpuTests!.run(f, n), file, name);
}
