/** The loss of this run and of earlier ones, laid over each other. */
import { box, button, create, input } from '../frame/dom.js';
import { formatCount, formatDuration, formatLoss } from '../frame/format.js';
import { LineChart, smooth, type Line } from '../frame/line-chart.js';
import type { History } from './protocol.js';

/** A run in the chart. */
interface ChartRun {
  name: string;
  readonly history: History;
  visible: boolean;
}

/** Training and validation of the runs before this one, which has the page's own colours. */
const OLDER = ['#8a7a5c', '#7d6aa5', '#4f8a7b', '#a5687e', '#6b7f99'] as const;
const MAX_RUNS = 6;

/** The panel. */
export class LossPanel {
  readonly #chart = new LineChart(box('chart'));
  #runs: ChartRun[] = [];
  #expected = 100;

  constructor() {
    const redraw = (): void => this.redraw();
    for (const id of ['smoothing', 'log-scale', 'by-time']) input(id).addEventListener('input', redraw);
    button('zoom-in').addEventListener('click', () => this.#chart.zoom(2));
    button('zoom-out').addEventListener('click', () => this.#chart.zoom(0.5));
    button('zoom-all').addEventListener('click', () => this.#chart.zoom(null));
    this.#chart.onReadout = (x) => this.#readOut(x);
    redraw();
  }

  /** The run that is drawn in front. */
  get current(): ChartRun | null {
    return this.#runs.at(-1) ?? null;
  }

  /** A run comes to the front; the one that was there stays behind it. */
  begin(name: string, history: History): void {
    if (this.current?.history !== history) {
      this.#runs = [
        ...this.#runs.filter((run) => run.history.steps.length > 0),
        { name, history, visible: true },
      ];
      this.#runs = this.#runs.slice(-MAX_RUNS);
    } else this.current.name = name;
    this.#list();
    this.redraw();
  }

  /** How many steps the axis is to show. */
  set expected(steps: number) {
    this.#expected = steps;
  }

  /** The run is over: says in words what the chart shows. */
  describe(): void {
    const run = this.current;
    if (!run) return;
    const { losses, validation } = run.history;
    const last = validation.at(-1);
    const held = last ? `, validation ${formatLoss(last.loss)}` : '';
    box('chart').setAttribute(
      'aria-label',
      `Loss over ${formatCount(losses.length)} steps: training from ${formatLoss(losses[0])} to ${formatLoss(losses.at(-1))}${held}`,
    );
    this.#list();
    this.redraw();
  }

  /** Draws what there is now. */
  redraw(): void {
    const weight = input('smoothing').valueAsNumber;
    const byTime = input('by-time').checked;
    const lines = this.#runs.flatMap((run, index) =>
      run.visible ? this.#linesOf(run, index, weight, byTime) : [],
    );
    this.#chart.show({
      lines,
      log: input('log-scale').checked,
      formatX: byTime ? formatDuration : (step) => formatCount(step),
      ...(!byTime && { end: this.#expected }),
    });
  }

  #linesOf({ name, history }: ChartRun, index: number, weight: number, byTime: boolean): Line[] {
    const { steps, seconds, losses, validation } = history;
    const x = byTime ? seconds : steps;
    const color = this.#color(index);
    const front = index === this.#runs.length - 1;
    const lines: Line[] = [];
    if (front && weight > 0)
      lines.push({ label: `${name}, raw`, x, y: losses, color, width: 1, alpha: 0.35 });
    lines.push({ label: name, x, y: smooth(losses, weight), color, width: front ? 2 : 1.5 });
    lines.push({
      label: `${name}, validation`,
      x: validation.map((point) => (byTime ? point.seconds : point.step)),
      y: validation.map(({ loss }) => loss),
      color: front ? '--validation' : color,
      width: 1.5,
      dash: [6, 4],
      points: true,
    });
    return lines;
  }

  #color(index: number): string {
    const behind = this.#runs.length - 1 - index;
    return behind === 0 ? '--training' : OLDER[(behind - 1) % OLDER.length]!;
  }

  #list(): void {
    const items = this.#runs.map((run, index) => {
      const swatch = create('span', { class: 'swatch' });
      const color = this.#color(index);
      swatch.style.background = color.startsWith('--') ? `var(${color})` : color;
      const last = run.history.losses.at(-1);
      return create(
        'li',
        {},
        create(
          'label',
          {},
          create('input', {
            type: 'checkbox',
            checked: run.visible,
            onchange: (event) => {
              run.visible = (event.target as HTMLInputElement).checked;
              this.redraw();
            },
          }),
          swatch,
          create('span', {}, run.name),
          create('span', { class: 'hint' }, last === undefined ? '' : formatLoss(last)),
        ),
      );
    });
    box('runs').replaceChildren(...items.reverse());
  }

  #readOut(x: number | null): void {
    const readout = box('chart-readout');
    const history = this.current?.history;
    if (x === null || !history || history.steps.length === 0) {
      readout.textContent = 'in nats a character';
      return;
    }
    const along = input('by-time').checked ? history.seconds : history.steps;
    let index = along.findIndex((at) => at >= x);
    if (index < 0) index = along.length - 1;
    const step = history.steps[index]!;
    const validated = history.validation.findLast((point) => point.step <= step);
    const held = validated ? `, validation ${formatLoss(validated.loss)}` : '';
    readout.textContent = `step ${formatCount(step)}: ${formatLoss(history.losses[index])}${held}`;
  }
}
