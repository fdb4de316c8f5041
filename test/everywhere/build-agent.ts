/** Builds the program of `process-agent.ts`: shaders and cases inside, for runtimes that know neither TypeScript nor `?raw`. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Below `node_modules`, so that the program finds the package `webgpu`. */
const FOLDER = join(ROOT, 'node_modules/.cache/everywhere');

/** Returns the program's file. */
export async function buildAgent(): Promise<string> {
  await build({
    root: ROOT,
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    build: {
      ssr: 'test/everywhere/process-agent.ts',
      outDir: FOLDER,
      emptyOutDir: true,
      target: 'es2022',
      minify: false,
      sourcemap: true,
      rolldownOptions: { output: { entryFileNames: 'agent.mjs' } },
    },
  });
  return join(FOLDER, 'agent.mjs');
}
