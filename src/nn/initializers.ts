/** First values of parameters, each a function of a seed and a stream, computed when a device asks for them. */
import { ArgumentError } from '../graph/errors.js';
import { checkChoice, checkNumber, checkOptions } from '../graph/options.js';
import { formatShape, sizeOf, type Shape } from '../graph/shape.js';
import { householderColumns } from './orthogonal.js';
import { Random } from './random.js';

/** Computes the first values of an array; the same at each call. */
export type Initializer = () => Float32Array;

/** Uniform over [−bound, bound). */
export function uniform(size: number, bound: number, seed: number, stream: number): Initializer {
  return () => {
    const random = new Random(seed, stream);
    return Float32Array.from({ length: size }, () => random.uniform(-bound, bound));
  };
}

/** Normal with mean 0 and the standard deviation given. */
export function normal(size: number, deviation: number, seed: number, stream: number): Initializer {
  return () => {
    const random = new Random(seed, stream);
    return Float32Array.from({ length: size }, () => deviation * random.normal());
  };
}

/** The same number everywhere. */
export function constant(size: number, value: number): Initializer {
  return () => new Float32Array(size).fill(value);
}

/**
 * A way to begin a parameter, with its setting. "In" and "out" are the numbers of columns and of rows of a
 * weight, all gates counted.
 * - `uniform`: over ±`bound`, default 0.05
 * - `normal`: mean 0, standard deviation `deviation`, default 0.05
 * - `glorotUniform`, `glorotNormal`: of variance `gain²·2/(in + out)` (Glorot & Bengio, AISTATS 2010), as
 *   PyTorch's `xavier_uniform_` and `xavier_normal_`
 * - `orthogonal`: `gain` times a matrix with orthonormal columns, or rows where there are fewer of those,
 *   uniform over all such (Saxe et al., ICLR 2014), as PyTorch's `orthogonal_`
 * - `identity`: `gain` on the diagonal, zeros elsewhere, gate by gate (Le, Jaitly & Hinton,
 *   arXiv 1504.00941, for relu networks)
 * - `constant`, `zeros`, `ones`
 */
export type InitializerSpec =
  | { readonly name: 'uniform'; readonly bound?: number }
  | { readonly name: 'normal'; readonly deviation?: number }
  | {
      readonly name: 'glorotUniform' | 'glorotNormal' | 'orthogonal' | 'identity';
      /** Default 1. */
      readonly gain?: number;
    }
  | { readonly name: 'constant'; readonly value: number }
  | { readonly name: 'zeros' | 'ones' };

/** A way to begin a parameter: by name, or with its setting. */
export type InitializerOption = InitializerSpec | Exclude<InitializerSpec['name'], 'constant'>;

/** The one setting that each way has. */
const SETTINGS: Readonly<Record<InitializerSpec['name'], readonly [name: string, value: number] | null>> = {
  uniform: ['bound', 0.05],
  normal: ['deviation', 0.05],
  glorotUniform: ['gain', 1],
  glorotNormal: ['gain', 1],
  orthogonal: ['gain', 1],
  identity: ['gain', 1],
  constant: ['value', NaN],
  zeros: null,
  ones: null,
};

/** What is begun. */
export interface InitializerTarget {
  readonly shape: Shape;
  readonly seed: number;
  readonly stream: number;
  /** Blocks of rows, one a gate. Default 1. */
  readonly blocks?: number;
}

/**
 * The initializer that an option asks for.
 * @param name the option's name, for messages
 * @throws ArgumentError for a way or setting that does not exist, or a matrix's way for a vector
 */
export function createInitializer(
  culprit: string,
  name: string,
  option: InitializerOption,
  target: InitializerTarget,
): Initializer {
  const who = `${culprit}, ${name}`;
  const spec = parseSpec(who, typeof option === 'string' ? { name: option } : option);
  const kind = spec.name;
  const setting = SETTINGS[kind];
  const value = setting
    ? ((spec as Readonly<Record<string, unknown>>)[setting[0]] ?? setting[1])
    : kind === 'ones'
      ? 1
      : 0;
  checkNumber(who, setting?.[0] ?? kind, value, kind === 'constant' ? {} : { min: 0 });
  const { shape, seed, stream, blocks = 1 } = target;
  if ((kind === 'orthogonal' || kind === 'identity') && shape.length !== 2) {
    throw new ArgumentError({
      culprit: who,
      problem: `"${kind}" is for matrices, the parameter has shape ${formatShape(shape)}`,
      remedy: 'choose another for it, such as "zeros"',
    });
  }
  return build(kind, value as number, shape, seed, stream, blocks);
}

/** The spec, once it is known to be one: callers in plain JavaScript may pass anything. */
function parseSpec(culprit: string, spec: object): InitializerSpec {
  checkOptions(culprit, spec, ['name', ...new Set(Object.values(SETTINGS).flatMap((s) => s?.[0] ?? []))]);
  const { name } = spec as Partial<InitializerSpec>;
  checkChoice(culprit, 'name', name, Object.keys(SETTINGS));
  const setting = SETTINGS[name!];
  checkOptions(culprit, spec, ['name', ...(setting ? [setting[0]] : [])]);
  return spec as InitializerSpec;
}

function build(
  kind: InitializerSpec['name'],
  value: number,
  shape: Shape,
  seed: number,
  stream: number,
  blocks: number,
): Initializer {
  const size = sizeOf(shape);
  const [rows, columns] = [shape[0]!, shape.at(-1)!];
  switch (kind) {
    case 'uniform':
      return uniform(size, value, seed, stream);
    case 'normal':
      return normal(size, value, seed, stream);
    case 'glorotUniform':
      return uniform(size, value * Math.sqrt(6 / (rows + columns)), seed, stream);
    case 'glorotNormal':
      return normal(size, value * Math.sqrt(2 / (rows + columns)), seed, stream);
    case 'orthogonal':
      return () => orthogonal(rows, columns, value, new Random(seed, stream));
    case 'identity':
      return () => identity(rows, columns, value, blocks);
    case 'constant':
    case 'zeros':
    case 'ones':
      return constant(size, value);
  }
}

function orthogonal(rows: number, columns: number, gain: number, random: Random): Float32Array {
  const [length, count] = [Math.max(rows, columns), Math.min(rows, columns)];
  const vectors = householderColumns(length, count, random);
  if (rows < columns) return Float32Array.from(vectors, (value) => gain * value);
  const result = new Float32Array(rows * columns);
  for (let column = 0; column < count; column++) {
    for (let row = 0; row < length; row++) {
      result[row * columns + column] = gain * vectors[column * length + row]!;
    }
  }
  return result;
}

function identity(rows: number, columns: number, gain: number, blocks: number): Float32Array {
  const result = new Float32Array(rows * columns);
  const height = rows / blocks;
  for (let row = 0; row < rows; row++) {
    if (row % height < columns) result[row * columns + (row % height)] = gain;
  }
  return result;
}
