/** What the worker holds: the text that was read, the model with its history, and the run that goes on. */
import { ArgumentError, CharacterModel } from '../../src/index.js';
import type { Devices } from '../frame/device.js';
import { Claims } from './claims.js';
import { Inspector } from './inspector.js';
import { Keeper, newId, type Work } from './keeper.js';
import { createOptimizer } from './optimizers.js';
import {
  emptyHistory,
  type Inspection,
  type ModelFacts,
  type OpenedModel,
  type OpenRequest,
  type Settings,
  type TextSource,
  type TextFacts,
  type TrainOutcome,
  type TrainRequest,
  type WorkerEvent,
} from './protocol.js';
import { describeText, readText, type ReadText } from './read-text.js';
import { removeModel, StorageError, takeModel } from './storage.js';
import { DivergedError, factsOf, TrainingRun } from './training-run.js';

type Emit = (event: WorkerEvent) => void;

/** So much of its own text is shown to a model that is looked into. */
const EXCERPT = 800;

/** One model at a time. */
export class Session {
  readonly #devices: Devices;
  #text: ReadText | null = null;
  #work: Work | null = null;
  #run: TrainingRun | null = null;
  #inspector: Inspector | null = null;
  #ended: Promise<unknown> = Promise.resolve();
  /** Ends the run that goes on now. */
  #stop = new AbortController();
  readonly #keeper = new Keeper((work) => this.#lose(work));
  readonly #claims = new Claims({
    onAsked: (id) => this.#letGo(id),
    onLost: (id) => {
      if (this.#work?.id === id) this.#lose(this.#work);
    },
  });
  /** Tells the page what happens when it has asked for nothing. */
  tell: Emit = () => undefined;

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
    if (keep) await this.#claims.claim(work.id);
    const text = work.text!;
    const stop = new AbortController();
    this.#stop = stop;
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
      signal: AbortSignal.any([signal, stop.signal]),
      onReady: () => this.#adopt(work),
      onKeep: async (now) => {
        if (keep) await this.#keeper.sometimes(work, now, emit);
      },
    });
    this.#run = run;
    this.#keeper.begin();
    const training = async (): Promise<TrainOutcome> => {
      try {
        const outcome = await run.run();
        if (keep && this.#work === work) {
          await this.#renew(work);
          await this.#keeper.sometimes(work, true, emit);
        }
        return outcome;
      } catch (error) {
        if (error instanceof DivergedError && this.#work === work) {
          if (keep) await this.#keeper.revert();
          this.reset();
        }
        throw error;
      } finally {
        this.#run = null;
        if (this.#work !== work) work.model.dispose();
        this.#claims.keepOnly(this.#work?.id ?? null);
      }
    };
    const ended = training();
    this.#ended = ended.catch(() => undefined);
    return ended;
  }

  /** A model from a safetensors file. */
  async load(bytes: ArrayBuffer, backend: Settings['backend']): Promise<ModelFacts> {
    const model = CharacterModel.load(bytes, { executor: await this.#devices.open(backend) });
    const facts = factsOf(model);
    const history = emptyHistory();
    const rest = { id: newId(), name: facts.kind, readOnly: false };
    this.#adopt({ model, text: null, history, settings: null, ...rest });
    return facts;
  }

  /** A model from the browser's storage, at the step where it was kept; null where another tab has it. */
  async open({ id, backend, how }: OpenRequest): Promise<OpenedModel | null> {
    if (how === 'take') await this.#claims.takeOver(id);
    if (how === 'own' && !(await this.#claims.claim(id))) return null;
    try {
      return await this.#open({ id, backend, how });
    } finally {
      this.#claims.keepOnly(this.#work?.id ?? null);
    }
  }

  async #open({ id, backend, how }: OpenRequest): Promise<OpenedModel> {
    const owned = how === 'own' || how === 'take';
    const { model: kept, text } = await takeModel(id, owned ? this.#keeper.owner : null);
    const { checkpoint, history } = kept;
    const settings = { ...kept.settings, backend };
    const executor = await this.#devices.open(backend);
    const model = await CharacterModel.restore(checkpoint, {
      executor,
      optimizer: createOptimizer(settings),
    });
    const read = describeText(text.name, text.text, text.task);
    this.#text = read;
    const own =
      how === 'copy' ? { id: newId(), name: `${kept.name}, copy` } : { id: kept.id, name: kept.name };
    const work = { model, text: read, history, settings, ...own, readOnly: how === 'read' };
    this.#adopt(work);
    if (how === 'copy') {
      await this.#claims.claim(own.id);
      await this.#keeper.keep(work);
    }
    const { kind, textName, step, steps, loss, savedAt, bytes } = kept;
    return {
      kept: { ...own, kind, textName, step, steps, loss, savedAt, bytes, damage: null },
      model: factsOf(model),
      text: read.facts,
      settings,
      history,
      readOnly: how === 'read',
    };
  }

  /** @throws StorageError where it is trained, here or in another tab */
  async remove(id: string): Promise<void> {
    if (this.#run && this.#work?.id === id)
      throw new StorageError('this model is being trained; stop it first');
    if (await this.#claims.isElsewhere(id)) {
      throw new StorageError('this model is open in another tab; close it there first');
    }
    await removeModel(id);
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
    if (this.#work) await this.#keeper.sometimes(this.#work, true, this.tell);
  }

  /** Forgets the model. */
  reset(): void {
    this.#work?.model.dispose();
    this.#work = null;
    this.#claims.keepOnly(null);
  }

  /** Another tab asks for the model: its run here ends at the next step, and it is kept for the last time. */
  async #letGo(id: string): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    if (this.#work?.id === id) this.#lose(this.#work);
  }

  /** Another tab has the model now. */
  #lose(work: Work): void {
    if (work.readOnly) return;
    work.readOnly = true;
    this.#stop.abort();
    this.tell({ type: 'taken', id: work.id, step: work.history.steps.at(-1) ?? 0 });
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
    return { model, text, history: emptyHistory(), settings, id: newId(), name, readOnly: false };
  }

  #continueWork(settings: Settings): Work {
    const work = this.#checkWork();
    if (work.readOnly) {
      throw new ArgumentError({
        culprit: 'training',
        problem: 'this model belongs to another tab',
        remedy: 'make a copy of it, or take it over from the list of models',
      });
    }
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
}
