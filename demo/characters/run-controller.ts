/** Starts, holds, steers and ends runs, and keeps the buttons in step with what can be done. */
import { box, button, input } from '../frame/dom.js';
import { formatBytes, formatRate } from '../frame/format.js';
import type { WorkerClient } from '../frame/worker-client.js';
import { DEVICE_ERROR, DIVERGED, WORKER_LOST } from '../frame/worker-messages.js';
import { recordStep } from './history.js';
import type { LossPanel } from './loss-panel.js';
import {
  emptyHistory,
  type CharacterCalls,
  type History,
  type ModelFacts,
  type OpenedModel,
  type Settings,
  type TrainOutcome,
  type TrainRequest,
  type WorkerEvent,
} from './protocol.js';
import type { RunPanel } from './run-panel.js';
import type { SamplePanel } from './sample-panel.js';
import type { ScorePanel } from './score-panel.js';

/** What a controller shows things in. */
export interface RunViews {
  readonly client: WorkerClient<CharacterCalls, WorkerEvent>;
  readonly run: RunPanel;
  readonly loss: LossPanel;
  readonly samples: SamplePanel;
  readonly scores: ScorePanel;
  /** Called when the model, or what can be done with it, has changed. */
  readonly onChange: () => void;
  /** Called when the worker has kept the model, or with the reason why it could not. */
  readonly onKept: (event: Extract<WorkerEvent, { type: 'kept' | 'unkept' }>) => void;
}

type Phase = 'idle' | 'training' | 'stopping' | 'held';

/** One run at a time. */
export class RunController {
  readonly #views: RunViews;
  #phase: Phase = 'idle';
  #controller = new AbortController();
  #model: ModelFacts | null = null;
  #history: History = emptyHistory();
  /** How many steps the model's run is to have in all; 0 where it has had none. */
  #steps = 0;
  #name = '';
  #readOnly = false;

