/** How many dispatches a time step costs, and a layer of persistent kernels, by option: what lowering promises, counted on the lowered graph. */
import { describe, expect, test } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import type { Value } from '../../../src/graph/value.js';
import { lowerGraph, prepareGraph } from '../../../src/gpu/lower/index.js';
import { dispatchesOf } from '../../../src/gpu/program.js';
import {
  CELLS,
  gradients,
  recurrent,
  sequenceMask,
  sum,
  type CellName,
  type RecurrentAttributes,
  type RecurrentParameters,
} from '../../../src/ops/index.js';

interface Options extends Partial<Omit<RecurrentAttributes, 'cell' | 'directions'>> {
  readonly bidirectional?: boolean;
  readonly masked?: boolean;
  readonly projected?: boolean;
  readonly peephole?: boolean;
}

const [B, I, H, R] = [8, 4, 8, 4];

/** Dispatches of a layer over T steps, with or without its gradients. */
async function count(
  cell: CellName,
  T: number,
  training: boolean,
  options: Options,
  persistent = false,
): Promise<number> {
  const {
    bidirectional = false,
    masked = false,
    projected = false,
    peephole = false,
    ...attributes
  } = options;
  const graph = new Graph('count');
  const G = CELLS[cell].gates.length;
  const width = projected ? R : H;
  const sources: Value[] = [];
  const declare = (name: string, shape: readonly number[]): Value => {
    const value = graph.input(name, shape);
    sources.push(value);
    return value;
  };
  const parameters = (suffix: string): RecurrentParameters => ({
    weightIh: declare(`weightIh${suffix}`, [G * H, I]),
    weightHh: declare(`weightHh${suffix}`, [G * H, width]),
    biasIh: declare(`biasIh${suffix}`, [G * H]),
    biasHh: declare(`biasHh${suffix}`, [G * H]),
    weightHr: projected ? declare(`weightHr${suffix}`, [R, H]) : null,
    peephole: peephole ? declare(`peephole${suffix}`, [3, H]) : null,
    normIh: attributes.layerNorm ? declare(`normIh${suffix}`, [2, G * H]) : null,
    normHh: attributes.layerNorm ? declare(`normHh${suffix}`, [2, G * H]) : null,
    normC: attributes.layerNorm && cell === 'lstm' ? declare(`normC${suffix}`, [2, H]) : null,
  });
  const { output } = recurrent({
    ...attributes,
    cell,
    x: declare('x', [T, B, I]),
    mask: masked ? sequenceMask(graph.input('lengths', [B], 'int32'), T) : null,
    seed: graph.scalar('seed', 'int32'),
    ...parameters(''),
    ...(bidirectional && { reverse: parameters(' reverse') }),
  });
  graph.output('y', output);
  if (training) gradients(sum(output), sources).forEach((gradient, i) => graph.output(`d${i}`, gradient));
  // Software adapters run step by step unless tuning finds otherwise.
  const { program } = lowerGraph(await prepareGraph(graph), Infinity, { software: !persistent });
  return dispatchesOf(program).filter(({ kernel }) => !persistent || kernel.name.includes('persistent'))
    .length;
}

/** Dispatches that one more step costs: forward, backward. */
async function perStep(cell: CellName, options: Options): Promise<[number, number]> {
  const [short, long] = [11, 12];
  const forward = (await count(cell, long, false, options)) - (await count(cell, short, false, options));
  const both = (await count(cell, long, true, options)) - (await count(cell, short, true, options));
  return [forward, both - forward];
}

const everyCell: readonly [string, Options][] = [
  ['plain', {}],
  ['bidirectional', { bidirectional: true }],
  ['lengths', { masked: true }],
  ['bidirectional with lengths', { bidirectional: true, masked: true }],
  ['recurrent dropout', { recurrentDropout: 0.1, training: true }],
  ['other activations, clipped', { activation: 'relu', gateActivation: 'hardSigmoid', gateClip: 3 }],
];

describe('a time step is one dispatch forward and one backward', () => {
  for (const cell of Object.keys(CELLS) as CellName[]) {
    test(`${cell}, zoneout`, async () => {
      const zoneout = CELLS[cell].states.map(() => 0.1);
      expect(await perStep(cell, { zoneout, training: true })).toEqual([1, 1]);
    });
    test.each(everyCell)(`${cell}, %s`, async (_, options) => {
      expect(await perStep(cell, options)).toEqual([1, 1]);
    });
  }
  test.each<[string, Options]>([
    ['peepholes', { peephole: true }],
    ['clips and coupled gates', { cellClip: 1, gateClip: 1, coupled: true }],
  ])('lstm, %s', async (_, options) => {
    expect(await perStep('lstm', options)).toEqual([1, 1]);
  });
});

describe('a time step is two dispatches forward and two backward', () => {
  test.each<[string, CellName, Options]>([
    ['lstm with a projection', 'lstm', { projected: true }],
    ['gru with the reset before the product', 'gru', { resetAfter: false }],
    ['lstm with layer normalization', 'lstm', { layerNorm: true }],
    ['gru with layer normalization', 'gru', { layerNorm: true }],
    ['rnn with layer normalization', 'rnn', { layerNorm: true }],
    ['both directions of an lstm with a projection', 'lstm', { projected: true, bidirectional: true }],
    ['both directions with layer normalization', 'lstm', { layerNorm: true, bidirectional: true }],
  ])('%s', async (_, cell, options) => {
    expect(await perStep(cell, options)).toEqual([2, 2]);
  });
});

describe('a persistent layer is one dispatch forward and one backward', () => {
  const options: readonly [string, Options][] = [
    ['plain', {}],
    ['bidirectional', { bidirectional: true }],
    ['bidirectional with lengths', { bidirectional: true, masked: true }],
  ];
  for (const cell of Object.keys(CELLS) as CellName[]) {
    test.each(options)(`${cell}, %s, whatever T`, async (_, layer) => {
      for (const T of [2, 7, 500]) {
        expect(await count(cell, T, false, layer, true)).toBe(1);
        expect(await count(cell, T, true, layer, true)).toBe(2);
      }
    });
  }
  test('in as many parts as keep loops under the limit of iterations', async () => {
    // A step counts for 1 + (1 + (H/4 + 2) + 2), two for the end of each loop; 60,000 at most.
    expect(await count('lstm', 7_499, false, {}, true)).toBe(1);
    expect(await count('lstm', 7_500, false, {}, true)).toBe(2);
    // 1 + (1 + (4·H/4 + 2) + 15 + 2) backward, and one step's worth for the initial state.
    expect(await count('lstm', 2_067, true, {}, true)).toBe(2);
    expect(await count('lstm', 2_068, true, {}, true)).toBe(3);
  });
});

test.each<[string, CellName, Options]>([
  ['options', 'lstm', { zoneout: [0.1, 0.1], training: true }],
  ['peepholes', 'lstm', { peephole: true }],
  ['a projection', 'lstm', { projected: true }],
  ['segments', 'lstm', { segment: 5 }],
  ['layer normalization', 'lstm', { layerNorm: true }],
  ['the reset before the product', 'gru', { resetAfter: false }],
])('a layer with %s has no persistent kernels', async (_, cell, options) => {
  expect(await count(cell, 7, true, options, true)).toBe(0);
});

test('two directions cost at most a fifth more dispatches than one', async () => {
  for (const cell of Object.keys(CELLS) as CellName[]) {
    const one = await count(cell, 64, true, {});
    const two = await count(cell, 64, true, { bidirectional: true });
    expect(two, `${cell}: ${two} against ${one}`).toBeLessThanOrEqual(1.2 * one);
  }
});
