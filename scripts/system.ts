/** What scripts ask of the operating system: programs, packages, the user. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { env, getuid, platform, stderr } from 'node:process';

/** Whether this process may install packages, and needs other flags for a browser. */
export const isRoot = platform !== 'win32' && getuid?.() === 0;

/** Whether `path` is a program that may be run. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where a program of one of these names may be: the folders of `PATH` first, the names in their order. */
export function placesOf(names: readonly string[], folders: readonly string[]): string[] {
  const all = new Set([...(env['PATH'] ?? '').split(delimiter).filter(Boolean), ...folders]);
  return names.flatMap((name) => [...all].map((folder) => join(folder, name)));
}

/** The names in a folder; none where there is no such folder. */
export function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Installs packages where that is possible: on Debian, as root. Says so on standard error; whether it succeeded. */
export function installDebianPackages(packages: readonly string[]): boolean {
  if (!isRoot || !isDebian()) return false;
  stderr.write(`Installing ${packages.join(' and ')} from Debian's packages.\n`);
  const install = ['-o', 'Acquire::Retries=3', '-q', '-y', '--no-install-recommends', 'install'];
  run('apt-get', ['-q', 'update']);
  return run('apt-get', [...install, ...packages]);
}

function isDebian(): boolean {
  try {
    return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/** Runs a program to its end, all that it prints going to standard error; whether it succeeded. */
export function run(command: string, args: readonly string[]): boolean {
  const { status } = spawnSync(command, args, {
    stdio: ['ignore', stderr, stderr],
    shell: platform === 'win32',
    timeout: 300_000,
    env: { ...env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
}
