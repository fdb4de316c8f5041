/** What the worker holds: the text that was read, the model with its history, and the run that goes on. */
import { ArgumentError, CharacterModel } from '../../src/index.js';
import type { Devices } from '../frame/device.js';
import { Inspector } from './inspector.js';
import { createOptimizer } from './optimizers.js';
import {
  emptyHistory,
  type History,
  type Inspection,
  type KeptFacts,
  type ModelFacts,
  type OpenedModel,
  type Settings,
  type TextSource,
  type TextFacts,
  type TrainOutcome,
  type TrainRequest,
  type WorkerEvent,
} from './protocol.js';
import { describeText, readText, type ReadText } from './read-text.js';
import { keepModel, takeModel, textIdOf, type KeptText } from './storage.js';
import { factsOf, TrainingRun } from './training-run.js';

type Emit = (event: WorkerEvent) => void;

/** A model, and what is needed to go on with it. */
interface Work {
  model: CharacterModel;
  /** None where it came from a file of weights: it then learns the text that was read. */
  text: ReadText | null;
  readonly history: History;
  settings: Settings | null;
  /** In the browser's storage. */
  readonly id: string;
  readonly name: string;
}

/** Between two times that the model is kept, in milliseconds, and as many times as long as keeping takes. */
const KEEP_PERIOD = 10_000;
const KEEP_SHARE = 20;
/** So much of its own text is shown to a model that is looked into. */
const EXCERPT = 800;

/** One model at a time. */
export class Session {
  readonly #devices: Devices;
  #text: ReadText | null = null;
  #work: Work | null = null;
  #run: TrainingRun | null = null;
  #inspector: Inspector | null = null;
  #keeping: Promise<void> | null = null;
  #keptAt = 0;
  #keepPeriod = KEEP_PERIOD;

  constructor(devices: Devices) {
    this.#devices = devices;
  }

  /** The run that goes on now. */
  get run(): TrainingRun | null {
    return this.#run;
  }

  /** @throws ArgumentError where there is no model */
  get model(): CharacterModel {
    return this.#checkWork().model;
  }

  #checkWork(): Work {
    if (this.#work) return this.#work;
    throw new ArgumentError({
      culprit: 'demo',
      problem: 'there is no model yet',
      remedy: 'train one, or load one from a file',
    });
  }

  /** Reads the text that the next fresh run learns. */
  async read(source: TextSource, emit: Emit): Promise<TextFacts> {
    this.#text = await readText(source, emit);
    return this.#text.facts;
  }

