/** The safetensors reader refuses every kind of damage by name; the writer's files read back exactly. */
import { describe, expect, it, test } from 'vitest';
import { ArgumentError, FormatError, OutOfMemoryError, ShapeError } from '../../../src/graph/errors.js';
import { parseSafetensors, writeSafetensors } from '../../../src/io/safetensors.js';

/** A file with this header text and as many zero bytes of data. */
function file(header: string | Uint8Array, dataBytes = 0, claimed?: number): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  const view = new DataView(bytes.buffer);
  const length = claimed ?? json.length;
  view.setUint32(0, length >>> 0, true);
  view.setUint32(4, Math.floor(length / 2 ** 32), true);
  bytes.set(json, 8);
  return bytes;
}

const tensor = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;

describe('parseSafetensors', () => {
  it('reads what the writer wrote, bit for bit, whatever the order', () => {
    const bytes = writeSafetensors(
      new Map([
        ['b', { shape: [2, 2], data: new Float32Array([1, -0, 1e-45, 3.4e38]) }],
        ['a', { shape: [3], data: new Int32Array([-(2 ** 31), 0, 2 ** 31 - 1]) }],
        ['文🙂', { shape: [1], data: new Float64Array([Math.PI]) }],
        ['scalar', { shape: [], data: new Float32Array([7]) }],
        ['empty', { shape: [0, 5], data: new Float32Array(0) }],
      ]),
      new Map([['config', '{"x":1}']]),
    );
    const { tensors, metadata } = parseSafetensors(bytes);
    expect([...tensors.keys()]).toEqual(['文🙂', 'b', 'empty', 'scalar', 'a']);
    expect(tensors.get('b')!.data).toEqual(new Float32Array([1, -0, 1e-45, 3.4e38]));
    expect(tensors.get('a')!.data).toEqual(new Int32Array([-(2 ** 31), 0, 2 ** 31 - 1]));
    expect(tensors.get('文🙂')!).toEqual({ dtype: 'F64', shape: [1], data: new Float64Array([Math.PI]) });
    expect(tensors.get('scalar')!.shape).toEqual([]);
    expect(tensors.get('empty')!.data.length).toBe(0);
    expect(metadata).toEqual(new Map([['config', '{"x":1}']]));
    expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
  });

  it('reads from a view that begins at an odd byte of its buffer', () => {
    const bytes = writeSafetensors(new Map([['w', { shape: [2], data: new Float32Array([1, 2]) }]]));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(parseSafetensors(shifted.subarray(3)).tensors.get('w')!.data).toEqual(new Float32Array([1, 2]));
    expect(parseSafetensors(bytes.buffer as ArrayBuffer).tensors.size).toBe(1);
    const pooled = Buffer.from(shifted).subarray(3);
    const { data } = parseSafetensors(pooled).tensors.get('w')!;
    expect(data).toEqual(new Float32Array([1, 2]));
    data.fill(5);
    expect(parseSafetensors(pooled).tensors.get('w')!.data).toEqual(new Float32Array([1, 2]));
  });

  it('reads half precision, bfloat16 and other whole numbers', () => {
    const bytes = file(
      `{"h":${tensor('F16', '[5]', '[0,10]')},"b":${tensor('BF16', '[2]', '[10,14]')},"l":${tensor('I64', '[2]', '[14,30]')},"u":${tensor('U8', '[1]', '[30,31]')}}`,
      31,
    );
    const data = new DataView(bytes.buffer, bytes.length - 31);
    [0x3c00, 0xc000, 0x0001, 0x7bff, 0xfc00].forEach((bits, i) => data.setUint16(2 * i, bits, true));
    data.setUint16(10, 0x3f80, true);
    data.setUint16(12, 0xc049, true);
    data.setBigInt64(14, -5n, true);
    data.setBigInt64(22, 2147483647n, true);
    data.setUint8(30, 255);
    const { tensors } = parseSafetensors(bytes);
    expect(tensors.get('h')!.data).toEqual(new Float32Array([1, -2, 2 ** -24, 65504, -Infinity]));
    expect(tensors.get('b')!.data).toEqual(new Float32Array([1, -3.140625]));
    expect(tensors.get('l')!.data).toEqual(new Int32Array([-5, 2147483647]));
    expect(tensors.get('u')!.data).toEqual(new Int32Array([255]));
  });

  it('refuses a 64-bit whole number that 32 bits do not hold, by name', () => {
    const bytes = file(`{"l":${tensor('I64', '[1]', '[0,8]')}}`, 8);
    new DataView(bytes.buffer).setBigInt64(bytes.length - 8, 2147483648n, true);
    expect(() => parseSafetensors(bytes)).toThrow(/tensor "l".*2147483648/);
  });

  it('keeps names such as __proto__ and constructor as plain names', () => {
    const bytes = file(
      `{"__proto__":${tensor('U8', '[1]', '[0,1]')},"constructor":${tensor('U8', '[1]', '[1,2]')},"__metadata__":{"__proto__":"x"}}`,
      2,
    );
    const { tensors, metadata } = parseSafetensors(bytes);
    expect([...tensors.keys()]).toEqual(['__proto__', 'constructor']);
    expect(metadata.get('__proto__')).toBe('x');
    expect(({} as Record<string, unknown>)['dtype']).toBeUndefined();
  });

  const f32 = tensor('F32', '[2]', '[0,8]');
  const hostile: [string, Uint8Array, RegExp][] = [
    ['an empty file', new Uint8Array(0), /0 bytes/],
    ['half a header length', new Uint8Array(7), /7 bytes/],
    [
      'a page that says that there is no file',
      new TextEncoder().encode('<!DOCTYPE html>\n<title>404</title>'),
      /begins with "<!DOCTYPE html>\\n", so it is a text; see whether its address is right/,
    ],
    ['a header longer than the file', file('{}', 0, 3), /header length.*claims 3 bytes, but only 2/],
    ['a header of 2^63 bytes', file('{}', 0, 2 ** 63), /header length.*format allows/],
    ['a header of 99 MB in a small file', file('{}', 0, 99_000_000), /only 2 follow/],
    ['a header of no bytes', file('', 0), /does not begin with "\{"/],
    ['a header that begins with a space', file(' {}'), /does not begin with/],
    ['a header that is a list', file('[]'), /does not begin with/],
    ['a header that is not UTF-8', file(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])), /not UTF-8/],
    ['a header cut off', file('{"w":'), /ends early/],
    ['JSON with something behind', file('{}{}'), /follows/],
    ['a trailing comma', file(`{"w":${f32},}`, 8), /key in quotes/],
    ['a duplicate tensor', file(`{"w":${f32},"w":${f32}}`, 8), /"w" appears twice/],
    [
      'a duplicate tensor, one spelt with an escape',
      file(`{"w":${f32},"\\u0077":${f32}}`, 8),
      /"w" appears twice/,
    ],
    [
      'a duplicate field',
      file('{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
      /"dtype" appears twice/,
    ],
    ['duplicate metadata', file('{"__metadata__":{"a":"1","a":"2"}}'), /"a" appears twice/],
    ['a name with half of a surrogate pair', file(`{"\\ud800":${f32}}`, 8), /surrogate/],
    ['nesting without end', file(`{"w":${'['.repeat(50_000)}`), /deeper than 32/],
    ['a raw control character', file('{"a\u0001":1}'), /control character/],
    ['metadata that is a list', file('{"__metadata__":[]}'), /__metadata__.*not an object/],
    ['metadata that is a number', file('{"__metadata__":{"steps":5}}'), /"steps" is not a string/],
    ['a tensor that is a number', file('{"w":1}'), /tensor "w".*not an object/],
    ['a missing dtype', file('{"w":{"shape":[2],"data_offsets":[0,8]}}', 8), /dtype/],
    ['an unknown dtype', file(`{"w":${tensor('F33', '[2]', '[0,8]')}}`, 8), /dtype "F33"/],
    [
      'a dtype from the prototype',
      file(`{"w":${tensor('toString', '[2]', '[0,8]')}}`, 8),
      /dtype "toString"/,
    ],
    [
      'an unknown field',
      file('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}', 8),
      /unknown field "x"/,
    ],
    ['a missing shape', file('{"w":{"dtype":"F32","data_offsets":[0,8]}}', 8), /shape/],
    ['a negative dimension', file(`{"w":${tensor('F32', '[-2]', '[0,8]')}}`, 8), /shape/],
    ['a fractional dimension', file(`{"w":${tensor('F32', '[2.5]', '[0,8]')}}`, 8), /shape/],
    ['a dimension that is text', file(`{"w":${tensor('F32', '["2"]', '[0,8]')}}`, 8), /shape/],
    ['a dimension of 1e300', file(`{"w":${tensor('F32', '[1e300]', '[0,8]')}}`, 8), /shape/],
    [
      'a giant claim',
      file(`{"w":${tensor('F32', '[4000000000]', '[0,16000000000]')}}`, 8),
      /tensor "w".*ends at byte 16000000000/,
    ],
    [
      'a shape whose product overflows',
      file(`{"w":${tensor('F32', '[94906267,94906267,94906267]', '[0,8]')}}`, 8),
      /too many bytes/,
    ],
    [
      'a shape of other size than its bytes',
      file(`{"w":${tensor('F32', '[3]', '[0,8]')}}`, 8),
      /takes 12 bytes, its offsets span 8/,
    ],
    ['offsets that are one number', file(`{"w":${tensor('F32', '[2]', '[8]')}}`, 8), /data_offsets/],
    ['offsets backwards', file(`{"w":${tensor('F32', '[2]', '[8,0]')}}`, 8), /before it begins/],
    ['a negative offset', file(`{"w":${tensor('F32', '[2]', '[-8,0]')}}`, 8), /data_offsets/],
    ['data cut off', file(`{"w":${f32}}`, 7), /tensor "w".*which has 7/],
    ['data left over', file(`{"w":${f32}}`, 9), /cover 8 bytes of data, the file has 9/],
    [
      'an overlap',
      file(`{"v":${f32},"w":${tensor('F32', '[2]', '[4,12]')}}`, 12),
      /tensor "w".*inside the tensor before/,
    ],
    ['the same bytes twice', file(`{"v":${f32},"w":${f32}}`, 8), /tensor "w".*inside/],
    ['a hole', file(`{"v":${f32},"w":${tensor('F32', '[1]', '[12,16]')}}`, 16), /tensor "w".*hole/],
    [
      'more values than a header needs',
      file(`{"a":[${'0,'.repeat(1_000_000)}0]}`),
      /more than 1000000 values/,
    ],
    ['a name that never ends', file(`{"${'x'.repeat(1_000_000)}":1}`), /^.{0,4100}$/s],
    ['a hole at the beginning', file(`{"w":${tensor('F32', '[1]', '[4,8]')}}`, 8), /tensor "w".*hole/],
  ];
  it.each(hostile)('refuses %s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes)).toThrow(FormatError);
    expect(() => parseSafetensors(bytes)).toThrow(message);
  });

  describe("of the cases in the reference implementation's own tests", () => {
    const bytesOf = (text: string): Uint8Array =>
      Uint8Array.from(text, (character) => character.charCodeAt(0));
    const same = Array.from({ length: 10 }, (_, i) => `"weight_${i}":${tensor('F32', '[2,2]', '[0,16]')}`);
    const taken: [string, Uint8Array, number][] = [
      ['test_empty', bytesOf('\x08\0\0\0\0\0\0\0{}      '), 0],
      [
        'test_empty_shapes_allowed',
        file('{"test":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}      ', 4),
        1,
      ],
      ['test_zero_sized_tensor', file(`{"test":${tensor('I32', '[2,0]', '[0,0]')}}`), 0],
      ['test_deserialize', file(`{"test":${tensor('I32', '[2,2]', '[0,16]')}}`, 16), 4],
      [
        'tensors that are not aligned',
        file(`{"b":${tensor('U8', '[1]', '[0,1]')},"f":${tensor('F64', '[1]', '[1,9]')}}`, 9),
        2,
      ],
      ['a header padded at its end', file('{"__metadata__":{"format":"pt"}}\n\t \r  '), 0],
    ];
    it.each(taken)('takes %s', (_, bytes, numbers) => {
      const tensors = [...parseSafetensors(bytes).tensors.values()];
      expect(tensors.reduce((sum, { data }) => sum + data.length, 0)).toBe(numbers);
    });

    const refused: [string, Uint8Array, RegExp][] = [
      ['test_header_too_small', bytesOf(''), /has 0 bytes/],
      ['test_header_too_large', bytesOf('<\0\0\0\0\0\0\x01{'), /format allows 100000000/],
      ['a header of one byte more than the format allows', file('{}', 0, 100_000_001), /format allows/],
      ['test_invalid_header_length', bytesOf('<\0\0\0\0\0\0\0'), /claims 60 bytes, but only 0 follow/],
      ['test_invalid_header_non_utf8', bytesOf('\x02\0\0\0\0\0\0\0{\xff'), /not UTF-8/],
      ['test_invalid_header_not_json', bytesOf('\x01\0\0\0\0\0\0\0{'), /JSON/],
      ['test_whitespace_start_padded_header', bytesOf('\x06\0\0\0\0\0\0\0\n    {'), /begin with "\{"/],
      [
        'a header that begins with a byte order mark',
        bytesOf('\x05\0\0\0\0\0\0\0\xef\xbb\xbf{}'),
        /begin with/,
      ],
      ['test_json_attack', file(`{${same.join()}}`, 16), /inside the tensor before it/],
      [
        'test_metadata_incomplete_buffer, bytes left over',
        file(`{"test":${tensor('I32', '[2,2]', '[0,16]')}}`, 28),
        /cover 16 bytes of data, the file has 28/,
      ],
      [
        'test_metadata_incomplete_buffer, bytes missing',
        file(`{"test":${tensor('I32', '[2,2]', '[0,16]')}}`, 12),
        /ends at byte 16 of the data, which has 12/,
      ],
      ['test_invalid_info', file(`{"test":${tensor('I32', '[2,2]', '[0,4]')}}`, 4), /takes 16 bytes/],
      [
        'test_validation_overflow of the number of elements',
        file(`{"test":${tensor('I32', '[2,18446744073709551614]', '[0,16]')}}`, 16),
        /shape is not a list of whole numbers/,
      ],
      [
        'test_validation_overflow of the number of bytes',
        file(`{"test":${tensor('I32', '[2,9223372036854775807]', '[0,16]')}}`, 16),
        /shape is not a list of whole numbers/,
      ],
      [
        'an overflow that wraps around to the true size',
        file(`{"test":${tensor('F32', '[4294967296,1073741824]', '[0,0]')}}`),
        /too many bytes/,
      ],
      ['a zero that hides an overflow', file(`{"test":${tensor('F32', '[0,1e400]', '[0,0]')}}`), /too large/],
      [
        'offsets beyond 64 bits',
        file(`{"test":${tensor('F32', '[1]', '[0,18446744073709551620]')}}`, 4),
        /data_offsets/,
      ],
      ['a type of half a byte', file(`{"test":${tensor('F4', '[2]', '[0,1]')}}`, 1), /dtype "F4"/],
      ['no object for metadata', file('{"__metadata__":null}'), /__metadata__.*not an object/],
    ];
    it.each(refused)('refuses %s', (_, bytes, message) => {
      expect(() => parseSafetensors(bytes)).toThrow(FormatError);
      expect(() => parseSafetensors(bytes)).toThrow(message);
    });
  });

  it('refuses every truncation of a good file', () => {
    const bytes = writeSafetensors(new Map([['w', { shape: [2], data: new Float32Array([1, 2]) }]]));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => parseSafetensors(bytes.slice(0, length)), `cut to ${length}`).toThrow(FormatError);
    }
  });

  it('refuses what is not bytes', () => {
    expect(() => parseSafetensors('x' as unknown as Uint8Array)).toThrow(ArgumentError);
  });
});

