/** WebAssembly programs with SIMD, put together from their instructions. */

// Numbers of instructions and types: WebAssembly Core Specification 2.0, sections 5.3 to 5.5.
const I32 = 0x7f;
const V128 = 0x7b;
const LOOP = [0x03, 0x40];
const END = 0x0b;
const BRANCH_IF = [0x0d, 0];

/** Instructions, encoded. */
export type Code = readonly number[];

export const get = (local: number): Code => [0x20, local];
export const set = (local: number): Code => [0x21, local];
export const constant = (value: number): Code => [0x41, ...signed(value)];
export const add: Code = [0x6a];
export const shiftLeft: Code = [0x74];
export const addFloat: Code = [0x92];
export const loadFloat = (offset: number): Code => [0x2a, 2, ...unsigned(offset)];
export const storeFloat = (offset: number): Code => [0x38, 2, ...unsigned(offset)];

const simd = (instruction: number): Code => [0xfd, ...unsigned(instruction)];

export const load = (offset: number): Code => [...simd(0x00), 4, ...unsigned(offset)];
export const loadSplat: Code = [...simd(0x09), 2, 0];
export const store = (offset: number): Code => [...simd(0x0b), 4, ...unsigned(offset)];
export const splat: Code = simd(0x11);
export const extract = (lane: number): Code => [...simd(0x1f), lane];
export const addFloats: Code = simd(0xe4);
export const multiplyFloats: Code = simd(0xe6);

/** Moves a pointer by bytes that are known beforehand. */
export const advance = (local: number, by: number): Code => [
  ...get(local),
  ...constant(by),
  ...add,
  ...set(local),
];

/** Does something as often as a local says, at least once; the local is zero then. */
export function repeat(count: number, ...body: readonly Code[]): Code {
  const tee = [0x22, count];
  return [...LOOP, ...body.flat(), ...get(count), ...constant(-1), ...add, ...tee, ...BRANCH_IF, END];
}

/** A program of one function, on the memory `host.memory`. */
export interface Program {
  /** Whole numbers that it takes: the first locals. */
  readonly parameters: number;
  /** Further locals that are whole numbers, and then vectors. */
  readonly integers: number;
  readonly vectors: number;
  readonly body: Code;
}

/**
 * Compiles what exports its function as `run`.
 * @returns null where WebAssembly or its SIMD is missing, or forbidden by the page's policy
 */
export function compile(program: Program): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(assemble(program));
  } catch {
    return null;
  }
}

function assemble({ parameters, integers, vectors, body }: Program): Uint8Array<ArrayBuffer> {
  const types = new Array<number>(parameters).fill(I32);
  const locals = [2, integers, I32, vectors, V128];
  return Uint8Array.from([
    ...[0, ...text('asm'), 1, 0, 0, 0],
    ...section(1, [1, 0x60, ...sized(types), 0]),
    ...section(2, [1, ...sized(text('host')), ...sized(text('memory')), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...sized(text('run')), 0, 0]),
    ...section(10, [1, ...sized([...locals, ...body, END])]),
  ]);
}

function section(id: number, content: Code): Code {
  return [id, ...sized(content)];
}

function sized(content: Code): Code {
  return [...unsigned(content.length), ...content];
}

function text(of: string): number[] {
  return Array.from(of, (character) => character.charCodeAt(0));
}

/** LEB128. */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value % 128) + 128, ...unsigned(value >> 7)];
}

/** LEB128 of a number with a sign. */
function signed(value: number): Code {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
}
