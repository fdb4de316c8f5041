/** Text to tokens and back, by Unicode code point, and strict UTF-8. */
import { ArgumentError, TextError } from '../graph/errors.js';
import { show } from '../graph/options.js';

/**
 * Decodes UTF-8 strictly. A byte order mark at the beginning is dropped.
 * @param what names the text in messages, such as a file's name
 * @throws TextError that tells where the first wrong byte is
 */
export function decodeUtf8(bytes: Uint8Array, what = 'text'): string {
  if (!(bytes instanceof Uint8Array)) {
    throw new ArgumentError({
      culprit: what,
      problem: 'is not a Uint8Array',
      remedy: 'pass the bytes of the file',
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const at = firstInvalidByte(bytes);
    throw new TextError({
      culprit: what,
      problem: `is not UTF-8: byte ${at} (0x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}) begins no valid character`,
      remedy: 'convert the file to UTF-8, or choose a text file',
      cause,
    });
  }
}

/** The longest prefix that is valid UTF-8 ends here; found by halving, since a prefix of valid text is valid but for its last character. */
function firstInvalidByte(bytes: Uint8Array): number {
  const decoder = () => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  // With `stream`, an unfinished character at the end is no error.
  const valid = (length: number): boolean => {
    try {
      decoder().decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (valid(middle)) good = middle;
    else bad = middle;
  }
  // What is whole of that prefix ends where the wrong character begins.
  const whole = decoder().decode(bytes.subarray(0, good), { stream: true });
  return new TextEncoder().encode(whole).length;
}

/** `"é" (U+00E9)`, for messages. */
function nameOf(character: string): string {
  const hex = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return `${JSON.stringify(character)} (U+${hex})`;
}

/**
 * Maps each code point of a vocabulary to a token 0 … size−1. Text survives the round trip unchanged:
 * nothing is normalised, so a letter and its combining mark stay two tokens.
 */
export class CharacterTokenizer {
  /** The vocabulary, by token. */
  readonly characters: readonly string[];
  readonly #tokens: ReadonlyMap<string, number>;

  private constructor(characters: readonly string[]) {
    this.characters = Object.freeze([...characters]);
    this.#tokens = new Map(characters.map((character, token) => [character, token]));
  }

  /**
   * The vocabulary of a text: each code point once, in order of code points.
   * @throws TextError when the text is empty or has half of a surrogate pair
   */
  static fromText(text: string): CharacterTokenizer {
    checkText(text, 'text');
    const points = new Set<number>();
    for (const character of text) points.add(character.codePointAt(0)!);
    const sorted = [...points].sort((a, b) => a - b);
    return CharacterTokenizer.fromCharacters(sorted.map((point) => String.fromCodePoint(point)));
  }

  /**
   * A vocabulary in an order of your own: a string, or a list of one-code-point strings.
   * @throws TextError when it is empty, repeats a character, or has something that is not one code point
   */
  static fromCharacters(characters: string | readonly string[]): CharacterTokenizer {
    const culprit = 'vocabulary';
    if (typeof characters !== 'string' && !Array.isArray(characters)) {
      throw new ArgumentError({
        culprit,
        problem: `is ${show(characters)}`,
        remedy: 'pass a string or a list of characters',
      });
    }
    const list = Array.from<string>(characters);
    if (list.length === 0) {
      throw new TextError({ culprit, problem: 'is empty', remedy: 'give it at least one character' });
    }
    const seen = new Set<string>();
    for (const [token, character] of list.entries()) {
      if (typeof character !== 'string' || Array.from(character).length !== 1 || isSurrogate(character)) {
        throw new TextError({
          culprit,
          problem: `entry ${token} is ${show(character)}, which is not one code point`,
          remedy: 'list single characters',
        });
      }
      if (seen.has(character)) {
        throw new TextError({
          culprit,
          problem: `${nameOf(character)} appears twice`,
          remedy: 'list each character once',
        });
      }
      seen.add(character);
    }
    return new CharacterTokenizer(list);
  }

  /** Number of characters in the vocabulary. */
  get size(): number {
    return this.characters.length;
  }

  /** Whether the vocabulary has this character. */
  has(character: string): boolean {
    return this.#tokens.has(character);
  }

  /**
   * One token a code point.
   * @param what names the text in messages
   * @throws TextError at the first character that the vocabulary lacks
   */
  encode(text: string, what = 'text'): Int32Array {
    checkString(text, what);
    const tokens = new Int32Array(text.length);
    let count = 0;
    for (const character of text) {
      const token = this.#tokens.get(character);
      if (token === undefined) {
        throw new TextError({
          culprit: what,
          problem: `character ${nameOf(character)} at position ${count} is not in the vocabulary of ${this.size} characters`,
          remedy: 'leave it out, or create the model with a text that has it',
        });
      }
      tokens[count++] = token;
    }
    return tokens.slice(0, count);
  }

  /**
   * The text of some tokens.
   * @throws ArgumentError for a token outside the vocabulary
   */
  decode(tokens: Iterable<number>): string {
    const parts: string[] = [];
    if (typeof (tokens as Partial<Iterable<number>> | null)?.[Symbol.iterator] !== 'function') {
      throw new ArgumentError({
        culprit: 'tokens',
        problem: `are ${show(tokens)}`,
        remedy: 'pass a list of whole numbers',
      });
    }
    for (const token of tokens) {
      const character = this.characters[token];
      if (character === undefined) {
        throw new ArgumentError({
          culprit: 'tokens',
          problem: `token ${show(token)} at position ${parts.length} is outside the vocabulary`,
          remedy: `use whole numbers from 0 to ${this.size - 1}`,
        });
      }
      parts.push(character);
    }
    return parts.join('');
  }
}

/** Throws unless `text` is a string with at least one character and no half of a surrogate pair. */
export function checkText(text: string, what: string): void {
  checkString(text, what);
  if (text.length === 0) {
    throw new TextError({ culprit: what, problem: 'is empty', remedy: 'pass at least one character' });
  }
  const at = text.search(/\p{Surrogate}/u);
  if (at < 0) return;
  throw new TextError({
    culprit: what,
    problem: `has half of a surrogate pair at index ${at}`,
    remedy: 'it was cut inside a character; cut it between code points',
  });
}

function checkString(text: unknown, what: string): void {
  if (typeof text === 'string') return;
  throw new ArgumentError({ culprit: what, problem: `is a ${typeof text}`, remedy: 'pass a string' });
}

function isSurrogate(character: string): boolean {
  const point = character.codePointAt(0)!;
  return point >= 0xd800 && point <= 0xdfff;
}
