/** The training loop of a character model: lanes, carried state, validation, progress. */
import { ArgumentError, DisposedError, type NonFiniteError } from '../graph/errors.js';
import type { Executor, Plan } from '../graph/executor.js';
import { assign, type CheckpointReader, type CheckpointWriter } from '../io/checkpoint.js';
import { crossEntropy } from '../nn/losses.js';
import type { Variable } from '../graph/value.js';
import type { CarriedState } from '../nn/recurrent.js';
import type { Optimizer } from '../optim/optimizer.js';
import { isAdaptive, learningRateAt, type LearningRate } from '../optim/schedules.js';
import { diverged } from '../train/divergence.js';
import { GoodWeights } from '../train/good-weights.js';
import type { StepRecord } from '../train/pacer.js';
import type { Companion, RecoveredSteps } from '../train/recovery.js';
import { Trainer, type Batch } from '../train/trainer.js';
import type { CharacterNetwork, CharacterState } from './character-network.js';
import type { LaneBatch, LaneBatches } from './lane-batches.js';

/** What is known after a step. */
export interface FitProgress {
  /** The step, from 1. */
  readonly step: number;
  /** Steps of the whole call. */
  readonly steps: number;
  /** Mean cross-entropy of the step's batch before its update, in nats a character. */
  readonly loss: number;
  /** Global norm of the gradients before clipping. */
  readonly gradientNorm: number;
  /** Mean cross-entropy over the held-out text after this step, in nats; where it was measured. */
  readonly validationLoss?: number;
  /** Updates skipped so far, for gradients that were not finite. */
  readonly skippedUpdates: number;
  readonly charactersPerSecond: number;
  readonly millisecondsPerStep: number;
  /** Estimated from the speed lately. */
  readonly secondsLeft: number;
}

/** What {@link CharacterModel.fit} gives. */
export interface FitResult {
  /** Whether the signal, or a loss that was not finite, ended it before its last step. */
  readonly stopped: boolean;
  /** What was not finite, where that ended it: at which step, and the gradient to blame. */
  readonly error: NonFiniteError | null;
  /** The first step of this call: 1, or the one after a restored checkpoint. */
  readonly firstStep: number;
  /** The last step taken. */
  readonly steps: number;
  /** One loss a step, in nats. */
  readonly losses: readonly number[];
  /** One gradient norm a step, before clipping. */
  readonly gradientNorms: readonly number[];
  /** Each validation that was finished. */
  readonly validation: readonly { readonly step: number; readonly loss: number }[];
  /** Updates skipped, for gradients that were not finite. */
  readonly skippedUpdates: number;
  /** Time of the whole call. */
  readonly seconds: number;
  /** Time of a step, lately. */
  readonly millisecondsPerStep: number;
}

/** One call's work. */
export interface FitWork {
  readonly training: LaneBatches;
  readonly validation: LaneBatches | null;
  readonly steps: number;
  /** Validate after every so many steps; 0 for the last only. */
  readonly validateEvery: number;
  /** Instead of the optimizer's own; `null` for that one. */
  readonly learningRate: LearningRate | null;
  readonly onProgress: ((progress: FitProgress) => void | Promise<void>) | null;
  readonly stopOnNaN: boolean;
  readonly onRecovered: ((steps: RecoveredSteps) => void | Promise<void>) | null;
  readonly signal: AbortSignal | undefined;
}

/** Where a call stands, for checkpoints: of the call that runs, or ran last. */
interface Position {
  readonly work: FitWork;
  /** Steps the trainer had taken when this call's step 0 was. */
  readonly offset: number;
  /** The last step after which validation was done. */
  validated: number;
}

/** What a restored checkpoint says of the call it was made in. */
interface Resumption {
  readonly step: number;
  readonly batchSize: number;
  readonly sequenceLength: number;
  readonly fingerprint: number;
  readonly validated: number;
  /** The state of the learning rate that was given to the call, if it follows measurements. */
  readonly schedule: Record<string, number> | null;
}

/** How many validation batches are in flight. */
const VALIDATION_DEPTH = 2;

