/** One call of `fit` in the worker: it reports, samples, waits while paused, and changes its learning rate. */
import { ArgumentError, type CharacterModel, type FitProgress, type Optimizer } from '../../src/index.js';
import { Gate } from './gate.js';
import { recordStep } from './history.js';
import type { History, ModelFacts, Settings, TrainOutcome, WorkerEvent } from './protocol.js';
import type { TaskCase } from './tasks.js';
import { checkSampling, scoreModel, writeSample } from './writing.js';

/** What a run needs. */
export interface RunOptions {
  readonly model: CharacterModel;
  readonly text: string;
  readonly characters: number;
  /** Questions to score the model by, where the text is that of a task. */
  readonly test: readonly TaskCase[] | null;
  readonly settings: Settings;
  /** Of the model; this run goes on with it. */
  readonly history: History;
  /** None to go on with the one that the model has. */
  readonly optimizer?: Optimizer;
  readonly emit: (event: WorkerEvent) => void;
  readonly signal: AbortSignal;
  /** Called after the first step: until then, the run may fail for its text or its sizes. */
  readonly onReady: () => void;
  /** Called at moments when the model had better be kept; `now` where it must be. */
  readonly onKeep: (now: boolean) => Promise<void>;
}

/** A model in short. */
export function factsOf({ executor, config, tokenizer, parameterCount }: CharacterModel): ModelFacts {
  return {
    adapter: executor.description,
    kind: `${config.cell.toUpperCase()} ${config.numLayers}×${config.hiddenSize}`,
    vocabularySize: tokenizer.size,
    parameterCount,
  };
}

/** The weights have left all bounds: going on would teach nothing. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError';
}

/** A run that can be held and steered while it goes on. */
export class TrainingRun {
  readonly gate = new Gate();
  readonly #options: RunOptions;
  readonly #began = performance.now();
  readonly #secondsBefore: number;
  #held = 0;
  #learningRate: number;
  #secondsToFirstStep = 0;
  #diverged: number | null = null;

  /** @throws ArgumentError for a setting of the page that is out of range */
  constructor(options: RunOptions) {
    checkSampling(options.settings);
    this.#options = options;
    this.#learningRate = options.settings.learningRate;
    this.#secondsBefore = options.history.seconds.at(-1) ?? 0;
  }

  /** Of the steps from now on. */
  set learningRate(value: number) {
    if (!Number.isFinite(value) || value < 0) {
      throw new ArgumentError({
        culprit: 'training',
        problem: `learningRate is ${value}`,
        remedy: 'pass a finite number of at least 0',
      });
    }
    this.#learningRate = value;
  }

  /** Trains until all steps are done or the signal stops it. */
  async run(): Promise<TrainOutcome> {
    const { model, text, settings, optimizer, signal } = this.#options;
    const { batchSize, sequenceLength, steps, clipNorm, validationFraction, validateEvery } = settings;
    this.learningRate = settings.learningRate;
    const stop = new AbortController();
    const stopped = AbortSignal.any([signal, stop.signal]);
    const result = await model.fit(text, {
      batchSize,
      sequenceLength,
      steps,
      ...(optimizer && { optimizer }),
      learningRate: () => this.#learningRate,
      clipNorm,
      validationFraction,
      validateEvery,
      signal: stopped,
      onRecovered: ({ toStep }) => this.#options.emit({ type: 'recovered', step: toStep }),
      onProgress: async (progress) => {
        await this.#report(progress, stopped);
        if (this.#diverged !== null) stop.abort();
      },
    });
    if (this.#diverged !== null) {
      throw new DivergedError(
        `The training has failed: after step ${this.#diverged - 1} the weights were so large that the loss was no number any more. A lower learning rate, or clipping gradients, prevents it.`,
      );
    }
    // A run that was stopped before its first step has nothing to show.
    const begun = result.steps >= result.firstStep;
    const sample = begun ? await this.#sample(result.steps) : '';
    const { dispatches, submits } = begun
      ? await model.statistics({ batchSize, sequenceLength })
      : { dispatches: 0, submits: 0 };
    return {
      model: factsOf(model),
      stopped: result.stopped,
      steps: result.steps,
      losses: result.losses,
      validation: result.validation,
      skippedUpdates: result.skippedUpdates,
      seconds: result.seconds,
      secondsToFirstStep: this.#secondsToFirstStep,
      millisecondsPerStep: result.millisecondsPerStep,
      dispatchesPerStep: dispatches,
      submitsPerStep: submits,
      sample,
    };
  }

  async #report(progress: FitProgress, signal: AbortSignal): Promise<void> {
    const { model, settings, history, emit, characters } = this.#options;
    const { step, steps, loss, gradientNorm, validationLoss, skippedUpdates } = progress;
    const { charactersPerSecond, secondsLeft } = progress;
    if (this.#secondsToFirstStep === 0) {
      this.#secondsToFirstStep = (performance.now() - this.#began) / 1000;
      this.#options.onReady();
      const { bytesAllocated } = model.memory();
      emit({ type: 'ready', model: factsOf(model), characters, deviceBytes: bytesAllocated });
    }
    if (!Number.isFinite(loss)) {
      this.#diverged ??= step;
      return;
    }
    const seconds = this.#secondsBefore + (performance.now() - this.#began - this.#held) / 1000;
    const learningRate = this.#learningRate;
    const report = {
      step,
      steps,
      loss,
      gradientNorm,
      learningRate,
      ...(validationLoss !== undefined && { validationLoss }),
      skippedUpdates,
      charactersPerSecond,
      secondsLeft,
      seconds,
    };
    recordStep(history, report);
    emit({ type: 'step', ...report });
    if (signal.aborted) return;
    const { sampleEvery } = settings;
    if (sampleEvery > 0 && step % sampleEvery === 0 && step < steps) {
      await this.#sample(step);
    }
    await this.#options.onKeep(false);
    const began = performance.now();
    await this.gate.pass(signal, async () => {
      emit({ type: 'held', step });
      await this.#options.onKeep(true);
    });
    this.#held += performance.now() - began;
  }

  async #sample(step: number): Promise<string> {
    const { model, settings, history, emit, test } = this.#options;
    emit({ type: 'sampling', step });
    const text = await writeSample(model, settings, step, (written) =>
      emit({ type: 'written', text: written }),
    );
    history.samples.push({ step, text });
    emit({ type: 'sample', step, text });
    if (test) {
      const score = await scoreModel(model, test, step);
      history.scores.push(score);
      emit({ type: 'score', ...score });
    }
    return text;
  }
}
