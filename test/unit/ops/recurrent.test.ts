/** The recurrent cells: gradients against central differences, values against the same cells written by hand. */
import { describe, expect, it } from 'vitest';
import type { Value } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import { CELLS, type ActivationName, type CellName } from '../../../src/ops/cells.js';
import { TOLERANCES } from '../../support/tolerances.js';
import { checkGradients } from '../support/check-gradients.js';
import { evaluate, expectClose, real, type Fed } from '../support/evaluate.js';
import { randomArray, randomSource } from '../support/random.js';
import { sizeOf, type Shape } from '../../../src/graph/shape.js';

const random = randomSource(21);
const some = (shape: Shape): Fed => real(shape, randomArray(random, sizeOf(shape), -0.8, 0.8));
/** The cells as PyTorch has them. */
const kinds: [CellName, ActivationName][] = [
  ['rnn', 'tanh'],
  ['rnn', 'relu'],
  ['lstm', 'tanh'],
  ['gru', 'tanh'],
];

interface Sizes {
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
}

function layerInputs(cell: CellName, { T, B, I, H }: Sizes): Record<string, Fed> {
  const rows = CELLS[cell].gates.length * H;
  return {
    x: some([T, B, I]),
    weightIh: some([rows, I]),
    weightHh: some([rows, H]),
    biasIh: some([rows]),
    biasHh: some([rows]),
    ...Object.fromEntries(CELLS[cell].states.map((state) => [state, some([B, H])])),
  };
}

/** A layer over named values; `bias` and the initial states are left out where they are not among them. */
function layer(
  cell: CellName,
  activation: ActivationName,
  values: Readonly<Record<string, Value>>,
): { output: Value; finalStates: Value[] } {
  return ops.recurrent({
    cell,
    activation,
    x: values['x']!,
    weightIh: values['weightIh']!,
    weightHh: values['weightHh']!,
    biasIh: values['biasIh'] ?? null,
    biasHh: values['biasHh'] ?? null,
    initialStates: CELLS[cell].states.map((state) => values[state] ?? null),
  });
}

function without(inputs: Record<string, Fed>, ...names: string[]): Record<string, Fed> {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => !names.includes(name)));
}

/** The same cell, written with plain operations, one step at a time. */
function byHand(
  cell: CellName,
  activation: ActivationName,
  values: Readonly<Record<string, Value>>,
  T: number,
): Value[] {
  const x = values['x']!;
  const [, B, I] = x.shape as readonly [number, number, number];
  const H = values['weightHh']!.shape[1]!;
  const gates = CELLS[cell].gates.length;
  let h = values['h']!;
  let c = values['c'];
  const outputs: Value[] = [];
  for (let t = 0; t < T; t++) {
    const xt = ops.reshape(ops.slice(x, [t, 0, 0], [1, B, I]), [B, I]);
    const a = ops.linear(xt, values['weightIh']!, values['biasIh']);
    const r = ops.linear(h, values['weightHh']!, values['biasHh']);
    const part = (value: Value, gate: number): Value => ops.slice(value, [0, gate * H], [B, H]);
    const both = Array.from({ length: gates }, (_, gate) => ops.add(part(a, gate), part(r, gate)));
    if (cell === 'lstm') {
      const [i, f, g, o] = both as [Value, Value, Value, Value];
      c = ops.add(ops.mul(ops.sigmoid(f), c!), ops.mul(ops.sigmoid(i), ops.tanh(g)));
      h = ops.mul(ops.sigmoid(o), ops.tanh(c));
    } else if (cell === 'gru') {
      const reset = ops.sigmoid(both[0]!);
      const update = ops.sigmoid(both[1]!);
      const candidate = ops.tanh(ops.add(part(a, 2), ops.mul(reset, part(r, 2))));
      h = ops.add(ops.mul(ops.sub(1, update), candidate), ops.mul(update, h));
    } else {
      h = activation === 'relu' ? ops.relu(both[0]!) : ops.tanh(both[0]!);
    }
    outputs.push(h);
  }
  return [ops.stack(outputs), h, ...(c ? [c] : [])];
}

