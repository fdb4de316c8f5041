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
const HEX = /[0-9a-fA-F]{4}/y;
const LONE_SURROGATE = /\p{Surrogate}/u;
/** The letters that may follow a backslash, but for `u`. */
const ESCAPES = '"\\/bfnrt';
const [SPACE, QUOTE, BACKSLASH, SURROGATES] = [0x20, 0x22, 0x5c, 0xd800];

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

  /** Looks at each character once, and leaves what is escaped to the engine: a piece for each escape would take seconds. */
  #string(): string {
    const text = this.#text;
    const begin = this.#at;
    let at = begin + 1;
    let escaped = false;
    // Only then may there be half of a surrogate pair.
    let wide = false;
    for (let code; (code = text.charCodeAt(at)) !== QUOTE; at++) {
      // Behind the end it is NaN.
      if (!(code >= SPACE)) this.#fail('a string has a control character or no end', at);
      if (code >= SURROGATES) wide = true;
      if (code !== BACKSLASH) continue;
      escaped = true;
      const letter = text[++at] ?? '';
      HEX.lastIndex = at + 1;
      if (letter === 'u') {
        if (!HEX.test(text)) this.#fail('\\u is not followed by four hexadecimal digits', at + 1);
        at += 4;
        wide = true;
      } else if (!letter || !ESCAPES.includes(letter)) {
        this.#fail(`"\\${letter}" is no escape`, at + 1);
      }
    }
    this.#at = at + 1;
    const result = escaped ? (JSON.parse(text.slice(begin, at + 1)) as string) : text.slice(begin + 1, at);
    if (wide && hasLoneSurrogate(result)) this.#fail('a string has half of a surrogate pair');
    return result;
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const literal = NUMBER.exec(this.#text)?.[0];
    if (!literal)
      this.#fail(this.#at < this.#text.length ? 'no JSON value begins here' : 'the text ends early');
    this.#at += literal.length;
    const value = Number(literal);
    if (!Number.isFinite(value)) this.#fail('a number is too large');
    return value;
  }

  #skip(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? '.')) this.#at++;
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

  #fail(problem: string, at = this.#at): never {
    throw new FormatError({
      culprit: this.#culprit,
      problem: `${problem}, at character ${at} of the JSON text`,
      remedy: 'the file is damaged or was not written by a correct program; get it again',
    });
  }
}
