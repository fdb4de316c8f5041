/** The self-test: every variant of every kernel against a reference; those that are wrong are left out. */
import { AbortError, ArgumentError, DeviceError } from '../../graph/errors.js';
import type { Executor, Plan } from '../../graph/executor.js';
import { formatShape } from '../../graph/shape.js';
import type { HostArray } from '../../graph/value.js';
import type { GpuExecutor } from '../executor.js';
import { variantName, type ChoiceSite } from '../lower/choice.js';
import { difference, TOLERANCE } from '../tuning/difference.js';
import { FIRST, selfTestGraphs, type SelfTestGraph } from './checks.js';
import { Exercise } from './exercise.js';

/** One variant, or one operation that has none, held against the reference. */
export interface SelfTestCheck {
  /** What was computed: `matmul`, `lstm`, `adam`. */
  readonly operation: string;
  /** Shapes of the inputs. */
  readonly sizes: string;
  /** By which variant: `matmul: 16x16`; where there is no choice, by which kernels. */
  readonly variant: string;
  readonly passed: boolean;
  /** `max|a−b| / (1 + max|b|)` of the worst result; infinite where none, or no number, came out. */
  readonly error: number;
  /** The largest error that passes. */
  readonly tolerance: number;
  /** With compiling. */
  readonly milliseconds: number;
  /** What is wrong; null where nothing is. */
  readonly problem: string | null;
}

/** What a self-test found. */
export interface SelfTestReport {
  /** What was tested, as its executor describes it. */
  readonly adapter: string;
  /** Whether every check passed. */
  readonly passed: boolean;
  readonly counts: { readonly passed: number; readonly failed: number };
  readonly checks: readonly SelfTestCheck[];
  /**
   * What this executor leaves out, by name, and why: variants, in whose place others are taken, and kernels that have
   * none.
   */
  readonly leftOut: Readonly<Record<string, string>>;
  /** Operations that nothing computes rightly here: compiling what needs them throws a ShaderError. */
  readonly unusable: readonly string[];
  readonly milliseconds: number;
  /** What matters of all this, for people. */
  readonly text: string;
}

/** Variants that nothing but tuning takes. */
const ONLY_TUNED = /^persistent, \d+ rows$/;

/** How far a self-test is: parts done, and what is tested now; at the end, nothing. */
export interface SelfTestProgress {
  readonly done: number;
  readonly total: number;
  readonly operation: string;
}

/** What a self-test is told. */
export interface SelfTestSettings {
  /** Only these, as {@link SelfTestCheck.operation} names them, after the few that all others are made of. */
  readonly operations?: readonly string[] | undefined;
  /**
   * Every kernel, which may take a minute. Else those of usual models: a few seconds; persistent kernels with tiles of
   * several rows, which are nowhere the default, are left to tuning, which checks what it takes. Default false.
   */
  readonly thorough?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SelfTestProgress) => void) | undefined;
}

/** What one way of computing a graph came to. */
interface Attempt extends Pick<SelfTestCheck, 'error' | 'problem' | 'milliseconds'> {
  /** None where it did not compile. */
  readonly choices: readonly ChoiceSite[];
  /** Kernels without variants. */
  readonly kernels: readonly string[];
}

/**
 * Runs all checks, and leaves out what is wrong.
 * @param reference must be right: this room knows no other executor
 */