describe('writeSafetensors', () => {
  const one = { shape: [1], data: new Float32Array([1]) };
  it('refuses a shape that does not hold its numbers', () => {
    expect(() => writeSafetensors(new Map([['w', { shape: [3], data: one.data }]]))).toThrow(ShapeError);
  });
  it('refuses names that the format cannot say', () => {
    expect(() => writeSafetensors(new Map([['__metadata__', one]]))).toThrow(ArgumentError);
    expect(() => writeSafetensors(new Map([['\ud800', one]]))).toThrow(ArgumentError);
    expect(() => writeSafetensors(new Map(), new Map([['k', '\udc00']]))).toThrow(ArgumentError);
  });
  it('writes an empty file that reads back', () => {
    expect(parseSafetensors(writeSafetensors(new Map())).tensors.size).toBe(0);
  });
});

test('writing refuses an object in the place of a Map', () => {
  const write = (): unknown => writeSafetensors({} as never);
  expect(write).toThrow(ArgumentError);
  expect(write).toThrow(/^writeSafetensors: tensors is an object; pass a Map/);
});

describe('long headers', () => {
  // Ten million bytes of escapes each: taken apart one by one they would take seconds, and as many objects.
  it.each([
    ['letters', '\\n', 2],
    ['code units', '\\u20ac', 6],
    ['surrogate pairs', '\\ud83c\\udf19', 12],
    ['quotes between letters', 'ab\\"', 4],
  ])('say what their escapes mean: %s', (_, escape, bytes) => {
    const text = `"${escape.repeat(1e7 / bytes)}"`;
    const { metadata } = parseSafetensors(file(`{"__metadata__":{${text}:${text}}}`));
    const [[key, value]] = [...metadata] as [[string, string]];
    const wanted = JSON.parse(text) as string;
    // Not by `toBe`, which would show them.
    expect(key === wanted && value === wanted).toBe(true);
    const bad = file(`{"__metadata__":{"a":${text.slice(0, -1)}\\x"}}`);
    expect(() => parseSafetensors(bad)).toThrow(/"\\x" is no escape, at character 100000\d\d of/);
  });
});

describe('a file that there is no memory for', () => {
  it('is told by its type, and nothing is written', () => {
    // One array under many names: only the file needs all that memory.
    const data = new Float32Array(2 ** 27);
    const tensors = new Map(Array.from({ length: 80 }, (_, i) => [`t${i}`, { shape: [data.length], data }]));
    expect(() => writeSafetensors(tensors)).toThrow(OutOfMemoryError);
    expect(() => writeSafetensors(tensors)).toThrow(/safetensors file: memory of the host could not be/);
  });
});
