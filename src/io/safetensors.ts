/** Safetensors files: a strict reader that trusts nothing, and a writer that PyTorch can read. */
import { ArgumentError, FormatError, guardMemory, ShapeError } from '../graph/errors.js';
import { checkMap, show } from '../graph/options.js';
import { formatShape, sizeOf, type Shape } from '../graph/shape.js';
import type { HostArray } from '../graph/value.js';
import type { StateMap } from '../nn/module.js';
import { hasLoneSurrogate, parseJson, type JsonObject, type JsonValue } from './json.js';

/** Element types that are read. Whole numbers other than `I32` are widened or, if each fits, narrowed to 32 bits. */
export type SafetensorsDType =
  'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U64' | 'U32' | 'U16' | 'U8' | 'BOOL';

/** One tensor of a file. */
export interface SafetensorsTensor {
  /** The type in the file. */
  readonly dtype: SafetensorsDType;
  readonly shape: Shape;
  /** `F64` gives a Float64Array, the other real types a Float32Array, whole numbers an Int32Array. A copy. */
  readonly data: HostArray;
}

/** What a safetensors file says. */
export interface SafetensorsFile {
  /** By name, in the order of the header. */
  readonly tensors: Map<string, SafetensorsTensor>;
  /** The strings under `__metadata__`. */
  readonly metadata: Map<string, string>;
}

/** The format's own bound, which keeps a hostile header from filling memory. */
const MAX_HEADER_BYTES = 100_000_000;
const METADATA = '__metadata__';
const FILE = 'safetensors file';
const DAMAGED = 'the file is damaged or was not written by a correct program; get it again';

const ELEMENT_BYTES: Readonly<Record<SafetensorsDType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

