/** When the GPU goes away in the middle of a run, the page says so and the training goes on by itself. */
import type { Browser } from 'puppeteer';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser } from '../../scripts/browser.js';
import { serveBuiltSite, type BuiltSite } from '../support/built-site.js';
import { fillFields, openDemo, pasteText, settled, textOf, waitForText } from './demo-page.js';

let browser: Browser;
let site: BuiltSite;

beforeAll(async () => {
  site = await serveBuiltSite();
  // Otherwise the browser gives pages no adapter after a crash or two.
  browser = await launchBrowser({
    args: ['--disable-domain-blocking-for-3d-apis', '--disable-gpu-process-crash-limit'],
  });
}, 120_000);

afterAll(async () => {
  await browser.close();
  await site.close();
});

it('says that the device was lost, and trains on by itself', async () => {
  const { page } = await openDemo(browser.defaultBrowserContext(), `${site.url}index.html`);
  await pasteText(page, 'the quick brown fox jumps over the lazy dog. '.repeat(30));
  await fillFields(page, {
    hiddenSize: 16,
    embeddingSize: 8,
    batchSize: 4,
    sequenceLength: 16,
    steps: 100_000,
    sampleEvery: 0,
    validateEvery: 0,
  });
  await page.locator('#start').click();
  await waitForText(page, 'step', /^\d{2,} \//);
  // A pause keeps the model.
  await page.locator('#pause').click();
  await waitForText(page, 'status', /^Held after step/);
  await page.waitForSelector('#kept li');
  await page.locator('#pause').click();

  const session = await browser.target().createCDPSession();
  await session.send('Browser.crashGpuProcess').catch(() => undefined);
  await waitForText(page, 'status', /^The GPU was lost.* goes on after step \d+/);
  const before = parseInt(await textOf(page, 'step'), 10);
  await page.waitForFunction(
    (from) => parseInt(document.getElementById('step')!.textContent, 10) > from,
    { timeout: 60_000 },
    before,
  );
  await page.locator('#stop').click();
  expect((await settled(page)).error).toBe('');
});
