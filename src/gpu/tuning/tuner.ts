/** Decides between variants by measuring them on the device at hand, and remembers. */
import { ShaderError } from '../../graph/errors.js';
import { kernelName, variantName, type ChoiceSite, type Decisions, type LeftOut } from '../lower/choice.js';
import { allDispatches, type Program } from '../program.js';
import { difference } from './difference.js';
import { parseTexts, type TuningStore } from './store.js';
import { Trial, trialBytes, TrialMemory, type TrialHost } from './trial.js';

/** What was found for one choice. */
export interface TuningReport {
  /** The choice, as in {@link ChoiceSite.id}. */
  readonly id: string;
  readonly chosen: string;
  readonly default: string;
  /** Time of each variant that was measured, as a share of the default's in interleaved pairs. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Variants that were not tried, because the budget had ended. */
  readonly untried: readonly string[];
  /** Variants that are wrong on this adapter, or do not run, and why. They are never chosen. */
  readonly refused: Readonly<Record<string, string>>;
}

/** Options of {@link Tuner}. */
export interface TunerOptions {
  /** Null for none: what was found then lasts as long as the tuner. */
  readonly store: TuningStore | null;
  /** What of the surroundings decisions depend on: adapter, driver, browser. */
  readonly surroundings: string;
  /** Milliseconds of device time for one graph. */
  readonly budget: number;
  /** What is left out already. Default: nothing. */
  readonly leftOut?: LeftOut | null;
  /** Throws where the device is gone. */
  readonly checkUsable: () => void;
}

/** A variant is taken if it needs at most this share of the default's time. */
const WORTHWHILE = 0.9;
/** Pairs of default and variant, one after the other, whose median decides: fewer where a batch takes long. */
const PAIRS = 5;
const LONG_PAIRS = 3;
const LONG_BATCH = 20;
/** A variant that is that much slower in its first pair is given up. */
const CLEARLY_SLOWER = 1.3;
/** Milliseconds that a batch should take at least. */
const BATCH = 4;
/** How often it should take the time of an empty submit: Firefox tells on a timer of 100 ms that one is done. */
const WAITS = 8;
const MOST_REPEATS = 256;
/** Choices that touch more memory than this are not measured. */
const MOST_BYTES = 2 ** 29;

/** The last write to each store; two at once would lose what one of them adds. */
const SAVING = new WeakMap<TuningStore, Promise<void>>();

/** Before the names of what is left out, in the store. */
const LEFT_OUT = 'left out ';

