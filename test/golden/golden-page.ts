/** Runs golden files on WebGPU in a page of a running browser. */
import type { Browser, Page } from 'puppeteer';
import type { GoldenReport } from './run-golden.js';

/** A page that takes golden files one after another. */
export class GoldenPage {
  readonly #page: Page;
  readonly #messages: string[];

  private constructor(page: Page, messages: string[]) {
    this.#page = page;
    this.#messages = messages;
  }

  /** @param pagesUrl address of the page server; ends in a slash */
  static async open(browser: Browser, pagesUrl: string): Promise<GoldenPage> {
    const page = await browser.newPage();
    const messages: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warn') messages.push(message.text());
    });
    page.on('pageerror', (error) => messages.push(String(error)));
    await page.goto(`${pagesUrl}test/golden/page/index.html`);
    try {
      await page.waitForFunction(() => window.runGoldenFile !== undefined, { timeout: 30_000 });
    } catch (error) {
      await page.close();
      throw new Error(['the page for golden files did not load', ...messages].join('\n'), { cause: error });
    }
    return new GoldenPage(page, messages);
  }

  /** What runs the files, for people. */
  describe(): Promise<string> {
    return this.#page.evaluate(() => window.describeExecutor!());
  }

  /** Runs one file. What the browser complained about meanwhile is a failure too. */
  async run(name: string, bytes: Uint8Array): Promise<GoldenReport> {
    this.#messages.length = 0;
    const report = await this.#page.evaluate(
      (n, base64) => window.runGoldenFile!(n, base64),
      name,
      Buffer.from(bytes).toString('base64'),
    );
    if (this.#messages.length === 0) return report;
    return { ...report, passed: false, text: [report.text, ...this.#messages].join('\n') };
  }

  close(): Promise<void> {
    return this.#page.close();
  }
}
