/** Checkpoints: variables and settings of a training in one safetensors file, strictly checked when read. */
import { FormatError, NonFiniteError, ShapeError } from '../graph/errors.js';
import type { Executor } from '../graph/executor.js';
import { formatShape, sameShape } from '../graph/shape.js';
import type { HostArray, Variable } from '../graph/value.js';
import type { TensorData } from '../nn/module.js';
import { parseJson, type JsonObject, type JsonValue } from './json.js';
import { parseSafetensors, writeSafetensors } from './safetensors.js';

/** What a setting of a checkpoint may be. */
export type CheckpointField =
  | number
  | string
  | boolean
  | null
  | { readonly [name: string]: CheckpointField }
  | readonly CheckpointField[];

const VERSION = 'webgpu-rnn-checkpoint-1';
const REMEDY = 'restore what checkpoint() gave, into a training set up alike';

/** Gathers what a checkpoint holds. */
export class CheckpointWriter {
  readonly #kind: string;
  readonly fields: Record<string, CheckpointField> = {};
  readonly tensors = new Map<string, TensorData>();

  /** Whether it will never be a file: its numbers may then be what they are. */
  readonly trusted: boolean;

  /**
   * @param kind what is saved, such as `trainer`: only the same kind is restored from it
   * @param trusted see {@link trusted}
   */
  constructor(kind: string, trusted = false) {
    this.#kind = kind;
    this.trusted = trusted;
  }

  /** Adds a setting. */
  field(name: string, value: CheckpointField): void {
    this.fields[name] = value;
  }

  /** Adds an array. */
  tensor(name: string, tensor: TensorData): void {
    this.tensors.set(name, tensor);
  }

  /**
   * Asks for variables at once, so that all are of one step, and adds them when they have come.
   * @param keep whether the executor may go back to these values when its device is lost
   * @throws NonFiniteError where a number is not finite: a file of those could not be restored
   */
  async variables(
    executor: Executor,
    variables: ReadonlyMap<string, Variable>,
    keep: boolean,
  ): Promise<void> {
    const list = [...variables.values()];
    const read = (): Promise<readonly HostArray[]> => Promise.all(list.map((one) => executor.read(one)));
    const arrays = await (keep ? executor.snapshot(list) : read());
    [...variables].forEach(([name, { shape }], i) => {
      const data = arrays[i]!;
      if (!this.trusted) checkSavable(`checkpoint of a ${this.#kind}, tensor "${name}"`, data);
      this.tensor(name, { shape, data });
    });
  }

  /** The file. */
  toBytes(): Uint8Array {
    const metadata = new Map([
      ['format', VERSION],
      ['kind', this.#kind],
      ['state', JSON.stringify(this.fields)],
    ]);
    return writeSafetensors(this.tensors, metadata);
  }
}

/** Throws a NonFiniteError unless all numbers are finite, so that nothing good is written over with them. */
export function checkSavable(culprit: string, data: HostArray): void {
  const at = data.findIndex((number) => !Number.isFinite(number));
  if (at < 0) return;
  throw new NonFiniteError({
    culprit,
    problem: `element ${at} is ${data[at]}`,
    remedy: 'the training has diverged: keep the last file that was saved, and go on from there',
  });
}

/** Variables with the numbers they are to take. */
export type Assignment = readonly [Variable, HostArray];

/**
 * Hands out what a checkpoint holds, each thing once and only if it fits; {@link finish} refuses what nobody
 * asked for. Who restores changes nothing before `finish` has returned.
 */
export class CheckpointReader {
  readonly #kind: string;
  readonly #fields: JsonObject;
  readonly #tensors: Map<string, TensorData>;
  readonly #left: Set<string>;
  /** Whether it has never been a file: its numbers are then what they are. */
  readonly trusted: boolean;

  /**
   * @param source a file, or what was gathered for one
   * @throws FormatError for bytes that are no checkpoint of this kind and version
   */
  constructor(source: Uint8Array | ArrayBuffer | CheckpointWriter, kind: string) {
    this.#kind = kind;
    this.trusted = source instanceof CheckpointWriter;
    let state: string | undefined;
    if (source instanceof CheckpointWriter) {
      state = JSON.stringify(source.fields);
      this.#tensors = source.tensors;
    } else {
      const { tensors, metadata } = parseSafetensors(source);
      this.#check('format', metadata.get('format'), VERSION);
      this.#check('kind', metadata.get('kind'), kind);
      state = metadata.get('state');
      this.#tensors = tensors;
    }
    const fields = parseJson(state ?? 'null', `${this.culprit}, state`);
    if (!(fields instanceof Map)) this.fail('state', 'is not an object');
    this.#fields = fields as JsonObject;
    this.#left = new Set([
      ...this.#fields.keys(),
      ...[...this.#tensors.keys()].map((name) => `tensor ${name}`),
    ]);
  }

