/** Every function that records, given something else than a value of a graph: an error that says what it got. */
import { describe, expect, it, test } from 'vitest';
import * as rnn from '../../../src/index.js';
import { ArgumentError, Graph, RnnError } from '../../../src/index.js';

const [T, B, I, H] = [3, 2, 4, 5];
const options = { inputSize: I, hiddenSize: H, seed: 1 };

/** Values of one graph, made anew for each call. */
function values() {
  const graph = new Graph('test');
  return {
    graph,
    x: graph.input('x', [T, B, I]),
    row: graph.input('row', [B, I]),
    matrix: graph.input('matrix', [I, I]),
    h: graph.input('h', [1, B, H]),
    hb: graph.input('hb', [B, H]),
    loss: graph.scalar('loss'),
    tokens: graph.input('tokens', [T, B], 'int32'),
    mask: graph.input('mask', [T, B]),
    lengths: graph.input('lengths', [B], 'int32'),
    labels: graph.input('labels', [B, 2], 'int32'),
  };
}

type Values = ReturnType<typeof values>;

/** A call, and its arguments, of which each is exchanged. */
type Case = readonly [name: string, call: (...of: never[]) => unknown, of: (v: Values) => readonly unknown[]];

const CASES: readonly Case[] = [
  ...(['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const).map((name): Case => [
    name,
    rnn[name],
    ({ x, row }) => [x, row],
  ]),
  ...(['neg', 'exp', 'tanh', 'sigmoid', 'softmax', 'logSoftmax', 'stopGradient'] as const).map(
    (name): Case => [name, rnn[name], ({ x }) => [x]],
  ),
  ...(['sum', 'mean', 'transpose'] as const).map((name): Case => [name, rnn[name], ({ x }) => [x]]),
  ['reshape', (x) => rnn.reshape(x, [-1]), ({ x }) => [x]],
  ['broadcastTo', (x) => rnn.broadcastTo(x, [2, T, B, I]), ({ x }) => [x]],
  ['slice', (x) => rnn.slice(x, [0, 0, 0], [1, 1, -1]), ({ x }) => [x]],
  ['concat', (...both: never[]) => rnn.concat(both, 0), ({ x }) => [x, x]],
  ['stack', (...both: never[]) => rnn.stack(both), ({ x }) => [x, x]],
  ['matmul', rnn.matmul, ({ row, matrix }) => [row, matrix]],
  ['linear', rnn.linear, ({ row, matrix }) => [row, matrix]],
  ['embedding', rnn.embedding, ({ matrix, tokens }) => [matrix, tokens]],
  ['gradients', (loss, source) => rnn.gradients(loss, [source]), ({ loss }) => [loss, loss]],
  ['globalNorm', (...both: never[]) => rnn.globalNorm(both), ({ x }) => [x, x]],
  ['crossEntropy', rnn.crossEntropy, ({ x, tokens }) => [x, tokens]],
  ['nllLoss', rnn.nllLoss, ({ x, tokens }) => [x, tokens]],
  ['correctTopK', rnn.correctTopK, ({ x, tokens }) => [x, tokens]],
  ...(['meanSquaredError', 'meanAbsoluteError', 'huber', 'binaryCrossEntropyWithLogits'] as const).map(
    (name): Case => [name, rnn[name], ({ x }) => [x, x]],
  ),
  ['ctcLoss', rnn.ctcLoss, ({ x, labels, lengths }) => [x, labels, lengths, lengths]],
  ['linear', (x) => new rnn.Linear({ inputSize: I, outputSize: 1 }).forward(x), ({ x }) => [x]],
  [
    'embedding',
    (x) => new rnn.Embedding({ vocabSize: 3, embeddingSize: 1 }).forward(x),
    ({ tokens }) => [tokens],
  ],
  ['gru', (x, h) => new rnn.GRU(options).forward(x, { h }), ({ x, h }) => [x, h]],
  [
    'lstm',
    (x, lengths) => new rnn.LSTM(options).forward(x, undefined, undefined, { lengths }),
    ({ x, lengths }) => [x, lengths],
  ],
  ['rnn cell', (x, h) => new rnn.RNNCell(options).step(x, { h }), ({ row, hb }) => [row, hb]],
  ['sequential', (x) => new rnn.Sequential(new rnn.GRU(options)).forward(x), ({ x }) => [x]],
  [
    'scan',
    (carry, x) => rnn.scan({ carry: [carry], xs: [x] }, (_, step) => ({ carry: step.carry })),
    ({ row, x }) => [row, x],
  ],
  ['body of a scan', (y) => rnn.scan({ carry: [values().row], length: 2 }, () => ({ carry: [y] })), () => []],
  ['output', (x) => new Graph().output('y', x), () => [undefined]],
];

const WRONG: readonly (readonly [what: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['3', 3],
  ['"x"', 'x'],
  ['Int32Array', Int32Array.of(1)],
  ['Promise', Promise.resolve()],
  ['object', { shape: [1], data: Int32Array.of(1) }],
];

describe.each(CASES)('%s', (_, call, of) => {
  it.each(WRONG)('refuses %s', (what, wrong) => {
    const count = of(values()).length;
    for (let i = 0; i < count; i++) {
      const all = of(values()).map((value, k) => (k === i ? wrong : value));
      let thrown: unknown = null;
      try {
        call(...(all as never[]));
      } catch (error) {
        thrown = error;
      }
      // A number may stand for a value in arithmetic, and what may be left out may be null.
      if (thrown === null) expect(['3', 'undefined', 'null'], `argument ${i}`).toContain(what);
      else {
        expect(thrown, `argument ${i}`).toBeInstanceOf(RnnError);
        expect((thrown as RnnError).remedy).toMatch(/pass/);
      }
    }
  });
});

test.each<[string, () => unknown, RegExp]>([
  [
    'a layer',
    () => new rnn.Linear({ inputSize: 1, outputSize: 1 }).forward(undefined as never),
    /^linear: input is undefined; pass a Value/,
  ],
  ['an operation', () => rnn.sum(3 as never), /^sum: x is 3; pass a Value/],
  ['a loss', () => rnn.crossEntropy(undefined as never, values().tokens), /^crossEntropy: logits is missing/],
  [
    'a typed array',
    () => rnn.add(values().x, Float32Array.of(1) as never),
    /^add: input 1 is a Float32Array; pass a Value/,
  ],
  ['a promise', () => rnn.tanh(Promise.resolve() as never), /^tanh: input 0 is a Promise \(await it\)/],
])('%s names itself and what it got', (_, call, message) => {
  expect(call).toThrow(ArgumentError);
  expect(call).toThrow(message);
});