describe.each(kinds)('%s with %s', (cell, activation) => {
  const states = CELLS[cell].states;
  const sizes = { T: 4, B: 3, I: 2, H: 5 };

  it('matches central differences through outputs and final states, by all inputs', async () => {
    await checkGradients({
      inputs: layerInputs(cell, sizes),
      record: (v) => {
        const { output, finalStates } = layer(cell, activation, v);
        return [output, ...finalStates];
      },
    });
  });

  it('matches them through the final states alone', async () => {
    await checkGradients({
      inputs: layerInputs(cell, sizes),
      record: (v) => layer(cell, activation, v).finalStates,
    });
  });

  it('matches them without biases and initial states', async () => {
    await checkGradients({
      inputs: without(layerInputs(cell, sizes), 'biasIh', 'biasHh', ...states),
      record: (v) => [layer(cell, activation, v).output],
    });
  });

  it('matches them for one step, one sequence, one feature', async () => {
    const single = { T: 1, B: 1, I: 1, H: 3 };
    const inputs = layerInputs(cell, single);
    // Keeps the units of a relu cell on, so that every gradient can be seen.
    if (activation === 'relu') inputs['biasIh'] = real([3], [2, 3, 2.5]);
    await checkGradients({ inputs, record: (v) => [layer(cell, activation, v).output] });
  });

  it('one step without initial states gives no gradient to weightHh', async () => {
    const inputs = without(layerInputs(cell, { T: 1, B: 2, I: 3, H: 4 }), ...states);
    await checkGradients({ inputs, record: (v) => [layer(cell, activation, v).output], zero: ['weightHh'] });
  });

  it('matches them through two layers', async () => {
    const inputs = layerInputs(cell, sizes);
    const upper = layerInputs(cell, { ...sizes, I: sizes.H });
    await checkGradients({
      inputs: { ...inputs, upperIh: upper['weightIh']!, upperHh: upper['weightHh']! },
      record: (v) => {
        const first = layer(cell, activation, v).output;
        return [
          ops.recurrent({ cell, activation, x: first, weightIh: v['upperIh'], weightHh: v['upperHh'] })
            .output,
        ];
      },
    });
  });

  it('equals the cell written step by step, in values and gradients', async () => {
    const T = 5;
    const inputs = layerInputs(cell, { T, B: 3, I: 4, H: 6 });
    const names = Object.keys(inputs);
    const compute = (
      record: (v: Readonly<Record<string, Value>>) => readonly Value[],
    ): ReturnType<typeof evaluate> =>
      evaluate(inputs, (v, graph) => {
        const targets = record(v);
        const upstream = targets.map((target, i) => ops.fill(graph, target.shape, 0.3 + i));
        return [
          ...targets,
          ...ops.vectorJacobian(
            targets,
            upstream,
            names.map((name) => v[name]!),
          ),
        ];
      });
    const got = await compute((v) => {
      const { output, finalStates } = layer(cell, activation, v);
      return [output, ...finalStates];
    });
    const wanted = await compute((v) => byHand(cell, activation, v, T));
    expect(got.length).toBe(1 + states.length + names.length);
    got.forEach((array, i) => expectClose(array, wanted[i]!, TOLERANCES.float64, `result ${i}`));
  });

  it('gives the same outputs whether or not a backward needs its residual', async () => {
    const inputs = layerInputs(cell, { T: 6, B: 2, I: 3, H: 4 });
    const [plain, ...finals] = await evaluate(inputs, (v) => {
      const { output, finalStates } = layer(cell, activation, v);
      return [output, ...finalStates];
    });
    const [kept, ...keptFinals] = await evaluate(inputs, (v) => {
      const { output, finalStates } = layer(cell, activation, v);
      return [output, ...finalStates, ...ops.gradients(ops.sum(output), [v['x']!])];
    });
    expect([...kept!]).toEqual([...plain!]);
    finals.forEach((final, s) => expect([...keptFinals[s]!]).toEqual([...final]));
  });

  it('continues where it stopped: two halves with the state carried equal the whole', async () => {
    const inputs = layerInputs(cell, { T: 6, B: 2, I: 3, H: 4 });
    const [whole] = await evaluate(inputs, (v) => [layer(cell, activation, v).output]);
    const [halves] = await evaluate(inputs, (v) => {
      const x = v['x']!;
      const first = layer(cell, activation, { ...v, x: ops.slice(x, [0, 0, 0], [2, -1, -1]) });
      const carried = Object.fromEntries(states.map((state, s) => [state, first.finalStates[s]!]));
      const second = layer(cell, activation, { ...v, x: ops.slice(x, [2, 0, 0], [-1, -1, -1]), ...carried });
      return [ops.concat([first.output, second.output], 0)];
    });
    expectClose(halves!, whole!);
  });

  it('stays finite with saturated gates in float32', async () => {
    const inputs = layerInputs(cell, { T: 8, B: 2, I: 3, H: 4 });
    const scale = activation === 'relu' ? 2 : 60;
    const large = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, data }]) => [
        name,
        real(
          shape,
          data.map((d: number) => d * scale),
        ),
      ]),
    );
    const results = await evaluate(
      large,
      (v) => {
        const { output } = layer(cell, activation, v);
        return [output, ...ops.gradients(ops.sum(output), Object.values(v))];
      },
      'float32',
    );
    for (const array of results) expect(array.every((n: number) => Number.isFinite(n))).toBe(true);
  });
});