  /** How messages call it. */
  get culprit(): string {
    return `checkpoint of a ${this.#kind}`;
  }

  #check(name: string, found: string | undefined, wanted: string): void {
    if (found === wanted) return;
    this.fail(name, found === undefined ? 'is missing' : `is ${JSON.stringify(found)}, not "${wanted}"`);
  }

  /** Throws a FormatError that names the part at fault. */
  fail(name: string, problem: string): never {
    throw new FormatError({ culprit: `${this.culprit}, ${name}`, problem, remedy: REMEDY });
  }

  /** Whether there is a setting of this name. */
  has(name: string): boolean {
    return this.#fields.has(name);
  }

  #take(name: string): JsonValue | undefined {
    this.#left.delete(name);
    return this.#fields.get(name);
  }

  /** A whole number from `min` to `max`. */
  whole(name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
      return value;
    return this.fail(name, `is ${show(value)}, not a whole number of at least ${min}`);
  }

  /** A finite number of at least 0. */
  number(name: string): number {
    const value = this.#take(name);
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    return this.fail(name, `is ${show(value)}, not a finite number of at least 0`);
  }

  /** A string. */
  text(name: string): string {
    const value = this.#take(name);
    return typeof value === 'string' ? value : this.fail(name, `is ${show(value)}, not text`);
  }

  /** Finite numbers by name. */
  numbers(name: string): Record<string, number> {
    const value = this.#take(name);
    if (!(value instanceof Map)) return this.fail(name, `is ${show(value)}, not an object`);
    const entries = [...(value as JsonObject)].map(([key, number]): [string, number] => {
      if (typeof number === 'number' && Number.isFinite(number)) return [key, number];
      return this.fail(name, `${key} is ${show(number)}, not a finite number`);
    });
    return Object.fromEntries(entries);
  }

  /** The names of arrays that begin with `prefix`, without it. */
  names(prefix: string): string[] {
    return [...this.#tensors.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  }

  /** A list of real numbers of any length; NaN and infinity are numbers here. */
  list(name: string): number[] {
    const tensor = this.#tensors.get(name);
    this.#left.delete(`tensor ${name}`);
    if (!tensor) return this.fail(`tensor "${name}"`, 'is missing');
    if (tensor.shape.length === 1 && !(tensor.data instanceof Int32Array)) return Array.from(tensor.data);
    return this.fail(`tensor "${name}"`, `has shape ${formatShape(tensor.shape)}, not that of a list`);
  }

  /**
   * The numbers of some variables, once they are known to fit.
   * @throws FormatError for one that is missing, ShapeError for a wrong shape or type, NonFiniteError
   */
  variables(prefix: string, variables: ReadonlyMap<string, Variable>): Assignment[] {
    return [...variables].map(([key, variable]) => {
      const name = prefix + key;
      const culprit = `${this.culprit}, tensor "${name}"`;
      const tensor = this.#tensors.get(name);
      this.#left.delete(`tensor ${name}`);
      if (!tensor) return this.fail(`tensor "${name}"`, 'is missing');
      const { shape, data } = tensor;
      if (!sameShape(shape, variable.shape) || (variable.dtype === 'int32') !== data instanceof Int32Array) {
        throw new ShapeError({
          culprit,
          problem: `is ${data instanceof Int32Array ? 'int32' : 'float32'}${formatShape(shape)}, the variable ${variable.dtype}${formatShape(variable.shape)}`,
          remedy: REMEDY,
        });
      }
      const at = this.trusted ? -1 : data.findIndex((number) => !Number.isFinite(Math.fround(number)));
      if (at < 0) return [variable, data];
      throw new NonFiniteError({
        culprit,
        problem: `element ${at} is ${data[at]}`,
        remedy: 'its training has diverged or the file is damaged; take an earlier one',
      });
    });
  }

  /** Throws a FormatError when something is left that nobody asked for. */
  finish(): void {
    const [first] = this.#left;
    if (first !== undefined) this.fail(first, 'is not known here');
  }
}

/** Gives the variables their numbers, after all runs queued so far. */
export function assign(executor: Executor, assignments: Iterable<Assignment>): void {
  for (const [variable, data] of assignments) executor.write(variable, data);
}

function show(value: JsonValue | undefined): string {
  if (value === undefined) return 'missing';
  return typeof value === 'object' && value !== null ? 'an object or a list' : JSON.stringify(value);
}
