/** A development server for pages that scripts and tests open: the whole project, as it stands. */
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

/** A running server. */
export interface PageServer {
  /** Its address, with a slash at the end: `http://127.0.0.1:40123/`. Paths are those of the project. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves the project's folder on a free port of this machine alone. Pages are neither watched nor
 * reloaded, so that a file saved meanwhile cannot disturb a run.
 */
export async function servePages(): Promise<PageServer> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const server = await createServer({
    root,
    configFile: false,
    appType: 'mpa',
    logLevel: 'warn',
    cacheDir: 'node_modules/.cache/pages',
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null, fs: { allow: [root] } },
    optimizeDeps: { noDiscovery: true },
  });
  await server.listen();
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error('the page server has no address');
  return { url, close: () => server.close() };
}
