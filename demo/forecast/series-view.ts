/** The series and its futures on a canvas, which also takes a series that is drawn by hand. */
import { element, oncePerFrame } from '../frame/dom.js';

/** Values of a series drawn by hand. */
const DRAWN = 240;
/** Part of the width that the past takes. */
const PAST = 0.72;

/** What a view shows. */
export interface SeriesContent {
  readonly values: readonly number[];
  /** How many values the futures have. */
  readonly horizon: number;
  readonly futures: readonly Float32Array[];
  /** What really came, where it was hidden from the model. */
  readonly truth: readonly number[];
}

/** Draws, and is drawn on. */
export class SeriesView {
  readonly #canvas = element('series', HTMLCanvasElement);
  #content: SeriesContent = { values: [], horizon: 1, futures: [], truth: [] };
  #stroke: (number | null)[] | null = null;
  #last: readonly [index: number, value: number] | null = null;
  readonly #schedule = oncePerFrame(() => this.#draw());

  /** @param onDrawn called with a series that was drawn by hand, −1 to 1 */
  constructor(onDrawn: (values: number[]) => void) {
    new ResizeObserver(this.#schedule).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', this.#schedule);
    this.#canvas.addEventListener('pointerdown', (event) => {
      this.#canvas.setPointerCapture(event.pointerId);
      this.#stroke = new Array<number | null>(DRAWN).fill(null);
      this.#last = null;
      this.#take(event);
    });
    this.#canvas.addEventListener('pointermove', (event) => {
      if (this.#stroke) this.#take(event);
    });
    const end = (): void => {
      const values = (this.#stroke ?? []).filter((value) => value !== null);
      this.#stroke = null;
      if (values.length >= 32) onDrawn(values);
      this.#schedule();
    };
    this.#canvas.addEventListener('pointerup', end);
    this.#canvas.addEventListener('pointercancel', end);
  }

  /** Shows other content. */
  show(content: SeriesContent): void {
    this.#content = content;
    this.#schedule();
  }

  #take({ clientX, clientY }: PointerEvent): void {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const index = Math.floor(((clientX - left) / (width * PAST)) * DRAWN);
    const value = 1 - (2 * (clientY - top)) / height;
    if (index < 0 || index >= DRAWN) return;
    const [from, before] = this.#last ?? [index, value];
    const step = Math.sign(index - from) || 1;
    for (let i = from; i !== index + step; i += step) {
      const share = index === from ? 1 : (i - from) / (index - from);
      this.#stroke![i] = before + (value - before) * share;
    }
    this.#last = [index, value];
    this.#schedule();
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = window.devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const context = this.#canvas.getContext('2d');
    if (!context) return;
    context.scale(scale, scale);
    context.lineJoin = 'round';
    context.lineCap = 'round';
    const computed = getComputedStyle(this.#canvas);
    const color = (name: string): string => computed.getPropertyValue(`--${name}`).trim();
    const border = width * PAST;
    context.fillStyle = color('well');
    context.fillRect(border, 0, width - border, height);
    if (this.#stroke) {
      const points = this.#stroke.flatMap((value, i) =>
        value === null ? [] : [[(border * i) / DRAWN, ((1 - value) / 2) * height] as const],
      );
      line(context, points, color('training'), 2);
      return;
    }
    const { values, horizon, futures, truth } = this.#content;
    if (values.length === 0) return;
    const sorted = futures.flatMap((path) => [...path]).sort((a, b) => a - b);
    // A future that runs away must not flatten all the rest.
    const low = Math.min(...values, ...truth, sorted[Math.floor(sorted.length * 0.01)] ?? Infinity);
    const high = Math.max(...values, ...truth, sorted[Math.floor(sorted.length * 0.99)] ?? -Infinity);
    const y = (value: number): number => height - 12 - ((height - 24) * (value - low)) / (high - low || 1);
    const past = (i: number): number => (border * i) / (values.length - 1);
    const future = (i: number): number => border + ((width - border - 8) * (i + 1)) / horizon;
    const last = [border, y(values.at(-1)!)] as const;
    context.globalAlpha = 0.22;
    for (const path of futures) {
      line(
        context,
        [last, ...Array.from(path, (value, i) => [future(i), y(value)] as const)],
        color('validation'),
        1,
      );
    }
    context.globalAlpha = 1;
    line(
      context,
      values.map((value, i) => [past(i), y(value)] as const),
      color('training'),
      2,
    );
    if (truth.length > 0) {
      line(
        context,
        [last, ...truth.map((value, i) => [future(i), y(value)] as const)],
        color('soft'),
        1.5,
        [2, 4],
      );
    }
    if (futures.length === 0) return;
    const median = Array.from({ length: horizon }, (_, i) => {
      const column = futures.map((path) => path[i]!).sort((a, b) => a - b);
      return [future(i), y((column[(column.length - 1) >> 1]! + column[column.length >> 1]!) / 2)] as const;
    });
    line(context, [last, ...median], color('validation'), 2.5);
  }
}

function line(
  context: CanvasRenderingContext2D,
  points: readonly (readonly [number, number])[],
  color: string,
  width: number,
  dash: number[] = [],
): void {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.beginPath();
  for (const point of points) context.lineTo(...point);
  context.stroke();
}
