/** One hostile input on one target: read it, use what came of it, and say which rule was broken, if one was. */
import { inspect } from 'node:util';
import { RnnError } from '../../src/graph/errors.js';
import { metered } from './meter.js';

/** What a target reads. */
export type Input = Uint8Array | string;

/** Something that reads what others have written. */
export interface Target {
  readonly name: string;
  /** Good inputs, to be damaged. */
  readonly seeds: readonly Input[];
  /** How text is damaged: as JSON, or as words and numbers. Bytes are damaged as safetensors files unless `plain`. */
  readonly form: 'file' | 'bytes' | 'json' | 'text';
  /** Reads one input, or throws. */
  read(input: never): unknown;
  /** Goes on with what `read` gave: it may refuse still, but neither hang nor throw anything else. */
  use?(result: never, input: never): void | Promise<void>;
  /** What must be the same after a refusal as before it. */
  state?(): string | Promise<string>;
  /** Whether this is an error that the target documents, besides those of the library. */
  allows?(error: unknown): boolean;
}

/** What became of an input. */
export interface Outcome {
  readonly accepted: boolean;
  /** The name of the error that refused it. */
  readonly refusal: string | null;
  /** Bytes of typed arrays that reading asked for. */
  readonly allocated: number;
  readonly milliseconds: number;
  /** The rule that was broken. */
  readonly problem: string | null;
}

/** A rule that a target found broken by itself. */
export class BrokenRule extends Error {
  override readonly name = 'BrokenRule';
}

/**
 * Typed arrays of reading may take so many times the bytes of the input: a file's numbers are copied once, those of
 * the narrow types become 32 bits wide, and a model has its own.
 */
export const ALLOCATION_MULTIPLE = 8;
/** And so much besides, which does not grow with the input: what tables and schedules of an empty model take. */
export const ALLOCATION_BASE = 65_536;
/** A message is for people: it quotes no more of an input than they can read. */
const LONGEST_MESSAGE = 8192;

/** Bytes of an input. */
export function sizeOfInput(input: Input): number {
  return typeof input === 'string' ? 2 * input.length : input.byteLength;
}

/** Reads one input and checks every rule. */
export async function attempt(target: Target, input: Input): Promise<Outcome> {
  const before = await target.state?.();
  const globals = describeGlobals();
  const size = sizeOfInput(input);
  const began = performance.now();
  const run = await metered(ALLOCATION_BASE + ALLOCATION_MULTIPLE * size, () => target.read(input as never));
  let error: unknown = null;
  const accepted = 'result' in run;
  if ('result' in run) {
    try {
      await target.use?.(run.result as never, input as never);
    } catch (thrown) {
      error = thrown;
    }
  } else error = run.error;
  const milliseconds = performance.now() - began;
  const refusal = error === null ? null : error instanceof Error ? error.name : typeof error;
  const after = accepted ? before : await target.state?.();
  const problem =
    problemOf(target, error) ??
    (after === before ? null : 'what was there before was changed by an input that was refused') ??
    (describeGlobals() === globals ? null : 'a global prototype was changed');
  return { accepted, refusal, allocated: run.bytes(), milliseconds, problem };
}

function problemOf(target: Target, error: unknown): string | null {
  if (error === null) return null;
  if (!(error instanceof RnnError) && !target.allows?.(error)) {
    return error instanceof Error ? (error.stack ?? error.message) : `threw ${inspect(error)}`;
  }
  const { length } = (error as Error).message;
  return length <= LONGEST_MESSAGE ? null : `a message of ${length} characters`;
}

const PROTOTYPES: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  Map.prototype,
  String.prototype,
  Number.prototype,
  Float32Array.prototype,
  Error.prototype,
];

/** The names of everything that all objects of a kind inherit. */
function describeGlobals(): string {
  return PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).map(String).join()).join('\n');
}
