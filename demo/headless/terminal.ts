/** What a run looks like in a terminal: a bar that is redrawn, or plain lines where nobody watches. */
import { formatCount, formatDuration, formatLoss } from '../frame/format.js';
import type { StepReport } from '../characters/protocol.js';

/** As much of a stream as this needs. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Times between two drawings, in milliseconds: of the bar, and of plain lines. */
const BAR_PERIOD = 100;
const LINE_PERIOD = 10_000;

/** Prints progress, and lines above it. */
export class Terminal {
  readonly #output: Output;
  #drawn = -Infinity;
  #bar = '';
  #validationLoss: number | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  /** A line, or several, above the bar. */
  print(text: string): void {
    const clear = this.#bar === '' ? '' : '\r\x1b[K';
    this.#output.write(`${clear}${text}\n${this.#bar}`);
  }

  /** Where the run stands. */
  progress(report: StepReport): void {
    const { step, steps, validationLoss } = report;
    if (validationLoss !== undefined) this.#validationLoss = validationLoss;
    const now = performance.now();
    const live = this.#output.isTTY === true;
    const due = now - this.#drawn >= (live ? BAR_PERIOD : LINE_PERIOD);
    if (!due && step !== steps && validationLoss === undefined) return;
    this.#drawn = now;
    const facts = [
      `step ${step}/${steps}`,
      `loss ${formatLoss(report.loss)}`,
      ...(this.#validationLoss === null ? [] : [`validation ${formatLoss(this.#validationLoss)}`]),
      `${formatCount(report.charactersPerSecond)} characters/s`,
      ...(step < steps ? [`${formatDuration(report.secondsLeft)} left`] : []),
    ].join('  ');
    if (!live) {
      this.#output.write(`${facts}\n`);
      return;
    }
    const columns = this.#output.columns ?? 80;
    const room = Math.min(30, columns - facts.length - 4);
    this.#bar = (room >= 5 ? `${drawBar(step / steps, room)}  ${facts}` : facts).slice(0, columns - 1);
    this.#output.write(`\r\x1b[K${this.#bar}`);
  }

  /** The bar is final: what follows goes below it. */
  finish(): void {
    if (this.#bar !== '') this.#output.write('\n');
    this.#bar = '';
  }
}

function drawBar(fraction: number, width: number): string {
  const filled = Math.floor(fraction * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