/** Trains one network with one optimizer, over any number of calls. */
export class CharacterTraining {
  readonly optimizer: Optimizer;
  readonly trainer: Trainer;
  readonly #executor: Executor;
  readonly #network: CharacterNetwork;
  readonly #good: GoodWeights;
  /** Carried states by use and batch size: training and validation never share one. */
  readonly #states = new Map<string, CarriedState<CharacterState>>();
  #disposed = false;
  /** What of a call goes into snapshots: what goes into checkpoints, and the good weights. */
  readonly #companion: Companion = {
    capture: (writer) => {
      const { taken, variables } = this.#good;
      const good = taken ? [...variables].map(([name, one]) => [`good.${name}`, one] as const) : [];
      return new Map([...this.capture(writer), ...good]);
    },
    prepareRestore: (reader) => {
      const commit = this.prepareRestore(reader);
      const taken = reader.names('good.').length > 0;
      const assignments = taken ? reader.variables('good.', this.#good.variables) : [];
      return () => {
        commit();
        assign(this.#executor, assignments);
        this.#good.taken = taken;
      };
    },
  };
  #position: Position | null = null;
  #resumption: Resumption | null = null;

  constructor(executor: Executor, network: CharacterNetwork, optimizer: Optimizer, seed: number) {
    this.#executor = executor;
    this.#network = network;
    this.optimizer = optimizer;
    this.trainer = new Trainer({
      executor,
      parameters: network,
      optimizer,
      seed,
      name: 'character model',
      record: (graph, { tokens, targets }, context) => {
        const carried = this.#state(context.training, tokens!.shape[1]!);
        const { logits, state } = network.forward(tokens!, carried.read(graph), context);
        carried.update(graph, state);
        return crossEntropy(logits, targets!, { ignoreIndex: null });
      },
    });
    this.#good = new GoodWeights(this.trainer, network.namedParameters());
  }

  /** The plan for batches of this size. */
  plan(batchSize: number, sequenceLength: number, training: boolean): Promise<Plan> {
    const shape = [sequenceLength, batchSize];
    const spec = { shape, dtype: 'int32' } as const;
    return this.trainer.plan({ tokens: spec, targets: spec }, { training });
  }

  /**
   * Trains until all steps are done, or the signal or a loss that is not finite stops it, at a step boundary. When
   * the device is lost, steps are made again from the last snapshot.
   */
  async run(work: FitWork): Promise<FitResult> {
    const { trainer } = this;
    const { recovery } = trainer;
    const began = performance.now();
    let position = this.#begin(work);
    const firstStep = trainer.steps - position.offset + 1;
    const log = new Log(work, trainer, position.offset, firstStep);
    this.#good.taken = false;
    const end = await recovery.lead(
      this.#companion,
      async () => {
        await recovery.begin();
        return this.#steps(work, position, log, firstStep);
      },
      async ({ fromStep, toStep }) => {
        const { offset } = position;
        await work.onRecovered?.({ fromStep: fromStep - offset, toStep: toStep - offset });
        position = this.#begin(work);
      },
    );
    return {
      ...end,
      firstStep,
      steps: trainer.steps - position.offset,
      losses: log.losses,
      gradientNorms: log.gradientNorms,
      validation: log.validation,
      skippedUpdates: log.skippedUpdates,
      seconds: (performance.now() - began) / 1000,
      millisecondsPerStep: trainer.millisecondsPerStep,
    };
  }

  /** The steps that are left. */
  async #steps(
    work: FitWork,
    position: Position,
    log: Log,
    firstStep: number,
  ): Promise<{ readonly stopped: boolean; readonly error: NonFiniteError | null }> {
    const { training, steps, signal, stopOnNaN } = work;
    const { trainer } = this;
    const { recovery } = trainer;
    const good = this.#good;
    let step = trainer.steps - position.offset;
    let error = null as NonFiniteError | null;
    /** Batches of steps whose losses have not arrived. */
    const batches = new Map<number, Batch>();
    /** Tells of steps, up to one that ends the training: with the last good weights back in their place. */
    const report = async (records: readonly StepRecord[], validationLoss: number | null): Promise<void> => {
      const own = records.filter((record) => record.step >= position.offset + firstStep);
      const bad = stopOnNaN ? good.examine(own) : null;
      if (bad) {
        const what = `the loss of step ${bad.step - position.offset}`;
        error = await this.#comeBack(work, what, bad.loss, batches.get(bad.step));
      } else if (stopOnNaN && validationLoss !== null && !Number.isFinite(validationLoss)) {
        error = await this.#comeBack(work, `the validation loss after step ${step}`, validationLoss);
      }
      for (const record of own) batches.delete(record.step);
      await log.report(bad ? own.slice(0, own.indexOf(bad) + 1) : own, bad ? null : validationLoss);
    };
    if (stopOnNaN && !good.taken) await good.begin();
    const validate = async (): Promise<number | null> => {
      const loss = await log.timed(() => this.#validate(work));
      recovery.check();
      if (loss === null) return null;
      const rate = work.learningRate ?? this.optimizer.adaptiveSchedule;
      if (Number.isFinite(loss) && isAdaptive(rate)) rate.observe(loss);
      position.validated = step;
      return loss;
    };
    // The checkpoint may be of a moment between a step and its validation.
    if (step > 0 && log.validatesAfter(step) && position.validated < step) {
      const loss = await validate();
      if (loss !== null) log.validation.push({ step, loss });
    }
    const hasEnded = (): boolean => error !== null;
    while (step < steps) {
      recovery.check();
      const stopping = signal?.aborted ?? false;
      if (stopping) await report(await trainer.settle(), null);
      if (hasEnded()) break;
      if (stopping && trainer.unreported === 0) return { stopped: true, error };
      const batch = training.next();
      if (batch.reset) this.#resetState(true, training.batchSize);
      step++;
      const learningRate = work.learningRate === null ? null : learningRateAt('fit', work.learningRate, step);
      const validates = !stopping && log.validatesAfter(step);
      const keeps = recovery.due;
      // Where losses are still on the device, a stop takes one more step, so that none is lost.
      const flush = stopping || validates || keeps || step === steps;
      const options = { flush, ...(learningRate !== null && { learningRate }) };
      if (stopOnNaN) await good.keep();
      const inputs = toBatch(batch);
      batches.set(trainer.steps + 1, inputs);
      const { records } = await trainer.step(inputs, options);
      const validationLoss = validates ? await validate() : null;
      await report(records, validationLoss);
      if (hasEnded()) break;
      if (stopping) return { stopped: step < steps, error };
      recovery.check();
      if (keeps && trainer.unreported === 0) void recovery.keep();
    }
    return { stopped: error !== null, error };
  }

  /** After a loss that is not finite: the last good weights, the optimizer and the state anew. */
  async #comeBack({ training }: FitWork, what: string, loss: number, batch?: Batch): Promise<NonFiniteError> {
    const { trainer } = this;
    // Else every gradient would be that of a state which is not finite any more.
    this.#resetState(true, training.batchSize);
    const error = await diverged(trainer, what, loss, batch);
    await this.#good.restore();
    await trainer.resetOptimizer();
    this.#resetState(true, training.batchSize);
    // There is no place in the text to go on from.
    this.#position = null;
    return error;
  }

