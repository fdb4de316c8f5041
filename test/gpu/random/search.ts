/** Checks many configurations, and makes the first that fails as small as it goes. */
import type { Verdict } from './check.js';
import {
  describeConfiguration,
  drawConfiguration,
  simplerThan,
  type Configuration,
} from './configuration.js';

/** Which configurations of the list that a seed begins. */
export interface SearchOptions {
  readonly seed: number;
  readonly from: number;
  readonly count: number;
}

/** What was found where nothing failed. */
export interface SearchResult {
  readonly passed: number;
  /** Of them, those whose results hang on the rounding of their inputs. */
  readonly sensitive: number;
}

/** So many at a time: while one waits for a pipeline or a readback, the reference of another computes. */
const AT_ONCE = 6;
/** How long simpler failures are looked for, in milliseconds. */
const PATIENCE = 40_000;

/** What the search is done with. */
export interface SearchContext {
  readonly device: Pick<GPUDevice, 'pushErrorScope' | 'popErrorScope'>;
  /** Throws where a configuration fails. */
  readonly check: (configuration: Configuration) => Promise<Verdict>;
}

/** @throws Error with the smallest configuration found that fails, in one line, and how */
export async function searchConfigurations(
  context: SearchContext,
  { seed, from, count }: SearchOptions,
): Promise<SearchResult> {
  let sensitive = 0;
  for (let first = from; first < from + count; first += AT_ONCE) {
    const indices = Array.from({ length: Math.min(AT_ONCE, from + count - first) }, (_, i) => first + i);
    const configurations = indices.map((index) => drawConfiguration(seed, index));
    const { verdicts, failure } = await checkTogether(context, configurations);
    sensitive += verdicts.filter((verdict) => verdict.sensitive).length;
    if (failure === null) continue;
    for (const [i, configuration] of configurations.entries()) {
      const problem = await problemOf(context, configuration);
      if (problem !== null)
        throw await smallestFailure(context, `${indices[i]!} of seed ${seed}`, configuration, problem);
    }
    throw new Error(
      `configurations ${indices.join(', ')} of seed ${seed} fail only side by side: ${failure}`,
    );
  }
  return { passed: count, sensitive };
}

async function checkTogether(
  context: SearchContext,
  configurations: readonly Configuration[],
): Promise<{ readonly verdicts: readonly Verdict[]; readonly failure: string | null }> {
  const { device, check } = context;
  device.pushErrorScope('validation');
  const results = await Promise.allSettled(configurations.map((configuration) => check(configuration)));
  const invalid = await device.popErrorScope();
  const failed = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
  return {
    verdicts: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    failure: failed ? messageOf(failed.reason) : (invalid?.message ?? null),
  };
}

/** What goes wrong with one configuration by itself. */
async function problemOf(context: SearchContext, configuration: Configuration): Promise<string | null> {
  return (await checkTogether(context, [configuration])).failure;
}

async function smallestFailure(
  context: SearchContext,
  which: string,
  found: Configuration,
  foundProblem: string,
): Promise<Error> {
  let [smallest, problem] = [found, foundProblem];
  let tried = 0;
  const end = performance.now() + PATIENCE;
  for (let better = true; better && performance.now() < end;) {
    better = false;
    for (const candidate of simplerThan(smallest)) {
      if (performance.now() > end) break;
      tried++;
      const failure = await problemOf(context, candidate);
      if (failure === null) continue;
      [smallest, problem, better] = [candidate, failure, true];
      break;
    }
  }
  return new Error(
    [
      `configuration ${which} fails: ${describeConfiguration(found)}`,
      `  ${foundProblem.split('\n')[0]!}`,
      `the smallest of ${tried} simpler ones that fails too: ${describeConfiguration(smallest)}`,
      `  ${problem}`,
      `to repeat it: npm run test:random -- --configuration '${describeConfiguration(smallest)}'`,
    ].join('\n'),
  );
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
}
