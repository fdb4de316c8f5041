/** Shows a run while it goes on: what it does, how far it is, and its figures. */
import { box, element, oncePerFrame, setText } from '../frame/dom.js';
import { formatCount, formatDuration, formatLoss, formatRate } from '../frame/format.js';
import type { StepReport, TrainOutcome, WorkerEvent } from './protocol.js';

/** The panel. */
export class RunPanel {
  readonly #progress = element('progress', HTMLProgressElement);
  #text = '';
  #latest: StepReport | null = null;
  #validationLoss: number | null = null;
  readonly #schedule = oncePerFrame(() => this.#render());

  /** The last step that was reported. */
  get latest(): StepReport | null {
    return this.#latest;
  }

  /** A run was asked for. */
  begin(text: string): void {
    this.#text = text;
    this.#latest = null;
    box('figures').hidden = false;
    this.say(`Reading ${text}…`);
    this.#progress.removeAttribute('value');
  }

  /** Says what goes on. */
  say(what: string): void {
    setText('status', what);
  }

  /** Shows what a model that was kept had come to. */
  restore(
    report: Pick<StepReport, 'step' | 'steps' | 'loss' | 'gradientNorm'>,
    validation: number | null,
  ): void {
    this.#validationLoss = validation;
    box('figures').hidden = false;
    this.#latest = {
      ...report,
      learningRate: 0,
      skippedUpdates: 0,
      charactersPerSecond: NaN,
      secondsLeft: NaN,
      seconds: 0,
    };
    this.#render();
  }

  /** Something happened. */
  show(event: WorkerEvent): void {
    if (event.type === 'reading') {
      const of = event.total === null ? '' : ` of ${formatCount(event.total / 1e6)} MB`;
      if (event.bytes > 5e6) this.say(`Reading ${this.#text}: ${formatCount(event.bytes / 1e6)}${of}…`);
    } else if (event.type === 'ready') {
      const { adapter } = event.model;
      this.say(`Training on ${formatCount(event.characters)} characters of ${this.#text}, on ${adapter}.`);
    } else if (event.type === 'step') {
      if (event.validationLoss !== undefined) this.#validationLoss = event.validationLoss;
      this.#latest = event;
      this.#schedule();
    }
  }

  /** The run is over. */
  end({ stopped, steps, seconds, millisecondsPerStep, skippedUpdates }: TrainOutcome): void {
    this.#render();
    if (steps === 0) {
      this.#progress.value = 0;
      this.say('Stopped before the first step.');
      return;
    }
    setText('time-left', '–');
    const skipped =
      skippedUpdates > 0
        ? ` ${formatCount(skippedUpdates)} updates were skipped, because their gradients were not finite: try a lower learning rate.`
        : '';
    this.say(
      `${stopped ? 'Stopped' : 'Done'} after ${formatCount(steps)} steps in ${formatDuration(seconds)}, ${millisecondsPerStep.toFixed(1)} ms a step.${skipped}`,
    );
  }

  /** The run ended in an error, which is shown elsewhere. */
  fail(): void {
    this.#progress.value = 0;
    this.say(
      this.#latest
        ? `The training ended with an error after step ${formatCount(this.#latest.step)}.`
        : 'Nothing was trained.',
    );
  }

  /** Nothing was trained. */
  clear(): void {
    box('figures').hidden = true;
    this.#latest = null;
    this.#validationLoss = null;
    this.#progress.value = 0;
    for (const id of ['step', 'loss', 'validation-loss', 'speed', 'time-left', 'gradient-norm'])
      setText(id, '–');
  }

  #render(): void {
    const report = this.#latest;
    if (!report) return;
    this.#progress.value = report.step / report.steps;
    setText('step', `${formatCount(report.step)} / ${formatCount(report.steps)}`);
    setText('loss', formatLoss(report.loss));
    setText('validation-loss', formatLoss(this.#validationLoss));
    setText('speed', formatCount(report.charactersPerSecond));
    setText('time-left', formatDuration(report.secondsLeft));
    setText('gradient-norm', formatRate(report.gradientNorm));
  }

  /** The validation loss of another model is not that of this one. */
  forgetValidation(): void {
    this.#validationLoss = null;
  }
}
