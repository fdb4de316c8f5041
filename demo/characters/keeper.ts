/** Keeps a model in the browser's storage: now and then while it is trained, and whenever it is asked for. */
import type { CharacterModel } from '../../src/index.js';
import { messageOf } from '../frame/dom.js';
import type { History, Settings, WorkerEvent } from './protocol.js';
import type { ReadText } from './read-text.js';
import { keepModel, TakenOverError, textIdOf, type KeptModel, type KeptText } from './storage.js';
import { factsOf } from './training-run.js';

/** A model, and what is needed to go on with it. */
export interface Work {
  model: CharacterModel;
  /** None where it came from a file of weights: it then learns the text that was read. */
  text: ReadText | null;
  readonly history: History;
  settings: Settings | null;
  /** In the browser's storage. */
  readonly id: string;
  readonly name: string;
  /** Whether another tab trains it: then it is not kept from here. */
  readOnly: boolean;
}

/** Between two times that the model is kept, in milliseconds, and as many times as long as keeping takes. */
const PERIOD = 10_000;
const SHARE = 20;

/** More steps than are ever on the device without their losses being known. */
const IN_FLIGHT = 16;

interface Kept {
  readonly model: KeptModel;
  readonly text: KeptText;
}

/** One for all models of a worker: they are written one after another. */
export class Keeper {
  /** How the storage knows this worker from those of other tabs. */
  readonly owner = newId();
  readonly #onTaken: (work: Work) => void;
  #last: Promise<void> = Promise.resolve();
  #writing = 0;
  #keptAt = 0;
  #period = PERIOD;
  /** What was written last, and what was written before a loss that showed its weights to be good. */
  #latest: Kept | null = null;
  #proven: Kept | null = null;

  /** @param onTaken called when another tab has taken a model over that was to be kept */
  constructor(onTaken: (work: Work) => void) {
    this.#onTaken = onTaken;
  }

  /** A run begins: there is nothing to keep yet. */
  begin(): void {
    this.#latest = null;
    this.#proven = null;
    this.#keptAt = performance.now();
  }

  /** Keeps the model as it is now, unless it has learned nothing yet or belongs to another tab. */
  keep(work: Work): Promise<void> {
    this.#writing++;
    const kept = this.#last.then(() => this.#write(work)).finally(() => this.#writing--);
    this.#last = kept.catch(() => undefined);
    return kept;
  }

  /** Keeps the model of a run: waits for it where it is to be `now`; else when it is due, beside the run. */
  async sometimes(work: Work, now: boolean, emit: (event: WorkerEvent) => void): Promise<void> {
    const step = work.history.steps.at(-1) ?? 0;
    if (this.#latest && step > this.#latest.model.step + IN_FLIGHT) this.#proven = this.#latest;
    const due = performance.now() - this.#keptAt >= this.#period;
    if (work.readOnly || (!now && (!due || this.#writing > 0))) return;
    const began = performance.now();
    const told = this.keep(work)
      .then(
        () => emit({ type: 'kept', id: work.id, step: work.history.steps.at(-1) ?? 0 }),
        (error: unknown) => {
          if (error instanceof TakenOverError) this.#onTaken(work);
          else emit({ type: 'unkept', message: messageOf(error) });
        },
      )
      .finally(() => {
        this.#keptAt = performance.now();
        this.#period = Math.max(PERIOD, SHARE * (this.#keptAt - began));
      });
    if (now) await told;
  }

  /** The run has diverged: what was kept while it may have been on the way there gives place to what was good. */
  async revert(): Promise<void> {
    await this.#last;
    const proven = this.#proven;
    if (proven && proven !== this.#latest) await keepModel(proven.model, proven.text, this.owner);
  }

  async #write({ model, text, settings, history, id, name, readOnly }: Work): Promise<void> {
    if (!text || !settings || history.steps.length === 0 || readOnly) return;
    // The run may go on meanwhile, and its history with it.
    const known = copyOf(history);
    const checkpoint = await model.checkpoint();
    const { name: textName, task } = text.facts;
    const kept: KeptText = { id: textIdOf(text.text), name: textName, text: text.text, task };
    const facts = {
      id,
      name,
      kind: factsOf(model).kind,
      textName,
      step: known.steps.at(-1)!,
      steps: settings.steps,
      loss: known.validation.at(-1)?.loss ?? known.losses.at(-1)!,
      savedAt: Date.now(),
      bytes: checkpoint.length,
    };
    const written: Kept = { model: { ...facts, settings, history: known, checkpoint }, text: kept };
    await keepModel(written.model, kept, this.owner);
    this.#latest = written;
  }
}

function copyOf(history: History): History {
  const { steps, losses, gradientNorms, learningRates, seconds, validation, samples, scores } = history;
  return {
    steps: [...steps],
    losses: [...losses],
    gradientNorms: [...gradientNorms],
    learningRates: [...learningRates],
    seconds: [...seconds],
    validation: [...validation],
    samples: [...samples],
    scores: [...scores],
  };
}

/** A name that no other model or worker has. */
export function newId(): string {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
}
