/** What a runtime does for the tests that drive it from outside: GPU cases and golden files, as they are or under a constraint. */
import { runGolden } from '../../golden/run-golden.js';
import type { GpuCase, GpuCaseModule } from '../case.js';
import { constrain, type Constraint } from './constraints.js';
import { CaseRunner, describeError } from './runner.js';

/** Runs cases by file and name, on the adapters of one `GPU` object. */
export class Agent {
  readonly #gpu: GPU | undefined;
  readonly #modules: ReadonlyMap<string, () => Promise<GpuCaseModule>>;
  readonly #options: ConstructorParameters<typeof CaseRunner>[1];
  readonly #runners = new Map<Constraint, CaseRunner>();

  /**
   * @param modules what loads each file of cases, by path or by name
   * @param options those of {@link CaseRunner}
   */
  constructor(
    gpu: GPU | undefined,
    modules: Readonly<Record<string, () => Promise<GpuCaseModule>>>,
    options: ConstructorParameters<typeof CaseRunner>[1] = {},
  ) {
    this.#gpu = gpu;
    this.#options = options;
    this.#modules = new Map(
      Object.entries(modules).map(([path, load]) => [path.slice(path.lastIndexOf('/') + 1), load]),
    );
  }

  /** The adapter, for people. */
  describeAdapter(): Promise<string> {
    return this.#runner('none').describeAdapter();
  }

  /** Runs one case; resolves to null when it passed, and else to what went wrong. */
  async run(file: string, name: string, constraint: Constraint = 'none'): Promise<string | null> {
    const load = this.#modules.get(file);
    if (!load) return `there is no file ${file} of cases`;
    try {
      const { cases } = await load();
      return await this.#runner(constraint).run(file, cases, name);
    } catch (error) {
      return describeError(error);
    }
  }

  /** Runs one golden file, given as base64: a protocol for JSON cannot carry bytes. */
  async runGolden(name: string, base64: string, constraint: Constraint = 'none'): Promise<string | null> {
    const golden: GpuCase = {
      name,
      async run({ executor }) {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        const { passed, text } = await runGolden(name, bytes, executor);
        if (!passed) throw new Error(text);
      },
    };
    try {
      return await this.#runner(constraint).run('golden files', [golden], name);
    } catch (error) {
      return describeError(error);
    }
  }

  /** Names of the kernels that the cases run so far have compiled. */
  kernels(constraint: Constraint = 'none'): readonly string[] {
    return [...this.#runner(constraint).kernels];
  }

  #runner(constraint: Constraint): CaseRunner {
    let runner = this.#runners.get(constraint);
    if (!runner) {
      runner = new CaseRunner(this.#gpu && constrain(this.#gpu, constraint), this.#options);
      this.#runners.set(constraint, runner);
    }
    return runner;
  }
}