export async function runSelfTest(
  executor: GpuExecutor,
  reference: Executor,
  { operations, thorough = false, signal, onProgress }: SelfTestSettings,
): Promise<SelfTestReport> {
  const begin = performance.now();
  const all = selfTestGraphs(thorough);
  const known = new Set(all.map(({ operation }) => operation));
  const unknown = operations?.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new ArgumentError({
      culprit: 'selfTest',
      problem: `there is no operation "${unknown}"`,
      remedy: `name some of ${[...known].join(', ')}`,
    });
  }
  const graphs = all.filter(({ operation }, i) => i < FIRST || (operations?.includes(operation) ?? true));
  const total = graphs.length;
  const checks: SelfTestCheck[] = [];
  const unusable = new Set<string>();
  /** Kernels without variants that have had part in right results. */
  const sound = new Set<string>();

  for (const [done, graph] of graphs.entries()) {
    onProgress?.({ done, total, operation: graph.operation });
    await test(graph);
  }
  onProgress?.({ done: total, total, operation: '' });
  return reportOf(executor, checks, [...unusable], performance.now() - begin);

  /** Tries the defaults, and beside them every other variant of what is tested. */
  async function test({ operation, family: tested, record }: SelfTestGraph): Promise<void> {
    const exercise = new Exercise();
    record(exercise);
    const sizes = exercise.graph.inputs.map(({ value }) => formatShape(value.shape)).join(' ');
    const expected = await results(reference, await reference.compile(exercise.graph), exercise);
    const attempt = (site?: ChoiceSite, name = ''): Promise<Attempt> => {
      if (!signal?.aborted) return attemptOf(executor, exercise, expected, site, name);
      throw new AbortError({ culprit: 'selfTest', problem: 'was aborted', cause: signal.reason });
    };
    const note = (variant: string, { error, problem, milliseconds }: Attempt): void => {
      const passed = problem === null;
      const tolerance = TOLERANCE;
      checks.push({ operation, sizes, variant, passed, error, tolerance, milliseconds, problem });
    };
    let base: Attempt;
    let sites: readonly ChoiceSite[];
    for (;;) {
      base = await attempt();
      sites = base.choices.filter(({ family }) => tested !== null && family.startsWith(tested));
      const { problem } = base;
      if (problem === null) break;
      const healed = await whatHeals(sites, attempt);
      // Else which it is cannot be told: better to refuse too much than to let one wrong number pass.
      const suspects = base.kernels.filter((kernel) => !sound.has(kernel));
      for (const { family, variants } of sites) {
        suspects.push(...variants.map(({ name }) => variantName(family, name)));
      }
      const blamed = healed ? [healed] : suspects.length > 0 ? suspects : base.kernels;
      for (const name of blamed.length > 0 ? blamed : ['any']) note(name, base);
      await executor.leaveOut(Object.fromEntries(blamed.map((name) => [name, problem])));
      if (healed) continue;
      unusable.add(operation);
      return;
    }
    for (const kernel of base.kernels) sound.add(kernel);
    if (sites.length === 0) note(base.kernels.join(', '), base);
    for (const site of sites) {
      // What does not compile, and what an earlier test has found.
      for (const [name, problem] of Object.entries(executor.leftOut)) {
        if (!name.startsWith(variantName(site.family, ''))) continue;
        if (!checks.some(({ variant }) => variant === name))
          note(name, { ...base, error: Infinity, problem });
      }
      note(variantName(site.family, site.chosen), base);
      const names = site.variants
        .map(({ name }) => name)
        .filter((name) => name !== site.chosen && (thorough || !ONLY_TUNED.test(name)));
      // Drivers may compile side by side.
      const attempts = await Promise.all(names.map((name) => attempt(site, name)));
      for (const [i, other] of attempts.entries()) {
        const name = variantName(site.family, names[i]!);
        note(name, other);
        if (other.problem !== null) await executor.leaveOut({ [name]: other.problem });
      }
    }
  }
}

/** The one variant without which the results are right, if there is one. */
async function whatHeals(
  sites: readonly ChoiceSite[],
  attempt: (site: ChoiceSite, name: string) => Promise<Attempt>,
): Promise<string | null> {
  for (const site of sites) {
    for (const { name } of site.variants) {
      if (name === site.chosen || (await attempt(site, name)).problem !== null) continue;
      return variantName(site.family, site.chosen);
    }
  }
  return null;
}

/** Computes a graph with the defaults, or with another variant in one place. */
async function attemptOf(
  executor: GpuExecutor,
  exercise: Exercise,
  expected: readonly HostArray[],
  site: ChoiceSite | undefined,
  name: string,
): Promise<Attempt> {
  const begin = performance.now();
  let [choices, kernels]: [readonly ChoiceSite[], readonly string[]] = [[], []];
  let [error, problem]: [number, string | null] = [0, null];
  try {
    const decisions = site ? { [site.id]: name } : {};
    const plan = await executor.compile(exercise.graph, { decisions });
    ({ choices, kernels } = plan);
    const actual = await results(executor, plan, exercise);
    const refused = site && executor.leftOut[variantName(site.family, name)];
    if (refused !== undefined) throw new Error(refused);
    expected.forEach((right, i) => {
      const found = difference(actual[i]!, right, 'the reference');
      error = Math.max(error, found.error);
      problem ??= found.problem;
    });
  } catch (cause) {
    // Nothing more can be tested on a device that is gone.
    if (cause instanceof DeviceError || !(cause instanceof Error)) throw cause;
    [error, problem] = [Infinity, cause.message];
  }
  return { choices, kernels, error, problem, milliseconds: performance.now() - begin };
}

function reportOf(
  { description: adapter, leftOut }: GpuExecutor,
  checks: readonly SelfTestCheck[],
  unusable: readonly string[],
  milliseconds: number,
): SelfTestReport {
  const failures = checks.filter(({ passed }) => !passed);
  const failed = failures.length;
  const passed = checks.length - failed;
  const text = [
    `${adapter}: ${passed} of ${checks.length} checks passed, in ${(milliseconds / 1000).toFixed(1)} s`,
    ...failures.map(({ operation, sizes, variant, problem }) => {
      return `FAILED: ${operation} ${sizes} by ${variant}: ${problem!}`;
    }),
    ...Object.keys(leftOut).map((name) => `left out from now on: ${name}`),
    ...unusable.map((operation) => `no variant works: ${operation}; compute it with backend: 'cpu'`),
  ].join('\n');
  const counts = { passed, failed };
  return { adapter, passed: failed === 0, counts, checks, leftOut, unusable, milliseconds, text };
}

/** Outputs, then the variables that the graph updates; nothing stays allocated. */
async function results(executor: Executor, plan: Plan, { graph, feeds }: Exercise): Promise<HostArray[]> {
  try {
    const names = graph.outputs.map(({ name }) => name);
    const { outputs } = await plan.run(feeds, { read: names });
    const arrays = names.map((name) => outputs[name]!);
    for (const { variable } of graph.updates) arrays.push(await executor.read(variable));
    return arrays;
  } finally {
    plan.dispose();
    executor.release(graph.reads.keys());
  }
}
