/** Which layers of a stack run side by side, in how many dispatches and how much memory: counted on lowered graphs. */
import { describe, expect, test } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import type { Value } from '../../../src/graph/value.js';
import { lowerGraph, prepareGraph } from '../../../src/gpu/lower/index.js';
import { planMemory } from '../../../src/gpu/memory.js';
import { dispatchesOf, lifetimesOf, type Program } from '../../../src/gpu/program.js';
import { GRU, LSTM, type RecurrentLayer } from '../../../src/nn/recurrent.js';
import { gradients, recurrent, sum } from '../../../src/ops/index.js';
import { record, type Stack } from '../../gpu/stack-case.js';

interface Settings {
  readonly software?: boolean;
  readonly recomputeAbove?: number;
  readonly apart?: boolean;
}

async function lower(
  build: (graph: Graph) => void,
  { software = true, recomputeAbove = Infinity }: Settings = {},
): Promise<Program> {
  const graph = new Graph('stack');
  build(graph);
  return lowerGraph(await prepareGraph(graph), recomputeAbove, { software }).program;
}

function lowerStack(stack: Partial<Stack>, settings: Settings = {}): Promise<Program> {
  const sizes = { cell: 'lstm', layers: 2, T: 50, B: 50, H: 8 } as const;
  return lower((graph) => {
    record(graph, { ...sizes, ...stack }, settings.apart ?? false);
  }, settings);
}

/** Labels of the layers that share dispatches. */
function pairsOf(program: Program): string[] {
  return [...new Set(dispatchesOf(program).map(({ label }) => label))].filter((label) =>
    label.includes(' + '),
  );
}

/** Dispatches of steps: forward, backward. */
function stepsOf(program: Program): number[] {
  return ['forward', 'backward'].map(
    (pass) =>
      dispatchesOf(program).filter(({ kernel }) => kernel.name.startsWith(`recurrent_lstm_${pass}`)).length,
  );
}

function bytesOf(program: Program): number {
  return planMemory(lifetimesOf(program), program.steps.length).buffers.reduce(
    (all, bytes) => all + bytes,
    0,
  );
}

const NONE = { initial: [false, false], finals: [false, false] };

describe('two layers side by side', () => {
  test('take T steps and a chunk of dispatches in place of 2·T', async () => {
    expect(stepsOf(await lowerStack(NONE, { apart: true }))).toEqual([100, 100]);
    // One more where the first step, and backwards the last as well, has nothing before it.
    expect(stepsOf(await lowerStack(NONE))).toEqual([59, 60]);
    // And one for each layer's gradient of the initial h.
    expect(stepsOf(await lowerStack({}))).toEqual([58, 62]);
  });

  test('take a dispatch a chunk where kernels are persistent', async () => {
    const settings = { software: false };
    expect(stepsOf(await lowerStack({ T: 100, initial: [true, true] }, settings))).toEqual([5, 8]);
    expect(stepsOf(await lowerStack({ T: 100, B: 200 }, settings))).toEqual([2, 2]);
    // Too wide to be persistent by default.
    expect(stepsOf(await lowerStack({ H: 160, ...NONE }, settings))).toEqual([59, 60]);
  });

  test('are paired from below', async () => {
    expect(pairsOf(await lowerStack({ layers: 2 }))).toEqual(['l0 + l1']);
    expect(pairsOf(await lowerStack({ layers: 3 }))).toEqual(['l0 + l1']);
    expect(pairsOf(await lowerStack({ layers: 4 }))).toEqual(['l0 + l1', 'l2 + l3']);
  });

  test('take less memory forward, and hardly more in training', async () => {
    const [forward, training] = [{ ...NONE, gradients: false }, NONE];
    const ratio = async (stack: Partial<Stack>): Promise<number> =>
      bytesOf(await lowerStack(stack)) / bytesOf(await lowerStack(stack, { apart: true }));
    expect(await ratio({ ...forward, H: 32 })).toBeLessThan(0.75);
    expect(await ratio({ ...training, H: 32 })).toBeLessThan(1.05);
  });
});

describe('layers run one after the other', () => {
  const rowBytes = 4 * 2 * (4 * 8 + 8);
  test.each<[string, Partial<Stack>, Settings]>([
    ['too few steps', { T: 6 }, {}],
    ['too few steps for persistent kernels', { T: 83 }, { software: false }],
    ['padded units', { H: 7 }, {}],
    ['large steps on a software adapter', { H: 64 }, {}],
    ['outputs between them that have a gradient of their own', { skip: true }, {}],
    ['gates that do not fit into one buffer together', {}, { recomputeAbove: 50 * 50 * rowBytes - 1 }],
  ])('with %s', async (_, stack, settings) => {
    expect(pairsOf(await lowerStack(stack, settings))).toEqual([]);
  });

  test('though gates would fit', async () => {
    const recomputeAbove = 50 * 50 * rowBytes;
    expect(pairsOf(await lowerStack({}, { recomputeAbove }))).toEqual(['l0 + l1']);
    // Forward alone, there need be room for a chunk.
    const few = { recomputeAbove: 8 * 50 * rowBytes };
    expect(pairsOf(await lowerStack({ gradients: false }, few))).toEqual(['l0 + l1']);
    expect(pairsOf(await lowerStack({}, few))).toEqual([]);
  });

  const options = { inputSize: 4, hiddenSize: 8, numLayers: 2 };
  test.each<[string, () => unknown, boolean]>([
    ['nothing else', () => new LSTM(options), true],
    ['two directions', () => new LSTM({ ...options, bidirectional: true }), false],
    ['a projection', () => new LSTM({ ...options, projSize: 4 }), false],
    ['peepholes', () => new LSTM({ ...options, peephole: true }), false],
    ['layer normalization', () => new LSTM({ ...options, layerNorm: true }), false],
    ['segments', () => new LSTM({ ...options, segment: 10 }), false],
    ['the reset before the product', () => new GRU({ ...options, resetAfter: false }), false],
  ])('with %s', async (_, create, beside) => {
    const layer = create() as RecurrentLayer<Readonly<Record<string, Value>>>;
    const program = await lower((graph) => {
      const x = graph.input('x', [50, 50, 4]);
      const { output } = layer.forward(x);
      graph.output('y', output);
      graph.output('dx', gradients(sum(output), [x])[0]!);
    });
    expect(pairsOf(program)).toHaveLength(beside ? 1 : 0);
  });

  test('where the second begins with what the first ends with', async () => {
    const program = await lower((graph) => {
      const parameters = (l: number) => ({
        weightIh: graph.input(`weightIh${l}`, [8, 8]),
        weightHh: graph.input(`weightHh${l}`, [8, 8]),
      });
      const first = recurrent({
        cell: 'rnn',
        x: graph.input('x', [50, 50, 8]),
        ...parameters(0),
        label: 'a',
      });
      const second = recurrent({
        cell: 'rnn',
        x: first.output,
        ...parameters(1),
        initialStates: first.finalStates,
        label: 'b',
      });
      graph.output('y', second.output);
    });
    expect(pairsOf(program)).toEqual([]);
  });
});