  /** Sets the lanes to their begin, or to where the restored checkpoint was. */
  #begin(work: FitWork): Position {
    const { training, learningRate } = work;
    const resumption = this.#resumption;
    if (resumption) {
      const { step, schedule } = resumption;
      const { batchSize, sequenceLength, fingerprint } = training;
      const differing = Object.entries({ batchSize, sequenceLength, fingerprint }).find(
        ([name, value]) => resumption[name as 'batchSize'] !== value,
      );
      if (differing) {
        const [name, value] = differing;
        const saved = resumption[name as 'batchSize'];
        throw new ArgumentError({
          culprit: 'fit',
          problem:
            name === 'fingerprint'
              ? 'the training part of the text is not that of the restored checkpoint'
              : `${name} is ${value}, the restored checkpoint was made with ${saved}`,
          remedy: 'give the options and the text of the call that was interrupted',
        });
      }
      if (isAdaptive(learningRate) !== (schedule !== null)) {
        throw new ArgumentError({
          culprit: 'fit',
          problem: `learningRate ${schedule ? 'does not follow' : 'follows'} measurements, that of the restored checkpoint ${schedule ? 'did' : 'did not'}`,
          remedy: 'give the same kind of learningRate',
        });
      }
      if (isAdaptive(learningRate)) learningRate.restore(schedule!);
      training.seek(step);
      this.#resumption = null;
    }
    const { step = 0, validated = 0 } = resumption ?? {};
    this.#position = { work, offset: this.trainer.steps - step, validated };
    return this.#position;
  }

  /** Adds the call to a checkpoint: its step, place in the text, carried state. */
  capture(writer: CheckpointWriter): Map<string, Variable> {
    const position = this.#position;
    if (this.#resumption) {
      const { schedule, ...rest } = this.#resumption;
      return this.#describe(writer, rest, schedule);
    }
    if (!position) return new Map();
    const { training, learningRate } = position.work;
    const { batchSize, sequenceLength, fingerprint } = training;
    const step = this.trainer.steps - position.offset;
    const schedule = isAdaptive(learningRate) ? learningRate.state() : null;
    const { validated } = position;
    return this.#describe(writer, { step, batchSize, sequenceLength, fingerprint, validated }, schedule);
  }

  #describe(
    writer: CheckpointWriter,
    fit: Omit<Resumption, 'schedule'>,
    schedule: Readonly<Record<string, number>> | null,
  ): Map<string, Variable> {
    writer.field('fit', { ...fit });
    if (schedule) writer.field('fitSchedule', schedule);
    const { variables } = this.#state(true, fit.batchSize);
    return new Map([...variables].map(([name, variable]) => [`carried.${name}`, variable]));
  }

  /**
   * Takes the call's part of a checkpoint and checks it.
   * @returns what carries it out; the next `run` then goes on where the saved one was
   */
  prepareRestore(reader: CheckpointReader): () => void {
    if (!reader.has('fit')) return () => undefined;
    const fit = reader.numbers('fit');
    const whole = (name: string, min: number): number => {
      const value = fit[name];
      if (Number.isSafeInteger(value) && value! >= min) return value!;
      return reader.fail(`fit, ${name}`, `is ${value}, not a whole number of at least ${min}`);
    };
    const resumption: Resumption = {
      step: whole('step', 0),
      batchSize: whole('batchSize', 1),
      sequenceLength: whole('sequenceLength', 1),
      fingerprint: whole('fingerprint', 0),
      validated: whole('validated', 0),
      schedule: reader.has('fitSchedule') ? reader.numbers('fitSchedule') : null,
    };
    const { variables } = this.#state(true, resumption.batchSize);
    const assignments = reader.variables('carried.', variables);
    return () => {
      assign(this.#executor, assignments);
      this.#resumption = resumption;
    };
  }

  /** Mean loss over all held-out lanes, their state carried from zero; `null` when the signal ended it. */
  async #validate({ validation, signal }: FitWork): Promise<number | null> {
    if (!validation) return null;
    this.#resetState(false, validation.batchSize);
    let total = 0;
    const pending: Promise<void>[] = [];
    try {
      for (const batch of validation.pass()) {
        if (signal?.aborted) return null;
        if (pending.length >= VALIDATION_DEPTH) await pending.shift();
        const evaluation = this.trainer.evaluate(toBatch(batch)).then(({ loss }) => {
          total += loss * batch.length;
        });
        evaluation.catch(() => undefined);
        pending.push(evaluation);
      }
      await Promise.all(pending);
    } finally {
      // Nothing goes on behind the back of whoever is told of a failure.
      await Promise.allSettled(pending);
    }
    return total / validation.laneLength;
  }

  /** Nothing is written any more once it is disposed: that would take the variables into use again. */
  #resetState(training: boolean, batchSize: number): void {
    if (this.#disposed) {
      throw new DisposedError({
        culprit: 'fit',
        problem: 'the model was disposed',
        remedy: 'create a new one',
      });
    }
    this.#state(training, batchSize).reset(this.#executor);
  }

  #state(training: boolean, batchSize: number): CarriedState<CharacterState> {
    const key = `${training ? 'training' : 'validation'} ${batchSize}`;
    let state = this.#states.get(key);
    if (!state) {
      state = this.#network.rnn.createState(batchSize);
      this.#states.set(key, state);
    }
    return state;
  }

  /** Frees the weights that a call kept to come back to, where it has failed. */
  forgetGood(): void {
    this.#good.dispose();
  }

  /** Frees plans, moments and carried states; the parameters live on. */
  dispose(): void {
    this.#disposed = true;
    this.trainer.dispose();
    this.#good.dispose();
    if (this.#executor.disposed) return;
    for (const state of this.#states.values()) this.#executor.release(state.variables.values());
  }
}

/** Keeps the history of one call and tells it to the caller. */
class Log {
  readonly losses: number[] = [];
  readonly gradientNorms: number[] = [];
  readonly validation: { step: number; loss: number }[] = [];
  skippedUpdates = 0;
  readonly #work: FitWork;
  readonly #trainer: Trainer;
  readonly #offset: number;
  readonly #firstStep: number;
  #validationSeconds = 0;

  constructor(work: FitWork, trainer: Trainer, offset: number, firstStep: number) {
    this.#work = work;
    this.#trainer = trainer;
    this.#offset = offset;
    this.#firstStep = firstStep;
  }

  validatesAfter(step: number): boolean {
    const { validation, validateEvery, steps } = this.#work;
    return validation !== null && (step === steps || (validateEvery > 0 && step % validateEvery === 0));
  }

  /** Runs a validation and remembers how long it takes. */
  async timed<R>(validate: () => Promise<R>): Promise<R> {
    const began = performance.now();
    const result = await validate();
    this.#validationSeconds = (performance.now() - began) / 1000;
    return result;
  }

  /** Tells of steps, in order; the validation belongs to the last of them. */
  async report(records: readonly StepRecord[], validationLoss: number | null): Promise<void> {
    for (const [index, record] of records.entries()) {
      const step = record.step - this.#offset;
      // Left over from a call that failed, or made again after a loss.
      if (step < this.#firstStep + this.losses.length) continue;
      this.losses.push(record.loss);
      this.gradientNorms.push(record.gradientNorm);
      if (record.skipped) this.skippedUpdates++;
      const validated = validationLoss !== null && index === records.length - 1;
      if (validated) this.validation.push({ step, loss: validationLoss });
      await this.#work.onProgress?.({
        ...this.#speed(step),
        step,
        steps: this.#work.steps,
        loss: record.loss,
        gradientNorm: record.gradientNorm,
        skippedUpdates: this.skippedUpdates,
        ...(validated ? { validationLoss } : {}),
      });
    }
  }

  #speed(step: number): Pick<FitProgress, 'charactersPerSecond' | 'millisecondsPerStep' | 'secondsLeft'> {
    const { training, steps, validation, validateEvery } = this.#work;
    const { millisecondsPerStep } = this.#trainer;
    const stepsLeft = steps - step;
    const validationsLeft =
      validation === null || stepsLeft === 0
        ? 0
        : validateEvery > 0
          ? Math.ceil(steps / validateEvery) - Math.floor(step / validateEvery)
          : 1;
    return {
      millisecondsPerStep,
      charactersPerSecond:
        millisecondsPerStep > 0
          ? (1000 * training.batchSize * training.sequenceLength) / millisecondsPerStep
          : 0,
      secondsLeft: (stepsLeft * millisecondsPerStep) / 1000 + validationsLeft * this.#validationSeconds,
    };
  }
}

function toBatch({ inputs, targets, length }: LaneBatch): Batch {
  const shape = [length, inputs.length / length];
  return { tokens: { shape, data: inputs }, targets: { shape, data: targets } };
}
