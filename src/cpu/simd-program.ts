/** The WebAssembly program of one product, put together from its instructions: `y += W·x`, sixteen rows at a time. */

// Numbers of instructions and types: WebAssembly Core Specification 2.0, sections 5.3 to 5.5.
const I32 = 0x7f;
const V128 = 0x7b;
const LOOP = [0x03, 0x40];
const END = 0x0b;
const BRANCH_IF = 0x0d;
const ADD = 0x6a;

/** Vectors of four that are added up side by side. */
const VECTORS = 4;
const BYTES = 16;

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];
const constant = (value: number): number[] => [0x41, ...signed(value)];
const simd = (instruction: number): number[] => [0xfd, ...unsigned(instruction)];
const load = (offset: number): number[] => [...simd(0x00), 4, ...unsigned(offset)];
const loadSplat = [...simd(0x09), 2, 0];
const store = (offset: number): number[] => [...simd(0x0b), 4, ...unsigned(offset)];
const addFloats = simd(0xe4);
const multiplyFloats = simd(0xe6);
const advance = (local: number, by: number): number[] => [...get(local), ...constant(by), ADD, ...set(local)];
const countDown = (local: number): number[] => [...get(local), ...constant(-1), ADD, ...tee(local)];

let program: WebAssembly.Module | null | undefined;

/**
 * Exports `run(weight, x, y, blocks, columns)`, the first three being places in `host.memory`: adds to each of
 * `y[16·blocks]` the products of its row of weights and `x[columns]`. Weights are `[blocks,columns,16]`.
 * @returns null where WebAssembly or its SIMD is missing, or forbidden by the page's policy
 */
export function simdProgram(): WebAssembly.Module | null {
  if (program === undefined) {
    try {
      program = new WebAssembly.Module(assemble());
    } catch {
      program = null;
    }
  }
  return program;
}

function assemble(): Uint8Array<ArrayBuffer> {
  const [weight, x, y, blocks, columns, at, left, factor, sums] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const vectors = Array.from({ length: VECTORS }, (_, vector) => vector);
  const body = [
    ...LOOP,
    ...vectors.flatMap((v) => [...get(y), ...load(v * BYTES), ...set(sums + v)]),
    ...[...get(x), ...set(at), ...get(columns), ...set(left)],
    ...LOOP,
    ...[...get(at), ...loadSplat, ...set(factor)],
    ...vectors.flatMap((v) => [
      ...[...get(sums + v), ...get(weight), ...load(v * BYTES), ...get(factor), ...multiplyFloats],
      ...[...addFloats, ...set(sums + v)],
    ]),
    ...[...advance(weight, VECTORS * BYTES), ...advance(at, 4), ...countDown(left), BRANCH_IF, 0, END],
    ...vectors.flatMap((v) => [...get(y), ...get(sums + v), ...store(v * BYTES)]),
    ...[...advance(y, VECTORS * BYTES), ...countDown(blocks), BRANCH_IF, 0, END],
    END,
  ];
  const locals = [2, ...[2, I32], ...[1 + VECTORS, V128]];
  const parameters = [I32, I32, I32, I32, I32];
  return Uint8Array.from([
    ...[0, ...text('asm'), 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters.length, ...parameters, 0]),
    // host.memory, one page or more; run.
    ...section(2, [1, ...name('host'), ...name('memory'), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('run'), 0, 0]),
    ...section(10, [1, ...sized([...locals, ...body])]),
  ]);
}

function section(id: number, content: number[]): number[] {
  return [id, ...sized(content)];
}

function sized(content: number[]): number[] {
  return [...unsigned(content.length), ...content];
}

function name(of: string): number[] {
  return sized(text(of));
}

function text(of: string): number[] {
  return Array.from(of, (character) => character.charCodeAt(0));
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...unsigned(value >> 7)];
}

/** LEB128 of a number with a sign. */
function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
}
