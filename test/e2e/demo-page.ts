/** Opens the demo page in the shared browser, and works its controls as a person does. */
import type { Browser, Page } from 'puppeteer';

/** The demo page, and everything the browser complained about on it. */
export interface DemoPage {
  readonly page: Page;
  readonly complaints: string[];
}

/** Opens the page and waits until it knows whether there is WebGPU. */
export async function openDemo(browser: Browser, pagesUrl: string): Promise<DemoPage> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`${pagesUrl}demo/index.html`);
  await page.waitForFunction(
    () =>
      window.demo !== undefined && document.getElementById('adapter')?.textContent !== 'Looking for a GPU…',
    { timeout: 60_000 },
  );
  return { page, complaints };
}

/** Chooses pasted text, and pastes. */
export async function pasteText(page: Page, text: string): Promise<void> {
  await page.click('input[value="pasted"]');
  await page.locator('#pasted').fill(text);
}

/** Types numbers into fields, by id. */
export async function fillFields(page: Page, values: Readonly<Record<string, number>>): Promise<void> {
  await page.$eval('details', (details) => (details.open = true));
  for (const [id, value] of Object.entries(values)) await page.locator(`#${id}`).fill(String(value));
}

/** Waits until nothing runs; what the page shows of the end. */
export async function settled(page: Page): Promise<{ readonly status: string; readonly error: string }> {
  await page.waitForFunction(
    () => !(document.getElementById('start') as HTMLButtonElement | null)?.disabled,
    { timeout: 120_000 },
  );
  return page.evaluate(() => {
    const shown = (id: string): string => {
      const box = document.getElementById(id);
      return box === null || box.hidden ? '' : box.textContent;
    };
    return { status: shown('status'), error: shown('error') };
  });
}
