/** Mistakes are thrown at the call that made them, naming what is wrong and what would be right. */
import { describe, expect, it } from 'vitest';
import type { RnnError } from '../../../src/graph/errors.js';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import * as ops from '../../../src/ops/index.js';

const graph = new Graph('test');
const narrow = graph.input('narrow', [6, 5]);
const seed = graph.scalar('seed', 'int32');
const scalar = graph.input('scalar', []);
const vector = graph.input('vector', [5]);
const matrix = graph.input('matrix', [3, 4]);
const cube = graph.input('cube', [2, 3, 4]);
const cubes = graph.input('cubes', [1, 3, 4]);
const many = graph.input('many', [2, 2, 4, 3]);
const deep = graph.input('deep', [1, 1, 1, 1, 2]);
const tokens = graph.input('tokens', [2, 3], 'int32');
const elsewhere = new Graph('other').input('x', [3, 4]);
const layer = {
  x: graph.input('layer', [7, 2, 48]),
  weightIh: graph.input('weightIh', [40, 64]),
  weightHh: graph.input('weightHh', [40, 10]),
};
const fitting = graph.input('fitting', [7, 2, 64]);
const sgd = { name: 'sgd', momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 } as const;
const counters = graph.input('counters', [4]);

function update(rule: ops.OptimizerRule, slots: ops.OptimizerUpdateInputs['slots'] = []): () => unknown {
  return () =>
    ops.optimizerUpdate({
      rule,
      learningRate: scalar,
      gradientNorm: scalar,
      clipNorm: scalar,
      counters,
      parameters: [matrix],
      gradients: [matrix],
      slots,
    });
}

