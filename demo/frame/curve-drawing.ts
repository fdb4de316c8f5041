/** The loss curve for a picture: training and validation loss over steps, on a 2D canvas. */

/** What a chart shows. */
export interface ChartData {
  /** The steps of the training losses. */
  readonly steps: readonly number[];
  readonly losses: readonly number[];
  readonly validation: readonly { readonly step: number; readonly loss: number }[];
  /** Where the axis of steps ends. */
  readonly lastStep: number;
}

/** How a chart looks. Sizes are in units of the context's current scale. */
export interface ChartStyle {
  readonly width: number;
  readonly height: number;
  readonly fontSize: number;
  readonly fontFamily: string;
  readonly background: string;
  readonly text: string;
  readonly grid: string;
  readonly training: string;
  readonly validation: string;
  /** Stands above the chart, for an image that is seen alone. */
  readonly title?: string;
}

interface Point {
  readonly step: number;
  readonly loss: number;
}

interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  x(step: number): number;
  y(loss: number): number;
}

/** Losses are smoothed once there are more than this many. */
const SMOOTH_FROM = 50;

/** Draws the whole chart anew. */
export function drawChart(context: CanvasRenderingContext2D, data: ChartData, style: ChartStyle): void {
  const { width, height, fontSize } = style;
  context.save();
  context.fillStyle = style.background;
  context.fillRect(0, 0, width, height);
  context.font = `${fontSize}px ${style.fontFamily}`;
  context.lineJoin = 'round';
  context.lineCap = 'round';

  const measured = finite(data.losses.map((loss, index) => ({ step: data.steps[index]!, loss })));
  const validation = finite(data.validation);
  const smoothed = measured.length > SMOOTH_FROM ? smooth(measured) : measured;
  const lossTicks = niceTicks(...lossRange(measured, validation), Math.max(3, height / (fontSize * 4)));
  const labels = lossTicks.map((loss) => formatTick(loss, lossTicks));
  const labelWidth = Math.max(...labels.map((label) => context.measureText(label).width));

  const lastStep = Math.max(1, data.lastStep);
  const left = fontSize * 2.2 + labelWidth;
  const right = width - fontSize * 1.6;
  const top = fontSize * (style.title === undefined ? 2.6 : 4.8);
  const bottom = height - fontSize * 3.4;
  const low = lossTicks[0]!;
  const high = lossTicks[lossTicks.length - 1]!;
  const frame: Frame = {
    left,
    right,
    top,
    bottom,
    x: (step) => left + ((right - left) * step) / lastStep,
    y: (loss) => bottom - ((bottom - top) * (loss - low)) / (high - low),
  };

  drawAxes(context, style, frame, { lossTicks, labels, lastStep });
  context.beginPath();
  context.rect(left, top - fontSize, right - left + fontSize, bottom - top + 2 * fontSize);
  context.save();
  context.clip();
  if (smoothed !== measured) {
    context.globalAlpha = 0.35;
    drawLine(context, measured, frame, { color: style.training, width: fontSize / 12 });
    context.globalAlpha = 1;
  }
  drawLine(context, smoothed, frame, { color: style.training, width: fontSize / 6 });
  const dash = [fontSize / 2, fontSize / 3];
  drawLine(context, validation, frame, { color: style.validation, width: fontSize / 7, dash });
  drawMarks(context, validation, frame, { color: style.validation, size: fontSize / 3.4 });
  context.restore();
  drawLegend(context, style, frame, { smoothed: smoothed !== measured, validation: validation.length > 0 });
  context.restore();
}

function drawAxes(
  context: CanvasRenderingContext2D,
  style: ChartStyle,
  frame: Frame,
  axes: {
    readonly lossTicks: readonly number[];
    readonly labels: readonly string[];
    readonly lastStep: number;
  },
): void {
  const { fontSize } = style;
  const { left, right, top, bottom } = frame;
  context.lineWidth = Math.max(1, fontSize / 14);
  context.strokeStyle = style.grid;
  context.fillStyle = style.text;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  axes.lossTicks.forEach((loss, index) => {
    const y = frame.y(loss);
    stroke(context, [left, y], [right, y]);
    context.fillText(axes.labels[index]!, left - fontSize * 0.5, y);
  });
  context.textBaseline = 'top';
  context.textAlign = 'center';
  const count = Math.max(2, (right - left) / (fontSize * 6));
  for (const step of niceTicks(0, axes.lastStep, count)) {
    if (step > axes.lastStep || !Number.isInteger(step)) continue;
    const x = frame.x(step);
    stroke(context, [x, bottom], [x, bottom + fontSize * 0.35]);
    context.fillText(step.toLocaleString('en-US'), x, bottom + fontSize * 0.6);
  }
  context.strokeStyle = style.text;
  stroke(context, [left, top], [left, bottom]);
  stroke(context, [left, bottom], [right, bottom]);
  context.fillText('step', (left + right) / 2, bottom + fontSize * 2);
  context.save();
  context.translate(fontSize * 0.3, (top + bottom) / 2);
  context.rotate(-Math.PI / 2);
  context.fillText('loss (nats per character)', 0, 0);
  context.restore();
  if (style.title === undefined) return;
  context.save();
  context.textAlign = 'left';
  context.font = `600 ${fontSize * 1.2}px ${style.fontFamily}`;
  context.fillText(style.title, left, fontSize, right - left);
  context.restore();
}

