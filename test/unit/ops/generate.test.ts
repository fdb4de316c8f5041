/** `generate` on the CPU against the layers it stands for, step by step, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { CpuExecutor } from '../../../src/cpu/executor.js';
import { ShapeError } from '../../../src/graph/errors.js';
import type { Feeds } from '../../../src/graph/executor.js';
import { Graph } from '../../../src/graph/graph.js';
import type { Value } from '../../../src/graph/value.js';
import { lowerGraph, prepareGraph } from '../../../src/gpu/lower/index.js';
import { dispatchesOf } from '../../../src/gpu/program.js';
import {
  CELLS,
  drawTokens,
  embedding,
  linear,
  readTokens,
  recurrent,
  reshape,
  writeTokens,
  type CellName,
  type GenerateNetwork,
  type Sampler,
} from '../../../src/ops/index.js';
import { randomArray } from '../../gpu/compare-executors.js';

const CELL_NAMES = Object.keys(CELLS) as CellName[];
const [V, E, H, B] = [11, 3, 4, 2];

function network(graph: Graph, cell: CellName, L: number, sizes = { V, H }): GenerateNetwork {
  const G = CELLS[cell].gates.length;
  const states = CELLS[cell].states.map((state) => [state, graph.input(state, [L, B, sizes.H])] as const);
  return {
    cell,
    table: graph.input('table', [sizes.V, E]),
    layers: Array.from({ length: L }, (_, l) => ({
      weightIh: graph.input(`ih${l}`, [G * sizes.H, l === 0 ? E : sizes.H]),
      weightHh: graph.input(`hh${l}`, [G * sizes.H, sizes.H]),
      biasHh: graph.input(`bhh${l}`, [G * sizes.H]),
    })),
    states: Object.fromEntries(states),
  };
}

function sampler(graph: Graph): Sampler {
  return {
    temperature: graph.scalar('temperature'),
    topK: graph.scalar('topK', 'int32'),
    topP: graph.scalar('topP'),
    seeds: graph.input('seeds', [B, 2], 'int32'),
    position: graph.scalar('position', 'int32'),
  };
}

async function run(record: (graph: Graph) => void): Promise<Record<string, number[]>> {
  const graph = new Graph('test');
  record(graph);
  const executor = new CpuExecutor({ precision: 'float64' });
  const plan = await executor.compile(graph);
  const given = { temperature: 0.7, topK: 6, topP: 0.9, position: 2 } as Record<string, number>;
  const feeds = graph.inputs.map(({ name, value }) => [
    name,
    given[name] ??
      (value.dtype === 'int32'
        ? Int32Array.from({ length: value.size }, (_, i) => (3 * i + 1) % V)
        : randomArray(value.size, name.length + name.charCodeAt(0))),
  ]);
  const read = graph.outputs.map(({ name }) => name);
  const { outputs } = await plan.run(Object.fromEntries(feeds) as Feeds, { read });
  executor.dispose();
  return Object.fromEntries(Object.entries(outputs).map(([name, data]) => [name, Array.from(data)]));
}

describe('generate', () => {
  it.each(CELL_NAMES)('%s: reads as the layers do', async (cell) => {
    const L = 2;
    const actual = await run((graph) => {
      const states = readTokens(network(graph, cell, L), graph.input('tokens', [3, B], 'int32'));
      for (const [name, value] of Object.entries(states)) graph.output(name, value);
    });
    const expected = await run((graph) => {
      const { table, layers, states } = network(graph, cell, 1);
      const x = embedding(table, graph.input('tokens', [3, B], 'int32'));
      const initialStates = Object.values(states).map((state) => reshape(state, [B, H]));
      const { finalStates } = recurrent({ cell, x, ...layers[0]!, initialStates });
      finalStates.forEach((state, s) => graph.output(CELLS[cell].states[s]!, state));
    });
    // The first of two layers is this one.
    for (const [name, numbers] of Object.entries(expected)) {
      expect(actual[name]!.slice(0, B * H).map((x) => x.toFixed(10))).toEqual(
        numbers.map((x) => x.toFixed(10)),
      );
    }
  });

  it.each(CELL_NAMES)('%s: writes what it would write a token at a time', async (cell) => {
    const output = (graph: Graph): { outputWeight: Value; outputBias: Value } => ({
      outputWeight: graph.input('weight', [V, H]),
      outputBias: graph.input('bias', [V]),
    });
    const actual = await run((graph) => {
      const { tokens, states } = writeTokens({
        ...network(graph, cell, 2),
        ...output(graph),
        token: graph.input('token', [B], 'int32'),
        length: 6,
        sampler: sampler(graph),
      });
      graph.output('tokens', tokens);
      graph.output('h', states['h']!);
    });
    const tokens: number[] = [];
    let h: number[] = [];
    const names = CELLS[cell].states;
    let carried: Record<string, Float64Array> | null = null;
    for (let t = 0; t < 6; t++) {
      const graph = new Graph('one');
      const net = network(graph, cell, 2);
      const one = writeTokens({
        ...net,
        ...output(graph),
        token: graph.input('token', [B], 'int32'),
        length: 1,
        sampler: sampler(graph),
      });
      graph.output('tokens', one.tokens);
      for (const name of names) graph.output(name, one.states[name]!);
      const executor = new CpuExecutor({ precision: 'float64' });
      const plan = await executor.compile(graph);
      const given: Record<string, number | Int32Array | Float64Array> = {
        temperature: 0.7,
        topK: 6,
        topP: 0.9,
        position: 2 + t,
        ...carried,
        ...(t > 0 && { token: Int32Array.from(tokens.slice(-B)) }),
      };
      const feeds = graph.inputs.map(({ name, value }) => [
        name,
        given[name] ??
          (value.dtype === 'int32'
            ? Int32Array.from({ length: value.size }, (_, i) => (3 * i + 1) % V)
            : randomArray(value.size, name.length + name.charCodeAt(0))),
      ]);
      const { outputs } = await plan.run(Object.fromEntries(feeds) as Feeds, { read: ['tokens', ...names] });
      tokens.push(...outputs['tokens']!);
      h = Array.from(outputs['h']!);
      carried = Object.fromEntries(names.map((name) => [name, outputs[name] as Float64Array]));
      executor.dispose();
    }
    expect(actual['tokens']).toEqual(tokens);
    expect(actual['h']).toEqual(h);
    expect(new Set(tokens).size).toBeGreaterThan(1);
  });

  it('draws from the logits that the last layer gives', async () => {
    const actual = await run((graph) => {
      const { tokens } = writeTokens({
        ...network(graph, 'gru', 1),
        token: graph.input('token', [B], 'int32'),
        outputWeight: graph.input('weight', [V, H]),
        length: 1,
        sampler: sampler(graph),
      });
      graph.output('tokens', tokens);
    });
    const expected = await run((graph) => {
      const { table, layers, states } = network(graph, 'gru', 1);
      const x = reshape(embedding(table, graph.input('token', [B], 'int32')), [1, B, E]);
      const initialStates = [reshape(states['h']!, [B, H])];
      const { output } = recurrent({ cell: 'gru', x, ...layers[0]!, initialStates });
      const logits = linear(reshape(output, [B, H]), graph.input('weight', [V, H]));
      graph.output('tokens', drawTokens(logits, sampler(graph)));
    });
    expect(actual).toEqual(expected);
  });

  it('refuses shapes that do not fit', () => {
    const graph = new Graph('test');
    const net = network(graph, 'lstm', 1);
    const tokens = graph.input('tokens', [3, B + 1], 'int32');
    expect(() => readTokens(net, tokens)).toThrow(/token has shape \[3,3\].*\[3,2\]/);
    const writing = {
      ...net,
      token: graph.input('token', [B], 'int32'),
      length: 2,
      outputWeight: graph.input('output', [V, H + 1]),
      sampler: sampler(graph),
    };
    expect(() => writeTokens(writing)).toThrow(ShapeError);
    expect(() => writeTokens(writing)).toThrow(/weight has shape \[11,5\]|the weight/);
  });
});

describe('generate on the GPU', () => {
  /** Dispatches of one more token. */
  async function perToken(
    cell: CellName,
    L: number,
    writes: boolean,
    { cuts = false, ...sizes } = { V, H } as { V: number; H: number; cuts?: boolean },
  ): Promise<number> {
    const count = async (length: number): Promise<number> => {
      const graph = new Graph('count');
      const net = network(graph, cell, L, sizes);
      if (!writes) {
        graph.output('h', readTokens(net, graph.input('tokens', [length, B], 'int32'))['h']!);
      } else {
        const { tokens } = writeTokens({
          ...net,
          token: graph.input('token', [B], 'int32'),
          length,
          outputWeight: graph.input('weight', [sizes.V, sizes.H]),
          sampler: cuts ? sampler(graph) : { ...sampler(graph), topK: null, topP: null },
        });
        graph.output('tokens', tokens);
      }
      return dispatchesOf(lowerGraph(await prepareGraph(graph), Infinity).program).length;
    };
    return (await count(9)) - (await count(8));
  }

  it.each(CELL_NAMES)('%s: a dispatch a layer, and one that draws', async (cell) => {
    expect(await perToken(cell, 1, true)).toBe(2);
    expect(await perToken(cell, 3, true)).toBe(4);
    expect(await perToken(cell, 2, false)).toBe(2);
  });

  it('makes the logits of a large vocabulary in a dispatch of their own', async () => {
    expect(await perToken('lstm', 1, true, { V: 10_000, H: 64 })).toBe(3);
  });

  it('has two more where tokens are cut away first', async () => {
    expect(await perToken('gru', 1, true, { V, H, cuts: true })).toBe(4);
  });
});
