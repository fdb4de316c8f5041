/** Curves as an SVG picture, both axes logarithmic. */

/** Points `[x, y]`, both above 0. */
export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

const [WIDTH, HEIGHT, MARGIN] = [640, 400, 48];
const COLOURS = ['#1b6ca8', '#c8553d', '#3a7d44', '#7d5ba6'];

/** Draws curves with their names. */
export function plotSvg(title: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points).filter((point) => point.every((value) => value > 0));
  const scale = (values: readonly number[], length: number): ((value: number) => number) => {
    const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
    return (value) => MARGIN + ((Math.log(value) - low) / (high - low || 1)) * (length - 2 * MARGIN);
  };
  const x = scale(
    all.map(([value]) => value),
    WIDTH,
  );
  const y = scale(
    all.map(([, value]) => value),
    HEIGHT,
  );
  const place = ([size, time]: readonly [number, number]): string =>
    `${x(size).toFixed(1)},${(HEIGHT - y(time)).toFixed(1)}`;
  const body = curves.map(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const known = points.filter((point) => point.every((value) => value > 0));
    const dots = known.map((point) => {
      const [cx, cy] = place(point).split(',');
      return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"><title>${name} ${point[0]}: ${point[1].toFixed(2)} ms</title></circle>`;
    });
    const last = known.at(-1);
    const [lx, ly] = last ? place(last).split(',') : ['0', '0'];
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${known.map(place).join(' ')}"/>`,
      ...dots,
      `<text x="${Number(lx) + 6}" y="${ly}" fill="${colour}">${name}</text>`,
    ].join('\n');
  });
  const times = all.map(([, value]) => value);
  const sizes = all.map(([value]) => value);
  const marks = [
    [...new Set([Math.min(...times), Math.max(...times)])].map(
      (time) => `<text x="4" y="${(HEIGHT - y(time)).toFixed(1)}">${time.toFixed(1)} ms</text>`,
    ),
    [...new Set([Math.min(...sizes), Math.max(...sizes)])].map(
      (size) => `<text x="${x(size).toFixed(1)}" y="${HEIGHT - 12}">${size}</text>`,
    ),
  ].flat();
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${MARGIN}" y="20" font-size="14">${title}</text>`,
    ...marks,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}
