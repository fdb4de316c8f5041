/** A chart of lines over a common axis: grows while one watches, zooms, and follows the page's colours. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { oncePerFrame } from './dom.js';

/** One line: x ascending, y of the same length. */
export interface Line {
  readonly label: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** A CSS colour, or one of the page's own: `--training`. */
  readonly color: string;
  readonly width?: number;
  /** 0 to 1. Default 1. */
  readonly alpha?: number;
  readonly dash?: readonly number[];
  /** Whether each point is marked. */
  readonly points?: boolean;
}

/** What a chart shows. */
export interface ChartContent {
  readonly lines: readonly Line[];
  /** Where the x axis ends, if beyond the last point. */
  readonly end?: number;
  /** Whether the y axis is logarithmic. */
  readonly log?: boolean;
  /** Text of a tick of the x axis. */
  readonly formatX?: (x: number) => string;
}

/** More points of a line than this are thinned out: no screen shows them. */
const MAX_POINTS = 3000;
const PERIOD = 100;

/** Draws into an element of a given size. */
export class LineChart {
  readonly #host: HTMLElement;
  #content: ChartContent = { lines: [] };
  #plot: uPlot | null = null;
  #signature = '';
  #zoom: readonly [number, number] | null = null;
  #drawn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #schedule = oncePerFrame(() => this.#draw());
  #onReadout: (x: number | null) => void = () => undefined;

