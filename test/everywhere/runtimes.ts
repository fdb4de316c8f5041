/** How each WebGPU implementation is started for the tests. */
import { env, execPath } from 'node:process';
import { launchBrowser } from '../../scripts/browser.js';
import { ensureDeno } from '../../scripts/deno.js';
import { launchFirefox } from '../../scripts/firefox.js';
import { lavapipe, swiftShader } from '../../scripts/vulkan.js';
import { PageSession, ProcessSession, type Session } from './session.js';

/** What the project's setup has made ready. */
export interface Prepared {
  /** Address of the page server; ends in a slash. */
  readonly pagesUrl: string;
  /** The built program of `process-agent.ts`. */
  readonly agentFile: string;
}

/** The implementations by name; each throws, saying what to install, where it is missing. */
export const RUNTIMES = {
  /** Chromium: Tint on SwiftShader. */
  chromium: async ({ pagesUrl }: Prepared): Promise<Session> =>
    PageSession.open(await launchBrowser({ adapter: 'swiftshader' }), pagesUrl),
  /** Firefox: Naga on lavapipe. */
  firefox: async ({ pagesUrl }: Prepared): Promise<Session> =>
    PageSession.open(await launchFirefox(), pagesUrl),
  /** Node with Dawn: Tint on SwiftShader. */
  node: async ({ agentFile }: Prepared): Promise<Session> =>
    new ProcessSession(execPath, ['--enable-source-maps', agentFile], { ...env, ...swiftShader() }),
  /** Deno with wgpu: Naga on lavapipe. */
  deno: async ({ agentFile }: Prepared): Promise<Session> =>
    new ProcessSession(ensureDeno(), ['run', '--unstable-webgpu', '-A', agentFile], {
      ...env,
      ...lavapipe(),
    }),
} as const;
