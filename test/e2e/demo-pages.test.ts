/** The pages of forecasts and of gestures, as they are built. */
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { serveBuiltSite, type BuiltSite } from '../support/built-site.js';
import { fillFields, openDemo, textOf, waitForText } from './demo-page.js';
import { accessibilityFaults, overflowingWidths } from './demo-support.js';

let browser: Browser;
let context: BrowserContext;
let site: BuiltSite;

beforeAll(async () => {
  site = await serveBuiltSite();
  browser = await puppeteer.connect({
    browserWSEndpoint: inject('browserEndpoint'),
    protocolTimeout: 0,
    defaultViewport: { width: 1440, height: 1000 },
  });
  context = await browser.createBrowserContext();
}, 120_000);

afterAll(async () => {
  await context.close();
  await browser.disconnect();
  await site.close();
});

async function expectSound(page: Page, complaints: readonly string[]): Promise<void> {
  expect(await page.evaluate(() => window.mainThread.adapters)).toBe(0);
  for (const value of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
    expect(await accessibilityFaults(page)).toEqual([]);
  }
  expect(await overflowingWidths(page)).toEqual([]);
  expect(complaints).toEqual([]);
}

/** Draws with the mouse, through points given as parts of the element's width and height. */
async function drawOn(page: Page, id: string, points: readonly (readonly [number, number])[]): Promise<void> {
  await page.$eval(`#${id}`, (canvas) => canvas.scrollIntoView({ block: 'center', behavior: 'instant' }));
  const { x, y, width, height } = (await (await page.$(`#${id}`))!.boundingBox())!;
  const place = ([u, v]: readonly [number, number]): [number, number] => [x + u * width, y + v * height];
  await page.mouse.move(...place(points[0]!));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...place(point), { steps: 8 });
  await page.mouse.up();
}

it('learns a series that is drawn, forecasts it, and draws other futures', async () => {
  const { page, complaints } = await openDemo(context, `${site.url}forecast.html`);
  const wave = Array.from({ length: 30 }, (_, i) => [0.01 + 0.023 * i, 0.5 + 0.3 * Math.sin(i)] as const);
  await drawOn(page, 'series', wave);
  await waitForText(page, 'status', /^A series of \d{3} values/);
  await fillFields(page, { steps: 60, horizon: 20, hiddenSize: 16 });
  await page.locator('#learn').click();
  await waitForText(page, 'status', /^Learned in 60 steps/);
  const picture = (): Promise<string> =>
    page.$eval('#series', (canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const before = await picture();
  await page.locator('#again').click();
  await page.waitForFunction(
    (old) => (document.getElementById('series') as HTMLCanvasElement).toDataURL() !== old,
    {},
    before,
  );

  await page.locator('#hide').click();
  await page.locator('#learn').click();
  await waitForText(page, 'status', /% of what came lay within nine tenths of the futures/);

  await page.locator('#numbers').fill('1 2 3');
  await waitForText(page, 'error', /has 3 numbers; paste at least 16/);
  await page.locator('#numbers').fill(Array.from({ length: 40 }, (_, i) => (i % 7) + 1).join('\n'));
  await waitForText(page, 'status', /^A series of 40 values/);
  await expectSound(page, complaints);
  await page.close();
});

it('learns gestures, one of them new, and tells them apart as they are drawn', async () => {
  const { page, complaints } = await openDemo(context, `${site.url}gestures.html`);
  await page.locator('#class-name').fill('Line');
  await page.locator('#add-class').click();
  for (const shift of [0, 0.05, -0.05]) {
    await drawOn(page, 'pad', [
      [0.5 + shift, 0.1],
      [0.5 + shift, 0.9],
    ]);
  }
  await waitForText(page, 'status', /^Line has 3 examples/);
  await page.locator('#learn').click();
  await waitForText(page, 'status', /^Learned in/);
  const told = /(\d+) % of new variants/.exec(await textOf(page, 'status'))!;
  expect(Number(told[1])).toBeGreaterThan(85);

  const verdict = (): Promise<string> => page.$eval('#verdict .came .sign', (sign) => sign.textContent);
  await drawOn(page, 'pad', [
    [0.52, 0.15],
    [0.5, 0.85],
  ]);
  await page.waitForFunction(() => document.querySelector('#verdict .came .sign')?.textContent === 'Line');
  await drawOn(page, 'pad', [
    [0.3, 0.3],
    [0.4, 0.7],
    [0.5, 0.3],
    [0.6, 0.7],
    [0.7, 0.3],
  ]);
  await page.waitForFunction(() => document.querySelector('#verdict .came .sign')?.textContent === 'Zigzag');
  expect(await verdict()).toBe('Zigzag');
  await expectSound(page, complaints);
  await page.close();
});
