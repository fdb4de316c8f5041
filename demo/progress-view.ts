/** Shows a run while it goes on: status, figures, chart and samples. */
import { element } from './form.js';
import { formatCount, formatDuration, formatLoss } from './format.js';
import type { LossChart } from './loss-chart.js';
import type { ModelFacts, StepReport, TrainOutcome, WorkerEvent } from './protocol.js';

/** Older samples than this many are dropped. */
const MAX_SAMPLES = 50;

/** The panel of a run. */
export class ProgressView {
  readonly #chart: LossChart;
  readonly #status = element('status', HTMLParagraphElement);
  readonly #progress = element('progress', HTMLProgressElement);
  readonly #samples = element('samples', HTMLOListElement);
  #run: { readonly text: string; readonly steps: number; readonly further: boolean } | null = null;
  #latest: StepReport | null = null;
  #scheduled = false;

  constructor(chart: LossChart) {
    this.#chart = chart;
  }

  /** A run was asked for; what an earlier one showed stays until this one has made a step. */
  begin(text: string, steps: number, options: { readonly further: boolean }): void {
    this.#run = { text, steps, further: options.further };
    this.#latest = null;
    this.#status.textContent = `Reading ${text}…`;
    this.#progress.removeAttribute('value');
  }

  /** The text is there; kernels are compiled and the first step is made. */
  preparing(): void {
    this.#status.textContent = 'Preparing the model…';
  }

  /** Something happened. */
  show(event: WorkerEvent): void {
    switch (event.type) {
      case 'ready':
        this.#start(event.model, event.characters);
        break;
      case 'step':
        this.#chart.add(event.step, event.loss, event.validationLoss);
        if (event.validationLoss !== undefined) set('validation-loss', formatLoss(event.validationLoss));
        this.#latest = event;
        this.#schedule();
        break;
      case 'sample':
        this.#addSample(this.#chart.offset + event.step, event.text);
        break;
      case 'written':
        break;
    }
  }

  /** The run asked for a stop. */
  stopping(): void {
    this.#status.textContent = 'Stopping at the next step boundary…';
  }

  /** The run is over. */
  end({ stopped, steps, seconds, millisecondsPerStep, skippedUpdates }: TrainOutcome): void {
    this.#render();
    this.#progress.value = steps / (this.#run?.steps ?? steps);
    if (steps === 0) {
      this.#status.textContent = 'Stopped before the first step.';
      return;
    }
    this.#chart.end();
    set('time-left', '–');
    const skipped =
      skippedUpdates > 0
        ? ` ${formatCount(skippedUpdates)} updates were skipped, because their gradients were not finite: try a lower learning rate.`
        : '';
    this.#status.textContent = `${stopped ? 'Stopped' : 'Done'} after ${formatCount(steps)} steps in ${formatDuration(seconds)}, ${millisecondsPerStep.toFixed(1)} ms a step.${skipped}`;
  }

  /** The run ended in an error, which is shown elsewhere. */
  fail(): void {
    this.#progress.value = 0;
    this.#status.textContent = this.#latest
      ? `The training ended with an error after step ${formatCount(this.#latest.step)}.`
      : 'Nothing was trained.';
    if (this.#latest) this.#chart.end();
  }

  /** A model came from a file. */
  loaded(name: string): void {
    this.#status.textContent = `${name} is loaded: let it write, or train it further.`;
  }

  #start({ kind, adapter }: ModelFacts, characters: number): void {
    const { text, steps, further } = this.#run!;
    this.#chart.begin(steps, `${kind} on ${text}`, { further });
    if (!further) this.#samples.replaceChildren();
    if (!further) set('validation-loss', '–');
    this.#status.textContent = `Training on ${formatCount(characters)} characters of ${text}, on ${adapter}.`;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#render();
    });
  }

  #render(): void {
    const report = this.#latest;
    if (!report) return;
    this.#progress.value = report.step / report.steps;
    set('step', `${formatCount(report.step)} / ${formatCount(report.steps)}`);
    set('loss', formatLoss(report.loss));
    set('speed', formatCount(report.charactersPerSecond));
    set('time-left', formatDuration(report.secondsLeft));
  }

  #addSample(step: number, text: string): void {
    const heading = document.createElement('h3');
    heading.textContent = `After step ${formatCount(step)}`;
    const body = document.createElement('pre');
    body.className = 'text';
    body.textContent = text;
    const item = document.createElement('li');
    item.append(heading, body);
    this.#samples.prepend(item);
    while (this.#samples.childElementCount > MAX_SAMPLES) this.#samples.lastElementChild?.remove();
    element('no-samples', HTMLParagraphElement).hidden = true;
  }
}

function set(id: string, text: string): void {
  element(id, HTMLElement).textContent = text;
}
