/** A page of one's own whose GPU process crashes: training and writing go on to the same bits, or, refused for good, training on the CPU. */
import type { Browser, Page } from 'puppeteer';
import { afterEach, expect, inject, it } from 'vitest';
import { launchBrowser } from '../../scripts/browser.js';
import type { Ending } from './pages/device-lost.js';

const STEPS = 400;
const LENGTH = 300;

let browser: Browser | undefined;

afterEach(async () => {
  await browser?.close();
  browser = undefined;
});

async function open(args: readonly string[] = []): Promise<Page> {
  browser = await launchBrowser({ args });
  const page = await browser.newPage();
  await page.goto(`${inject('pagesUrl')}test/e2e/pages/device-lost.html`);
  await page.waitForFunction(() => window.train !== undefined, { timeout: 60_000 });
  return page;
}

function train(page: Page, steps: number): Promise<Ending> {
  return page.evaluate((count) => window.train!(count), steps);
}

/** Crashes the process that computes, once so many steps or characters are reported. */
async function crashAfter(page: Page, count: number, what: 'trained' | 'written' = 'trained'): Promise<void> {
  const reached = (name: typeof what, least: number): boolean => window[name]! >= least;
  await page.waitForFunction(reached, { timeout: 120_000 }, what, count);
  const session = await browser!.target().createCDPSession();
  // The browser may end the call with the process.
  await session.send('Browser.crashGpuProcess').catch(() => undefined);
  await session.detach();
}

it('goes on by itself, to the losses of a run that was left alone', async () => {
  const page = await open(['--disable-domain-blocking-for-3d-apis', '--disable-gpu-process-crash-limit']);
  const alone = await train(page, STEPS);
  const training = train(page, STEPS);
  await crashAfter(page, 40);
  await crashAfter(page, 200);
  const disturbed = await training;
  expect(disturbed.recoveries).toHaveLength(2);
  expect(disturbed.final).toBeNull();
  expect(disturbed.losses).toEqual(alone.losses);

  // And writing, with the small entry.
  const write = () => page.evaluate((length) => window.write!(length), LENGTH);
  const { text } = await write();
  const writing = write();
  await crashAfter(page, 30, 'written');
  expect(await writing).toEqual({ text, told: ['unknown', 'recovered'] });
});

it('goes on with the CPU from its last snapshot where the browser gives no adapter any more', async () => {
  const page = await open();
  const training = train(page, 1_000_000);
  const ended = training.then(
    () => true,
    () => true,
  );
  for (let crash = 1; crash <= 6; crash++) {
    const from = await page.evaluate(() => window.trained!);
    const crashed = crashAfter(page, from + 10).then(
      () => false,
      () => false,
    );
    if (await Promise.race([crashed, ended])) break;
    // A crash is news for the page after some tenths of a second.
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  const { final, losses } = await training;
  expect(final?.message).toContain('for good');
  expect(final!.step).toBeGreaterThan(0);
  expect(losses).toHaveLength(3);
  expect(losses.every(Number.isFinite)).toBe(true);
});
