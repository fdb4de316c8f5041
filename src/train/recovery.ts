/** What a training goes back to when its device is lost: its state after some step, kept on the host. */
import { DeviceLostError } from '../graph/errors.js';
import type { Executor } from '../graph/executor.js';
import type { Variable } from '../graph/value.js';
import { CheckpointReader, CheckpointWriter } from '../io/checkpoint.js';

/** A loop that makes the steps, has a state of its own, and goes on by itself after a loss. */
export interface Companion {
  /** Adds its state, and gives further variables by full name. */
  capture(writer: CheckpointWriter): ReadonlyMap<string, Variable>;
  /** Takes its part, and gives what carries it out. */
  prepareRestore(reader: CheckpointReader): () => void;
}

/** What a lost device has cost: the steps from one to the other, which are to be made again. */
export interface RecoveredSteps {
  /** The step after which the training stands again. */
  readonly toStep: number;
  /** The last step that had been made. */
  readonly fromStep: number;
}

/** Learning rate, clipNorm and clipValue of a step. */
export type Rates = readonly [learningRate: number, clipNorm: number, clipValue: number];

/** What it needs of the trainer. */
export interface RecoveryHost {
  readonly executor: Executor;
  /** Adds the whole training to a snapshot; asks for the variables at once. */
  gather(writer: CheckpointWriter, more: Companion['capture'] | undefined, keep: boolean): Promise<void>;
  /** @returns what carries it out, leaving alone what is known of steps up to `after` */
  prepareRestore(reader: CheckpointReader): (after: number) => Promise<void>;
  steps(): number;
  /** The present ones. */
  rates: Rates;
}

interface Kept {
  readonly writer: CheckpointWriter;
  readonly step: number;
  readonly companion: Companion | null;
}

interface GoneBack extends RecoveredSteps {
  readonly error: DeviceLostError;
}

const KIND = 'training';
/** A snapshot is to take no more than this share of the time. */
const SHARE = 1 / 50;
/** Milliseconds until a snapshot that failed is tried again; twice as many each time, up to the second number. */
const RETRY = [1000, 600_000] as const;
/** Steps whose rates are known, at most: where later ones are made again, they take the rates that hold then. */
const MAX_RATES = 2 ** 16;

/** Takes snapshots, and goes back to the last. */
export class Recovery {
  readonly #host: RecoveryHost;
  #kept: Kept | null = null;
  /** Whether something may have changed since then that was not a step. */
  #outdated = true;
  #keeping: Promise<void> | null = null;
  #nextAt = 0;
  #retry: number = RETRY[0];
  #companion: Companion | null = null;
  /** The rates of steps after the snapshot: made again, they get the same. */
  readonly #rates = new Map<number, Rates>();
  #back: { readonly losses: number; readonly done: Promise<GoneBack> } | null = null;
  /** A return that the companion has not begun anew after. */
  #unseen: DeviceLostError | null = null;

  constructor(host: RecoveryHost) {
    this.#host = host;
  }

  /** Whether there should be a snapshot after this step, when all its numbers have arrived. */
  get due(): boolean {
    const { snapshotPeriod } = this.#host.executor;
    return snapshotPeriod !== undefined && !this.#keeping && performance.now() >= this.#nextAt;
  }

  /** Whether a loop of its own makes the steps. */
  get accompanied(): boolean {
    return this.#companion !== null;
  }

  /**
   * Lets a loop of its own make the steps, which begins anew after each loss that leaves another device.
   * @param wentBack called before that
   */
  async lead<R>(
    companion: Companion,
    steps: () => Promise<R>,
    wentBack: (back: RecoveredSteps) => Promise<void>,
  ): Promise<R> {
    try {
      for (let losses = -1; ;) {
        this.#attach(companion);
        try {
          const result = await steps();
          await this.#finish();
          return result;
        } catch (error) {
          const { error: told, fromStep, toStep } = await this.recover(error);
          if (told.final || told.losses === losses) throw told;
          losses = told.losses;
          await wentBack({ fromStep, toStep });
        }
      }
    } finally {
      this.#companion = null;
      this.#unseen = null;
    }
  }

  #attach(companion: Companion): void {
    this.#unseen = null;
    if (companion === this.#companion) return;
    this.#companion = companion;
    this.#rates.clear();
    this.#expire();
  }

