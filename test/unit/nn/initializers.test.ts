/** Parameters begin as their options say, the same for the same seed. */
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../../src/graph/errors.js';
import { Embedding } from '../../../src/nn/embedding.js';
import { createInitializer, type InitializerOption } from '../../../src/nn/initializers.js';
import { Linear } from '../../../src/nn/linear.js';
import { GRU, LSTM, RNN } from '../../../src/nn/recurrent.js';

const make = (option: InitializerOption, shape: number[], seed = 1, blocks = 1): Float32Array =>
  createInitializer('layer', 'weightInit', option, { shape, seed, stream: 0, blocks })();

const moments = (values: Float32Array): { mean: number; variance: number; largest: number } => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, variance, largest: Math.max(...values.map(Math.abs)) };
};

describe('initializers', () => {
  it.each<[InitializerOption, number, number]>([
    ['uniform', 0.05 ** 2 / 3, 0.05],
    [{ name: 'uniform', bound: 2 }, 4 / 3, 2],
    ['normal', 0.05 ** 2, Infinity],
    [{ name: 'normal', deviation: 3 }, 9, Infinity],
    // 2/(in + out) of a [100,300] weight; a uniform of variance v reaches to √(3v).
    ['glorotUniform', 2 / 400, Math.sqrt(6 / 400)],
    [{ name: 'glorotUniform', gain: 2 }, 8 / 400, 2 * Math.sqrt(6 / 400)],
    ['glorotNormal', 2 / 400, Infinity],
  ])('%j has its variance and bound', (option, variance, bound) => {
    const values = make(option, [100, 300]);
    const found = moments(values);
    const deviations = Math.sqrt(variance / values.length);
    expect(Math.abs(found.mean)).toBeLessThan(5 * deviations);
    // The variance of a squared normal is 2, of n of them 2/n; a uniform's is less.
    expect(Math.abs(found.variance / variance - 1)).toBeLessThan(5 * Math.sqrt(2 / values.length));
    expect(found.largest).toBeLessThanOrEqual(bound);
    if (bound < Infinity) expect(found.largest).toBeGreaterThan(0.99 * bound);
  });

  it.each<[InitializerOption, number]>([
    ['zeros', 0],
    ['ones', 1],
    [{ name: 'constant', value: -2.5 }, -2.5],
  ])('%j', (option, value) => {
    expect([...make(option, [3])]).toEqual([value, value, value]);
  });

  it.each([
    [6, 6],
    [7, 3],
    [3, 7],
    [1, 5],
    [5, 1],
    [64, 16],
  ])('orthogonal [%i,%i]: rows or columns are orthonormal, whichever are fewer', (rows, columns) => {
    const w = make('orthogonal', [rows, columns]);
    const along = rows >= columns;
    const [count, length] = along ? [columns, rows] : [rows, columns];
    const element = (vector: number, i: number): number =>
      along ? w[i * columns + vector]! : w[vector * columns + i]!;
    for (let a = 0; a < count; a++) {
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let i = 0; i < length; i++) dot += element(a, i) * element(b, i);
        expect(dot).toBeCloseTo(a === b ? 1 : 0, 6);
      }
    }
  });

  it('orthogonal is uniform: the first elements are as often positive as not, of variance 1/n', () => {
    const n = 4;
    const draws = Array.from({ length: 2000 }, (_, seed) => make('orthogonal', [n, n], seed));
    for (const place of [0, 5, 10, 15, 3]) {
      const values = Float32Array.from(draws, (w) => w[place]!);
      const { mean, variance } = moments(values);
      expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(1 / n / 2000));
      // The fourth moment is 3/(n(n + 2)), so a square has variance 2(n − 1)/(n²(n + 2)).
      const spread = Math.sqrt((2 * (n - 1)) / (n * n * (n + 2)) / 2000);
      expect(Math.abs(variance - 1 / n)).toBeLessThan(5 * spread);
    }
    const determinants = draws.map((w) => determinant([...w], n));
    expect(determinants.every((d) => Math.abs(Math.abs(d) - 1) < 1e-5)).toBe(true);
    expect(Math.abs(determinants.filter((d) => d > 0).length - 1000)).toBeLessThan(5 * Math.sqrt(500));
  });

  it('identity puts its gain on the diagonal of each gate', () => {
    expect([...make('identity', [2, 3])]).toEqual([1, 0, 0, 0, 1, 0]);
    expect([...make({ name: 'identity', gain: 0.5 }, [4, 2], 1, 2)]).toEqual([
      0.5, 0, 0, 0.5, 0.5, 0, 0, 0.5,
    ]);
    expect([...make('identity', [3, 2])]).toEqual([1, 0, 0, 1, 0, 0]);
  });

  it.each<InitializerOption>(['uniform', 'normal', 'glorotUniform', 'glorotNormal', 'orthogonal'])(
    '%s repeats with its seed and differs with another',
    (option) => {
      expect(make(option, [4, 3], 7)).toEqual(make(option, [4, 3], 7));
      expect(make(option, [4, 3], 8)).not.toEqual(make(option, [4, 3], 7));
    },
  );

  const wrong: [unknown, RegExp][] = [
    ['he', /layer, weightInit: name is "he"; choose one of "uniform"/],
    [{ name: 'constant' }, /weightInit: value is NaN/],
    [{ name: 'uniform', gain: 1 }, /weightInit: there is no option "gain"; the options are name, bound/],
    [{ name: 'normal', deviation: -1 }, /deviation is -1/],
    [{ kind: 'zeros' }, /there is no option "kind"/],
    [null, /got null/],
    [3, /weightInit: got 3/],
  ];
  it.each(wrong)('refuses %j', (option, message) => {
    expect(() => make(option as InitializerOption, [2, 2])).toThrow(ArgumentError);
    expect(() => make(option as InitializerOption, [2, 2])).toThrow(message);
  });
});