function drawLegend(
  context: CanvasRenderingContext2D,
  style: ChartStyle,
  { right, top }: Frame,
  shown: { readonly smoothed: boolean; readonly validation: boolean },
): void {
  const { fontSize } = style;
  const y = top - fontSize * 1.5;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  let x = right;
  const entry = (label: string, color: string, dashed: boolean): void => {
    context.fillStyle = style.text;
    context.fillText(label, x, y);
    x -= context.measureText(label).width + fontSize * 0.5;
    context.strokeStyle = color;
    context.lineWidth = fontSize / 6;
    context.setLineDash(dashed ? [fontSize / 2, fontSize / 3] : []);
    stroke(context, [x - fontSize * 1.6, y], [x, y]);
    context.setLineDash([]);
    x -= fontSize * 2.8;
  };
  if (shown.validation) entry('validation', style.validation, true);
  entry(shown.smoothed ? 'training, smoothed' : 'training', style.training, false);
}

function drawLine(
  context: CanvasRenderingContext2D,
  points: readonly Point[],
  frame: Frame,
  line: { readonly color: string; readonly width: number; readonly dash?: number[] },
): void {
  if (points.length === 0) return;
  context.strokeStyle = line.color;
  context.lineWidth = line.width;
  context.setLineDash(line.dash ?? []);
  context.beginPath();
  // More points than pixels would only cost time.
  const stride = Math.max(1, Math.floor(points.length / (2 * (frame.right - frame.left))));
  points.forEach(({ step, loss }, index) => {
    if (index % stride === 0 || index === points.length - 1) context.lineTo(frame.x(step), frame.y(loss));
  });
  context.stroke();
  context.setLineDash([]);
}

function drawMarks(
  context: CanvasRenderingContext2D,
  points: readonly Point[],
  frame: Frame,
  { color, size }: { readonly color: string; readonly size: number },
): void {
  context.fillStyle = color;
  for (const { step, loss } of points) {
    context.beginPath();
    context.arc(frame.x(step), frame.y(loss), size, 0, 2 * Math.PI);
    context.fill();
  }
}

type Place = readonly [x: number, y: number];

function stroke(context: CanvasRenderingContext2D, from: Place, to: Place): void {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

function finite(points: readonly Point[]): Point[] {
  return points.filter(({ loss }) => Number.isFinite(loss));
}

/** A mean over a few neighbours on either side, fewer near the ends. */
function smooth(points: readonly Point[]): Point[] {
  const reach = Math.max(2, Math.min(50, Math.round(points.length / 60)));
  const sums = [0];
  for (const { loss } of points) sums.push(sums[sums.length - 1]! + loss);
  return points.map(({ step }, index) => {
    const near = Math.min(reach, index, points.length - 1 - index);
    return { step, loss: (sums[index + near + 1]! - sums[index - near]!) / (2 * near + 1) };
  });
}

function lossRange(...lines: readonly (readonly Point[])[]): [low: number, high: number] {
  let low = Infinity;
  let high = -Infinity;
  for (const { loss } of lines.flat()) {
    low = Math.min(low, loss);
    high = Math.max(high, loss);
  }
  if (low > high) return [0, 5];
  return high - low < 0.01 ? [low - 0.05, high + 0.05] : [low, high];
}

/** Round numbers that span a range, about `count` of them: steps of 1, 2 or 5 times a power of ten. */
function niceTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  // A product of whole numbers, rounded, for labels without 0.30000000000000004.
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

/** As many decimals as the distance of ticks needs. */
function formatTick(value: number, ticks: readonly number[]): string {
  const distance = Math.abs((ticks[1] ?? 1) - (ticks[0] ?? 0));
  return value.toFixed(Math.max(0, Math.min(6, -Math.floor(Math.log10(distance) + 1e-9))));
}
