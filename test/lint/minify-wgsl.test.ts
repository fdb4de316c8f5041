/** What the build does to shaders: they say the same in fewer letters, and libraries still fit their kernels. */
import { describe, expect, it } from 'vitest';
import { createRenames, minifyWgsl } from '../../scripts/minify-wgsl.js';

describe('minifyWgsl', () => {
  it.each([
    ['line comment', 'a // b\n+ c', 'a+c'],
    ['line comment at the end', 'a; // b', 'a;'],
    ['block comment separates', 'a/* b */c', 'a c'],
    ['nested block comment', 'a/* b /* c */ d */e', 'a e'],
    ['line comment inside a block', 'a/* // */b', 'a b'],
    ['block inside a line comment', 'a // /* b\nc /* */', 'a c'],
    ['carriage returns', 'a // b\r\nc', 'a c'],
    ['unclosed block', 'a /* b', 'a'],
    ['words and numbers', 'return  1u ;', 'return 1u;'],
    ['signs that would join', 'a - -b; c & &d; e / *f; g < =h', 'a- -b;c& &d;e/ *f;g< =h'],
    ['signs that would not', 'x = -1; y = !z; w * -v', 'x=-1;y=!z;w*-v'],
    ['signs that were joined', 'k++; a <= b; a += 1u; a >> 2u', 'k++;a<=b;a+=1u;a>>2u'],
    ['round numbers', '1.0 + 2.50 - 0.0 * 1e-3 + 0x1Fu', '1.+2.50-0.*1e-3+0x1Fu'],
    ['a hexadecimal number with an exponent', 'x * 0x1p-24 * 0x1.8p+3f', 'x*0x1p-24*0x1.8p+3f'],
    ['a round number before a word', 'select(1.0 else', 'select(1. else'],
    ['components of a number in brackets', 'a[0].x', 'a[0].x'],
  ])('%s', (_name, code, expected) => {
    expect(minifyWgsl(code, new Map())).toBe(expected);
  });

  it('renames what shaders declare, and leaves what the language names', () => {
    const code =
      '@group(0) @binding(0) var<storage, read_write> values: array<f32>;\n' +
      '@compute @workgroup_size(64) fn main(@builtin(workgroup_id) workgroup_id: vec3u) { values[workgroup_id.xyz.x] = abs(1.0); }';
    const renames = new Map([
      ['values', 'a'],
      ['workgroup_id', 'b'],
      ['storage', 'wrong'],
      ['compute', 'wrong'],
    ]);
    expect(minifyWgsl(code, renames)).toBe(
      '@group(0)@binding(0)var<storage,read_write>a:array<f32>;@compute@workgroup_size(64)fn main(@builtin(workgroup_id)b:vec3u){a[b.xyz.x]=abs(1.);}',
    );
  });
});

describe('createRenames', () => {
  const entry =
    '@compute @workgroup_size(8) fn main() { let total = twice(params.length_of_a); let a = total; }';
  const library = 'fn twice(number: f32) -> f32 { return number + number; } // not a word of this';
  const renames = createRenames([entry, library]);

  it('gives each a name of its own, that no shader uses', () => {
    const values = [...renames.values()];
    expect(new Set(values).size).toBe(values.length);
    expect(values).not.toContain('a');
    for (const name of values) expect(name).not.toMatch(/^[xyzwrgba]{1,4}$/);
  });

  it('serves a kernel and its libraries alike', () => {
    expect(renames.has('twice')).toBe(true);
    expect(minifyWgsl(entry, renames)).toContain(`=${renames.get('twice')!}(`);
    expect(minifyWgsl(library, renames)).toContain(`fn ${renames.get('twice')!}(`);
  });

  it('knows no words of comments, of the language, nor of two letters', () => {
    for (const word of ['word', 'not', 'compute', 'workgroup_size', 'main', 'let', 'f32', 'a']) {
      expect(renames.has(word)).toBe(false);
    }
  });
});
