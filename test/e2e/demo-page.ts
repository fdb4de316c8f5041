/** Opens a page of the built demo, and works its controls as a person does. */
import type { BrowserContext, ConsoleMessage, Page } from 'puppeteer';

/** A page of the demo, and everything the browser complained about on it. */
export interface DemoPage {
  readonly page: Page;
  readonly complaints: string[];
}

/** Opens the page and waits until it knows whether there is WebGPU. */
export async function openDemo(context: BrowserContext, url: string): Promise<DemoPage> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message: ConsoleMessage) => {
    if (['error', 'warn'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.evaluateOnNewDocument(watchMainThread);
  await page.goto(url);
  await page.waitForFunction(deviceIsKnown, { timeout: 60_000 });
  return { page, complaints };
}

export function deviceIsKnown(): boolean {
  return /\bnone\b|\bsoftware\b|\bhardware\b/.test(document.getElementById('adapter')?.className ?? '');
}

declare global {
  interface Window {
    /** What the main thread did since the page was opened. */
    mainThread: { adapters: number; longTasks: number[] };
    /** Every worker that the page has started. */
    workersMade: Worker[];
  }
}

/** Runs in the page before its own scripts: counts long tasks and requests for an adapter, and notes workers. */
function watchMainThread(): void {
  const made: Worker[] = (window.workersMade = []);
  window.Worker = class extends Worker {
    constructor(address: string | URL, options?: WorkerOptions) {
      super(address, options);
      made.push(this);
    }
  };
  window.mainThread = { adapters: 0, longTasks: [] };
  const prototype = (globalThis as { GPU?: { prototype: GPU } }).GPU?.prototype;
  if (prototype) {
    const { requestAdapter } = Object.getOwnPropertyDescriptors(prototype);
    prototype.requestAdapter = function (this: GPU, options) {
      window.mainThread.adapters++;
      return (requestAdapter.value as GPU['requestAdapter']).call(this, options);
    };
  }
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.mainThread.longTasks.push(Math.round(duration));
  }).observe({ type: 'longtask', buffered: true });
}

/** Chooses pasted text, and pastes; resolves when it was read. */
export async function pasteText(page: Page, text: string): Promise<void> {
  await openSettings(page);
  await page.locator('input[value="pasted"]').click();
  await page.locator('#pasted').fill(text);
  const characters = `pasted text: ${Array.from(text).length.toLocaleString('en-US')} characters`;
  await page.waitForFunction(
    (wanted) => document.getElementById('text-facts')?.textContent.startsWith(wanted) === true,
    {},
    text === '' ? '' : characters,
  );
}

/** Unfolds all that is folded away. */
export async function openSettings(page: Page): Promise<void> {
  await page.$$eval('details', (all) => all.forEach((details) => (details.open = true)));
}

/** Types numbers into fields, by id. */
export async function fillFields(page: Page, values: Readonly<Record<string, number>>): Promise<void> {
  await openSettings(page);
  for (const [id, value] of Object.entries(values)) await page.locator(`#${id}`).fill(String(value));
}

/** Waits until this element's text matches. */
export async function waitForText(page: Page, id: string, pattern: RegExp): Promise<void> {
  await page.waitForFunction(
    (where, source) => new RegExp(source).test(document.getElementById(where)?.textContent ?? ''),
    { timeout: 90_000 },
    id,
    pattern.source,
  );
}

/** Waits until nothing is trained or written; what the page shows of the end. */
export async function settled(page: Page): Promise<{ readonly status: string; readonly error: string }> {
  await page.waitForFunction(
    () => {
      const start = document.getElementById('start') as HTMLButtonElement;
      return !start.disabled && document.getElementById('stop-writing')!.hidden;
    },
    { timeout: 120_000 },
  );
  return page.evaluate(() => {
    const shown = (id: string): string => {
      const found = document.getElementById(id);
      return found === null || found.hidden ? '' : found.textContent;
    };
    return { status: shown('status'), error: shown('error') };
  });
}

/** What an element says. */
export function textOf(page: Page, id: string): Promise<string> {
  return page.$eval(`#${id}`, (found) => found.textContent);
}
