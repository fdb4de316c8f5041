/** What the network writes while it learns: the newest sample as it comes, and all before it to go back to. */
import { box, button, element, input } from '../frame/dom.js';
import { formatCount } from '../frame/format.js';
import type { Sample } from './protocol.js';

/** The panel. */
export class SamplePanel {
  readonly #text = element('sample', HTMLPreElement);
  readonly #choice = input('sample-choice');
  #samples: readonly Sample[] = [];
  #shown = -1;
  /** The sample that is being written, or null. */
  #writing: { readonly step: number; text: string } | null = null;
  /** Whether the newest is shown, whichever it is. */
  #follows = true;
  #onShow: (sample: Sample) => void = () => undefined;

  constructor() {
    this.#choice.addEventListener('input', () => this.#go(this.#choice.valueAsNumber));
    button('sample-previous').addEventListener('click', () => this.#go(this.#shown - 1));
    button('sample-next').addEventListener('click', () => this.#go(this.#shown + 1));
  }

  /** Called with each finished sample that comes into sight. */
  set onShow(listener: (sample: Sample) => void) {
    this.#onShow = listener;
  }

  /** Shows the samples of a run: a list that grows. */
  begin(samples: readonly Sample[]): void {
    this.#samples = samples;
    this.#writing = null;
    this.#follows = true;
    this.#go(samples.length - 1);
  }

  /** A new sample begins. */
  start(step: number): void {
    this.#writing = { step, text: '' };
    if (!this.#follows) return;
    this.#text.replaceChildren();
    this.#text.setAttribute('aria-busy', 'true');
    this.#label(step);
  }

  /** It goes on. */
  write(text: string): void {
    if (!this.#writing) return;
    this.#writing.text += text;
    if (this.#follows) this.#text.append(text);
  }

  /** It is complete, and in the list. */
  end(): void {
    this.#writing = null;
    this.#text.removeAttribute('aria-busy');
    if (this.#follows) this.#go(this.#samples.length - 1);
    else this.#controls();
  }

  #go(index: number): void {
    const last = this.#samples.length - 1;
    this.#shown = Math.min(last, Math.max(0, index));
    this.#follows = this.#shown === last;
    const sample = this.#samples[this.#shown];
    this.#controls();
    this.#text.textContent = sample?.text ?? '';
    this.#text.normalize();
    box('sample-step').textContent = '';
    if (!sample) return;
    this.#label(sample.step);
    this.#onShow(sample);
  }

  #label(step: number): void {
    box('sample-step').textContent = `after step ${formatCount(step)}`;
  }

  #controls(): void {
    const last = this.#samples.length - 1;
    this.#choice.max = String(Math.max(0, last));
    this.#choice.value = String(this.#shown);
    const sample = this.#samples[this.#shown];
    if (sample) this.#choice.setAttribute('aria-valuetext', `after step ${formatCount(sample.step)}`);
    this.#choice.disabled = last < 1;
    button('sample-previous').disabled = this.#shown <= 0;
    button('sample-next').disabled = this.#shown >= last;
  }
}
