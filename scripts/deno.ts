/** Finds Deno, or gets it from npm. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, platform, stderr } from 'node:process';
import { fileURLToPath } from 'node:url';
import { isProgram, run } from './system.js';

/** The version that was tried. */
const VERSION = '2.9.6';

/** No dependency of the project: a lock file would have to name the binaries of all platforms, which few registries mirror. */
const FOLDER = fileURLToPath(new URL(`../node_modules/.cache/deno-${VERSION}`, import.meta.url));

/** Deno that cannot be found or got, with what to do about it. */
export class DenoError extends Error {
  override readonly name = 'DenoError';
}

/**
 * The program: that of the environment variable `DENO_PATH`, or the npm package's, installed where it is missing.
 * @throws DenoError where there is none
 */
export function ensureDeno(): string {
  const given = env['DENO_PATH'];
  if (given) {
    if (isProgram(given)) return given;
    throw new DenoError(`DENO_PATH is ${given}, which is not a program; let it name Deno, or unset it`);
  }
  const program = join(FOLDER, 'node_modules/deno', platform === 'win32' ? 'deno.exe' : 'deno');
  if (isProgram(program)) return program;
  stderr.write(`Installing deno ${VERSION} from npm.\n`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(
    join(FOLDER, 'package.json'),
    JSON.stringify({ private: true, dependencies: { deno: VERSION }, allowScripts: { deno: true } }),
  );
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  if (run('npm', ['install', '--prefix', FOLDER, ...options]) && isProgram(program)) return program;
  throw new DenoError(
    `Deno could not be got from npm; install Deno ${VERSION.split('.')[0]!} (https://deno.com) ` +
      'and name it in the environment variable DENO_PATH',
  );
}
