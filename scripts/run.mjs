/** Runs a TypeScript file in Node as it stands, `?raw` imports included: `node scripts/run.mjs FILE.ts [ARGS]`. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const [node, , file, ...args] = process.argv;
if (node === undefined || file === undefined) {
  console.error('usage: node scripts/run.mjs FILE.ts [ARGS]');
  process.exit(2);
}
// The script sees itself as the program, with its own arguments only.
process.argv = [node, resolve(file), ...args];
// Traces then name the lines as they were written.
process.setSourceMapsEnabled(true);
await runnerImport(resolve(file), { root, configFile: false, logLevel: 'error' });
