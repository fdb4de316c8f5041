/** One weight in two layers: one variable, one name in files, gradients that add up. */
import { afterEach, describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import type { Graph } from '../../../src/graph/graph.js';
import { Variable, type Value } from '../../../src/graph/value.js';
import { ModuleDict } from '../../../src/nn/containers.js';
import { Embedding } from '../../../src/nn/embedding.js';
import { Linear } from '../../../src/nn/linear.js';
import { crossEntropy } from '../../../src/nn/losses.js';
import { RNN } from '../../../src/nn/recurrent.js';
import { SGD } from '../../../src/optim/sgd.js';
import { gradients } from '../../../src/ops/gradients.js';
import { Trainer } from '../../../src/train/trainer.js';
import { expectEach, run } from './run.js';

let executor = new CpuExecutor({ precision: 'float64' });
afterEach(() => {
  executor.dispose();
  executor = new CpuExecutor({ precision: 'float64' });
});

const [V, E] = [5, 3];

function createModel(tied: boolean) {
  const embedding = new Embedding({ vocabSize: V, embeddingSize: E, seed: 1 });
  return new ModuleDict({
    embedding,
    rnn: new RNN({ inputSize: E, hiddenSize: E, seed: 2 }),
    output: new Linear({
      inputSize: E,
      outputSize: V,
      bias: false,
      ...(tied && { weight: embedding.weight }),
    }),
  });
}

const lossOf = (
  { modules: { embedding, rnn, output } }: ReturnType<typeof createModel>,
  graph: Graph,
): Value => {
  const tokens = graph.input('tokens', [4, 1], 'int32');
  const targets = graph.input('targets', [4, 1], 'int32');
  return crossEntropy(output.forward(rnn.forward(embedding.forward(tokens)).output), targets);
};
const feeds = { tokens: Int32Array.of(0, 1, 2, 3), targets: Int32Array.of(1, 2, 3, 4) };

describe('tied weights', () => {
  it('are one parameter, by its first name', async () => {
    const model = createModel(true);
    expect([...model.namedParameters().keys()].filter((name) => !name.startsWith('rnn'))).toEqual([
      'embedding.weight',
    ]);
    expect(model.parameterCount).toBe(V * E + createModel(true).modules.rnn.parameterCount);
    expect([...(await model.state(executor)).keys()]).not.toContain('output.weight');
  });

  it('have the sum of the gradients of all uses', async () => {
    const tied = createModel(true);
    const free = createModel(false);
    const state = new Map(await tied.state(executor));
    free.loadState(executor, new Map([...state, ['output.weight', state.get('embedding.weight')!]]));
    const one = await run(
      executor,
      (g) => {
        const loss = lossOf(tied, g);
        return { loss, d: gradients(loss, [g.read(tied.modules.embedding.weight)])[0]! };
      },
      feeds,
    );
    const two = await run(
      executor,
      (g) => {
        const loss = lossOf(free, g);
        const { embedding, output } = free.modules;
        const [a, b] = gradients(loss, [g.read(embedding.weight), g.read(output.weight)]);
        return { loss, a: a!, b: b! };
      },
      feeds,
    );
    expectEach(one['loss'], two['loss']!);
    expectEach(
      one['d'],
      Array.from(two['a']!).map((value, i) => value + two['b']![i]!),
    );
  });

  it('train, and stay one', async () => {
    const model = createModel(true);
    const trainer = new Trainer({
      executor,
      parameters: model,
      optimizer: new SGD({ learningRate: 0.5 }),
      record: (_graph, inputs) => {
        const { embedding, rnn, output } = model.modules;
        const hidden = rnn.forward(embedding.forward(inputs['tokens']!)).output;
        return crossEntropy(output.forward(hidden), inputs['targets']!);
      },
    });
    const batch = {
      tokens: { shape: [4, 1], data: feeds.tokens },
      targets: { shape: [4, 1], data: feeds.targets },
    };
    const before = await trainer.evaluate(batch);
    for (let step = 0; step < 100; step++) await trainer.step(batch);
    const after = await trainer.evaluate(batch);
    expect(before.loss).toBeGreaterThan(1);
    expect(after.loss).toBeLessThan(0.1);
    const table = await executor.read(model.modules.embedding.weight);
    expect(await executor.read(model.modules.output.weight)).toEqual(table);
    trainer.dispose();
  });

  it('load by either name, or by both where they agree', async () => {
    const model = createModel(true);
    const state = new Map(await model.state(executor));
    const weight = { shape: [V, E], data: new Float32Array(V * E).fill(2) };
    const without = new Map(state);
    without.delete('embedding.weight');
    model.loadState(executor, new Map([...without, ['output.weight', weight]]));
    expect([...(await executor.read(model.modules.embedding.weight))]).toEqual([...weight.data]);
    const other = { shape: [V, E], data: new Float32Array(V * E).fill(3) };
    const both = (second: typeof other) =>
      new Map([...without, ['embedding.weight', other], ['output.weight', second]]);
    model.loadState(executor, both(other));
    expect([...(await executor.read(model.modules.output.weight))]).toEqual([...other.data]);
    expect(() => model.loadState(executor, both(weight))).toThrow(
      /parameter "output.weight": differs from "embedding.weight", with which it is shared here/,
    );
    expect([...(await executor.read(model.modules.output.weight))]).toEqual([...other.data]);
    expect(() => model.loadState(executor, without)).toThrow(/parameters are missing: "embedding.weight"/);
  });

  it('are refused where they do not fit', () => {
    const sizes = { inputSize: E, outputSize: V, name: 'out' };
    const weight = new Variable({ name: 'w', shape: [E, V] });
    expect(() => new Linear({ ...sizes, weight })).toThrow(ShapeError);
    expect(() => new Linear({ ...sizes, weight })).toThrow(
      /linear "out": the weight to share is float32\[3,5\]; pass a variable of shape \[5,3\]/,
    );
    expect(() => new Linear({ ...sizes, weight: {} as never })).toThrow(/is an object/);
    const fits = new Variable({ name: 'w', shape: [V, E] });
    expect(() => new Linear({ ...sizes, weight: fits, weightInit: 'zeros' })).toThrow(ArgumentError);
  });
});
