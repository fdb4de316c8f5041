/** Series to begin with, and numbers from pasted text. */

/** Values of a series that is drawn by a formula. */
export const EXAMPLES = {
  season: {
    name: 'Seasons',
    values: () =>
      series(
        240,
        (t, noise) => 2 + 0.008 * t + Math.sin((2 * Math.PI * t) / 24) * (0.6 + 0.002 * t) + 0.08 * noise,
      ),
  },
  beat: {
    name: 'Two waves',
    values: () =>
      series(
        240,
        (t, noise) =>
          Math.sin((2 * Math.PI * t) / 17) + 0.7 * Math.sin((2 * Math.PI * t) / 41) + 0.05 * noise,
      ),
  },
  steps: {
    name: 'Square wave',
    values: () => series(240, (t, noise) => (t % 30 < 15 ? 1 : -1) + 0.08 * noise),
  },
  walk: {
    name: 'Random walk',
    values: () => {
      let at = 0;
      return series(240, (_, noise) => (at += 0.25 * noise));
    },
  },
} as const;

/** A repeatable series with noise of deviation 1 at hand. */
function series(length: number, value: (t: number, noise: number) => number): number[] {
  let state = 12345;
  const uniform = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
  // Twelve uniform numbers make nearly a normal one.
  const normal = (): number => Array.from({ length: 12 }, uniform).reduce((sum, drawn) => sum + drawn, -6);
  return Array.from({ length }, (_, t) => value(t, normal()));
}

const MOST = 5000;
/** Larger numbers have no spread that the network's 32 bits hold. */
const LARGEST = 1e30;

/**
 * The numbers of a text, between anything that is none; of a table, the last column.
 * @throws Error where there are too few or too many, or one is too large
 */
export function parseSeries(text: string): number[] {
  const rows = text
    .split(/\r?\n/)
    .map((row) => (row.match(/[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/gi) ?? []).map(Number));
  const filled = rows.filter((row) => row.length > 0);
  const values = filled.length === 1 ? filled[0]! : filled.map((row) => row.at(-1)!);
  if (values.length < 16) throw new Error(`series: the text has ${values.length} numbers; paste at least 16`);
  if (values.length > MOST)
    throw new Error(`series: the text has ${values.length} numbers; paste at most ${MOST}`);
  const large = values.find((value) => Math.abs(value) > LARGEST);
  if (large !== undefined) {
    throw new Error(`series: ${large} is too large; paste numbers up to ${LARGEST}`);
  }
  return values;
}
