/** The page of character models as it is built: one visit from the first click to going on after a reload. */
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../demo/characters/protocol.js';
import { launchBrowser } from '../../scripts/browser.js';
import { parseSafetensors } from '../../src/index.js';
import { serveBuiltSite, type BuiltSite } from '../support/built-site.js';
import {
  deviceIsKnown,
  fillFields,
  openDemo,
  openSettings,
  pasteText,
  settled,
  textOf,
  waitForText,
  type DemoPage,
} from './demo-page.js';
import { accessibilityFaults, overflowingWidths } from './demo-support.js';

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
let site: BuiltSite;

beforeAll(async () => {
  site = await serveBuiltSite();
  browser = await puppeteer.connect({
    browserWSEndpoint: inject('browserEndpoint'),
    protocolTimeout: 0,
    defaultViewport: null,
  });
}, 120_000);

afterAll(async () => {
  await browser.disconnect();
  await site.close();
});

/** Lets the model write with certainty, and gives what the page then shows. */
async function write(page: Page, prompt: string, length: number): Promise<string> {
  await page.locator('#prompt').fill(prompt);
  await fillFields(page, { 'generate-temperature': 0, 'generate-length': length });
  await page.locator('#write').click();
  expect((await settled(page)).error).toBe('');
  return textOf(page, 'output');
}

async function losses(page: Page): Promise<{ readonly first: number; readonly last: number }> {
  const label = await page.$eval('#chart', (chart) => chart.getAttribute('aria-label'));
  const [, first, last] = /training from ([\d.]+) to ([\d.]+)/.exec(label ?? '') ?? [];
  return { first: Number(first), last: Number(last) };
}

