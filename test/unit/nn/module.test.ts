/** Parameters are loaded and saved as a whole, or not at all. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import type { RnnError } from '../../../src/graph/errors.js';
import { ArgumentError, NonFiniteError, ShapeError } from '../../../src/graph/errors.js';
import { Linear } from '../../../src/nn/linear.js';
import { Module, type TensorData } from '../../../src/nn/module.js';

class Pair extends Module {
  constructor() {
    super('pair');
    this.addModule('a', new Linear({ inputSize: 2, outputSize: 1, seed: 1 }));
    this.addModule('b', new Linear({ inputSize: 2, outputSize: 1, seed: 2 }));
  }
}

describe('Module', () => {
  it('gives its state and takes it back', async () => {
    const executor = new CpuExecutor();
    const from = new Pair();
    const to = new Pair();
    const state = await from.state(executor);
    state.get('b.weight')!.data.set([5, 6]);
    to.loadState(executor, state);
    expect(await to.state(executor)).toEqual(state);
    // What was given is a copy.
    expect((await from.state(executor)).get('b.weight')!.data).not.toEqual(state.get('b.weight')!.data);
  });

  type Change = (state: Map<string, TensorData>) => void;
  const bias = (...data: number[]): TensorData => ({ shape: [1], data: Float32Array.from(data) });
  const cases: [string, Change, new (...args: never[]) => RnnError, RegExp][] = [
    ['a missing name', (s) => s.delete('b.bias'), ArgumentError, /pair: parameters are missing: "b.bias"/],
    ['an unknown name', (s) => s.set('c.bias', bias(1)), ArgumentError, /parameters are unknown: "c.bias"/],
    ['a wrong shape', (s) => s.set('b.weight', bias(1)), ShapeError, /"b.weight": has shape \[1\]/],
    [
      'a transposed shape',
      (s) => s.set('b.weight', { shape: [2, 1], data: new Float32Array(2) }),
      ShapeError,
      /"b.weight"/,
    ],
    ['a wrong number of elements', (s) => s.set('b.bias', bias(1, 2)), ShapeError, /"b.bias".*2 numbers/],
    ['whole numbers', (s) => s.set('b.bias', { shape: [1], data: Int32Array.of(1) }), ShapeError, /whole/],
    ['NaN', (s) => s.set('b.bias', bias(NaN)), NonFiniteError, /"b.bias": element 0 is NaN/],
    ['infinity', (s) => s.set('b.bias', bias(-Infinity)), NonFiniteError, /-Infinity/],
    [
      'a double that float32 cannot hold',
      (s) => s.set('b.bias', { shape: [1], data: Float64Array.of(1e300) }),
      NonFiniteError,
      /1e\+300, beyond what 32 bits hold/,
    ],
  ];
  it.each(cases)('refuses %s and changes nothing', async (_, change, type, message) => {
    const executor = new CpuExecutor();
    const module = new Pair();
    const before = await module.state(executor);
    const state = new Map(
      [...before].map(([name, { shape, data }]) => [name, { shape, data: data.map(() => 9) }]),
    );
    change(state);
    const load = () => module.loadState(executor, state);
    expect(load).toThrow(type);
    expect(load).toThrow(message);
    expect(await module.state(executor)).toEqual(before);
  });

  it('refuses a state that is no Map', async () => {
    const executor = new CpuExecutor();
    const module = new Pair();
    const state = Object.fromEntries(await module.state(executor));
    const load = () => module.loadState(executor, state as never);
    expect(load).toThrow(ArgumentError);
    expect(load).toThrow(/^pair: state is an object; pass a Map/);
    expect(() => module.loadState(executor, module.state(executor) as never)).toThrow(
      /is a Promise \(await it\)/,
    );
  });

  it('refuses two parts of one name', () => {
    class Twice extends Module {
      constructor() {
        super('twice');
        this.addModule('a', new Linear({ inputSize: 1, outputSize: 1 }));
        this.addModule('a', new Linear({ inputSize: 1, outputSize: 1 }));
      }
    }
    expect(() => new Twice()).toThrow(/twice: "a" is registered twice/);
  });
});