/** Measures variants, one graph after another. */
export class Tuner {
  readonly #host: TrialHost;
  readonly #options: TunerOptions;
  readonly #known = new Map<string, string>();
  readonly #leftOut: Map<string, string>;
  readonly #reports: TuningReport[] = [];
  #loaded: Promise<void> | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(host: TrialHost, options: TunerOptions) {
    this.#host = host;
    this.#options = options;
    this.#leftOut = new Map(options.leftOut ?? []);
  }

  /** What was measured so far. */
  get reports(): readonly TuningReport[] {
    return this.#reports;
  }

  /** What no plan may take on this device, as far as {@link remembered} has read it. */
  get leftOut(): LeftOut {
    return this.#leftOut;
  }

  /** Leaves variants, or kernels that have none, out from now on, here and in later sessions. */
  async leaveOut(reasons: LeftOut): Promise<void> {
    for (const [name, reason] of reasons) this.#leftOut.set(name, reason);
    await this.#save(new Map([...reasons].map(([name, reason]) => [LEFT_OUT + name, reason])));
  }

  /**
   * Leaves out the variants of a program whose kernel did not compile, in this session; a browser that forgets why
   * may try again.
   * @returns whether that was the error, and another program may do without
   */
  leaveOutFailed(program: Program, error: unknown): boolean {
    if (!(error instanceof ShaderError)) return false;
    const variants = allDispatches(program).flatMap(({ kernel, variant }) =>
      kernelName(kernel) === error.culprit ? [variant] : [],
    );
    for (const variant of variants) if (variant) this.#leftOut.set(variant, error.message);
    return variants.length > 0 && !variants.includes(null);
  }

  /** What was decided before, here or in an earlier session. */
  async remembered(): Promise<Decisions> {
    this.#loaded ??= this.#load();
    await this.#loaded;
    return this.#known;
  }

  /**
   * Measures the choices of a graph that are undecided, those with most arithmetic first, as far as the budget
   * goes.
   * @param lower lowers the graph by some decisions
   * @param canceled asked between measurements
   */
  decide(
    lower: (decisions: Decisions) => Program,
    canceled: () => boolean = () => false,
  ): Promise<Decisions> {
    const decided = this.#queue.then(async () => {
      await this.remembered();
      await this.#decideAll(lower, canceled);
      return this.#known;
    });
    // One graph at a time; what goes wrong with one is no concern of the next.
    this.#queue = decided.catch(() => undefined);
    return decided;
  }

  async #decideAll(lower: (decisions: Decisions) => Program, canceled: () => boolean): Promise<void> {
    const standard = lower(this.#known);
    const sites = new Map<string, ChoiceSite>();
    for (const site of standard.choices) if (!sites.has(site.id)) sites.set(site.id, site);
    const undecided = [...sites.values()].filter(
      ({ id, variants, count }) => variants.length > 1 && count > 0 && !this.#known.has(id),
    );
    const work = new Map(undecided.map(({ id }) => [id, flopsOf(standard, id)]));
    undecided.sort((a, b) => work.get(b.id)! - work.get(a.id)!);
    let left = this.#options.budget;
    const news = new Map<string, string>();
    try {
      for (const site of undecided) {
        if (left <= 0 || canceled()) break;
        this.#options.checkUsable();
        if (trialBytes(standard, site.id) > MOST_BYTES) continue;
        const { report, spent } = await this.#decideOne(lower, site, left);
        left -= spent;
        if (!report) continue;
        this.#reports.push(report);
        this.#known.set(site.id, report.chosen);
        news.set(site.id, report.chosen);
      }
    } finally {
      if (news.size > 0) await this.#save(news);
    }
  }

  /** Null where the variants leave nothing to compare, or the budget ended before any of them had its turn. */
  async #decideOne(
    lower: (decisions: Decisions) => Program,
    site: ChoiceSite,
    budget: number,
  ): Promise<{ report: TuningReport | null; spent: number }> {
    const { id, family, variants } = site;
    const offered = variants.filter(({ name }) => !this.#leftOut.has(variantName(family, name)));
    const [standard, ...others] = offered;
    if (!standard) return { report: null, spent: 0 };
    const memory = new TrialMemory(this.#host);
    const trials: Trial[] = [];
    const ratios: Record<string, number> = {};
    const refused: Record<string, string> = {};
    let spent = 0;
    const prepare = async (name: string): Promise<Trial> => {
      const program = lower(new Map([...this.#known, [id, name]]));
      try {
        const trial = await Trial.create(this.#host, memory, program, id);
        trials.push(trial);
        return trial;
      } catch (error) {
        this.leaveOutFailed(program, error);
        throw error;
      }
    };
    const untried: string[] = [];
    const timed = async (trial: Trial, times: number): Promise<number> => {
      const milliseconds = await trial.run(times);
      spent += milliseconds;
      return milliseconds;
    };
    const results = async (trial: Trial): Promise<Map<string, ArrayBuffer>> => {
      memory.fill();
      await timed(trial, 1);
      return resultsOf(trial);
    };
    try {
      const base = await prepare(standard.name);
      const expected = await results(base);
      if (expected.size === 0) return { report: null, spent };
      const wait = median([await timed(base, 0), await timed(base, 0), await timed(base, 0)]);
      const batch = Math.max(BATCH, WAITS * wait);
      // A clock that coarse tells nothing within the budget.
      if (2 * LONG_PAIRS * batch > budget && batch > LONG_BATCH) return { report: null, spent };
      const repeats = await repeatsFor(batch, (times) => timed(base, times));
      for (const { name, orderClass } of others) {
        if (spent > budget) {
          untried.push(name);
          continue;
        }
        this.#options.checkUsable();
        try {
          const trial = await prepare(name);
          const problem = problemOf(await results(trial), expected, orderClass === standard.orderClass);
          if (problem) {
            refused[name] = problem;
            continue;
          }
          ratios[name] = await ratio(
            (times) => timed(base, times),
            (times) => timed(trial, times),
            repeats,
          );
        } catch (error) {
          // A lost device is no fault of the variant.
          this.#options.checkUsable();
          refused[name] = error instanceof Error ? error.message : String(error);
        }
      }
      if (untried.length === others.length) return { report: null, spent };
      const best = Object.entries(ratios).sort((a, b) => a[1] - b[1])[0];
      const chosen = best && best[1] <= WORTHWHILE ? best[0] : standard.name;
      return { report: { id, chosen, default: standard.name, ratios, untried, refused }, spent };
    } catch (error) {
      // The plan will do without its kernel, or say the same.
      if (error instanceof ShaderError) return { report: null, spent };
      throw error;
    } finally {
      for (const trial of trials) trial.dispose();
      memory.dispose();
    }
  }

  /** Knows every kernel, and so downloads what the application has not needed yet. */
  async #key(): Promise<string> {
    const { kernelVersion } = await import('../kernels/version.js');
    return `${this.#options.surroundings} | kernels ${kernelVersion()}`;
  }

  async #load(): Promise<void> {
    const { store } = this.#options;
    if (!store) return;
    const text = await this.#key()
      .then((key) => store.get(key))
      .catch(() => null);
    for (const [key, value] of Object.entries(parseTexts(text ?? ''))) {
      if (key.startsWith(LEFT_OUT)) this.#leftOut.set(key.slice(LEFT_OUT.length), value);
      else this.#known.set(key, value);
    }
  }

  async #save(news: ReadonlyMap<string, string>): Promise<void> {
    const { store } = this.#options;
    if (!store) return;
    const add = async (): Promise<void> => {
      // Another tab may have found something meanwhile.
      const key = await this.#key();
      const before = parseTexts((await store.get(key)) ?? '');
      await store.set(key, JSON.stringify({ ...before, ...Object.fromEntries(news) }));
    };
    // Where that fails, the next session measures again.
    const saved = (SAVING.get(store) ?? Promise.resolve()).then(add).catch(() => undefined);
    SAVING.set(store, saved);
    await saved;
  }
}

/** The decisions that may take effect on a plan that has run: those that leave every sum in its order. */
export function sameOrder(choices: readonly ChoiceSite[], decisions: Decisions): Decisions {
  const result = new Map<string, string>();
  for (const { id, chosen, variants } of choices) {
    const orderOf = (name: string | undefined): string | undefined =>
      variants.find((variant) => variant.name === name)?.orderClass;
    const decided = decisions.get(id);
    const same = decided !== undefined && orderOf(decided) === orderOf(chosen);
    result.set(id, same ? decided : chosen);
  }
  return result;
}

function flopsOf(program: Program, id: string): number {
  return program.choices
    .filter((site) => site.id === id)
    .flatMap(({ first, count }) => program.steps.slice(first, first + count))
    .reduce((sum, step) => sum + (step.type === 'dispatch' ? step.flops : 0), 0);
}

/** What the steps have written for others. */
async function resultsOf(trial: Trial): Promise<Map<string, ArrayBuffer>> {
  const results = new Map<string, ArrayBuffer>();
  for (const key of trial.resultKeys) results.set(key, await trial.read(key));
  return results;
}

/** Says what is wrong with a variant's results, if anything is. */
function problemOf(
  actual: ReadonlyMap<string, ArrayBuffer>,
  expected: ReadonlyMap<string, ArrayBuffer>,
  sameBits: boolean,
): string | null {
  for (const [key, right] of expected) {
    const bytes = actual.get(key);
    if (!bytes) return `${key} is not written`;
    const wrong = sameBits
      ? differentBits(bytes, right)
      : difference(new Float32Array(bytes), new Float32Array(right), 'the default').problem;
    if (wrong) return `${key}: ${wrong}`;
  }
  return null;
}

function differentBits(actual: ArrayBuffer, expected: ArrayBuffer): string | null {
  const [a, b] = [new Uint32Array(actual), new Uint32Array(expected)];
  const index = a.findIndex((bits, i) => bits !== b[i]);
  return index < 0 ? null : `other bits than the default at index ${index}`;
}

/** How often to run in one batch, for it to take so many milliseconds. */
async function repeatsFor(batch: number, run: (times: number) => Promise<number>): Promise<number> {
  for (let repeats = 1; ;) {
    let time = await run(repeats);
    // It may have waited for another program.
    if (time >= batch && time < 10 * batch) time = Math.min(time, await run(repeats));
    if (time >= batch || repeats >= MOST_REPEATS) return repeats;
    repeats = Math.min(MOST_REPEATS, Math.max(2 * repeats, Math.ceil((repeats * batch) / time)));
  }
}

/** The median of the variant's time over the default's. */
async function ratio(
  standard: (times: number) => Promise<number>,
  variant: (times: number) => Promise<number>,
  repeats: number,
): Promise<number> {
  const ratios: number[] = [];
  let pairs = PAIRS;
  for (let pair = 0; pair < pairs; pair++) {
    const time = await standard(repeats);
    ratios.push((await variant(repeats)) / time);
    if (pair === 0 && ratios[0]! > CLEARLY_SLOWER) break;
    if (time > LONG_BATCH) pairs = LONG_PAIRS;
  }
  return median(ratios);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}