describe('a visit', () => {
  let context: BrowserContext;
  let demo: DemoPage;
  let page: Page;

  beforeAll(async () => {
    context = await browser.createBrowserContext();
    demo = await openDemo(context, `${site.url}index.html`);
    page = demo.page;
  });

  afterAll(async () => {
    await context.close();
  });

  it('offers the library’s own sources, and says what they are and what training will take', async () => {
    await waitForText(page, 'text-facts', /library source: ([\d,]{7}|[\d.]+M) characters, \d+ different/);
    expect(await textOf(page, 'forecast')).toMatch(/^[\d,]+ parameters, about [\d.]+ MB while training$/);
    expect(await textOf(page, 'adapter')).toMatch(/swiftshader, a software adapter/);
  });

  it('checks that the GPU computes right, in the worker, and says so in plain words', async () => {
    await page.locator('#check').click();
    await waitForText(page, 'check-status', /^Checking [a-z-]+: \d+ of \d+ parts done\.$/);
    await waitForText(page, 'check-status', /^This GPU computes right: \d\d checks passed in [\d.]+ s\.$/);
    expect(await textOf(page, 'check-list')).toMatch(
      /^lstm, by recurrent_forward lstm plain: 8 rows: right/m,
    );
    expect(await page.$eval('#check', (start) => (start as HTMLButtonElement).disabled)).toBe(false);
  });

  it('trains, pauses, takes a step, changes its rate, goes on, and has learned the text', async () => {
    await pasteText(page, SENTENCE.repeat(30));
    await fillFields(page, { ...SMALL, steps: 220, learningRate: 0.02, sampleEvery: 20, sampleLength: 30 });
    await page.locator('#start').click();
    await page.waitForFunction(() => document.getElementById('sample')!.textContent.length > 3);

    await page.locator('#pause').click();
    await waitForText(page, 'status', /^Held after step \d+/);
    const heldAt = await textOf(page, 'step');
    await page.locator('#step-once').click();
    await page.waitForFunction(
      (before) => document.getElementById('step')!.textContent !== before,
      {},
      heldAt,
    );
    const step = (text: string): number => parseInt(text, 10);
    expect(step(await textOf(page, 'step'))).toBe(step(heldAt) + 1);

    await page.locator('#rate').fill('-1.8');
    expect(await textOf(page, 'rate-value')).toBe('0.016');
    expect(await page.$eval('#learningRate', (field) => (field as HTMLInputElement).value)).toBe('0.016');
    await page.locator('#pause').click();

    const { status, error } = await settled(page);
    expect(error).toBe('');
    expect(status).toMatch(/^Done after 220 steps/);
    const { first, last } = await losses(page);
    expect(first).toBeGreaterThan(2.5);
    expect(last).toBeLessThan(0.2);
    expect(await write(page, 'the quick ', 80)).toBe(SENTENCE.repeat(3).slice(0, 90));
  });

  it('keeps all samples, to go back to', async () => {
    const count =
      Number(await page.$eval('#sample-choice', (choice) => (choice as HTMLInputElement).max)) + 1;
    expect(count).toBe(11);
    expect(await textOf(page, 'sample-step')).toBe('after step 220');
    const newest = await textOf(page, 'sample');
    await page.locator('#sample-previous').click();
    expect(await textOf(page, 'sample-step')).toBe('after step 200');
    await page.locator('#sample-choice').fill('0');
    expect(await textOf(page, 'sample-step')).toBe('after step 20');
    expect(await textOf(page, 'sample')).not.toBe(newest);
    expect(await textOf(page, 'sample')).toHaveLength(30);
  });

  it('shows what a unit does at each character, and what the network expected', async () => {
    await page.$eval('#inside', (panel) => panel.scrollIntoView());
    await page.waitForSelector('#inside-body:not([hidden])');
    await page.select('#inside-source', 'text');
    await page.waitForFunction(() => document.querySelectorAll('#inside-text span').length === 800);
    const colors = (): Promise<string> =>
      page.$$eval('#inside-text span', (spans) =>
        spans
          .slice(0, 60)
          .map((span) => span.style.backgroundColor)
          .join(),
      );
    await page.locator('#unit').fill('3');
    const third = await colors();
    await page.locator('#unit').fill('4');
    expect(await colors()).not.toBe(third);
    expect(await textOf(page, 'unit-value')).toMatch(/^4 of 32/);
    const character = (await page.$$('#inside-text span'))[500]!;
    await character.hover();
    const next = SENTENCE.repeat(30).slice(-800)[501]!;
    const sign = await page.$eval('#expected li .sign', (likeliest) => likeliest.textContent);
    expect(sign).toBe(next === ' ' ? '␣' : next);
    expect(await page.$eval('#expected li', (likeliest) => likeliest.className)).toBe('came');
  });

  it('goes on after a reload, where it was stopped', async () => {
    await fillFields(page, { steps: 100_000, sampleEvery: 0, learningRate: 0.003 });
    await page.locator('#start').click();
    await waitForText(page, 'step', /^([2-9]\d|\d{3,}) \//);
    await page.locator('#stop').click();
    expect((await settled(page)).status).toMatch(/^Stopped after/);
    const stopped = await textOf(page, 'step');
    const written = await write(page, 'the ', 30);

    await page.reload();
    await page.waitForFunction(deviceIsKnown);
    await page.locator('#open-last').click();
    await waitForText(page, 'status', /is as it was after step/);
    expect(await textOf(page, 'step')).toBe(stopped);
    expect(await textOf(page, 'text-facts')).toContain('pasted text: 1,350 characters');
    expect(await write(page, 'the ', 30)).toBe(written);

    await page.locator('#further').click();
    const next = parseInt(stopped, 10) + 8;
    await page.waitForFunction(
      (wanted) => parseInt(document.getElementById('step')!.textContent, 10) >= wanted,
      {},
      next,
    );
    await page.locator('#stop').click();
    expect((await settled(page)).error).toBe('');
  });

  it('exports the model, and writes the same with it once imported', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'webgpu-rnn-'));
    try {
      const written = await write(page, 'the quick ', 30);
      const session = await page.createCDPSession();
      await session.send('Browser.setDownloadBehavior', {
        behavior: 'allow',
        browserContextId: context.id!,
        downloadPath: folder,
        eventsEnabled: true,
      });
      const save = async (id: string): Promise<void> => {
        const finished = new Promise<void>((resolve) => {
          session.on('Browser.downloadProgress', ({ state }) => {
            if (state === 'completed') resolve();
          });
        });
        await page.locator(`#${id}`).click();
        await finished;
      };
      await save('download');
      await save('download-curve');
      await save('download-csv');
      const path = join(folder, 'model.safetensors');
      const { tensors } = parseSafetensors(new Uint8Array(await readFile(path)));
      expect([...tensors.keys()]).toContain('rnn.weight_ih_l0');
      expect([...(await readFile(join(folder, 'loss.png')))].slice(0, 4)).toEqual([0x89, 0x50, 0x4e, 0x47]);
      const table = (await readFile(join(folder, 'loss.csv'), 'utf8')).trimEnd().split('\n');
      expect(table[0]).toBe('step,seconds,train_loss,validation_loss,gradient_norm,learning_rate');
      expect(table[1]).toMatch(/^1,[\d.]+,[\d.]+,[\d.]*,[\d.]+,0.003$/);

      await page.locator('#reset').click();
      await page.waitForSelector('#write:disabled');
      const input = await page.waitForSelector('input#model-file');
      await input!.uploadFile(path);
      await page.waitForSelector('#write:enabled');
      expect(await write(page, 'the quick ', 30)).toBe(written);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each([
    ['an empty text', '', {}, 'text: is empty'],
    ['a text too short', 'abc', {}, 'give more text, or set batchSize 1'],
    ['a hidden size of 0', SENTENCE.repeat(30), { hiddenSize: 0 }, 'hiddenSize is 0'],
    ['a fractional batch', SENTENCE.repeat(30), { batchSize: 1.5 }, 'batchSize is 1.5'],
    ['a negative number of steps', SENTENCE.repeat(30), { steps: -1 }, 'steps is -1'],
    ['a top-p of 2', SENTENCE.repeat(30), { topP: 2 }, 'topP is 2'],
    ['a prompt of unknown characters', null, {}, '"Ж" (U+0416)'],
  ] as const)('tells of %s', async (_name, text, fields, message) => {
    if (text === null) {
      await page.locator('#prompt').fill('Ж');
      await page.locator('#write').click();
    } else {
      await pasteText(page, text);
      await fillFields(page, { ...SMALL, steps: 2, topP: 1, ...(fields as Record<string, number>) });
      await page.locator('#start').click();
    }
    await page.waitForSelector('#error:not([hidden])');
    expect((await settled(page)).error).toContain(message);
  });

  it('tells of a file that is no text, and of one that is no model', async () => {
    await page.evaluate(() => {
      const drop = (name: string, bytes: number[]): void => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(bytes)], name));
        dispatchEvent(new DragEvent('drop', { dataTransfer: data }));
      };
      drop('picture.bin', [97, 98, 99, 0xff, 0xfe]);
    });
    await waitForText(page, 'error', /^picture\.bin: is not UTF-8: byte 3 \(0xff\)/);
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File(['nothing of the kind'], 'broken.safetensors'));
      dispatchEvent(new DragEvent('drop', { dataTransfer: data }));
    });
    await waitForText(page, 'error', /safetensors/);
    // The model that was there is there still.
    await write(page, 'the ', 5);
  });

  it('reads a large file in pieces, and tells of one that has changed or is too large', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'webgpu-rnn-'));
    try {
      // Pieces end within characters of three bytes.
      const large = join(folder, 'large.txt');
      await writeFile(large, 'a€'.repeat(2_000_000));
      await openSettings(page);
      await page.locator('input[value="file"]').click();
      const field = await page.waitForSelector('input#file');
      await field!.uploadFile(large);
      await waitForText(page, 'text-facts', /^large\.txt: 4\.0M characters, 2 different/);
      await page.locator('input[value="library"]').click();
      await waitForText(page, 'text-facts', /^library source/);
      await appendFile(large, 'b');
      await page.locator('input[value="file"]').click();
      await waitForText(
        page,
        'error',
        /^large\.txt: could not be read; choose it again, in case it has changed/,
      );
      const huge = join(folder, 'huge.txt');
      await writeFile(huge, '');
      await truncate(huge, 100e6 + 1);
      await field!.uploadFile(huge);
      await waitForText(page, 'error', /^huge\.txt: has more than 100 MB/);
      await page.locator('input[value="library"]').click();
      await waitForText(page, 'text-facts', /^library source/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('puts settings into a link, and takes them from one', async () => {
    await fillFields(page, { hiddenSize: 48, topP: 0.9 });
    await page.locator('#copy-link').click();
    await page.waitForFunction(() => location.hash !== '');
    const other = await openDemo(context, page.url());
    expect(await other.page.$eval('#hiddenSize', (field) => (field as HTMLInputElement).value)).toBe('48');
    expect(await other.page.$eval('#topP', (field) => (field as HTMLInputElement).value)).toBe('0.9');
    await other.page.close();
  });

  it('scores a synthetic task by cases it has not seen', async () => {
    await page.locator('input[value="task"]').click();
    await page.select('#task', 'reverse');
    await waitForText(page, 'text-facts', /^Reversal: [\d,]+ characters, 10 different/);
    await fillFields(page, { ...SMALL, hiddenSize: 32, topP: 1, steps: 4 });
    await page.locator('#start').click();
    await waitForText(page, 'status', /^Done after 4 steps/);
    expect(await textOf(page, 'score-exact')).toMatch(/^\d+ %$/);
    expect(await textOf(page, 'score-step')).toContain('of 20 unseen cases exactly right after step 4');
    const marked = await page.$$eval('#score-cases li', (cases) =>
      cases.map((shown) => shown.querySelectorAll('.right, .wrong, .missing').length),
    );
    expect(marked).toHaveLength(20);
    expect(Math.min(...marked)).toBeGreaterThan(0);
  });

  it('computes nothing on the main thread', async () => {
    const { adapters, longTasks } = await page.evaluate(() => window.mainThread);
    expect(adapters).toBe(0);
    const scripts = await page.evaluate(async () => {
      const addresses = [...document.querySelectorAll<HTMLScriptElement>('script[src]')].map(
        ({ src }) => src,
      );
      const imported = [...document.querySelectorAll<HTMLLinkElement>('link[rel=modulepreload]')].map(
        ({ href }) => href,
      );
      return Promise.all([...addresses, ...imported].map(async (address) => (await fetch(address)).text()));
    });
    expect(scripts.join('').length).toBeGreaterThan(1000);
    // What only the library says.
    expect(scripts.join('')).not.toContain('createComputePipeline');
    console.log(`long tasks on the main thread, in ms: ${longTasks.join(' ') || 'none'}`);
  });

  it('makes the browser complain of nothing', () => {
    expect(demo.complaints).toEqual([]);
  });

  it.each(['light', 'dark'])('has no serious fault of accessibility in %s', async (scheme) => {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  it('fits narrow and wide screens', async () => {
    expect(await overflowingWidths(page)).toEqual([]);
  });
});

it('says that there is no WebGPU or no connection, and trains on the CPU with what there is', async () => {
  const args = [
    '--disable-gpu',
    '--disable-software-rasterizer',
    '--host-resolver-rules=MAP *.com ~NOTFOUND',
  ];
  const without = await launchBrowser({ args });
  try {
    const { page } = await openDemo(without.defaultBrowserContext(), `${site.url}index.html`);
    expect(await textOf(page, 'adapter')).toContain('No WebGPU');
    expect(await page.$eval('#backend', (choice) => (choice as HTMLSelectElement).value)).toBe('cpu');
    await openSettings(page);
    await page.locator('input[value="shakespeare"]').click();
    await waitForText(page, 'error', /^Tiny Shakespeare: could not be fetched; check the connection/);
    await page.locator('#start').click();
    await waitForText(page, 'error', /^Tiny Shakespeare: could not be fetched; check the connection/);
    const fetched = (url: string): Promise<unknown> =>
      page.evaluate(
        (address, settings) =>
          window
            .demo!.train({ name: 'play', url: address }, settings)
            .catch((error: unknown) => String(error)),
        url,
        { ...DEFAULT_SETTINGS, ...SMALL, steps: 2, backend: 'cpu' } as const,
      );
    expect(await fetched(`${site.url}play.txt`)).toContain(
      'play: the server answered 404; take another text',
    );
    expect(await fetched(`${site.url}index.html`)).toMatchObject({ steps: 2, stopped: false });
    expect(await textOf(page, 'text-facts')).toMatch(/^play: [\d,]+ characters/);
    await pasteText(page, SENTENCE.repeat(30));
    await fillFields(page, { ...SMALL, steps: 3 });
    await page.locator('#start').click();
    await waitForText(page, 'status', /^Done after 3 steps/);
    expect((await settled(page)).error).toBe('');
  } finally {
    await without.close();
  }
});