interface Entry {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file (https://github.com/huggingface/safetensors#format). Everything is checked
 * before anything is allocated: lengths against the file, offsets against each other (no overlap, no
 * hole, none outside), shapes against bytes, duplicate keys. The format sets no alignment of tensors,
 * so none is demanded. NaN and infinity are legal here; who loads parameters checks for them.
 * @throws FormatError that names the tensor or field at fault; OutOfMemoryError where the host has no memory for a copy
 */
export function parseSafetensors(bytes: Uint8Array | ArrayBuffer): SafetensorsFile {
  const file = bytes instanceof Uint8Array ? bytes : toBytes(bytes);
  const { header, dataBegin } = readHeader(file);
  const metadata = readMetadata(header.get(METADATA));
  const entries: Entry[] = [];
  for (const [name, value] of header) if (name !== METADATA) entries.push(readEntry(name, value));
  checkLayout(entries, file.byteLength - dataBegin);

  const tensors = new Map<string, SafetensorsTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const data = guardMemory(`${FILE}, tensor "${name}"`, () => {
      // A copy: it is aligned, and changing it leaves the caller's bytes alone. Not `slice`, which in Node's Buffer copies nothing.
      const raw = new Uint8Array(file.subarray(dataBegin + begin, dataBegin + end));
      return decode(raw, dtype, sizeOf(shape), name);
    });
    tensors.set(name, { dtype, shape, data });
  }
  return { tensors, metadata };
}

/**
 * Writes a safetensors file (a Float32Array as `F32`, a Float64Array as `F64`, an Int32Array as `I32`): header padded to 8 bytes, tensors in the reference writer's order (wider
 * types first, then by name), so that equal content gives equal bytes.
 * @throws ShapeError when a shape does not hold its numbers; ArgumentError for names the format cannot say;
 * OutOfMemoryError where the host has no memory for the file
 */
export function writeSafetensors(
  tensors: StateMap,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  checkMap('writeSafetensors', 'tensors', tensors);
  return guardMemory(FILE, () => write(tensors, metadata));
}

function write(tensors: StateMap, metadata: ReadonlyMap<string, string>): Uint8Array {
  const header: string[] = [];
  for (const [key, value] of metadata) checkText(`metadata "${key}"`, `${key}${value}`);
  if (metadata.size > 0) {
    const members = [...metadata].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    header.push(`"${METADATA}":{${members.join(',')}}`);
  }
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) => rankOf(a.data) - rankOf(b.data) || compareCodePoints(nameA, nameB),
  );
  let dataBytes = 0;
  for (const [name, { shape, data }] of sorted) {
    checkTensor(name, shape, data);
    const end = dataBytes + data.byteLength;
    header.push(
      `${JSON.stringify(name)}:{"dtype":"${dtypeOf(data)}","shape":[${shape.join(',')}],"data_offsets":[${dataBytes},${end}]}`,
    );
    dataBytes = end;
  }
  const json = new TextEncoder().encode(`{${header.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(file.buffer).setUint32(0, headerBytes, true);
  file.set(json, 8);
  file.fill(0x20, 8 + json.length, 8 + headerBytes);
  let at = 8 + headerBytes;
  for (const [, { data }] of sorted) {
    // Typed arrays are little-endian wherever this library runs, as the format wants.
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

function toBytes(bytes: unknown): Uint8Array {
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
  throw new ArgumentError({
    culprit: FILE,
    problem: `got ${show(bytes)}`,
    remedy: 'pass the file as a Uint8Array or an ArrayBuffer',
  });
}

function readHeader(file: Uint8Array): { header: JsonObject; dataBegin: number } {
  if (file.byteLength < 8) {
    throw new FormatError({
      culprit: FILE,
      problem: `has ${file.byteLength} bytes, its header length alone takes 8`,
      remedy: DAMAGED,
    });
  }
  const beginning = String.fromCharCode(...file.subarray(0, 16));
  if (/^[\x20-\x7e\s]{16}$/.test(beginning)) {
    throw new FormatError({
      culprit: FILE,
      problem: `begins with ${JSON.stringify(beginning)}, so it is a text`,
      remedy: 'see whether its address is right, and the response ok: what came may be a page that says so',
    });
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw new FormatError({
      culprit: `${FILE}, header length`,
      problem: `claims ${length} bytes, the format allows ${MAX_HEADER_BYTES}`,
      remedy: DAMAGED,
    });
  }
  if (length > file.byteLength - 8) {
    throw new FormatError({
      culprit: `${FILE}, header length`,
      problem: `claims ${length} bytes, but only ${file.byteLength - 8} follow`,
      remedy: DAMAGED,
    });
  }
  const bytes = file.subarray(8, 8 + length);
  if (bytes[0] !== 0x7b) {
    throw new FormatError({
      culprit: `${FILE}, header`,
      problem: 'does not begin with "{"',
      remedy: DAMAGED,
    });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError({ culprit: `${FILE}, header`, problem: 'is not UTF-8', remedy: DAMAGED, cause });
  }
  const header = parseJson(text, `${FILE}, header`);
  // It begins with "{", so it is an object if it is anything.
  return { header: header as JsonObject, dataBegin: 8 + length };
}

function readMetadata(value: JsonValue | undefined): Map<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined) return metadata;
  const culprit = `${FILE}, ${METADATA}`;
  if (!(value instanceof Map)) {
    throw new FormatError({ culprit, problem: 'is not an object', remedy: DAMAGED });
  }
  for (const [key, text] of value as JsonObject) {
    if (typeof text !== 'string') {
      throw new FormatError({ culprit, problem: `the value of "${key}" is not a string`, remedy: DAMAGED });
    }
    metadata.set(key, text);
  }
  return metadata;
}

function readEntry(name: string, value: JsonValue): Entry {
  const culprit = `${FILE}, tensor "${name}"`;
  const fail = (problem: string): never => {
    throw new FormatError({ culprit, problem, remedy: DAMAGED });
  };
  if (!(value instanceof Map)) return fail('its description is not an object');
  const fields = value as JsonObject;
  for (const key of fields.keys()) {
    if (!['dtype', 'shape', 'data_offsets'].includes(key)) fail(`has an unknown field "${key}"`);
  }
  const dtype = fields.get('dtype');
  if (typeof dtype !== 'string') return fail('dtype is not a string');
  if (!Object.hasOwn(ELEMENT_BYTES, dtype)) {
    throw new FormatError({
      culprit,
      problem: `dtype ${JSON.stringify(dtype)} is not one that is read`,
      remedy: `save it as one of ${Object.keys(ELEMENT_BYTES).join(', ')}`,
    });
  }
  const shape = wholeNumbers(fields.get('shape')) ?? fail('shape is not a list of whole numbers');
  const offsets = wholeNumbers(fields.get('data_offsets'));
  if (offsets?.length !== 2) return fail('data_offsets is not a pair of whole numbers');
  const [begin, end] = offsets as [number, number];
  if (end < begin) fail(`ends at byte ${end}, before it begins at ${begin}`);
  const bytes = bytesOf(shape, ELEMENT_BYTES[dtype as SafetensorsDType]);
  if (bytes !== end - begin) {
    fail(
      `shape ${formatShape(shape)} of ${dtype} takes ${bytes ?? 'too many'} bytes, its offsets span ${end - begin}`,
    );
  }
  return { name, dtype: dtype as SafetensorsDType, shape, begin, end };
}

function wholeNumbers(value: JsonValue | undefined): number[] | null {
  if (!Array.isArray(value)) return null;
  const valid = (n: unknown): n is number =>
    Number.isSafeInteger(n) && (n as number) >= 0 && !Object.is(n, -0);
  const items: readonly unknown[] = value;
  return items.every(valid) ? [...items] : null;
}

/** Bytes of a tensor; `null` when no double holds the number. */
function bytesOf(shape: Shape, elementBytes: number): number | null {
  if (shape.includes(0)) return 0;
  let bytes = elementBytes;
  for (const dimension of shape) {
    bytes *= dimension;
    if (!Number.isSafeInteger(bytes)) return null;
  }
  return bytes;
}

function checkLayout(entries: readonly Entry[], dataBytes: number): void {
  const sorted = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const entry of sorted) {
    const culprit = `${FILE}, tensor "${entry.name}"`;
    if (entry.end > dataBytes) {
      throw new FormatError({
        culprit,
        problem: `ends at byte ${entry.end} of the data, which has ${dataBytes}`,
        remedy: 'the file is truncated or damaged; get it again',
      });
    }
    if (entry.begin !== end) {
      const problem =
        entry.begin < end
          ? `begins at byte ${entry.begin}, inside the tensor before it, which ends at ${end}`
          : `leaves a hole: the tensor before it ends at byte ${end}, it begins at ${entry.begin}`;
      throw new FormatError({ culprit, problem, remedy: DAMAGED });
    }
    end = entry.end;
  }
  if (end !== dataBytes) {
    throw new FormatError({
      culprit: FILE,
      problem: `the tensors cover ${end} bytes of data, the file has ${dataBytes}`,
      remedy: DAMAGED,
    });
  }
}

function decode(raw: Uint8Array, dtype: SafetensorsDType, count: number, name: string): HostArray {
  const { buffer } = raw;
  const view = new DataView(buffer);
  const reals = (read: (i: number) => number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => read(i));
  const whole = (read: (i: number) => number | bigint): Int32Array => {
    const result = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const value = read(i);
      result[i] = Number(value);
      if (BigInt(value) !== BigInt(result[i]!)) {
        throw new FormatError({
          culprit: `${FILE}, tensor "${name}"`,
          problem: `element ${i} is ${value}, more than a 32-bit whole number holds`,
          remedy: 'save it as real numbers, or keep its values within 32 bits',
        });
      }
    }
    return result;
  };
  switch (dtype) {
    case 'F64':
      return new Float64Array(buffer as ArrayBuffer);
    case 'F32':
      return new Float32Array(buffer as ArrayBuffer);
    case 'I32':
      return new Int32Array(buffer as ArrayBuffer);
    case 'F16':
      return reals((i) => halfToNumber(view.getUint16(2 * i, true)));
    case 'BF16': {
      // bfloat16 is the upper half of a float32.
      const bits = Uint32Array.from({ length: count }, (_, i) => view.getUint16(2 * i, true) << 16);
      return new Float32Array(bits.buffer);
    }
    case 'I64':
      return whole((i) => view.getBigInt64(8 * i, true));
    case 'U64':
      return whole((i) => view.getBigUint64(8 * i, true));
    case 'U32':
      return whole((i) => view.getUint32(4 * i, true));
    case 'I16':
      return whole((i) => view.getInt16(2 * i, true));
    case 'U16':
      return whole((i) => view.getUint16(2 * i, true));
    case 'I8':
      return whole((i) => view.getInt8(i));
    case 'U8':
    case 'BOOL':
      return whole((i) => view.getUint8(i));
  }
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function dtypeOf(data: HostArray): SafetensorsDType {
  return data instanceof Float64Array ? 'F64' : data instanceof Float32Array ? 'F32' : 'I32';
}

/** The reference writer's order of types: wide before narrow, and F32 before I32. */
function rankOf(data: HostArray): number {
  return ['F64', 'F32', 'I32'].indexOf(dtypeOf(data));
}

/** By code point, which is the order of UTF-8 bytes. */
function compareCodePoints(a: string, b: string): number {
  const x = Array.from(a, (c) => c.codePointAt(0)!);
  const y = Array.from(b, (c) => c.codePointAt(0)!);
  for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return x[i]! - y[i]!;
  return x.length - y.length;
}

function checkTensor(name: string, shape: Shape, data: HostArray): void {
  const culprit = `tensor "${name}"`;
  checkText(culprit, name);
  if (name === METADATA) {
    throw new ArgumentError({
      culprit,
      problem: 'is a name the format keeps for itself',
      remedy: 'rename it',
    });
  }
  const valid = shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
  if (!valid || sizeOf(shape) !== data.length) {
    throw new ShapeError({
      culprit,
      problem: `shape ${formatShape(shape)} does not hold its ${data.length} numbers`,
      remedy: 'the product of the dimensions must be the number of elements',
    });
  }
}

function checkText(culprit: string, text: string): void {
  if (!hasLoneSurrogate(text)) return;
  throw new ArgumentError({
    culprit,
    problem: 'has half of a surrogate pair, which UTF-8 cannot say',
    remedy: 'use whole characters',
  });
}
