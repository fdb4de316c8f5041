/** Which parts of the project's code have run: V8's own block coverage, which tells a fuzzer what is new. */
import { Session, type Profiler } from 'node:inspector';

/** Watches from its creation to {@link close}. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks seen so far. */
  get size(): number {
    return this.#seen.size;
  }

  /** How many blocks of `src/` and `demo/` have run, since the last call, for the first time ever. */
  takeNew(): number {
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
    const before = this.#seen.size;
    for (const { url, functions } of result) {
      if (!/\/(src|demo)\/[^?]*\.ts/.test(url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          // How often counts too, roughly: a loop that runs for the first time a hundred times is news.
          const often = Math.min(8, Math.floor(Math.log2(count + 1)));
          if (count > 0) this.#seen.add(`${url} ${startOffset} ${endOffset} ${often}`);
        }
      }
    }
    return this.#seen.size - before;
  }

  close(): void {
    this.#session.disconnect();
  }

  /** Commands of the profiler answer before `post` returns. */
  #post(method: string, parameters?: object): unknown {
    let answer: unknown;
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw error;
      answer = result;
    });
    return answer;
  }
}
