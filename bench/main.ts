/** `npm run bench`: opens a browser, races the contenders workload by workload, and prints the tables. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chosenWorkloads, parseCommand, usage, UsageError, type Command } from './arguments.js';
import { openBrowserRuntime } from './browser-runtime.js';
import type { Entrant } from './contender.js';
import { ENTRANTS, peersFor } from './entrants.js';
import { race } from './race.js';
import { markdown, raceTable, toJson, type Report } from './report.js';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** The lines that tell how far it is: on standard error, where they are in nobody's way. */
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
  if (command.peers === null || command.peers.length > 0) installPeers();
  const runtime = await openBrowserRuntime(command.adapter);
  try {
    const { software } = runtime;
    const races: Report['races'][number][] = [];
    for (const workload of chosenWorkloads(command, software)) {
      const peers = peersFor(workload, { peers: command.peers, software });
      const entrants: Entrant[] = [
        runtime.entrant('webgpu-rnn', 'own', 'webgpu'),
        ...peers.map((name) => runtime.entrant(name, ENTRANTS[name]!.module, ENTRANTS[name]!.backend)),
      ];
      const results = await race(workload, entrants, {
        budgetMilliseconds: command.budgetSeconds * 1000,
        say,
      });
      races.push({ workload, results });
      if (!command.json) process.stdout.write(`${raceTable(workload, results)}\n\n`);
    }
    const report: Report = {
      date: new Date().toISOString(),
      command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
      machine: `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores`,
      runtime: runtime.description,
      adapter: runtime.adapter,
      races,
    };
    if (command.json) process.stdout.write(`${toJson(report)}\n`);
    if (command.markdown !== null)
      appendFileSync(fromWhereTheUserIs(command.markdown), `\n${markdown(report)}`);
  } finally {
    await runtime.close();
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