  constructor(views: RunViews) {
    this.#views = views;
    button('pause').addEventListener('click', () => this.#hold(this.#phase === 'held' ? 'resume' : 'pause'));
    button('step-once').addEventListener('click', () => this.#hold('step'));
    button('stop').addEventListener('click', () => this.stop());
    input('rate').addEventListener('input', () => this.#setRate(10 ** input('rate').valueAsNumber, true));
    input('learningRate').addEventListener('input', () =>
      this.#setRate(input('learningRate').valueAsNumber, false),
    );
    this.followSettings();
  }

  get running(): boolean {
    return this.#phase !== 'idle';
  }

  get model(): ModelFacts | null {
    return this.#model;
  }

  /** Of the model that is shown. */
  get history(): History {
    return this.#history;
  }

  /** Of the model that is shown, for titles of pictures. */
  get name(): string {
    return this.#name;
  }

  /** Whether another tab trains the model that is shown. */
  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** Another tab has taken over the model that is shown. */
  taken(): void {
    this.#readOnly = true;
    this.#show();
  }

  /** Steps that were asked for but not taken yet. */
  get stepsLeft(): number {
    return Math.max(0, this.#steps - (this.#history.steps.at(-1) ?? 0));
  }

  /** The field of the learning rate was filled by something else than a person. */
  followSettings(): void {
    this.#setRate(input('learningRate').valueAsNumber, false);
  }

  /** Trains a new model on the text that was read last. */
  fresh(
    settings: Settings,
    textName: string,
    options: { readonly keep: boolean; readonly onEvent?: ((event: WorkerEvent) => void) | undefined },
  ): Promise<TrainOutcome> {
    return this.#train({ settings, mode: 'fresh', keep: options.keep }, textName, options.onEvent);
  }

  /** Goes on with the model: to the end of the run that was stopped, or as many steps again. */
  further(settings: Settings, textName: string): Promise<TrainOutcome> {
    const done = this.#history.steps.at(-1) ?? 0;
    const steps = this.stepsLeft > 0 ? this.#steps : done + settings.steps;
    return this.#train({ settings: { ...settings, steps }, mode: 'resume', keep: true }, textName);
  }

  /** Ends the run at the next step boundary. */
  stop(): void {
    if (this.#phase === 'idle') return;
    this.#phase = 'stopping';
    this.#views.run.say('Stopping at the next step boundary…');
    this.#controller.abort();
    this.#show();
  }

  /** Another model is there: from a file. */
  loaded(model: ModelFacts, fileName: string): void {
    this.#replace(model, emptyHistory(), 0, fileName);
    this.#views.run.clear();
    this.#views.run.say(`${fileName} is loaded: let it write, or train it further on a text.`);
  }

  /** Another model is there: one that was kept. */
  opened({ model, kept, history, settings, readOnly }: OpenedModel): void {
    this.#replace(model, history, settings.steps, kept.name, readOnly);
    const { run } = this.#views;
    const { step } = kept;
    run.restore(
      {
        step,
        steps: settings.steps,
        loss: history.losses.at(-1)!,
        gradientNorm: history.gradientNorms.at(-1)!,
      },
      history.validation.at(-1)?.loss ?? null,
    );
    const noTraining = readOnly ? ' It is open to read only: it can write, but not learn.' : '';
    run.say(`${kept.name} is as it was after step ${step}.${noTraining}`);
    this.followSettings();
  }

  /** The worker has ended, and the model with it; what was seen of it stays in sight. */
  lost(): void {
    this.#model = null;
    this.#show();
  }

  /** There is no model any more. */
  cleared(): void {
    this.#replace(null, emptyHistory(), 0, '');
    this.#views.run.clear();
    this.#views.run.say('Press “Start training” to begin anew.');
  }

  #replace(model: ModelFacts | null, history: History, steps: number, name: string, readOnly = false): void {
    this.#model = model;
    this.#readOnly = readOnly;
    this.#history = history;
    this.#steps = steps;
    this.#name = name;
    if (history.steps.length > 0) {
      this.#views.loss.expected = Math.max(steps, history.steps.at(-1)!);
      this.#views.loss.begin(name, history);
    }
    this.#views.samples.begin(history.samples);
    this.#views.scores.begin(history.scores);
    this.#views.loss.describe();
    this.#show();
  }

  async #train(
    request: TrainRequest,
    textName: string,
    onEvent?: (event: WorkerEvent) => void,
  ): Promise<TrainOutcome> {
    if (this.#phase !== 'idle') throw new Error('the page is training; wait for it to end, or stop it');
    const { client, run } = this.#views;
    this.#phase = 'training';
    this.#controller = new AbortController();
    this.#show();
    run.begin(textName);
    run.say('Preparing the network…');
    const before = this.#history;
    if (request.mode === 'fresh') this.#history = emptyHistory();
    const progress = { begun: false };
    try {
      const outcome = await client.call('train', request, {
        signal: this.#controller.signal,
        onEvent: (event) => {
          if (event.type === 'ready') {
            progress.begun = true;
            this.#begin(request, textName, event);
          }
          this.#receive(event);
          onEvent?.(event);
        },
      });
      if (!progress.begun) this.#history = before;
      run.end(outcome);
      return outcome;
    } catch (error) {
      if (!progress.begun) this.#history = before;
      run.fail();
      // With the device, or the worker, the model is lost; one that has diverged is forgotten.
      if (error instanceof Error && [DEVICE_ERROR, DIVERGED, WORKER_LOST].includes(error.name))
        this.#model = null;
      throw error;
    } finally {
      this.#phase = 'idle';
      this.#views.loss.expected = this.#history.steps.at(-1) ?? 100;
      this.#views.loss.describe();
      this.#show();
    }
  }

  #begin(
    { settings, mode }: TrainRequest,
    textName: string,
    event: Extract<WorkerEvent, { type: 'ready' }>,
  ): void {
    const { loss, samples, run } = this.#views;
    this.#model = event.model;
    this.#steps = settings.steps;
    this.#readOnly = false;
    this.#name = mode === 'fresh' ? `${event.model.kind} on ${textName}` : this.#name;
    if (mode === 'fresh') {
      run.forgetValidation();
      samples.begin(this.#history.samples);
      this.#views.scores.begin(this.#history.scores);
    }
    loss.expected = settings.steps;
    loss.begin(this.#name, this.#history);
    box('model').title = `${formatBytes(event.deviceBytes)} on the device`;
    this.#show();
  }

  #receive(event: WorkerEvent): void {
    const { run, loss, samples } = this.#views;
    run.show(event);
    switch (event.type) {
      case 'step':
        recordStep(this.#history, event);
        loss.redraw();
        break;
      case 'held':
        run.say(`Held after step ${event.step}. Go on, take one step, or let it write.`);
        this.#phase = 'held';
        this.#show();
        break;
      case 'sampling':
        samples.start(event.step);
        break;
      case 'written':
        samples.write(event.text);
        break;
      case 'sample':
        this.#history.samples.push({ step: event.step, text: event.text });
        samples.end();
        break;
      case 'score': {
        const { step, exact, cases } = event;
        this.#history.scores.push({ step, exact, cases });
        this.#views.scores.begin(this.#history.scores);
        break;
      }
      case 'kept':
      case 'unkept':
        this.#views.onKept(event);
        break;
      case 'recovered':
        run.say(
          `The GPU was lost, and another has taken its place: the training goes on after step ${event.step}.`,
        );
        break;
      case 'taken':
      case 'reading':
      case 'ready':
        break;
    }
  }

  #hold(what: 'pause' | 'resume' | 'step'): void {
    void this.#views.client.call('hold', what);
    if (what === 'pause') this.#views.run.say('Pausing at the next step…');
    if (what !== 'resume') return;
    this.#phase = 'training';
    this.#views.run.say('Training goes on.');
    this.#show();
  }

  /** Shows a rate in slider and field, and tells the run. */
  #setRate(rate: number, fromSlider: boolean): void {
    if (!(rate >= 0)) return;
    const rounded = Number(rate.toPrecision(2));
    if (fromSlider) input('learningRate').value = String(rounded);
    else if (rate > 0) input('rate').value = String(Math.log10(rate));
    const shown = formatRate(fromSlider ? rounded : rate);
    box('rate-value').textContent = shown;
    input('rate').setAttribute('aria-valuetext', shown);
    if (this.running) void this.#views.client.call('rate', fromSlider ? rounded : rate);
  }

  #show(): void {
    const phase = this.#phase;
    const idle = phase === 'idle';
    const has = this.#model !== null;
    const show = (id: string, visible: boolean): void => {
      box(id).hidden = !visible;
    };
    show('start', idle);
    button('start').disabled = !idle;
    button('start').textContent = has ? 'Start anew' : 'Start training';
    button('start').classList.toggle('primary', !has);
    show('further', idle && has && !this.#readOnly);
    show('copy-model', idle && has && this.#readOnly);
    button('further').textContent = this.stepsLeft > 0 ? 'Go on' : 'Train further';
    show('pause', !idle);
    button('pause').textContent = phase === 'held' ? 'Go on' : 'Pause';
    button('pause').disabled = phase === 'stopping';
    show('step-once', phase === 'held');
    show('stop', !idle);
    button('stop').disabled = phase === 'stopping';
    show('reset', idle && has);
    this.#views.onChange();
  }
}