  constructor(host: HTMLElement) {
    this.#host = host;
    new ResizeObserver(() => this.#schedule()).observe(host);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#signature = '';
      this.#schedule();
    });
  }

  /** Called with the x under the pointer, or null when it has left. */
  set onReadout(listener: (x: number | null) => void) {
    this.#onReadout = listener;
  }

  /** Shows other content, a few times a second at most. */
  show(content: ChartContent): void {
    this.#content = content;
    const wait = this.#drawn + PERIOD - performance.now();
    clearTimeout(this.#timer);
    if (wait <= 0) this.#schedule();
    else this.#timer = setTimeout(this.#schedule, wait);
  }

  /** Zooms the x axis about its middle: by 2 into it, by 0.5 out of it; null for all of it. */
  zoom(factor: number | null): void {
    const [first, last] = this.#extent();
    if (factor === null) this.#zoom = null;
    else {
      const [low, high] = this.#zoom ?? [first, last];
      // What is new happens at the end: a zoom from all of it keeps the end in sight.
      const middle = this.#zoom ? (low + high) / 2 : high - (high - low) / (2 * factor);
      const half = (high - low) / (2 * factor);
      const range = [Math.max(first, middle - half), Math.min(last, middle + half)] as const;
      this.#zoom = range[1] - range[0] >= last - first || range[1] <= range[0] ? null : range;
    }
    this.#schedule();
  }

  #extent(): [number, number] {
    let low = Infinity;
    let high = this.#content.end ?? -Infinity;
    for (const { x } of this.#content.lines) {
      if (x.length === 0) continue;
      low = Math.min(low, x[0]!);
      high = Math.max(high, x[x.length - 1]!);
    }
    if (low > high) return [0, Math.max(high, 1)];
    return low === high ? [low, low + 1] : [low, high];
  }

  #draw(): void {
    this.#drawn = performance.now();
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (width === 0 || height === 0) return;
    const { lines, log = false } = this.#content;
    const looks = lines.map(({ label, color, dash, points }) => [label, color, dash, points]);
    const signature = JSON.stringify([looks, log]);
    const data = join(lines, log);
    if (this.#plot && signature === this.#signature) {
      if (this.#plot.width !== width || this.#plot.height !== height) this.#plot.setSize({ width, height });
      this.#plot.setData(data);
      return;
    }
    this.#signature = signature;
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(width, height), data, this.#host);
  }

  #options(width: number, height: number): uPlot.Options {
    const computed = getComputedStyle(this.#host);
    const color = (name: string): string => computed.getPropertyValue(`--${name}`).trim();
    const axis: uPlot.Axis = {
      stroke: color('soft'),
      grid: { stroke: color('line'), width: 1 },
      ticks: { stroke: color('line'), width: 1, size: 4 },
      font: '12px system-ui, sans-serif',
    };
    const { lines, log = false } = this.#content;
    return {
      width,
      height,
      legend: { show: false },
      padding: [8, 20, 0, 0],
      cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { show: false } },
      scales: {
        x: { time: false, range: () => [...(this.#zoom ?? this.#extent())] as uPlot.Range.MinMax },
        y: { range: (_plot, low, high) => padded(low, high, log) },
      },
      axes: [
        {
          ...axis,
          size: 28,
          space: 64,
          values: (_plot, ticks) =>
            ticks.map((tick) => (this.#content.formatX ?? ((x) => x.toLocaleString('en-US')))(tick)),
        },
        {
          ...axis,
          size: 48,
          ...(log && {
            splits: (_plot, _axis, low, high) => logTicks(low, high),
            values: (_plot, ticks) => ticks.map((tick) => String(Number((10 ** tick).toPrecision(2)))),
          }),
        },
      ],
      series: [
        {},
        ...lines.map(({ label, color: named, width: thickness = 2, alpha = 1, dash, points = false }) => {
          const stroke = named.startsWith('--') ? color(named.slice(2)) : named;
          return {
            label,
            stroke,
            alpha,
            width: thickness,
            spanGaps: true,
            ...(dash && { dash: [...dash] }),
            points: { show: points, size: 6, fill: stroke },
          };
        }),
      ],
      hooks: {
        setSelect: [
          (plot) => {
            const { left, width: across } = plot.select;
            if (across < 4) return;
            this.#zoom = [plot.posToVal(left, 'x'), plot.posToVal(left + across, 'x')];
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            this.#schedule();
          },
        ],
        setCursor: [
          (plot) => {
            const { left = -1 } = plot.cursor;
            this.#onReadout(left < 0 ? null : plot.posToVal(left, 'x'));
          },
        ],
        ready: [(plot) => plot.over.addEventListener('dblclick', () => this.zoom(null))],
      },
    };
  }
}

function padded(low: number | null, high: number | null, log: boolean): uPlot.Range.MinMax {
  if (low === null || high === null) return log ? [-1, 1] : [0, 5];
  const margin = Math.max(0.01, (high - low) * 0.06);
  return [low >= 0 && !log ? Math.max(0, low - margin) : low - margin, high + margin];
}

/** Logarithms of 1, 2 and 5 times powers of ten, within a range of logarithms; of powers alone where it is wide. */
function logTicks(low: number, high: number): number[] {
  const factors = high - low > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    ticks.push(...factors.map((factor) => power + Math.log10(factor)));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** All lines over one x: uPlot wants a table, with null where a line has no point. */
function join(lines: readonly Line[], log: boolean): uPlot.AlignedData {
  const thin = lines.map(({ x, y }) => {
    const stride = Math.ceil(x.length / MAX_POINTS);
    if (stride <= 1) return { x, y };
    const keep = (_: number, index: number): boolean => index % stride === 0 || index === x.length - 1;
    return { x: x.filter(keep), y: y.filter(keep) };
  });
  if (thin.length === 0) return [[], []];
  const xs = [...new Set(thin.flatMap(({ x }) => x))].sort((a, b) => a - b);
  const columns = thin.map(({ x, y }) => {
    const values = new Map(x.map((at, index) => [at, y[index]!]));
    return xs.map((at) => {
      const value = values.get(at) ?? null;
      if (value === null || !log) return value;
      return value > 0 ? Math.log10(value) : null;
    });
  });
  return [xs, ...columns];
}

/** The exponential mean of what came before, without the pull of its beginning (Kingma & Ba, 2014, section 3). */
export function smooth(values: readonly number[], weight: number): number[] {
  let mean = 0;
  let share = 1;
  return values.map((value) => {
    mean = weight * mean + (1 - weight) * value;
    share *= weight;
    return mean / (1 - share);
  });
}
