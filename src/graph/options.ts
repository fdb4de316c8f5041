/** Checks of options: names that exist, numbers within their range. */
import { ArgumentError } from './errors.js';

/** A value as messages quote it: short, and of an object, which may be anything, no more than its kind. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  return `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}${kind === 'Promise' ? ' (await it)' : ''}`.replace(
    'Object',
    'object',
  );
}

/** The name in some options: '' where there is none. Throws when they are no object, or it is no text. */
export function nameOf(culprit: string, options: unknown): string {
  checkObject(culprit, options);
  const { name = '' } = options as { readonly name?: unknown };
  if (typeof name === 'string') return name;
  throw new ArgumentError({ culprit, problem: `name is ${show(name)}`, remedy: 'pass a string' });
}

/** Throws unless `signal` is missing or can be aborted. */
export function checkSignal(culprit: string, signal: unknown): void {
  if (signal === undefined || typeof (signal as AbortSignal | null)?.aborted === 'boolean') return;
  throw new ArgumentError({ culprit, problem: `signal is ${show(signal)}`, remedy: 'pass an AbortSignal' });
}

/** Throws unless `value` is a Map. */
export function checkMap(culprit: string, name: string, value: unknown): void {
  if (value instanceof Map) return;
  throw new ArgumentError({
    culprit,
    problem: `${name} is ${show(value)}`,
    remedy: 'pass a Map: new Map(Object.entries(…))',
  });
}

/** Throws unless `options` is an object. */
export function checkObject(culprit: string, options: unknown): asserts options is object {
  if (typeof options === 'object' && options !== null) return;
  throw new ArgumentError({
    culprit,
    problem: `got ${show(options)}`,
    remedy: 'pass an object',
  });
}

/** Throws when `options` is not an object, or has a key that is not in `known`; TypeScript alone would not stop plain JavaScript. */
export function checkOptions(culprit: string, options: unknown, known: readonly string[]): void {
  checkObject(culprit, options);
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new ArgumentError({
      culprit,
      problem: `there is no option ${show(key)}`,
      remedy: `the options are ${known.join(', ')}`,
    });
  }
}

/** Bounds of a number; those not given do not bind. */
export interface Range {
  /** Smallest value allowed. */
  readonly min?: number;
  /** Largest value allowed. */
  readonly max?: number;
  /** The value must be greater than this. */
  readonly above?: number;
  /** The value must be less than this. */
  readonly below?: number;
}

/** Throws unless `value` is a finite number within `range`. */
export function checkNumber(culprit: string, name: string, value: unknown, range: Range = {}): void {
  const { min, max, above, below } = range;
  if (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  ) {
    return;
  }
  const bounds = [
    min === undefined ? '' : `at least ${min}`,
    above === undefined ? '' : `greater than ${above}`,
    max === undefined ? '' : `at most ${max}`,
    below === undefined ? '' : `less than ${below}`,
  ].filter((bound) => bound !== '');
  throw new ArgumentError({
    culprit,
    problem: `${name} is ${show(value)}`,
    remedy: `pass a finite number${bounds.length ? ` ${bounds.join(' and ')}` : ''}`,
  });
}

/** Throws unless `value` is a whole number from `min` to `max` that a double holds exactly. */
export function checkWhole(
  culprit: string,
  name: string,
  value: unknown,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw new ArgumentError({
    culprit,
    problem: `${name} is ${show(value)}`,
    remedy: `pass a whole number of at least ${min}${max < Number.MAX_SAFE_INTEGER ? ` and at most ${max}` : ''}`,
  });
}

/** Throws unless `value` is one of `choices`. */
export function checkChoice(culprit: string, name: string, value: unknown, choices: readonly string[]): void {
  if (typeof value === 'string' && choices.includes(value)) return;
  throw new ArgumentError({
    culprit,
    problem: `${name} is ${show(value)}`,
    remedy: `choose one of ${choices.map((choice) => `"${choice}"`).join(', ')}`,
  });
}

/** Throws unless `value` is `true` or `false`. */
export function checkFlag(culprit: string, name: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  throw new ArgumentError({ culprit, problem: `${name} is ${show(value)}`, remedy: 'pass true or false' });
}
