/** Every error this library throws on purpose: one base class, one subclass a kind of mistake. */

/** What went wrong, said so that the reader can mend it. */
export interface ErrorParts {
  /** Who is at fault: a layer, an option, a file, a value; e.g. `lstm "encoder"`. */
  readonly culprit: string;
  /** What is wrong with it, in one clause. */
  readonly problem: string;
  /** What to do about it, in one clause. */
  readonly remedy?: string;
  /** The error that this one explains. */
  readonly cause?: unknown;
}

/** Longer parts of a message, such as names out of a hostile file, are cut. */
const LONGEST = 2000;

function clip(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** The base of every error thrown on purpose by this library. */
export class RnnError extends Error {
  /** In writing, since a bundler may shorten the names of classes. */
  override readonly name: string = 'RnnError';
  /** Who is at fault. */
  readonly culprit: string;
  /** What to do about it; empty where there is nothing to say. */
  readonly remedy: string;

  constructor(parts: ErrorParts) {
    const { culprit, problem, remedy, cause } = parts;
    super(
      `${clip(culprit)}: ${clip(problem)}${remedy ? `; ${clip(remedy)}` : ''}`,
      cause === undefined ? undefined : { cause },
    );
    this.culprit = culprit;
    this.remedy = remedy ?? '';
  }
}

/** Shapes or element types that do not fit together. Thrown while recording, or when a plan is fed. */
export class ShapeError extends RnnError {
  override readonly name: string = 'ShapeError';
}

/** An option or argument outside its range, or one that does not exist. */
export class ArgumentError extends RnnError {
  override readonly name: string = 'ArgumentError';
}

/** A request beyond what the adapter allows; the message names the limit. Thrown before allocating. */
export class LimitError extends RnnError {
  override readonly name: string = 'LimitError';
}

/** WebGPU is missing, refused, lost or out of memory. */
export class DeviceError extends RnnError {
  override readonly name: string = 'DeviceError';
}

/** The device, or the host, has not as much memory as was asked for. What the call had taken is free again. */
export class OutOfMemoryError extends DeviceError {
  override readonly name: string = 'OutOfMemoryError';
}

/**
 * The device was lost, and with it what it had computed since the last snapshot. Unless `final`, another one has
 * taken its place or is on its way, and the call may be made again.
 */
export class DeviceLostError extends DeviceError {
  override readonly name: string = 'DeviceLostError';
  /** Devices that the executor has lost so far, this one included. */
  readonly losses: number;
  /** Whether there will be no other device. */
  readonly final: boolean;
  /** The step after which the training stands again, where the call was one of a training; else `null`. */
  readonly step: number | null;

  constructor(
    parts: ErrorParts & { readonly losses: number; readonly final: boolean; readonly step?: number },
  ) {
    super(parts);
    this.losses = parts.losses;
    this.final = parts.final;
    this.step = parts.step ?? null;
  }
}

/** A WGSL file or pipeline that the driver refused. */
export class ShaderError extends RnnError {
  override readonly name: string = 'ShaderError';
}

/** A part of the library that is downloaded when it is first needed, and could not be. */
export class FetchError extends RnnError {
  override readonly name: string = 'FetchError';
}

/** Something was used after its `dispose()`. */
export class DisposedError extends RnnError {
  override readonly name: string = 'DisposedError';
}

/** A long call stopped because its `AbortSignal` asked it to; what it was working on is intact. */
export class AbortError extends RnnError {
  override readonly name: string = 'AbortError';
}

/** A file that is truncated, hostile, or not what it claims to be. */
export class FormatError extends RnnError {
  override readonly name: string = 'FormatError';
}

/** Text that cannot be used as asked: empty, too short, not UTF-8, or with unknown characters. */
export class TextError extends RnnError {
  override readonly name: string = 'TextError';
}

/** NaN or infinity where a finite number is needed. */
export class NonFiniteError extends RnnError {
  override readonly name: string = 'NonFiniteError';
}

/** An {@link OutOfMemoryError} with its usual remedy. */
export function outOfMemory(culprit: string, problem: string, cause?: unknown): OutOfMemoryError {
  const remedy = 'use a smaller batch, sequence or model, or dispose of what is not needed';
  return new OutOfMemoryError({ culprit, problem, remedy, cause });
}

/**
 * What `work` gives. A RangeError in it, with which JavaScript says that there is no memory for an array,
 * becomes an {@link OutOfMemoryError}.
 */
export function guardMemory<R>(culprit: string, work: () => R): R {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw outOfMemory(culprit, `memory of the host could not be allocated (${cause.message})`, cause);
  }
}

/** Throws an {@link AbortError} when `signal` has been aborted; `what` names the call. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (!signal?.aborted) return;
  throw new AbortError({
    culprit: what,
    problem: 'was aborted by its signal',
    remedy: 'the weights are those of the last finished step; call it again to go on',
    cause: signal.reason,
  });
}

/**
 * Waits for a part of the library that is downloaded when it is first needed.
 * @throws FetchError where it cannot be
 */
export async function fetched<T>(part: string, fetch: () => Promise<T>): Promise<T> {
  try {
    return await fetch();
  } catch (cause) {
    throw new FetchError({
      culprit: part,
      problem: 'could not be downloaded',
      remedy: 'check the connection, and that all files of the library are served, and try again',
      cause,
    });
  }
}
