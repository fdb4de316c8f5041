/** Writes small ONNX models: just as much of protocol buffers as they need. */
import type { HostTensor } from './contender.js';

// Field numbers are those of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
const FLOAT = 1;
const INT64 = 7;
const IR_VERSION = 8;
const OPSET = 14;

/** Bytes of one message, field by field. */
export class Message {
  readonly #bytes: number[] = [];
  readonly #parts: Uint8Array[] = [];

  /** An integer of at least 0 (wire type 0). */
  integer(field: number, value: number): this {
    this.#varint(field * 8);
    this.#varint(value);
    return this;
  }

  /** A text in UTF-8 (wire type 2). */
  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** Raw bytes (wire type 2). */
  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + 2);
    this.#varint(value.length);
    this.#flush();
    this.#parts.push(value);
    return this;
  }

  /** A message within this one (wire type 2). */
  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }

  /** The whole message. */
  finish(): Uint8Array {
    this.#flush();
    const result = new Uint8Array(this.#parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.#parts) {
      result.set(part, at);
      at += part.length;
    }
    return result;
  }

  #flush(): void {
    if (this.#bytes.length > 0) this.#parts.push(Uint8Array.from(this.#bytes));
    this.#bytes.length = 0;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#bytes.push(rest);
  }
}

function tensor(name: string, { shape, data }: HostTensor): Message {
  const message = new Message();
  for (const size of shape) message.integer(1, size);
  return message
    .integer(2, FLOAT)
    .text(8, name)
    .bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function node(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, number>> = {},
): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  for (const output of outputs) message.text(2, output);
  message.text(4, type);
  for (const [name, value] of Object.entries(attributes)) {
    message.message(5, new Message().text(1, name).integer(3, value).integer(20, 2));
  }
  return message;
}

function value(name: string, type: number, shape: readonly number[]): Message {
  const dimensions = new Message();
  for (const size of shape) dimensions.message(1, new Message().integer(1, size));
  const tensorType = new Message().integer(1, type).message(2, dimensions);
  return new Message().text(1, name).message(2, new Message().message(1, tensorType));
}

/** Reorders the four row blocks of an LSTM's weight or bias from i,f,g,o to ONNX's i,o,f,c. */
export function toOnnxGates(data: Float32Array): Float32Array {
  const block = data.length / 4;
  const result = new Float32Array(data.length);
  [0, 3, 1, 2].forEach((from, to) => {
    result.set(data.subarray(from * block, (from + 1) * block), to * block);
  });
  return result;
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/**
 * A character model of LSTM layers, one step for one sequence: inputs `token` int64 `[1,1]` and the states
 * `h0`, `c0`, `h1` … `[1,1,H]`; outputs `logits` `[1,1,V]` and the new states `new_h0` …
 * @param weights under PyTorch's names: `embedding.weight`, `rnn.weight_ih_l0` …, `output.bias`
 */
export function createStepModel(
  weights: ReadonlyMap<string, HostTensor>,
  { hiddenSize, numLayers, vocabSize }: StepModelSizes,
): Uint8Array {
  const graph = new Message();
  const state = [1, 1, hiddenSize];
  const inputs = [value('token', INT64, [1, 1])];
  const outputs = [value('logits', FLOAT, [1, 1, vocabSize])];
  const initializers = [tensor('embedding', weights.get('embedding.weight')!)];
  const nodes = [node('Gather', ['embedding', 'token'], ['x0'])];
  for (let layer = 0; layer < numLayers; layer++) {
    const part = (name: string): HostTensor => weights.get(`rnn.${name}_l${layer}`)!;
    for (const [name, weight] of [
      ['W', part('weight_ih')],
      ['R', part('weight_hh')],
    ] as const) {
      const data = toOnnxGates(weight.data);
      initializers.push(tensor(`${name}${layer}`, { shape: [1, ...weight.shape], data }));
    }
    const biases = [part('bias_ih'), part('bias_hh')].map(({ data }) => toOnnxGates(data));
    initializers.push(tensor(`B${layer}`, { shape: [1, 8 * hiddenSize], data: concatenated(biases) }));
    const names = [`x${layer}`, `W${layer}`, `R${layer}`, `B${layer}`, '', `h${layer}`, `c${layer}`];
    nodes.push(node('LSTM', names, ['', `new_h${layer}`, `new_c${layer}`], { hidden_size: hiddenSize }));
    // The last hidden state [directions,B,H] is, for one direction and one step, the sequence [T,B,H].
    nodes.push(node('Identity', [`new_h${layer}`], [`x${layer + 1}`]));
    for (const name of ['h', 'c']) {
      inputs.push(value(`${name}${layer}`, FLOAT, state));
      outputs.push(value(`new_${name}${layer}`, FLOAT, state));
    }
  }
  initializers.push(
    tensor('output', transposed(weights.get('output.weight')!)),
    tensor('bias', weights.get('output.bias')!),
  );
  nodes.push(node('MatMul', [`x${numLayers}`, 'output'], ['product']));
  nodes.push(node('Add', ['product', 'bias'], ['logits']));
  for (const one of nodes) graph.message(1, one);
  graph.text(2, 'step');
  for (const one of initializers) graph.message(5, one);
  for (const one of inputs) graph.message(11, one);
  for (const one of outputs) graph.message(12, one);
  const opset = new Message().text(1, '').integer(2, OPSET);
  return new Message().integer(1, IR_VERSION).message(7, graph).message(8, opset).finish();
}

/** Sizes of {@link createStepModel}. */
export interface StepModelSizes {
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly vocabSize: number;
}

/** Rows as columns. */
export function transposed({ shape, data }: HostTensor): HostTensor {
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c]!;
  }
  return { shape: [columns, rows], data: result };
}
