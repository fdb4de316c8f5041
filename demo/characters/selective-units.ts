/** Which hidden units follow something that a person can name (after Karpathy, Johnson & Fei-Fei, 2015). */

/** A unit and what it follows. */
export interface SelectiveUnit {
  readonly unit: number;
  /** What it follows, for people: `inside quotes`. */
  readonly what: string;
  /** Pearson's correlation, −1 to 1: negative where the unit goes down when the property holds. */
  readonly correlation: number;
}

/** Weaker correlations may be chance over a few hundred characters. */
const WEAKEST = 0.5;
const SHOWN = 8;

/**
 * The unit that follows each property best, the closest first.
 * @param hidden `[T,H]`, the units after each character was read
 */
export function findSelectiveUnits(
  characters: readonly string[],
  hidden: Float32Array,
  units: number,
): SelectiveUnit[] {
  const T = characters.length;
  const columns = Array.from({ length: units }, (_, unit) =>
    standardised(Float64Array.from({ length: T }, (__, t) => hidden[t * units + unit]!)),
  );
  const found = Object.entries(propertiesOf(characters)).flatMap(([what, values]): SelectiveUnit[] => {
    const wanted = standardised(values);
    if (!wanted) return [];
    let best: SelectiveUnit = { unit: 0, what, correlation: 0 };
    columns.forEach((column, unit) => {
      if (!column) return;
      let sum = 0;
      for (let t = 0; t < T; t++) sum += column[t]! * wanted[t]!;
      const correlation = sum / T;
      if (Math.abs(correlation) > Math.abs(best.correlation)) best = { unit, what, correlation };
    });
    return Math.abs(best.correlation) >= WEAKEST ? [best] : [];
  });
  return found.sort((a, b) => Math.abs(b.correlation) - Math.abs(a.correlation)).slice(0, SHOWN);
}

/** What can be said of each character of a text, from what came up to it. */
export function propertiesOf(characters: readonly string[]): Record<string, Float64Array> {
  const T = characters.length;
  const test = (pattern: RegExp): Float64Array =>
    Float64Array.from(characters, (c) => (pattern.test(c) ? 1 : 0));
  const between = (open: string, close: string): Float64Array => {
    let depth = 0;
    return Float64Array.from(characters, (c) => {
      if (c === open) depth++;
      else if (c === close) depth = Math.max(0, depth - 1);
      return Math.min(depth, 3);
    });
  };
  const quoted = (quote: string): Float64Array => {
    let inside = false;
    return Float64Array.from(characters, (c) => {
      if (c === quote) inside = !inside;
      // A quotation that never ends is an apostrophe.
      else if (c === '\n') inside = false;
      return inside ? 1 : 0;
    });
  };
  let column = 0;
  let letters = 0;
  const inLine = new Float64Array(T);
  const inWord = new Float64Array(T);
  const comment = new Float64Array(T);
  let commenting: 'line' | 'block' | null = null;
  characters.forEach((c, t) => {
    column = c === '\n' ? 0 : column + 1;
    letters = /\p{L}/u.test(c) ? letters + 1 : 0;
    inLine[t] = Math.min(column, 100);
    inWord[t] = Math.min(letters, 12);
    const pair = `${characters[t - 1] ?? ''}${c}`;
    if (commenting === null && pair === '//') commenting = 'line';
    else if (commenting === null && pair === '/*') commenting = 'block';
    else if ((commenting === 'line' && c === '\n') || (commenting === 'block' && pair === '*/'))
      commenting = null;
    comment[t] = commenting === null ? 0 : 1;
  });
  return {
    'ends of lines': test(/\n/),
    spaces: test(/[ \t]/),
    'capital letters': test(/\p{Lu}/u),
    digits: test(/\p{Nd}/u),
    vowels: test(/[aeiouyäöüéèêáàíóú]/i),
    punctuation: test(/[\p{P}\p{S}]/u),
    'inside “double quotes”': quoted('"'),
    'inside ‘single quotes’': quoted("'"),
    'inside parentheses': between('(', ')'),
    'inside braces': between('{', '}'),
    'inside comments': comment,
    'how far along the line': inLine,
    'how far into the word': inWord,
  };
}

/** Mean 0 and deviation 1; null where all values are the same. */
function standardised(values: Float64Array): Float64Array | null {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  if (!(variance > 1e-10)) return null;
  const deviation = Math.sqrt(variance);
  return values.map((value) => (value - mean) / deviation);
}
