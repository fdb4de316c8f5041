/** Strokes, and the numbers that a network reads of them. */

/** Points along a stroke, in pixels or any other unit. */
export type Stroke = readonly (readonly [x: number, y: number])[];

/** T: points that a stroke is brought to. */
export const POINTS = 32;
/** Direction and place of each point. */
export const FEATURES = 4;

/** The stroke as so many points at equal distances along its way. */
export function resample(stroke: Stroke, count: number): [number, number][] {
  const first = stroke[0] ?? [0, 0];
  const lengths = [0];
  for (let i = 1; i < stroke.length; i++) {
    const [[x0, y0], [x1, y1]] = [stroke[i - 1]!, stroke[i]!];
    lengths.push(lengths[i - 1]! + Math.hypot(x1 - x0, y1 - y0));
  }
  const total = lengths.at(-1)!;
  let at = 1;
  return Array.from({ length: count }, (_, index): [number, number] => {
    if (total === 0) return [first[0], first[1]];
    const wanted = (total * index) / (count - 1);
    while (at < stroke.length - 1 && lengths[at]! < wanted) at++;
    const [[x0, y0], [x1, y1]] = [stroke[at - 1]!, stroke[at]!];
    const share = (wanted - lengths[at - 1]!) / (lengths[at]! - lengths[at - 1]! || 1);
    return [x0 + share * (x1 - x0), y0 + share * (y1 - y0)];
  });
}

/** `[T,4]`: the direction of the way at each point, and its place in a frame of the stroke's own size. */
export function featuresOf(stroke: Stroke): Float32Array {
  const points = resample(stroke, POINTS);
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const size = Math.max(right - left, bottom - top) || 1;
  const features = new Float32Array(POINTS * FEATURES);
  points.forEach(([x, y], t) => {
    const [x0, y0] = points[Math.max(0, t - 1)]!;
    const length = Math.hypot(x - x0, y - y0) || 1;
    features.set(
      [
        (x - x0) / length,
        (y - y0) / length,
        (2 * (x - (left + right) / 2)) / size,
        (2 * (y - (top + bottom) / 2)) / size,
      ],
      t * FEATURES,
    );
  });
  return features;
}

/**
 * The stroke as another hand might draw it: turned and stretched a little, its points moved, and sometimes cut
 * short, so that unfinished ones are known too.
 * @param random gives numbers from 0 to 1
 */
export function vary(stroke: Stroke, random: () => number): Stroke {
  const around = (): number => 2 * random() - 1;
  const angle = 0.22 * around();
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [wide, high] = [1 + 0.25 * around(), 1 + 0.25 * around()];
  const points = resample(stroke, POINTS);
  const reach = Math.max(...points.map(([x, y]) => Math.hypot(x - points[0]![0], y - points[0]![1]))) || 1;
  const varied = points.map(([x, y]): [number, number] => [
    wide * (cos * x - sin * y) + 0.015 * reach * around(),
    high * (sin * x + cos * y) + 0.015 * reach * around(),
  ]);
  const kept = random() < 0.6 ? 1 : 0.45 + 0.55 * random();
  return varied.slice(0, Math.max(8, Math.round(POINTS * kept)));
}

/** Three gestures to begin with, in a square of 1. */
export const FIRST_GESTURES: readonly { readonly name: string; readonly stroke: Stroke }[] = [
  {
    name: 'Circle',
    stroke: Array.from({ length: 40 }, (_, i) => {
      const angle = -Math.PI / 2 + (2 * Math.PI * i) / 39;
      return [0.5 + 0.4 * Math.cos(angle), 0.5 + 0.4 * Math.sin(angle)] as const;
    }),
  },
  {
    name: 'Zigzag',
    stroke: [
      [0.1, 0.25],
      [0.3, 0.75],
      [0.5, 0.25],
      [0.7, 0.75],
      [0.9, 0.25],
    ],
  },
  {
    name: 'Check',
    stroke: [
      [0.15, 0.55],
      [0.4, 0.85],
      [0.88, 0.15],
    ],
  },
];
