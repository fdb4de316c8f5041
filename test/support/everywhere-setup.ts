/** Makes ready what the runtimes of `test/everywhere` share: the page server and the built program. */
import type {} from 'vitest';
import type { TestProject } from 'vitest/node';
import { ensureDeno } from '../../scripts/deno.js';
import { servePages } from '../../scripts/serve.js';
import { buildAgent } from '../everywhere/build-agent.js';
import type { Prepared } from '../everywhere/runtimes.js';

declare module 'vitest' {
  interface ProvidedContext {
    prepared: Prepared;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [server, agentFile] = await Promise.all([servePages(), buildAgent()]);
  project.provide('prepared', { pagesUrl: server.url, agentFile });
  try {
    // Once, before two tests ask for it at a time; without it, they fail and say so.
    ensureDeno();
  } catch {
    // See above.
  }
  return () => server.close();
}
