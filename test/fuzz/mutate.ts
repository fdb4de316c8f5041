/** Mutators: damage to bytes, to text, to JSON, and to safetensors files at the level of their headers and tensors. */
import { parseSafetensors, writeSafetensors } from '../../src/io/safetensors.js';
import type { TensorData } from '../../src/nn/module.js';

/** A source of numbers from 0 to below 1, such as `randomSource(seed)`. */
export type Random = () => number;

/** A whole number from 0 to `below − 1`. */
export function pick(random: Random, below: number): number {
  return Math.floor(random() * below);
}

/** One of them. */
export function choose<T>(random: Random, items: readonly T[]): T {
  return items[pick(random, items.length)]!;
}

/** Numbers at the edges of what formats and types hold, and what is none though it looks like one. */
const NUMBERS = [
  '-1',
  '-0',
  '0',
  '1',
  '2',
  '3',
  '7',
  '255',
  '65536',
  '2147483648',
  '4294967295',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551616',
  '0.5',
  '1e-400',
  '1e39',
  '1e308',
  '1e999',
  '-1e400',
  '00',
  '+1',
  '0x10',
  '1.',
  '1e',
  '-',
  'NaN',
  'Infinity',
];

/** Names with a meaning to the language or the formats, and text at the edges of Unicode. */
const STRINGS = [
  '',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'length',
  '__metadata__',
  'dtype',
  'shape',
  'data_offsets',
  'F64',
  'F32',
  'F16',
  'BF16',
  'I64',
  'I32',
  'I8',
  'U8',
  'BOOL',
  'lstm',
  'gru',
  'history.__proto__',
  'sum.loss',
  'sum.__proto__',
  '\u0000',
  '\ufeff',
  '🙂',
  'e\u0301',
  'x'.repeat(300),
];

const VALUES = [
  'null',
  'true',
  'false',
  '[]',
  '{}',
  '[[]]',
  '[1,2,3]',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '['.repeat(40) + ']'.repeat(40),
];

/** Real numbers at the edges of 16, 32 and 64 bits. */
const REALS = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 65504, 3.4e38, -3.4e38, 1e39, 1e308, 5e-324, 1e-45];

/** One to four of: flipped bits, edge values, runs that are cut, doubled, moved, inserted or taken from elsewhere. */
export function mutateBytes(bytes: Uint8Array, random: Random, other: Uint8Array = bytes): Uint8Array {
  let result = Uint8Array.from(bytes);
  for (let count = 1 + pick(random, 4); count > 0; count--) {
    const at = pick(random, result.length + 1);
    const length = Math.min(result.length - at, 1 + pick(random, choose(random, [1, 4, 16, 64, 512])));
    const before = result.subarray(0, at);
    const run = result.subarray(at, at + length);
    const after = result.subarray(at + length);
    switch (pick(random, 9)) {
      case 0:
        if (at < result.length) result[at]! ^= 1 << pick(random, 8);
        break;
      case 1:
        if (at < result.length) result[at] = choose(random, [0, 1, 0x20, 0x22, 0x7b, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        result = join(before, after);
        break;
      case 3:
        result = join(before, run, run, after);
        break;
      case 4:
        result = Uint8Array.from(before);
        break;
      case 5:
        result = join(
          before,
          Uint8Array.from({ length: 1 + pick(random, 8) }, () => pick(random, 256)),
          run,
          after,
        );
        break;
      case 6: {
        const from = pick(random, other.length + 1);
        result = join(before, other.subarray(from, from + 1 + pick(random, 256)), after);
        break;
      }
      case 7:
        run.fill(choose(random, [0, 0xff, 0x7f, pick(random, 256)]));
        break;
      default:
        result = join(after, before, run);
    }
  }
  return result;
}

/** Bytes one after another. */
export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

const TOKENS = /"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[{}[\]:,]|[a-z]+|\s+|./gsu;

/** JSON text with one to three tokens replaced, moved, doubled or lost; a text within the text is damaged alike. */
export function mutateJson(text: string, random: Random, depth = 0): string {
  const tokens: string[] = text.match(TOKENS) ?? [];
  for (let count = 1 + pick(random, 3); count > 0; count--) {
    const nested = depth > 2 ? [] : indicesOf(tokens, (token) => /^"\{.+\}"$/s.test(token));
    if (nested.length > 0 && random() < 0.6) {
      const at = choose(random, nested);
      tokens[at] = JSON.stringify(mutateJson(unquote(tokens[at]!), random, depth + 1));
      continue;
    }
    const kind = choose(random, [/^-?[0-9]/, /^"/, /^"/, /^[{}[\]:,]$/, /./s]);
    const at = choose(random, [...indicesOf(tokens, (token) => kind.test(token)), 0]);
    const token = tokens[at] ?? '';
    switch (pick(random, 7)) {
      case 0:
        tokens[at] = choose(random, VALUES);
        break;
      case 1:
        tokens.splice(at, 1);
        break;
      case 2:
        tokens.splice(at, 0, ...tokens.slice(at, at + 1 + pick(random, 8)));
        break;
      case 3: {
        const other = pick(random, tokens.length);
        [tokens[at], tokens[other]] = [tokens[other] ?? '', token];
        break;
      }
      case 4:
        tokens[at] = /^-?[0-9]/.test(token) ? nudge(token, random) : choose(random, NUMBERS);
        break;
      default:
        tokens[at] = token.startsWith('"')
          ? JSON.stringify(choose(random, STRINGS))
          : choose(random, NUMBERS);
    }
  }
  return tokens.join('');
}

function nudge(token: string, random: Random): string {
  const value = Number(token);
  return String(choose(random, [value + 1, value - 1, value * 2, -value, value + 0.5, value + 2 ** 32]));
}

function indicesOf(tokens: readonly string[], test: (token: string) => boolean): number[] {
  return tokens.flatMap((token, index) => (test(token) ? [index] : []));
}

function unquote(token: string): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    return token;
  }
}

