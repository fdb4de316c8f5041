/** Into how many submits a run is cut, so that none holds the GPU for long. */
import type { Program } from './program.js';
import { stepTraffic } from './traffic.js';

/**
 * Milliseconds that one submit should hold the GPU at most. Watchdogs of drivers and browsers fire at about
 * two seconds, and what the page itself draws waits behind a submit.
 */
export const LONGEST_SUBMIT = 500;
/** Runs that are measured: the first may compile kernels, and any may wait behind other work. */
const MEASURED_RUNS = 4;

/**
 * Floating-point operations that cost as much as moving a byte, and as launching a dispatch: between those of
 * GPUs (tens a byte, millions a dispatch) and of software adapters (1 to 4 a byte, 100,000 a dispatch).
 */
const FLOPS_PER_BYTE = 4;
const FLOPS_PER_DISPATCH = 200_000;

/**
 * Learns how long a run of a plan takes, and cuts it accordingly.
 *
 * A run begins as one submit. Its first few runs are timed from outside, which costs a promise each; the
 * quickest of them counts, since the others waited for a compiler or for someone else. Only where that is
 * above {@link LONGEST_SUBMIT} is the run cut, at boundaries of steps, into as few parts as that needs, equal
 * by their estimated work.
 *
 * The price is 40 to 80 µs a submit, one in ten thousand of what is cut. On software adapters a training step
 * of moderate size may well take more than half a second and be cut in two, though no watchdog waits there:
 * they share the processor with the page, so shorter submits serve it too. A plan under the limit stays one
 * submit for good.
 */
export class SubmitCuts {
  readonly #weights: readonly number[];
  /** Where each submit ends: counts of steps, rising, the last one all of them. */
  #ends: readonly number[];
  #begun = 0;
  #quickest = Infinity;
  #lastDone = -Infinity;

  /** @param weights estimated work of each step, in any unit */
  constructor(weights: readonly number[]) {
    this.#weights = weights;
    this.#ends = [weights.length];
  }

  /** For the steps of a program. */
  static of(program: Program): SubmitCuts {
    const traffic = stepTraffic(program);
    const weights = program.steps.map((step, index) => {
      const launch = step.type === 'dispatch' ? step.flops + FLOPS_PER_DISPATCH : FLOPS_PER_DISPATCH;
      return launch + FLOPS_PER_BYTE * traffic[index]!;
    });
    return new SubmitCuts(weights);
  }

  /** Where each submit of the next run ends. */
  get ends(): readonly number[] {
    return this.#ends;
  }

  /** Submits of the next run. */
  get submits(): number {
    return this.#ends.length;
  }

  /**
   * To be called right after a run has been submitted.
   * @param done gives a promise for the end of all work submitted so far; called for the first few runs only
   */
  watch(done: () => Promise<unknown>, now: () => number = () => performance.now()): void {
    if (this.#begun === MEASURED_RUNS) return;
    this.#begun++;
    const submitted = now();
    done().then(
      () => {
        const end = now();
        // The device was busy with the run before until that was done.
        this.#learn(end - Math.max(submitted, this.#lastDone));
        this.#lastDone = end;
      },
      // A lost device is reported to whoever uses it.
      () => undefined,
    );
  }

  #learn(milliseconds: number): void {
    if (milliseconds >= this.#quickest) return;
    this.#quickest = milliseconds;
    this.#ends = cutEvenly(this.#weights, Math.ceil(milliseconds / LONGEST_SUBMIT));
  }
}

/**
 * Cuts a list into `parts` runs of about equal weight, fewer where it has fewer elements.
 * @returns where each ends
 */
export function cutEvenly(weights: readonly number[], parts: number): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const ends: number[] = [];
  let sum = 0;
  weights.forEach((weight, index) => {
    // A cut comes after the element whose middle passes the mark.
    const mark = (total * (ends.length + 1)) / parts;
    if (ends.length < parts - 1 && index > (ends.at(-1) ?? 0) && sum + weight / 2 > mark) ends.push(index);
    sum += weight;
  });
  ends.push(weights.length);
  return ends;
}
