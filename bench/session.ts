/** A run of the benchmark: opens the place, does what the command line asks, gathers the report. */
import { cpus } from 'node:os';
import { chosenWorkloads, SWEEP, UsageError, type Command } from './arguments.js';
import { openBrowserRuntime, type RaceRuntime } from './browser-runtime.js';
import type { Entrant } from './contender.js';
import { ENTRANTS, peersFor } from './entrants.js';
import { openProcessRuntime } from './process-runtime.js';
import { profileTable } from './profile-report.js';
import { race, type Result } from './race.js';
import { raceTable, type Report } from './report.js';
import { runSweep } from './sweep.js';
import { createTorch, findTorch, type Torch } from './torch.js';
import { number } from './numbers.js';
import { flopsOf, type TrainingWorkload, type Workload } from './workloads.js';

/** Profiles taken of a workload. */
const PROFILES = 5;

/** Where a run tells of itself. */
export interface Console {
  /** A finished part, in Markdown. */
  readonly print: (part: string) => void;
  /** How far it is. */
  readonly say: (line: string) => void;
}

/**
 * Runs a command.
 * @param folder of the benchmark, with a slash at the end
 */
export async function runCommand(command: Command, folder: string, { print, say }: Console): Promise<Report> {
  const runtime =
    command.runtime === 'chromium'
      ? await openBrowserRuntime(command.adapter, { exactTimestamps: command.profile })
      : await openProcessRuntime(command.runtime, folder);
  const races: { workload: Workload; results: readonly Result[] }[] = [];
  const parts: string[] = [];
  const finish = (part: string): void => {
    parts.push(part);
    print(part);
  };
  try {
    const { software } = runtime;
    const workloads = chosenWorkloads(command, software);
    if (command.profile) {
      const training = workloads.filter(
        (workload): workload is TrainingWorkload => workload.kind === 'training',
      );
      if (training.length === 0) throw new UsageError('--profile is for training workloads: name one');
      for (const workload of training) {
        const { steps, profiles } = await runtime.profile(workload, PROFILES);
        finish(profileTable(workload.name, steps, profiles));
      }
    } else {
      const torch = workloads.some((workload) => wantsTorch(workload, command, software))
        ? findTorch()
        : null;
      for (const workload of workloads) {
        const peers = peersFor(workload, { peers: command.peers, software });
        const own = runtime.entrant('webgpu-rnn', 'own', 'webgpu');
        const results = await race(workload, [own, ...createPeers(runtime, peers, torch, folder)], {
          budgetMilliseconds: command.budgetSeconds * 1000,
          say,
        });
        races.push({ workload, results });
        finish(raceTable(workload, results));
      }
      if (command.named?.includes(SWEEP)) finish(await runSweep(runtime, folder, say));
    }
    const share = productShare(races);
    if (share) finish(share);
    return {
      date: new Date().toISOString(),
      command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
      machine: `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores`,
      runtime: runtime.description,
      adapter: runtime.adapter,
      races,
      parts,
    };
  } finally {
    await runtime.close();
  }
}

function wantsTorch(workload: Workload, { peers }: Command, software: boolean): boolean {
  return peersFor(workload, { peers, software }).some((name) => ENTRANTS[name]!.where === 'python');
}

/** Makes a workload's peers: PyTorch only where there is one, libraries of the web only in a page. */
function createPeers(
  runtime: RaceRuntime,
  names: readonly string[],
  torch: Torch | null,
  folder: string,
): Entrant[] {
  return names.flatMap((name): Entrant[] => {
    const { where, module, backend } = ENTRANTS[name]!;
    if (where === 'page') {
      return runtime.onlyOwn && module !== 'own' ? [] : [runtime.entrant(name, module, backend)];
    }
    if (!torch || (backend !== 'cpu' && !torch.cuda)) return [];
    return [createTorch(torch, name, backend, folder)];
  });
}

/** Training steps against the best rate of a product of ours in the same run, where both were timed. */
function productShare(races: Report['races']): string | null {
  const rateOf = ({ workload, results }: Report['races'][number]): number =>
    flopsOf(workload) / (results[0]!.milliseconds?.median ?? NaN) / 1e6;
  const best = Math.max(...races.filter(({ workload }) => workload.kind === 'product').map(rateOf));
  const training = races.filter(({ workload }) => workload.kind === 'training');
  if (!Number.isFinite(best) || training.length === 0) return null;
  const shares = training.map(
    (one) => `${one.workload.name} ${number(rateOf(one))} GFLOP/s, ${number((100 * rateOf(one)) / best)} %`,
  );
  return `Whole steps against our own product, ${number(best)} GFLOP/s: ${shares.join('; ')}.`;
}