/** Text with characters, lines and numbers replaced, moved, doubled or lost. */
export function mutateText(text: string, random: Random): string {
  const parts = text.match(/[A-Za-z]+|[0-9]+|\s|[^A-Za-z0-9\s]/gs) ?? [];
  for (let count = 1 + pick(random, 4); count > 0; count--) {
    const at = pick(random, parts.length + 1);
    const added = choose(random, [
      choose(random, NUMBERS),
      choose(random, STRINGS),
      choose(random, [
        '%',
        '%zz',
        '%00',
        '&',
        '=',
        '#',
        '--',
        '\n',
        '\r',
        '\ud800',
        '\udc00',
        '9'.repeat(400),
      ]),
      String.fromCharCode(pick(random, 65536)),
    ]);
    const run = parts.slice(at, at + 1 + pick(random, 6));
    parts.splice(at, pick(random, 3), ...choose(random, [[added], [...run, ...run], [], [added, ...run]]));
  }
  return parts.join('');
}

/** A safetensors file of this header and data; the length in front is true unless another is given. */
export function assemble(header: string | Uint8Array, data: Uint8Array, claimed?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  return join(length, text, data);
}

/** A damaged safetensors file: in its bytes, in its header, or whole but with other tensors or settings. */
export function mutateFile(file: Uint8Array, random: Random, other: Uint8Array = file): Uint8Array {
  const way = random();
  if (way < 0.25 || file.length < 10) return mutateBytes(file, random, other);
  return (way < 0.6 ? null : mutateTensors(file, random, other)) ?? mutateHeader(file, random);
}

function mutateHeader(file: Uint8Array, random: Random): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const end = length <= file.length - 8 ? 8 + length : file.length;
  const header = mutateJson(new TextDecoder().decode(file.subarray(8, end)), random);
  const data = file.subarray(end);
  const way = random();
  if (way < 0.8) return assemble(header, data);
  if (way < 0.9) return assemble(header, random() < 0.5 ? data.subarray(1) : join(data, data));
  const claimed = choose(random, [0n, 1n, BigInt(header.length + 1), 2n ** 31n, 2n ** 53n, 2n ** 64n - 1n]);
  return assemble(header, data, claimed);
}

function mutateTensors(file: Uint8Array, random: Random, other: Uint8Array): Uint8Array | null {
  try {
    const { tensors, metadata } = parseSafetensors(file);
    const all = new Map<string, TensorData>(tensors);
    for (let count = 1 + pick(random, 2); count > 0; count--) {
      if (random() < 0.4 && metadata.size > 0) {
        const key = choose(random, [...metadata.keys()]);
        metadata.set(key, mutateJson(metadata.get(key)!, random));
      } else changeTensor(all, random, other);
    }
    return writeSafetensors(all, metadata);
  } catch {
    // The file was no good before, or cannot be written so: damage its text instead.
    return null;
  }
}

function changeTensor(all: Map<string, TensorData>, random: Random, other: Uint8Array): void {
  const name = choose(random, [...all.keys()]);
  const tensor = all.get(name);
  if (!tensor) return;
  const { shape, data } = tensor;
  switch (pick(random, 8)) {
    case 0:
      all.delete(name);
      break;
    case 1:
      all.delete(name);
      all.set(choose(random, [...STRINGS, `${name}x`, ...all.keys()]), tensor);
      break;
    case 2:
      all.set(choose(random, [...STRINGS, `${name}x`, ...all.keys()]), tensor);
      break;
    case 3:
      all.set(name, { shape: choose(random, [[data.length], [1, ...shape], [...shape].reverse()]), data });
      break;
    case 4: {
      const changed = data.slice();
      if (changed.length > 0) changed[pick(random, changed.length)] = choose(random, REALS);
      all.set(name, { shape, data: changed });
      break;
    }
    case 5:
      all.set(name, { shape, data: choose(random, [Float32Array, Float64Array, Int32Array]).from(data) });
      break;
    case 6: {
      const length = choose(random, [0, 1, data.length + 1, 2 * data.length]);
      all.set(name, { shape: [length], data: Float32Array.from({ length }, () => random() - 0.5) });
      break;
    }
    default:
      for (const [key, taken] of parseSafetensors(other).tensors) if (random() < 0.3) all.set(key, taken);
  }
}
