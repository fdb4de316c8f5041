/** A surface to draw strokes on. */
import { element, oncePerFrame } from '../frame/dom.js';
import type { Stroke } from './strokes.js';

/** What a pad tells. */
export interface PadListeners {
  /** The stroke has grown. */
  readonly onGrow: (stroke: Stroke) => void;
  /** The stroke is complete. */
  readonly onEnd: (stroke: Stroke) => void;
}

/** Shorter strokes are taken for taps. */
const FEWEST_POINTS = 5;

/** The surface. */
export class Pad {
  readonly #canvas = element('pad', HTMLCanvasElement);
  readonly #listeners: PadListeners;
  #stroke: [number, number][] = [];
  #drawing = false;
  readonly #schedule = oncePerFrame(() => drawStrokes(this.#canvas, [this.#stroke], 4));

  constructor(listeners: PadListeners) {
    this.#listeners = listeners;
    new ResizeObserver(this.#schedule).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', this.#schedule);
    this.#canvas.addEventListener('pointerdown', (event) => {
      this.#canvas.setPointerCapture(event.pointerId);
      this.#drawing = true;
      this.#stroke = [[event.offsetX, event.offsetY]];
      this.#schedule();
    });
    this.#canvas.addEventListener('pointermove', (event) => {
      if (!this.#drawing) return;
      this.#stroke.push([event.offsetX, event.offsetY]);
      this.#schedule();
      if (this.#stroke.length > FEWEST_POINTS) listeners.onGrow(this.#stroke);
    });
    const end = (): void => {
      if (this.#drawing && this.#stroke.length > FEWEST_POINTS) listeners.onEnd(this.#stroke);
      this.#drawing = false;
    };
    this.#canvas.addEventListener('pointerup', end);
    this.#canvas.addEventListener('pointercancel', end);
  }

  /** Draws a stroke of its own, point by point, in a square of 1. */
  async demonstrate(stroke: Stroke): Promise<void> {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const size = 0.8 * Math.min(width, height);
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#stroke = [];
    for (const [x, y] of stroke) {
      this.#stroke.push([(width - size) / 2 + size * x, (height - size) / 2 + size * y]);
      this.#schedule();
      if (still) continue;
      if (this.#stroke.length > FEWEST_POINTS) this.#listeners.onGrow(this.#stroke);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    this.#listeners.onGrow(this.#stroke);
  }
}

/** Draws strokes to fit, side by side where there are several. */
export function drawStrokes(
  canvas: HTMLCanvasElement,
  strokes: readonly Stroke[],
  width: number,
  fit = false,
): void {
  const { clientWidth, clientHeight } = canvas;
  const scale = window.devicePixelRatio;
  canvas.width = Math.round(clientWidth * scale);
  canvas.height = Math.round(clientHeight * scale);
  const context = canvas.getContext('2d');
  if (!context) return;
  context.scale(scale, scale);
  context.lineWidth = width;
  context.lineJoin = 'round';
  context.lineCap = 'round';
  context.strokeStyle = getComputedStyle(canvas).getPropertyValue('--training').trim();
  strokes.forEach((stroke, index) => {
    const place = fit ? fitted(stroke, clientHeight - 6, index * clientHeight + 3) : stroke;
    context.beginPath();
    for (const [x, y] of place) context.lineTo(x, y);
    context.stroke();
  });
}

function fitted(stroke: Stroke, size: number, left: number): Stroke {
  const xs = stroke.map(([x]) => x);
  const ys = stroke.map(([, y]) => y);
  const [x0, y0] = [Math.min(...xs), Math.min(...ys)];
  const scale = size / (Math.max(Math.max(...xs) - x0, Math.max(...ys) - y0) || 1);
  return stroke.map(([x, y]) => [left + (x - x0) * scale, 3 + (y - y0) * scale] as const);
}
