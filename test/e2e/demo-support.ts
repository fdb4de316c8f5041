/** What tests of every page of the demo ask: accessibility, width, and what the browser complained about. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'puppeteer';

/** Faults that axe finds on a page as it stands, for messages; it must have looked at something. */
export async function accessibilityFaults(page: Page): Promise<unknown[]> {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  const { passes, violations } = (await page.evaluate(() =>
    (window as unknown as { axe: { run(): Promise<unknown> } }).axe.run(),
  )) as AxeResults;
  if (passes.length < 15) return [`only ${passes.length} rules had anything to look at`];
  return violations.map(({ id, impact, nodes }) => ({
    id,
    impact,
    where: nodes.map(({ target }) => target.join(' ')).slice(0, 3),
  }));
}

/** Widths of the window at which the page is wider than it. */
export async function overflowingWidths(page: Page): Promise<number[]> {
  const found: number[] = [];
  for (const width of [360, 800, 1440, 2560]) {
    await page.setViewport({ width, height: 900 });
    if ((await page.evaluate(() => document.documentElement.scrollWidth)) > width) found.push(width);
  }
  return found;
}
