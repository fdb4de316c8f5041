/** Starts one page server and one Chromium for all test projects that need them, and ends both after the last. */
import type { Browser } from 'puppeteer';
import type {} from 'vitest';
import type { TestProject } from 'vitest/node';
import { launchBrowser } from '../../scripts/browser.js';
import { servePages, type PageServer } from '../../scripts/serve.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** For `puppeteer.connect({ browserWSEndpoint })`. */
    browserEndpoint: string;
    /** Address of the page server, which serves the project's folder; ends in a slash. */
    pagesUrl: string;
  }
}

/** A name for this machine that browsers do not take for secure, as they do `localhost` and 127.0.0.1. */
export const INSECURE_HOST = 'insecure.test';

interface Shared {
  users: number;
  readonly started: Promise<{ readonly browser: Browser; readonly server: PageServer }>;
}

// Each project loads its own copy of this module; what they share is kept on the process.
const KEY: unique symbol = Symbol.for('webgpu-rnn test browser');
const shared = globalThis as unknown as Record<typeof KEY, Shared | undefined>;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const mine = (shared[KEY] ??= { users: 0, started: startBoth() });
  mine.users++;
  const { browser, server } = await mine.started;
  project.provide('browserEndpoint', browser.wsEndpoint());
  project.provide('pagesUrl', server.url);
  return async () => {
    if (--mine.users > 0) return;
    shared[KEY] = undefined;
    await Promise.all([browser.close(), server.close()]);
  };
}

async function startBoth(): Promise<{ readonly browser: Browser; readonly server: PageServer }> {
  const server = await servePages();
  try {
    // Software on purpose: results are the same on every machine that runs the tests.
    const args = [`--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`];
    return { server, browser: await launchBrowser({ adapter: 'swiftshader', args }) };
  } catch (error) {
    await server.close();
    throw error;
  }
}