  /** Trains a new model, or goes on with the one there is. */
  async train(request: TrainRequest, emit: Emit, signal: AbortSignal): Promise<TrainOutcome> {
    const { settings, mode, keep } = request;
    const work = mode === 'fresh' ? await this.#createWork(settings) : this.#continueWork(settings);
    const text = work.text!;
    // A run that fails before its first step leaves the model that was there before.
    const run = new TrainingRun({
      model: work.model,
      text: text.text,
      characters: text.facts.characters,
      test: text.test,
      settings,
      history: work.history,
      ...(work.history.steps.length === 0 && { optimizer: createOptimizer(settings) }),
      emit,
      signal,
      onReady: () => this.#adopt(work),
      onKeep: async (now) => {
        if (keep) await this.#keepSometimes(now, emit);
      },
    });
    this.#run = run;
    this.#keptAt = performance.now();
    try {
      const outcome = await run.run();
      if (keep && this.#work === work) {
        await this.#renew(work);
        await this.#keepSometimes(true, emit);
      }
      return outcome;
    } finally {
      this.#run = null;
      if (this.#work !== work) work.model.dispose();
    }
  }

  /** A model from a safetensors file. */
  async load(bytes: ArrayBuffer, backend: Settings['backend']): Promise<ModelFacts> {
    const model = CharacterModel.load(bytes, { executor: await this.#devices.open(backend) });
    const facts = factsOf(model);
    const history = emptyHistory();
    this.#adopt({ model, text: null, history, settings: null, id: newId(), name: facts.kind });
    return facts;
  }

  /** A model from the browser's storage, at the step where it was kept. */
  async open(id: string, backend: Settings['backend']): Promise<OpenedModel> {
    const { model: kept, text } = await takeModel(id);
    const { checkpoint, history } = kept;
    const settings = { ...kept.settings, backend };
    const executor = await this.#devices.open(backend);
    const model = await CharacterModel.restore(checkpoint, {
      executor,
      optimizer: createOptimizer(settings),
    });
    const read = describeText(text.name, text.text, text.task);
    this.#text = read;
    this.#adopt({ model, text: read, history, settings, id: kept.id, name: kept.name });
    const { name, kind, textName, step, steps, loss, savedAt, bytes } = kept;
    return {
      kept: { id, name, kind, textName, step, steps, loss, savedAt, bytes },
      model: factsOf(model),
      text: read.facts,
      settings,
      history,
    };
  }

  /** Looks into the model as it reads a text, or the end of its own, which it was not trained on. */
  async inspect(text: string): Promise<Inspection> {
    const { model, text: own } = this.#checkWork();
    if (this.#inspector?.model !== model) {
      this.#inspector?.dispose();
      this.#inspector = null;
      this.#inspector = await Inspector.create(model);
    }
    const excerpt = text === '' ? Array.from((own ?? this.#readText()).text.slice(-EXCERPT)).join('') : text;
    return this.#inspector.inspect(excerpt);
  }

  /** Keeps the model as it is, unless it came from a file and has learned nothing since. */
  async keep(): Promise<void> {
    await this.#keeping;
    if (this.#work) await this.#keep(this.#work);
  }

  /** Forgets the model. */
  reset(): void {
    this.#work?.model.dispose();
    this.#work = null;
  }

  /** The device is gone, and the model with it, if it was there. */
  forgetDevice(): void {
    if (this.#work?.model.executor.kind === 'webgpu') this.#work = null;
    this.#devices.forget();
  }

  #readText(): ReadText {
    if (this.#text) return this.#text;
    throw new ArgumentError({ culprit: 'demo', problem: 'no text was read', remedy: 'choose a text' });
  }

  async #createWork(settings: Settings): Promise<Work> {
    const text = this.#readText();
    const { cell, hiddenSize, numLayers, embeddingSize, dropout, seed } = settings;
    const sizes = { cell, hiddenSize, numLayers, embeddingSize, dropout, seed };
    const executor = await this.#devices.open(settings.backend);
    const model = CharacterModel.create({ executor, text: text.text, ...sizes });
    const { kind } = factsOf(model);
    const name = `${kind}, ${text.facts.name}`;
    return { model, text, history: emptyHistory(), settings, id: newId(), name };
  }

  #continueWork(settings: Settings): Work {
    const work = this.#checkWork();
    work.text ??= this.#readText();
    if (work.settings && settings.optimizer !== work.settings.optimizer) {
      throw new ArgumentError({
        culprit: 'training',
        problem: `optimizer is ${settings.optimizer}, the model was trained with ${work.settings.optimizer}`,
        remedy: 'choose that one, or start anew',
      });
    }
    work.settings = settings;
    return work;
  }

  #adopt(work: Work): void {
    if (this.#work && this.#work.model !== work.model) this.#work.model.dispose();
    this.#work = work;
  }

  /**
   * Replaces a model whose run is over by one restored from its checkpoint, whose next run goes on where
   * this one ended: the same path that a reloaded page takes.
   */
  async #renew(work: Work): Promise<void> {
    const checkpoint = await work.model.checkpoint();
    const { executor } = work.model;
    const optimizer = createOptimizer(work.settings!);
    const renewed = await CharacterModel.restore(checkpoint, { executor, optimizer });
    work.model.dispose();
    work.model = renewed;
  }

  async #keepSometimes(now: boolean, emit: Emit): Promise<void> {
    const due = performance.now() - this.#keptAt >= this.#keepPeriod;
    if (!now && (!due || this.#keeping)) return;
    const work = this.#work!;
    const began = performance.now();
    const keep = async (): Promise<void> => {
      try {
        await this.#keep(work);
        emit({ type: 'kept', step: work.history.steps.at(-1) ?? 0 });
      } catch (error) {
        emit({ type: 'notice', message: error instanceof Error ? error.message : String(error) });
      } finally {
        this.#keptAt = performance.now();
        this.#keepPeriod = Math.max(KEEP_PERIOD, KEEP_SHARE * (this.#keptAt - began));
        this.#keeping = null;
      }
    };
    await this.#keeping;
    this.#keeping = keep();
    if (now) await this.#keeping;
  }

  async #keep({ model, text, settings, history, id, name }: Work): Promise<void> {
    if (!text || !settings || history.steps.length === 0) return;
    const checkpoint = await model.checkpoint();
    const { name: textName, task } = text.facts;
    const kept: KeptText = { id: textIdOf(text.text), name: textName, text: text.text, task };
    const facts: KeptFacts = {
      id,
      name,
      kind: factsOf(model).kind,
      textName,
      step: history.steps.at(-1)!,
      steps: settings.steps,
      loss: history.validation.at(-1)?.loss ?? history.losses.at(-1)!,
      savedAt: Date.now(),
      bytes: checkpoint.length,
    };
    await keepModel({ ...facts, settings, history, checkpoint, textId: kept.id }, kept);
  }
}

function newId(): string {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
}
