/** The demo page in a real browser: it learns a text by heart, tells of mistakes, and works without WebGPU. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Browser } from 'puppeteer';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { launchBrowser } from '../../scripts/browser.js';
import { parseSafetensors } from '../../src/index.js';
import { fillFields, openDemo, pasteText, settled, type DemoPage } from './demo-page.js';

const SENTENCE = 'the quick brown fox jumps over the lazy dog. ';
const SMALL = {
  hiddenSize: 32,
  embeddingSize: 16,
  batchSize: 4,
  sequenceLength: 32,
  sampleEvery: 0,
  validateEvery: 0,
};

let browser: Browser;

beforeAll(async () => {
  browser = await puppeteer.connect({
    browserWSEndpoint: inject('browserEndpoint'),
    protocolTimeout: 0,
    defaultViewport: null,
  });
});

afterAll(async () => {
  await browser.disconnect();
});

describe('with WebGPU', () => {
  let demo: DemoPage;

  beforeAll(async () => {
    demo = await openDemo(browser, inject('pagesUrl'));
  });

  afterAll(async () => {
    await demo.page.close();
  });

  it('learns a sentence by heart and goes on with it exactly', async () => {
    const { page } = demo;
    await pasteText(page, SENTENCE.repeat(30));
    await fillFields(page, { ...SMALL, steps: 200, learningRate: 0.02 });
    await page.click('#start');
    const { status, error } = await settled(page);
    expect(error).toBe('');
    expect(status).toMatch(/^Done after 200 steps/);

    await page.locator('#prompt').fill('the quick ');
    await fillFields(page, { 'generate-temperature': 0, 'generate-length': 80 });
    await page.click('#write');
    expect((await settled(page)).error).toBe('');
    const written = await page.$eval('#output', (output) => output.textContent);
    expect(written).toBe(SENTENCE.repeat(3).slice(0, 'the quick '.length + 80));
  });

  it('gives the model to download, and takes it back', async () => {
    const { page } = demo;
    const folder = await mkdtemp(join(tmpdir(), 'webgpu-rnn-'));
    try {
      const session = await page.createCDPSession();
      await session.send('Browser.setDownloadBehavior', {
        behavior: 'allow',
        downloadPath: folder,
        eventsEnabled: true,
      });
      const finished = new Promise<void>((resolve) => {
        session.on('Browser.downloadProgress', ({ state }) => {
          if (state === 'completed') resolve();
        });
      });
      await page.click('#download');
      await finished;
      const path = join(folder, 'model.safetensors');
      const { tensors } = parseSafetensors(new Uint8Array(await readFile(path)));
      expect([...tensors.keys()]).toContain('rnn.weight_ih_l0');

      await page.reload();
      await page.waitForFunction(() => window.demo !== undefined);
      const input = await page.waitForSelector('input#model-file:enabled');
      await input!.uploadFile(path);
      await page.waitForSelector('#write:enabled');
      await page.locator('#prompt').fill('the quick ');
      await fillFields(page, { 'generate-temperature': 0, 'generate-length': 30 });
      await page.click('#write');
      expect((await settled(page)).error).toBe('');
      const written = await page.$eval('#output', (output) => output.textContent);
      expect(written).toBe(SENTENCE.slice(0, 40));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('stops when asked, and keeps what it has learned', async () => {
    const { page } = demo;
    await pasteText(page, SENTENCE.repeat(30));
    await fillFields(page, { ...SMALL, steps: 100_000 });
    await page.click('#start');
    await page.waitForFunction(
      () => document.getElementById('status')?.textContent.startsWith('Training on'),
      {
        timeout: 60_000,
      },
    );
    await page.click('#stop');
    const { status, error } = await settled(page);
    expect(error).toBe('');
    expect(status).toMatch(/^Stopped after [1-9]/);
    expect(await page.$eval('#write', (button) => (button as HTMLButtonElement).disabled)).toBe(false);
  });

  it.each([
    ['an empty text', '', {}, 'text: is empty'],
    ['a text too short', 'abc', {}, 'give more text, or set batchSize 1'],
    ['a hidden size of 0', SENTENCE.repeat(30), { hiddenSize: 0 }, 'hiddenSize is 0'],
    ['a fractional batch', SENTENCE.repeat(30), { batchSize: 1.5 }, 'batchSize is 1.5'],
    ['a negative number of steps', SENTENCE.repeat(30), { steps: -1 }, 'steps is -1'],
    ['a prompt of unknown characters', null, { prompt: 'Ж' }, '"Ж" (U+0416)'],
  ] as const)('tells of %s', async (_name, text, { ...fields }, message) => {
    const { page } = demo;
    if (text === null) {
      await page.locator('#prompt').fill('Ж');
      await page.click('#write');
    } else {
      await pasteText(page, text);
      await fillFields(page, { ...SMALL, steps: 2, ...(fields as Record<string, number>) });
      await page.click('#start');
    }
    expect((await settled(page)).error).toContain(message);
  });

  it('makes the browser complain of nothing', () => {
    expect(demo.complaints).toEqual([]);
  });

  it('fits a narrow screen, and labels every control', async () => {
    const { page } = demo;
    await page.setViewport({ width: 360, height: 740 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    const unlabelled = await page.$$eval('input, select, textarea', (controls) =>
      controls.filter(({ labels }) => labels?.length !== 1).map(({ id }) => id),
    );
    expect(unlabelled).toEqual([]);
  });
});

it('says that there is no WebGPU, and trains on the CPU', async () => {
  const without = await launchBrowser({ args: ['--disable-gpu', '--disable-software-rasterizer'] });
  try {
    const { page } = await openDemo(without, inject('pagesUrl'));
    expect(await page.$eval('#no-webgpu', (notice) => notice.textContent)).toContain('WebGPU');
    expect(await page.$eval('#backend', (choice) => (choice as HTMLSelectElement).value)).toBe('cpu');
    await pasteText(page, SENTENCE.repeat(30));
    await fillFields(page, { ...SMALL, steps: 3 });
    await page.click('#start');
    const { status, error } = await settled(page);
    expect(error).toBe('');
    expect(status).toMatch(/^Done after 3 steps/);
  } finally {
    await without.close();
  }
});
