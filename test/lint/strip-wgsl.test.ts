/** What the build does to shaders: comments go, everything else and every line number stays. */
import { expect, it } from 'vitest';
import { stripWgslComments } from '../../scripts/strip-wgsl.js';

it.each([
  ['no comment', 'let a = b / c;\n', 'let a = b / c;\n'],
  ['line comment', 'a // b\nc', 'a \nc'],
  ['line comment at the end', 'a // b', 'a '],
  ['block comment separates', 'a/* b */c', 'a c'],
  ['nested block comment', 'a/* b /* c */ d */e', 'a e'],
  ['block comment keeps its lines', 'a/*\nb\n*/c', 'a \n\nc'],
  ['line comment inside a block', 'a/* // */b', 'a b'],
  ['block inside a line comment', 'a // /* b\nc /* */', 'a \nc  '],
  ['carriage returns', 'a // b\r\nc', 'a \nc'],
  ['unclosed block', 'a /* b', 'a  '],
])('%s', (_name, code, expected) => {
  expect(stripWgslComments(code)).toBe(expected);
});
