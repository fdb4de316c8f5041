/** Builds the demo, and serves it from a sub-folder as the plainest host would, with its policy as a header too. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { CONTENT_SECURITY_POLICY } from '../../scripts/content-security-policy.js';

/** A served site. */
export interface BuiltSite {
  /** Ends in a slash; pages are files below it. */
  readonly url: string;
  close(): Promise<void>;
}

const FOLDER = '/some/folder/';
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
};

/** Builds into a folder of its own, so that nothing else is disturbed. */
export async function serveBuiltSite(): Promise<BuiltSite> {
  const outDir = await mkdtemp(join(tmpdir(), 'webgpu-rnn-site-'));
  const configFile = fileURLToPath(new URL('../../vite.demo.config.ts', import.meta.url));
  // Vitest's own mode and environment are not those of a build.
  const { NODE_ENV: environment } = process.env;
  process.env['NODE_ENV'] = 'production';
  try {
    await build({ configFile, mode: 'production', logLevel: 'error', build: { outDir, emptyOutDir: true } });
  } finally {
    if (environment === undefined) delete process.env['NODE_ENV'];
    else process.env['NODE_ENV'] = environment;
  }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = pathname.startsWith(FOLDER) ? normalize(pathname.slice(FOLDER.length)) : '..';
    const send = (bytes: Buffer): void => {
      response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
      response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
      response.end(bytes);
    };
    if (path.startsWith('..')) response.writeHead(404).end();
    else readFile(join(outDir, path)).then(send, () => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${FOLDER}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await rm(outDir, { recursive: true });
    },
  };
}
