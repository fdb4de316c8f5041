/** Text survives the round trip through tokens, and what cannot be used is refused by name and place. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, TextError } from '../../../src/graph/errors.js';
import { CharacterTokenizer, decodeUtf8 } from '../../../src/text/tokenizer.js';

describe('CharacterTokenizer', () => {
  const texts = [
    'hello, world\r\n',
    '床前明月光，疑是地上霜。',
    '👩‍👩‍👧 🇺🇳 🙂',
    'e\u0301 é ấ ñ',
    '\u0000\uffff\u{10ffff}',
  ];
  it.each(texts)('round trip of %j', (text) => {
    const tokenizer = CharacterTokenizer.fromText(text);
    const tokens = tokenizer.encode(text);
    expect(tokens.length).toBe(Array.from(text).length);
    expect(tokenizer.decode(tokens)).toBe(text);
  });

  it('gives each code point one token, in order of code points', () => {
    const tokenizer = CharacterTokenizer.fromText('b🙂a\uffffb');
    expect(tokenizer.characters).toEqual(['a', 'b', '\uffff', '🙂']);
    expect(tokenizer.encode('🙂ab')).toEqual(new Int32Array([3, 0, 1]));
    expect(tokenizer.size).toBe(4);
    expect(tokenizer.has('🙂')).toBe(true);
    expect(tokenizer.has('c')).toBe(false);
  });

  it('keeps the order of a vocabulary given', () => {
    expect(CharacterTokenizer.fromCharacters('zya').characters).toEqual(['z', 'y', 'a']);
  });

  it('names an unknown character, its code point and its position in characters', () => {
    const tokenizer = CharacterTokenizer.fromText('a🙂');
    expect(() => tokenizer.encode('🙂aé')).toThrow(TextError);
    expect(() => tokenizer.encode('🙂aé', 'prompt')).toThrow('prompt: character "é" (U+00E9) at position 2');
    expect(() => tokenizer.encode('😀')).toThrow('U+1F600');
  });

  it('refuses empty, broken and repeated text', () => {
    expect(() => CharacterTokenizer.fromText('')).toThrow(TextError);
    expect(() => CharacterTokenizer.fromText('ab\ud83d')).toThrow(/surrogate pair at index 2/);
    expect(() => CharacterTokenizer.fromText(5 as unknown as string)).toThrow(ArgumentError);
    expect(() => CharacterTokenizer.fromCharacters('')).toThrow(TextError);
    expect(() => CharacterTokenizer.fromCharacters('aba')).toThrow(/"a" \(U\+0061\) appears twice/);
    expect(() => CharacterTokenizer.fromCharacters(['ab'])).toThrow(/not one code point/);
    expect(() => CharacterTokenizer.fromCharacters(['\ud800'])).toThrow(TextError);
  });

  it('refuses tokens outside the vocabulary', () => {
    const tokenizer = CharacterTokenizer.fromText('ab');
    expect(() => tokenizer.decode([0, 2])).toThrow(/token 2 at position 1/);
    expect(() => tokenizer.decode([-1])).toThrow(ArgumentError);
    expect(() => tokenizer.decode([0.5])).toThrow(ArgumentError);
  });
});

describe('decodeUtf8', () => {
  it('decodes, and drops a byte order mark', () => {
    expect(decodeUtf8(new TextEncoder().encode('床🙂é'))).toBe('床🙂é');
    expect(decodeUtf8(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))).toBe('a');
  });
  const cases: [string, number[], number][] = [
    ['a stray continuation byte', [0x61, 0x80, 0x62], 1],
    ['an overlong form', [0x61, 0x62, 0xc0, 0x80], 2],
    ['a surrogate', [0xed, 0xa0, 0x80], 0],
    ['a character cut off at the end', [0x61, 0xf0, 0x9f, 0x99], 1],
    ['a character broken off in the middle', [0x61, 0x62, 0xe5, 0xba, 0x61, 0x61], 2],
    ['a stray continuation byte behind a whole character', [0xe5, 0xba, 0x8a, 0xe6, 0x98, 0x8e, 0x80], 6],
    ['a character cut off behind a whole one', [0xc2, 0xa2, 0xe5, 0xba], 2],
    ['Latin-1', [0x63, 0x61, 0x66, 0xe9, 0x20], 3],
  ];
  it.each(cases)('refuses %s and tells where', (_, bytes, at) => {
    expect(() => decodeUtf8(new Uint8Array(bytes), 'file.txt')).toThrow(TextError);
    expect(() => decodeUtf8(new Uint8Array(bytes), 'file.txt')).toThrow(
      `file.txt: is not UTF-8: byte ${at} `,
    );
  });
  it('refuses what is not bytes', () => {
    expect(() => decodeUtf8('a' as unknown as Uint8Array)).toThrow(ArgumentError);
  });
});