describe('layers', () => {
  it('begin each kind of parameter as told', () => {
    const layer = new LSTM({
      inputSize: 3,
      hiddenSize: 4,
      projSize: 2,
      numLayers: 2,
      bidirectional: true,
      weightInit: { name: 'constant', value: 3 },
      recurrentInit: 'ones',
      biasInit: 'zeros',
      forgetBias: 1,
    });
    for (const [name, variable] of layer.namedParameters()) {
      const values = new Set(variable.initialValue());
      const expected = name.startsWith('weight_hh')
        ? [1]
        : name.startsWith('weight')
          ? [3]
          : name.startsWith('bias_ih')
            ? [0, 1]
            : [0];
      expect([name, [...values]]).toEqual([name, expected]);
    }
    const relu = new RNN({ inputSize: 1, hiddenSize: 2, nonlinearity: 'relu', recurrentInit: 'identity' });
    expect([...relu.namedParameters().get('weight_hh_l0')!.initialValue()]).toEqual([1, 0, 0, 1]);
    const gru = new GRU({ inputSize: 1, hiddenSize: 2, recurrentInit: 'identity' });
    expect([...gru.namedParameters().get('weight_hh_l0')!.initialValue()]).toEqual([
      1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1,
    ]);
    const linear = new Linear({ inputSize: 2, outputSize: 2, weightInit: 'identity', biasInit: 'ones' });
    expect([...linear.weight.initialValue(), ...linear.bias!.initialValue()]).toEqual([1, 0, 0, 1, 1, 1]);
    const table = new Embedding({ vocabSize: 2, embeddingSize: 1, weightInit: 'zeros' });
    expect([...table.weight.initialValue()]).toEqual([0, 0]);
  });

  it('refuse a way to begin what they do not have', () => {
    const sizes = { inputSize: 2, outputSize: 3 };
    expect(() => new Linear({ ...sizes, bias: false, biasInit: 'zeros' })).toThrow(/there is no bias/);
    expect(() => new Linear({ ...sizes, name: 'a', biasInit: 'identity' })).toThrow(
      /linear "a", biasInit: "identity" is for matrices, the parameter has shape \[3\]/,
    );
    expect(() => new Embedding({ vocabSize: 2, embeddingSize: 1, weightInit: 'x' as 'zeros' })).toThrow(
      ArgumentError,
    );
  });
});

function determinant(matrix: number[], n: number): number {
  let product = 1;
  for (let k = 0; k < n; k++) {
    const pivot = matrix[k * n + k]!;
    product *= pivot;
    for (let row = k + 1; row < n; row++) {
      const factor = matrix[row * n + k]! / pivot;
      for (let column = k; column < n; column++)
        matrix[row * n + column]! -= factor * matrix[k * n + column]!;
    }
  }
  return product;
}
