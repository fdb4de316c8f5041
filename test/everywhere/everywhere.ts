/** The tests of one runtime: kernels, golden files and a training run, all of them or the selection. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { env } from 'node:process';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { KERNELS } from '../../src/gpu/kernels/index.js';
import { handMadeCtc, handMadeLayer, handMadeTraining, writeGolden } from '../golden/hand-made.js';
import type { GpuCaseModule } from '../gpu/case.js';
import type { Constraint } from '../gpu/harness/constraints.js';
import { RUNTIMES } from './runtimes.js';
import {
  COUNTING_FILES,
  NEEDS_FEATURES,
  SELECTED_CASES,
  SELECTED_GOLDEN_FILES,
  SIXTEEN_ROW_KERNELS,
  SUBGROUP_KERNELS,
} from './selection.js';
import type { Session } from './session.js';

/** Implementations that offer subgroups on the adapter that is there. */
const HAVE_SUBGROUPS: ReadonlySet<string> = new Set(['chromium', 'node']);

/** Set by `npm run test:all`. */
const ALL = env['EVERYWHERE'] === 'all';

const FOLDER = resolve(env['GOLDEN_FOLDER'] ?? '../shared/golden');

const modules = import.meta.glob<GpuCaseModule>(['../gpu/cases/*.ts', './cases/*.ts'], { eager: true });

/** Declares them, under a constraint if one is given. */
export function testRuntime(name: keyof typeof RUNTIMES, constraint: Constraint = 'none'): void {
  let session: Session | undefined;
  const opened = (): Session => {
    if (session) return session;
    throw new Error(`${name} is not running`);
  };

  beforeAll(async () => {
    session = await RUNTIMES[name](inject('prepared'));
  }, 120_000);
  afterAll(() => session?.close());

  it(`${name} has a WebGPU adapter`, async () => {
    expect(await opened().describeAdapter()).not.toBe('');
  });

  for (const [path, { cases }] of Object.entries(modules)) {
    const file = path.slice(path.lastIndexOf('/') + 1);
    const chosen = choose(
      file,
      cases.map((one) => one.name),
    )
      .filter((one) => constraint === 'none' || !NEEDS_FEATURES.has(one))
      .filter(() => fits(file, name, constraint));
    if (chosen.length === 0) continue;
    describe(`${name}, ${file}`, () => {
      it.each(chosen)('%s', async (one) => {
        const problem = await opened().run(file, one, constraint);
        if (problem !== null) throw new Error(problem);
      });
    });
  }

  describe(`${name}, golden files`, () => {
    it.each(goldenFiles())('%s', async (file, read) => {
      const problem = await opened().runGolden(file, Buffer.from(read()).toString('base64'), constraint);
      if (problem !== null) throw new Error(problem);
    });
  });

  // Plans are left out under traps, and with them some kernels.
  if (constraint === 'traps') return;
  it(`${name} has run every kernel there is`, async () => {
    const ran = new Set(await opened().kernels(constraint));
    const due = KERNELS.filter(
      (kernel) =>
        (ALL || !SIXTEEN_ROW_KERNELS.test(kernel.name)) &&
        (HAVE_SUBGROUPS.has(name) || !SUBGROUP_KERNELS.test(kernel.name)),
    );
    expect(due.map((kernel) => kernel.name).filter((kernel) => !ran.has(kernel))).toEqual([]);
  });
}

function choose(file: string, names: readonly string[]): readonly string[] {
  if (ALL) return names;
  const selected = SELECTED_CASES[file] ?? [];
  // A name that is gone still has its test, which says that there is no such case.
  return selected === 'all' ? names : selected;
}

/**
 * Whether a file of cases runs there. Traps add dispatches and bytes to a plan, so what counts those fails under them
 * though nothing is wrong; faults that traps are to catch pass without them.
 */
function fits(file: string, name: keyof typeof RUNTIMES, constraint: Constraint): boolean {
  if (file === 'trap-faults.ts') return constraint === 'traps';
  if (constraint === 'traps') return !COUNTING_FILES.has(file);
  // Only lavapipe ends loops; Firefox and Deno run on it, and the cases are long: one of them is enough but for `ALL`.
  return file !== 'loop-limits.ts' || ALL || (name === 'deno' && constraint === 'none');
}

/** Names, and what reads each. */
function goldenFiles(): (readonly [string, () => Uint8Array])[] {
  const made = [
    ['a layer, by hand', () => writeGolden(handMadeLayer())],
    ['a training run, by hand', () => writeGolden(handMadeTraining())],
    ['a CTC loss, by hand', () => writeGolden(handMadeCtc())],
  ] as const;
  const found = existsSync(FOLDER) ? readdirSync(FOLDER).filter((file) => file.endsWith('.safetensors')) : [];
  const chosen = ALL ? found : found.filter((file) => SELECTED_GOLDEN_FILES.has(file));
  return [...made, ...chosen.map((file) => [file, () => readFileSync(join(FOLDER, file))] as const)];
}