  /** The next step begins with a snapshot. */
  #expire(): void {
    this.#outdated = true;
    this.#nextAt = 0;
  }

  /** Takes a snapshot before the first step; where there was no memory for it, before a later one. */
  async begin(): Promise<void> {
    if (this.#outdated && performance.now() >= this.#nextAt) await this.keep();
  }

  /**
   * Takes a snapshot after the last step.
   * @throws DeviceLostError; where there is no memory for it, the one before stays
   */
  async #finish(): Promise<void> {
    await this.#keeping;
    await this.#take().catch((error: unknown) => {
      if (error instanceof DeviceLostError) throw error;
    });
  }

  /** Another state has taken the place of the one that was kept. */
  forget(): void {
    this.#kept = null;
    this.#expire();
  }

  /** @throws DeviceLostError where the training has gone back behind the loop's back */
  check(): void {
    if (this.#unseen) throw this.#unseen;
  }

  /** Takes a snapshot of the present state, which must be between two steps; resolves when it has arrived. */
  keep(): Promise<void> {
    const keeping = this.#take()
      // The one before is still there; a lost device tells whoever uses it next.
      .catch(() => undefined)
      .finally(() => {
        if (this.#keeping === keeping) this.#keeping = null;
      });
    this.#keeping = keeping;
    return keeping;
  }

  async #take(): Promise<void> {
    const { snapshotPeriod } = this.#host.executor;
    if (snapshotPeriod === undefined) return;
    const companion = this.#companion;
    const writer = new CheckpointWriter(KIND, true);
    const step = this.#host.steps();
    const began = performance.now();
    try {
      await this.#host.gather(writer, companion?.capture.bind(companion), true);
    } catch (error) {
      if (!(error instanceof DeviceLostError)) {
        this.#nextAt = performance.now() + Math.max(snapshotPeriod, this.#retry);
        this.#retry = Math.min(2 * this.#retry, RETRY[1]);
      }
      throw error;
    }
    this.#retry = RETRY[0];
    this.#kept = { writer, step, companion };
    this.#outdated = false;
    for (const made of this.#rates.keys()) if (made <= step) this.#rates.delete(made);
    const now = performance.now();
    this.#nextAt = now + (snapshotPeriod && Math.max(snapshotPeriod, (now - began) / SHARE));
  }

  /**
   * The rates of a step: the present ones, or where it was made before, those it had then.
   * @param learningRate that of this step
   */
  ratesOf(step: number, learningRate: number): Rates {
    const { executor } = this.#host;
    const [, ...clips] = this.#host.rates;
    const rates: Rates = [learningRate, ...clips];
    // Without a snapshot, there is no step to be made again.
    const none = this.#outdated && !this.#keeping;
    if (!this.#companion || none || executor.snapshotPeriod === undefined) return rates;
    const before = this.#rates.get(step) ?? rates;
    if (this.#rates.size < MAX_RATES) this.#rates.set(step, before);
    return before;
  }

  /**
   * Goes back to the last snapshot, once there is a device again, or there will be none.
   * @throws what is no loss of a device, and where there is nothing to go back to
   */
  recover(error: unknown): Promise<GoneBack> {
    if (!(error instanceof DeviceLostError)) throw error;
    // Several calls may have met the same loss.
    if (this.#back?.losses !== error.losses) {
      this.#back = { losses: error.losses, done: this.#goBack(error) };
    }
    return this.#back.done;
  }

  /**
   * Does what needs the last state of the training, such as saving. Where that was lost, the training goes back
   * first; that is told by an error, unless the loop goes on by itself.
   */
  async attempt<R>(work: () => Promise<R>): Promise<R> {
    for (let losses = -1; ;) {
      try {
        return await work();
      } catch (error) {
        const { error: told } = await this.recover(error);
        if (!this.#companion || told.final || told.losses === losses) throw told;
        losses = told.losses;
      }
    }
  }

  async #goBack(lost: DeviceLostError): Promise<GoneBack> {
    const final = await this.#awaitDevice(lost);
    await this.#keeping;
    const kept = this.#kept;
    const { losses } = final ?? lost;
    if (!kept) throw final ?? lost;
    const host = this.#host;
    const fromStep = host.steps();
    const { step: toStep } = kept;
    const error = new DeviceLostError({
      culprit: 'training',
      problem: `the device was lost${final ? ' for good' : ''}; the training is back after step ${toStep}`,
      remedy: final
        ? "save() and checkpoint() give it as it was then; go on with it on the CPU, with createExecutor({ backend: 'cpu' })"
        : `go on with step ${toStep + 1}`,
      losses,
      final: final !== null,
      step: toStep,
      cause: final ?? lost,
    });
    const reader = new CheckpointReader(kept.writer, KIND);
    const commit = host.prepareRestore(reader);
    const commitMore = kept.companion?.prepareRestore(reader);
    reader.finish();
    const { rates } = host;
    if (this.#companion) this.#unseen = error;
    await commit(toStep);
    commitMore?.();
    // A loop can't go on from where it did not begin.
    if (this.#companion && this.#outdated) throw error;
    // What the application has set meanwhile holds for the steps that were not made yet.
    if (kept.companion) host.rates = rates;
    return { error, fromStep, toStep };
  }

  /** @returns the error where there will be no device */
  async #awaitDevice(lost: DeviceLostError): Promise<DeviceLostError | null> {
    for (let error: unknown = lost; ;) {
      if (!(error instanceof DeviceLostError)) throw error;
      if (error.final) return error;
      try {
        await this.#host.executor.synchronize();
        return null;
      } catch (later) {
        error = later;
      }
    }
  }
}
