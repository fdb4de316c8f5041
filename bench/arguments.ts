/** What `npm run bench` is told on the command line. */
import { parseArgs } from 'node:util';
import { ENTRANTS } from './entrants.js';
import { WORKLOADS, type Workload } from './workloads.js';

export type Runtime = 'chromium' | 'node' | 'deno';
export type Adapter = 'auto' | 'gpu' | 'swiftshader';

const RUNTIMES: readonly Runtime[] = ['chromium', 'node', 'deno'];
const ADAPTERS: readonly Adapter[] = ['auto', 'gpu', 'swiftshader'];

/** A command line, understood. */
export interface Command {
  /** What was named, or null for everything that suits the adapter. */
  readonly named: readonly string[] | null;
  /** Names of peers, or null for all. */
  readonly peers: readonly string[] | null;
  readonly runtime: Runtime;
  readonly adapter: Adapter;
  /** For timing each workload, starting its contenders included. */
  readonly budgetSeconds: number;
  readonly json: boolean;
  readonly profile: boolean;
  /** A file to append the report to. */
  readonly markdown: string | null;
}

/** A mistake on the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What `--help` prints. */
export function usage(): string {
  return `npm run bench -- [WORKLOAD…] [OPTIONS]

Races webgpu-rnn against its peers: same shapes, data and first weights, results compared first, then
timed in turns in one run. Medians over the rounds.

Workloads: ${[...Object.keys(WORKLOADS), SWEEP].join(', ')}.
Without any: all of them that a software adapter can do, and all on a GPU; ${SWEEP} only by name.

  --peers all|none|NAME[,NAME…]  default all: ${Object.keys(ENTRANTS).join(', ')}
  --runtime ${RUNTIMES.join('|')}   default chromium; peers other than PyTorch run in Chromium only
  --adapter ${ADAPTERS.join('|')}   which one Chromium gives WebGPU; default auto
  --budget SECONDS               a workload, its contenders' first steps included; default 100
  --profile                      instead of racing: where our own time goes, kernel by kernel
  --json                         one JSON object on standard output; all else on standard error
  --markdown FILE                append the report to this file
  --help                         this list
`;
}

/** The workload that is a curve, not a race. */
export const SWEEP = 'sweep';

/**
 * @returns null when help was asked for
 * @throws UsageError
 */
export function parseCommand(args: readonly string[]): Command | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  const known = [...Object.keys(WORKLOADS), SWEEP];
  for (const name of positionals) {
    if (!known.includes(name)) {
      throw new UsageError(`there is no workload "${name}"; name some of ${known.join(', ')}`);
    }
  }
  return {
    named: positionals.length > 0 ? [...new Set(positionals)] : null,
    peers: peersOf(values.peers),
    runtime: choice('--runtime', values.runtime, RUNTIMES),
    adapter: choice('--adapter', values.adapter, ADAPTERS),
    budgetSeconds: seconds(values.budget),
    json: values.json,
    profile: values.profile,
    markdown: values.markdown ?? null,
  };
}

/** The workloads of a command; those too large for a software adapter only by name. */
export function chosenWorkloads({ named }: Command, software: boolean): Workload[] {
  const names = named ?? Object.keys(WORKLOADS);
  return names
    .flatMap((name) => WORKLOADS[name] ?? [])
    .filter(({ large }) => named !== null || !large || !software);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        // Given twice, the peers of both count.
        peers: { type: 'string', multiple: true, default: ['all'] },
        runtime: { type: 'string', default: 'chromium' },
        adapter: { type: 'string', default: 'auto' },
        budget: { type: 'string', default: '100' },
        json: { type: 'boolean', default: false },
        profile: { type: 'boolean', default: false },
        markdown: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function peersOf(given: readonly string[]): readonly string[] | null {
  const names = given.flatMap((list) => list.split(',')).filter((name) => name !== '');
  if (names.includes('all')) return null;
  const peers = names.filter((name) => name !== 'none');
  for (const name of peers) {
    if (!(name in ENTRANTS)) {
      throw new UsageError(`there is no peer "${name}"; name some of ${Object.keys(ENTRANTS).join(', ')}`);
    }
  }
  return peers;
}

function choice<T extends string>(option: string, value: string, choices: readonly T[]): T {
  const found = choices.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new UsageError(`${option} ${value}: give one of ${choices.join(', ')}`);
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--budget ${text}: give a number of seconds above 0`);
}
