/** A strict JSON reader for files that may be hostile: duplicate keys are refused, objects become maps. */
import { FormatError } from '../graph/errors.js';

/** What JSON text says. Objects are maps, so that a key such as `__proto__` is only a key. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** A JSON object, in the order of its text. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** How deep arrays and objects may nest: more than any header needs, less than any call stack holds. */
const MAX_DEPTH = 32;
/** How many values there may be: more than any header needs, and as maps and lists they still fit into memory. */
const MAX_VALUES = 1_000_000;

/**
 * Reads JSON as RFC 8259 defines it, and refuses what that document leaves open: duplicate keys, lone
 * surrogates, numbers too large for a double, nesting deeper than 32, more than a million values.
 * @param culprit whose text it is, for messages
 * @throws FormatError
 */
export function parseJson(text: string, culprit: string): JsonValue {
  return new Reader(text, culprit).document();
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WHITESPACE = /[ \t\n\r]*/y;
// Everything a string may hold as it is: no quote, no backslash, no control character.
// eslint-disable-next-line no-control-regex
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const HEX = /[0-9a-fA-F]{4}/y;
const LONE_SURROGATE = /\p{Surrogate}/u;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** Whether `text` has half of a surrogate pair, which UTF-8 cannot say. */
export function hasLoneSurrogate(text: string): boolean {
  return LONE_SURROGATE.test(text);
}

class Reader {
  readonly #text: string;
  readonly #culprit: string;
  #at = 0;
  #values = 0;

  constructor(text: string, culprit: string) {
    this.#text = text;
    this.#culprit = culprit;
  }

  document(): JsonValue {
    this.#skip();
    const value = this.#value(0);
    this.#skip();
    if (this.#at < this.#text.length) this.#fail('something follows the JSON value');
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) this.#fail(`arrays and objects nest deeper than ${MAX_DEPTH}`);
    if (++this.#values > MAX_VALUES) this.#fail(`there are more than ${MAX_VALUES} values`);
    const first = this.#text[this.#at];
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#array(depth);
    if (first === '"') return this.#string();
    if (this.#word('true')) return true;
    if (this.#word('false')) return false;
    if (this.#word('null')) return null;
    return this.#number();
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, JsonValue>();
    this.#at++;
    this.#skip();
    if (this.#take('}')) return members;
    do {
      this.#skip();
      if (this.#text[this.#at] !== '"') this.#fail('a key in quotes is missing');
      const key = this.#string();
      if (members.has(key)) this.#fail(`the key ${JSON.stringify(key)} appears twice`);
      this.#skip();
      if (!this.#take(':')) this.#fail('":" is missing');
      this.#skip();
      members.set(key, this.#value(depth + 1));
      this.#skip();
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail('"," or "}" is missing');
    return members;
  }

  #array(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.#at++;
    this.#skip();
    if (this.#take(']')) return items;
    do {
      this.#skip();
      items.push(this.#value(depth + 1));
      this.#skip();
    } while (this.#take(','));
    if (!this.#take(']')) this.#fail('"," or "]" is missing');
    return items;
  }

  #string(): string {
    let result = '';
    this.#at++;
    for (;;) {
      result += this.#match(PLAIN);
      if (this.#take('"')) break;
      if (!this.#take('\\')) this.#fail('a string has a control character or no end');
      const letter = this.#text[this.#at++] ?? '';
      if (letter === 'u') {
        const digits = this.#match(HEX);
        if (!digits) this.#fail('\\u is not followed by four hexadecimal digits');
        result += String.fromCharCode(parseInt(digits, 16));
      } else if (Object.hasOwn(ESCAPES, letter)) {
        result += ESCAPES[letter]!;
      } else {
        this.#fail(`"\\${letter}" is no escape`);
      }
    }
    if (hasLoneSurrogate(result)) this.#fail('a string has half of a surrogate pair');
    return result;
  }

  #number(): number {
    const literal = this.#match(NUMBER);
    if (!literal)
      this.#fail(this.#at < this.#text.length ? 'no JSON value begins here' : 'the text ends early');
    const value = Number(literal);
    if (!Number.isFinite(value)) this.#fail('a number is too large');
    return value;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #skip(): void {
    this.#match(WHITESPACE);
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #fail(problem: string): never {
    throw new FormatError({
      culprit: this.#culprit,
      problem: `${problem}, at character ${this.#at} of the JSON text`,
      remedy: 'the file is damaged or was not written by a correct program; get it again',
    });
  }
}
