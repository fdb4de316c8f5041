/** A simple recurrent network and an LSTM trained from their equations alone, on one sequence of 100 steps. */
import { Adam, meanSquaredError, Trainer, type Executor, type Graph, type Value } from '../../src/index.js';
import { add, concat, fill, matmul, mul, reshape, scan, sigmoid, slice, tanh } from '../../src/index.js';
import { noise, weights } from './data.js';
import type { Print } from './program.js';

const [STEPS, INPUTS, OUTPUTS, HIDDEN, EPOCHS] = [100, 10, 5, 16, 1000];

/** From what a step is given, `[1,·]`, and the states before it to the states after it, h first. */
type Step = (x: Value, states: readonly Value[], weight: Value) => Value[];

/** h' = tanh([x,h,1]·W) */
const rnn: Step = (x, [h], w) => [tanh(affine(x, h!, w))];

/** [i,f,g,o] = [x,h,1]·W;  c' = σ(f)·c + σ(i)·tanh(g);  h' = σ(o)·tanh(c') */
const lstm: Step = (x, [h, c], w) => {
  const gates = affine(x, h!, w);
  const gate = (n: number) => slice(gates, [0, n * HIDDEN], [1, HIDDEN]);
  const next = add(mul(sigmoid(gate(1)), c!), mul(sigmoid(gate(0)), tanh(gate(2))));
  return [mul(sigmoid(gate(3)), tanh(next)), next];
};
const affine = (x: Value, h: Value, w: Value) => matmul(concat([x, h, fill(x.graph, [1, 1], 1)], 1), w);

/** Trains both for 1,000 epochs; their last losses, which begin near 1, end below 0.1. */
export async function equations(executor: Executor, print: Print) {
  const losses = { rnn: await train(executor, rnn, 1, 1), lstm: await train(executor, lstm, 2, 4) };
  for (const [name, loss] of Object.entries(losses)) print(`${name}: mean squared error ${loss.toFixed(4)}`);
  return losses;
}

async function train(executor: Executor, step: Step, states: number, gates: number) {
  const parameters = new Map([
    ['weight', weights('weight', [INPUTS + HIDDEN + 1, gates * HIDDEN])],
    ['readout', weights('readout', [HIDDEN, OUTPUTS])],
  ]);
  const record = (graph: Graph, { x, y }: Readonly<Record<string, Value>>) => {
    const carry = Array.from({ length: states }, () => fill(graph, [1, HIDDEN], 0));
    const [weight, readout] = [...parameters.values()].map((v) => graph.read(v)) as [Value, Value];
    const { ys } = scan({ carry, xs: [x!], consts: [weight] }, (_, { carry, xs, consts }) => {
      const next = step(xs[0]!, carry, consts[0]!);
      return { carry: next, ys: [next[0]!] };
    });
    return meanSquaredError(matmul(reshape(ys[0]!, [STEPS, HIDDEN]), readout), y!);
  };
  const trainer = new Trainer({ executor, parameters, optimizer: new Adam({ learningRate: 0.01 }), record });
  const batch = { x: noise([STEPS, 1, INPUTS], 1), y: noise([STEPS, OUTPUTS], 2) };
  for (let epoch = 0; epoch < EPOCHS; epoch++) await trainer.step(batch);
  return (await trainer.evaluate(batch)).loss;
}