const mistakes: [string, () => unknown, typeof RnnError, RegExp][] = [
  ['add, shapes', () => ops.add(matrix, vector), ShapeError, /^add: shapes \[3,4\] and \[5\]/],
  ['add, whole numbers', () => ops.add(tokens, 1), ShapeError, /a holds int32/],
  ['add, rank', () => ops.add(deep, 1), ShapeError, /5 dimensions.*at most 4/],
  ['add, plain numbers', () => ops.add(1, 2), ArgumentError, /both operands are plain numbers/],
  ['add, graphs', () => ops.add(matrix, elsewhere), ArgumentError, /graph "other", not to "test"/],
  ['tanh, whole numbers', () => ops.tanh(tokens), ShapeError, /^tanh: x holds int32/],
  ['fill', () => ops.fill(graph, [2, 0], 1), ArgumentError, /dimension is 0/],
  ['sum, axis', () => ops.sum(matrix, { axes: 2 }), ArgumentError, /axis 2.*-2 to 1/],
  ['sum, axis twice', () => ops.sum(matrix, { axes: [1, -1] }), ArgumentError, /axes \[1,1\]/],
  ['sumTo', () => ops.sumTo(matrix, [3]), ShapeError, /\[3,4\] does not sum to \[3\]/],
  ['broadcastTo', () => ops.broadcastTo(matrix, [3, 5]), ShapeError, /\[3,4\] does not broadcast to \[3,5\]/],
  ['reshape', () => ops.reshape(matrix, [5, 2]), ShapeError, /12 elements.*\[5,2\] has 10/],
  ['reshape, −1', () => ops.reshape(matrix, [5, -1]), ArgumentError, /12 elements/],
  ['reshape, −1 twice', () => ops.reshape(matrix, [-1, -1]), ArgumentError, /at most one/],
  ['transpose', () => ops.transpose(matrix, [0, 0]), ArgumentError, /\[0,0\] is no permutation/],
  [
    'slice',
    () => ops.slice(matrix, [1, 2], [3, 1]),
    ArgumentError,
    /\[1,2\] with size \[3,1\] of shape \[3,4\]/,
  ],
  ['slice, rank', () => ops.slice(matrix, [1], [1]), ArgumentError, /one whole number a dimension/],
  ['slice, empty rest', () => ops.slice(vector, [5], [-1]), ArgumentError, /stay inside/],
  ['pad', () => ops.pad(matrix, [0, -1], [0, 0]), ArgumentError, /before \[0,-1\]/],
  ['concat', () => ops.concat([matrix, vector], 0), ShapeError, /value 1 is float32\[5\]/],
  ['concat, nothing', () => ops.concat([], 0), ArgumentError, /got no values/],
  ['stack', () => ops.stack([matrix, matrix], 3), ArgumentError, /axis 3/],
  ['matmul', () => ops.matmul(matrix, matrix), ShapeError, /4 columns meet 3 rows/],
  ['matmul, rank', () => ops.matmul(vector, matrix), ShapeError, /a has shape \[5\].*\[M,K\]/],
  [
    'matmul, rank of the other, transposed',
    () => ops.matmul(matrix, vector, { transposeB: true }),
    ShapeError,
    /b has shape \[5\].*\[N,K\], or \[…,N,K\]/,
  ],
  [
    'matmul, batch',
    () => ops.matmul(cube, matrix),
    ShapeError,
    /a is \[2,3,4\], b is \[3,4\], so 4 columns meet 3 rows/,
  ],
  [
    'matmul, batches',
    () => ops.matmul(cube, cubes, { transposeB: true }),
    ShapeError,
    /a is \[2,3,4\], b is \[1,3,4\] transposed, so a batch of \[2\] meets one of \[1\].*broadcastTo/,
  ],
  [
    'matmul, ranks of batches',
    () => ops.matmul(cube, many),
    ShapeError,
    /a batch of \[2\] meets one of \[2,2\]/,
  ],
  [
    'linear',
    () => ops.linear(cube, narrow, null, 'output'),
    ShapeError,
    /linear "output": x has shape \[2,3,4\].*takes 5 features/,
  ],
  ['linear, bias', () => ops.linear(cube, matrix, vector), ShapeError, /bias has shape \[5\].*\[3\]/],
  ['embedding, type', () => ops.embedding(matrix, vector), ShapeError, /tokens holds float32.*int32/],
  ['embedding, table', () => ops.embedding(vector, tokens), ShapeError, /\[V,E\]/],
  [
    'dropout, p',
    () => ops.dropout(matrix, seed, { p: 1, stream: 0 }, 'top'),
    ArgumentError,
    /dropout "top": p is 1/,
  ],
  ['dropout, NaN', () => ops.dropout(matrix, seed, { p: NaN, stream: 0 }), ArgumentError, /p is NaN/],
  [
    'dropout, seed',
    () => ops.dropout(matrix, scalar, { p: 0.5, stream: 0 }),
    ShapeError,
    /seed holds float32/,
  ],
  ['dropout, stream', () => ops.dropout(matrix, seed, { p: 0.5, stream: -1 }), ArgumentError, /stream is -1/],
  ['softmax', () => ops.softmax(scalar), ShapeError, /x is a scalar/],
  [
    'cross-entropy',
    () => ops.softmaxCrossEntropy(matrix, tokens),
    ShapeError,
    /logits have shape \[3,4\], targets \[2,3\]/,
  ],
  ['globalNorm', () => ops.globalNorm([]), ArgumentError, /got no gradients/],
  ['gradients', () => ops.gradients(matrix, [vector]), ShapeError, /the loss is float32\[3,4\].*sum or mean/],
  [
    'gradients, source',
    () => ops.gradients(ops.sum(matrix), [tokens]),
    ArgumentError,
    /source 0 holds int32/,
  ],
  [
    'vectorJacobian',
    () => ops.vectorJacobian([matrix], [vector], [matrix]),
    ShapeError,
    /target 0 has shape \[3,4\], its upstream \[5\]/,
  ],
  [
    'recurrent, features',
    () => ops.recurrent({ ...layer, cell: 'lstm', label: 'encoder' }),
    ShapeError,
    /recurrent "encoder": x has shape \[7,2,48\], so 48 features, inputSize is 64/,
  ],
  [
    'recurrent, gates',
    () => ops.recurrent({ ...layer, x: fitting, cell: 'gru' }),
    ShapeError,
    /weightHh has shape \[40,10\].*\[30,10\]/,
  ],
  [
    'recurrent, bias',
    () => ops.recurrent({ ...layer, x: fitting, cell: 'lstm', biasHh: vector }),
    ShapeError,
    /biasHh has shape \[5\].*\[40\]/,
  ],
  [
    'recurrent, state',
    () => ops.recurrent({ ...layer, x: fitting, cell: 'lstm', initialStates: [null, matrix] }),
    ShapeError,
    /initial c has shape \[3,4\].*\[2,10\]/,
  ],
  [
    'recurrent, states',
    () => ops.recurrent({ ...layer, x: fitting, cell: 'gru', initialStates: [null, null] }),
    ArgumentError,
    /got 2 initial states.*carries 1/,
  ],
  [
    'recurrent, cell',
    () => ops.recurrent({ ...layer, cell: 'mamba' as 'gru' }),
    ArgumentError,
    /no cell "mamba".*lstm/,
  ],
  ['optimizer, slots', update({ ...sgd, momentum: 0.9 }), ArgumentError, /got \d+ inputs/],
  [
    'optimizer, slot shape',
    update({ ...sgd, momentum: 0.9 }, [[vector]]),
    ShapeError,
    /momentum_buffer 0 has shape \[5\]/,
  ],
  ['optimizer, slot count', update({ ...sgd, momentum: 0.9 }, [[]]), ArgumentError, /got 1 parameters but 0/],
  ['optimizer, momentum', update({ ...sgd, momentum: -1 }), ArgumentError, /momentum is -1/],
  ['optimizer, nesterov', update({ ...sgd, nesterov: true }), ArgumentError, /nesterov with momentum 0/],
  [
    'optimizer, rule',
    update({ name: 'sophia' } as unknown as ops.OptimizerRule),
    ArgumentError,
    /no rule "sophia"/,
  ],
];

describe('recording refuses', () => {
  it.each(mistakes)('%s', (_, record, type, message) => {
    expect(record).toThrow(type);
    expect(record).toThrow(message);
  });

  it('a residual in place of numbers', () => {
    const node = ops.recurrent({ ...layer, x: fitting, cell: 'lstm' }).output.source;
    const residual = node.kind === 'node' ? node.node.outputs.at(-1)! : scalar;
    expect(residual.dtype).toBe('opaque');
    expect(() => ops.tanh(residual)).toThrow(ShapeError);
    expect(() => ops.reshape(residual, [1])).toThrow(/residual/);
    expect(() => graph.output('residual', residual)).toThrow(/residual/);
  });

  it('and says who, what and what to do', () => {
    let caught: unknown;
    try {
      ops.matmul(matrix, matrix);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ShapeError);
    expect((caught as ShapeError).name).toBe('ShapeError');
    expect((caught as ShapeError).culprit).toBe('matmul');
    expect((caught as ShapeError).remedy).not.toBe('');
  });
});
