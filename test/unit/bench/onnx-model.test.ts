/** The writer of ONNX models, read back with a reader of protocol buffers' wire format. */
import { expect, it } from 'vitest';
import { createStepModel, Message, toOnnxGates, transposed } from '../../../bench/onnx-model.js';

type Field = number | Uint8Array;

/** The fields of a message, by number, in order. */
function read(bytes: Uint8Array): Map<number, Field[]> {
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const length = varint();
    const field = key % 8 === 0 ? length : bytes.subarray(at, (at += length));
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), field]);
  }
  return fields;
}

const text = (field: Field): string => new TextDecoder().decode(field as Uint8Array);

it('writes integers of any length', () => {
  // 300 is the example of the documentation of protocol buffers: field 1, AC 02.
  expect([...new Message().integer(1, 300).finish()]).toEqual([0x08, 0xac, 0x02]);
  expect(read(new Message().integer(20, 2 ** 40).finish()).get(20)).toEqual([2 ** 40]);
});

it('writes texts and messages with their lengths', () => {
  const inner = new Message().text(2, 'testing');
  expect([...inner.finish()]).toEqual([0x12, 7, ...new TextEncoder().encode('testing')]);
  const outer = read(new Message().message(3, inner).integer(1, 5).finish());
  expect(text(read(outer.get(3)![0] as Uint8Array).get(2)![0]!)).toBe('testing');
  expect(outer.get(1)).toEqual([5]);
});

it('orders gates i,f,g,o as i,o,f,c', () => {
  expect([...toOnnxGates(Float32Array.of(1, 1, 2, 2, 3, 3, 4, 4))]).toEqual([1, 1, 4, 4, 2, 2, 3, 3]);
});

it('turns rows into columns', () => {
  const { shape, data } = transposed({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
  expect([shape, [...data]]).toEqual([
    [3, 2],
    [1, 4, 2, 5, 3, 6],
  ]);
});

it('writes a step of two layers with all weights, inputs and outputs', () => {
  const [H, V, E] = [3, 5, 2];
  const shapes: Record<string, number[]> = {
    'embedding.weight': [V, E],
    'output.weight': [V, H],
    'output.bias': [V],
  };
  for (const layer of [0, 1]) {
    shapes[`rnn.weight_ih_l${layer}`] = [4 * H, layer === 0 ? E : H];
    shapes[`rnn.weight_hh_l${layer}`] = [4 * H, H];
    shapes[`rnn.bias_ih_l${layer}`] = shapes[`rnn.bias_hh_l${layer}`] = [4 * H];
  }
  const weights = new Map(
    Object.entries(shapes).map(([name, shape]) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, data: Float32Array.from({ length }, (_, index) => index) }] as const;
    }),
  );
  const model = read(createStepModel(weights, { hiddenSize: H, numLayers: 2, vocabSize: V }));
  expect(model.get(1)).toEqual([8]);
  const graph = read(model.get(7)![0] as Uint8Array);
  const names = (field: number, name: number): string[] =>
    graph.get(field)!.map((bytes) => text(read(bytes as Uint8Array).get(name)![0]!));
  expect(names(1, 4)).toEqual(['Gather', 'LSTM', 'Identity', 'LSTM', 'Identity', 'MatMul', 'Add']);
  expect(names(11, 1)).toEqual(['token', 'h0', 'c0', 'h1', 'c1']);
  expect(names(12, 1)).toEqual(['logits', 'new_h0', 'new_c0', 'new_h1', 'new_c1']);
  expect(names(5, 8)).toEqual(['embedding', 'W0', 'R0', 'B0', 'W1', 'R1', 'B1', 'output', 'bias']);
  const bias = read(graph.get(5)![3] as Uint8Array);
  expect(bias.get(1)).toEqual([1, 8 * H]);
  const raw = bias.get(9)![0] as Uint8Array;
  const blocks = [0, 9, 3, 6].flatMap((first) => [first, first + 1, first + 2]);
  expect([...new Float32Array(raw.slice().buffer)]).toEqual([...blocks, ...blocks]);
});
