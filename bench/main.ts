/** `npm run bench`: races webgpu-rnn against its peers and prints the tables. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseCommand, usage, UsageError, type Command } from './arguments.js';
import { markdown, toJson } from './report.js';
import { runCommand } from './session.js';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** How far it is: on standard error, where it is in nobody's way. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Installs the peers where they are not yet. */
function installPeers(): void {
  if (existsSync(`${folder}node_modules/.package-lock.json`)) return;
  say('Installing the peers into bench/node_modules …');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', process.stderr, process.stderr],
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('npm ci in bench/ failed; with --peers none nothing is installed');
}

async function run(command: Command): Promise<void> {
  const wanted = command.peers === null || command.peers.length > 0;
  if (wanted && command.runtime === 'chromium' && !command.profile) installPeers();
  const print = command.json ? say : (part: string) => process.stdout.write(`${part}\n\n`);
  const report = await runCommand(command, folder, { print, say });
  if (command.json) process.stdout.write(`${toJson(report)}\n`);
  if (command.markdown !== null) {
    appendFileSync(fromWhereTheUserIs(command.markdown), `\n${markdown(report)}`);
  }
}

/** npm changes to the package's folder; the names that a person types are meant from where they are. */
function fromWhereTheUserIs(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? '.', path);
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const command = parseCommand(args);
    if (command === null) process.stdout.write(usage());
    else await run(command);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) {
      say(error instanceof Error ? (error.stack ?? error.message) : String(error));
      return 1;
    }
    say(error.message);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
