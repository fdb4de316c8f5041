/** Runs every GPU case in the browser, one test a case. */
import puppeteer, { type Browser, type Page } from 'puppeteer';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { GpuCaseModule } from './case.js';

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
  page.on('console', (message) => messages.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => messages.push(`page error: ${String(error)}`));
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

for (const [path, { cases }] of Object.entries(modules)) {
  const file = path.slice('./cases/'.length);
  describe(file, () => {
    it.each(cases.map(({ name }) => name))('%s', async (name) => {
      messages.length = 0;
      const problem = await page.evaluate((f, n) => window.gpuTests!.run(f, n), file, name);
      if (problem !== null) throw new Error([problem, ...messages].join('\n'));
    });
  });
}
