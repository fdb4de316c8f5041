/** Chromium as the place of the race: one page in which all contenders are at home. */
import type { Page } from 'puppeteer';
import { launchBrowser, type AdapterChoice } from '../scripts/browser.js';
import { servePages } from '../scripts/serve.js';
import type { Entrant, Sample } from './contender.js';
import type { ProfileRun } from './page/main.js';
import type { TrainingWorkload } from './workloads.js';

/** Where contenders run. */
export interface RaceRuntime {
  /** Which browser. */
  readonly description: string;
  /** Which adapter it gives WebGPU. */
  readonly adapter: string;
  /** Whether that adapter is software. */
  readonly software: boolean;
  /** Whether the libraries of the web cannot run here. */
  readonly onlyOwn: boolean;
  /** A contender at home here. */
  entrant(name: string, module: string, backend: string): Entrant;
  /** Profiles our training step so many times. */
  profile(workload: TrainingWorkload, times: number): Promise<ProfileRun>;
  close(): Promise<void>;
}

/**
 * Opens the browser and the page.
 * @param options.exactTimestamps whether the GPU's clock is not rounded to 100 µs, as pages see it otherwise
 */
export async function openBrowserRuntime(
  adapterChoice: AdapterChoice,
  options: { readonly exactTimestamps: boolean },
): Promise<RaceRuntime> {
  const server = await servePages();
  const browser = await launchBrowser({
    adapter: adapterChoice,
    args: options.exactTimestamps ? ['--enable-webgpu-developer-features'] : [],
  });
  const close = async (): Promise<void> => {
    await browser.close();
    await server.close();
  };
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.goto(`${server.url}bench/page/index.html`);
    await page
      .waitForFunction(() => window.bench !== undefined, { timeout: 60_000 })
      .catch((cause: unknown) => {
        throw new Error(`the page did not start: ${problems.join('; ')}`, { cause });
      });
    const adapter = await page.evaluate(async () => {
      const info = (await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' }))?.info;
      return info
        ? [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ')
        : 'none';
    });
    return {
      description: await browser.version(),
      adapter,
      software: /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(adapter),
      onlyOwn: false,
      profile: (workload, times) =>
        page.evaluate((chosen, count) => window.bench!.profile(chosen, count), workload, times),
      entrant: (name, module, backend) => new PageEntrant(page, name, module, backend),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

class PageEntrant implements Entrant {
  readonly name: string;
  readonly #page: Page;
  readonly #module: string;
  readonly #backend: string;

  constructor(page: Page, name: string, module: string, backend: string) {
    this.#page = page;
    this.name = name;
    this.#module = module;
    this.#backend = backend;
  }

  begin(workload: Parameters<Entrant['begin']>[0]): Promise<Sample> {
    return this.#page.evaluate(
      (name, module, backend, chosen) => window.bench!.begin(name, module, backend, chosen),
      this.name,
      this.#module,
      this.#backend,
      workload,
    );
  }

  run(units: number): Promise<Sample> {
    return this.#page.evaluate((name, count) => window.bench!.run(name, count), this.name, units);
  }

  dispose(): Promise<void> {
    return this.#page.evaluate((name) => window.bench!.dispose(name), this.name);
  }
}
