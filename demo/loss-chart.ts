/** The live chart in the page, and its picture for a file. */
import { drawChart, type ChartData, type ChartStyle } from './chart.js';
import { formatCount, formatLoss } from './format.js';

const FONT = 'system-ui, sans-serif';

/** How the picture looks: as the page does in light, with a title, since nothing else will explain it. */
const IMAGE_SCALE = 2;
const IMAGE_STYLE = {
  width: 960,
  height: 540,
  fontSize: 16,
  fontFamily: FONT,
  background: '#ffffff',
  text: '#1a2027',
  grid: '#d8dee4',
  training: '#0b5cad',
  validation: '#b34700',
} as const;

/** Keeps the losses of a model's runs, and draws them whenever they, the size or the colours change. */
export class LossChart {
  readonly #canvas: HTMLCanvasElement;
  #losses: number[] = [];
  #validation: { step: number; loss: number }[] = [];
  #title = '';
  /** Steps of the runs before this one. */
  #offset = 0;
  /** Where the axis of steps ends; before the first run, anywhere. */
  #expected = 100;
  #scheduled = false;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  get empty(): boolean {
    return this.#losses.length === 0;
  }

  /** Steps of the runs before this one, which stay in the chart. */
  get offset(): number {
    return this.#offset;
  }

  /** Makes ready for a run of so many steps. */
  begin(steps: number, title: string, options: { readonly further: boolean }): void {
    if (!options.further) {
      this.#losses = [];
      this.#validation = [];
    }
    this.#title = title;
    this.#offset = this.#losses.length;
    this.#expected = this.#offset + steps;
    this.#schedule();
  }

  /** Adds a step, counted within this run. */
  add(step: number, loss: number, validationLoss: number | undefined): void {
    this.#losses.push(loss);
    if (validationLoss !== undefined)
      this.#validation.push({ step: this.#offset + step, loss: validationLoss });
    this.#schedule();
  }

  /** The run is over: the axis ends where it did. */
  end(): void {
    this.#expected = this.#losses.length;
    const last = this.#validation[this.#validation.length - 1];
    const validation = last ? `, validation ${formatLoss(last.loss)}` : '';
    this.#canvas.setAttribute(
      'aria-label',
      `Loss over ${formatCount(this.#losses.length)} steps: training from ${formatLoss(this.#losses[0])} to ${formatLoss(this.#losses[this.#losses.length - 1])}${validation}`,
    );
    this.#schedule();
  }

  /** The chart as a PNG image of its own. */
  async image(): Promise<Blob> {
    const canvas = document.createElement('canvas');
    canvas.width = IMAGE_STYLE.width * IMAGE_SCALE;
    canvas.height = IMAGE_STYLE.height * IMAGE_SCALE;
    const context = contextOf(canvas);
    context.scale(IMAGE_SCALE, IMAGE_SCALE);
    drawChart(context, this.#data(), { ...IMAGE_STYLE, title: this.#title });
    return new Promise((resolve, reject) => {
      canvas.toBlob((blob) => {
        if (blob) resolve(blob);
        else reject(new Error('loss curve: the browser could not make an image of it; try again'));
      }, 'image/png');
    });
  }

  #data(): ChartData {
    return { losses: this.#losses, validation: this.#validation, lastStep: this.#expected };
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0 || height === 0) return;
    const scale = window.devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const context = contextOf(this.#canvas);
    context.scale(scale, scale);
    drawChart(context, this.#data(), { ...pageStyle(this.#canvas), width, height });
  }
}

/** The page's own colours, whichever scheme it is in. */
function pageStyle(canvas: HTMLCanvasElement): Omit<ChartStyle, 'width' | 'height'> {
  const computed = getComputedStyle(canvas);
  const color = (name: string): string => computed.getPropertyValue(`--${name}`).trim();
  return {
    fontSize: 13,
    fontFamily: FONT,
    background: color('panel'),
    text: color('text'),
    grid: color('line'),
    training: color('training'),
    validation: color('validation'),
  };
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (!context) throw new Error('chart: the browser offers no 2D canvas; use another one');
  return context;
}
