/** Options of `recurrent` that are wrong, or do not go together, are refused where they are recorded. */
import { describe, expect, it } from 'vitest';
import type { RnnError } from '../../../src/graph/errors.js';
import { ArgumentError, ShapeError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { CELLS, type CellName } from '../../../src/ops/cells.js';
import * as ops from '../../../src/ops/index.js';

const graph = new Graph('test');
const [T, B, I, H] = [4, 2, 3, 5] as const;
let count = 0;
const input = (...shape: number[]): ReturnType<Graph['input']> => graph.input(`input${count++}`, shape);
const mask = graph.input('mask', [T, B], 'int32');
const shortMask = graph.input('short mask', [T - 1, B], 'int32');
const seed = graph.scalar('seed', 'int32');
const realMask = input(T, B);
const projection = input(2, H);
const peephole = input(3, H);

function parameters(cell: CellName, R: number = H): ops.RecurrentParameters {
  const rows = CELLS[cell].gates.length * H;
  return { weightIh: input(rows, I), weightHh: input(rows, R), biasIh: input(rows) };
}
function layer(cell: CellName, options: Partial<ops.RecurrentInputs> = {}): () => unknown {
  return () => ops.recurrent({ cell, x: input(T, B, I), ...parameters(cell), ...options });
}
const norms = (cell: CellName): Partial<ops.RecurrentInputs> => {
  const rows = CELLS[cell].gates.length * H;
  return { layerNorm: true, normIh: input(2, rows), normHh: input(2, rows) };
};
const lstmNorms = { ...norms('lstm'), normC: input(2, H) };

const mistakes: [string, () => unknown, typeof RnnError, RegExp][] = [
  ['direction', layer('gru', { direction: 'back' as 'reverse' }), ArgumentError, /directions are \[back\]/],
  [
    'direction with reverse parameters',
    layer('gru', { direction: 'reverse', reverse: parameters('gru') }),
    ArgumentError,
    /direction is "reverse" although.*leave direction out/s,
  ],
  [
    'activation',
    layer('rnn', { activation: 'gelu' as 'relu' }),
    ArgumentError,
    /activation is "gelu".*tanh/s,
  ],
  [
    'gateActivation',
    layer('lstm', { gateActivation: 'softmax' as 'sigmoid' }),
    ArgumentError,
    /gateActivation is "softmax"/,
  ],
  [
    'outputActivation',
    layer('lstm', { outputActivation: '' as 'tanh' }),
    ArgumentError,
    /outputActivation is ""/,
  ],
  [
    'resetAfter, cell',
    layer('lstm', { resetAfter: false }),
    ArgumentError,
    /resetAfter is false.*"lstm".*'gru'/s,
  ],
  [
    'coupled, cell',
    layer('gru', { coupled: true }),
    ArgumentError,
    /coupled is not for a cell "gru".*'lstm'/s,
  ],
  ['cellClip, cell', layer('rnn', { cellClip: 1 }), ArgumentError, /cellClip is not for a cell "rnn"/],
  [
    'projection, cell',
    layer('gru', { ...parameters('gru', 2), weightHr: projection }),
    ArgumentError,
    /weightHr is not for a cell "gru"/,
  ],
  ['peephole, cell', layer('gru', { peephole }), ArgumentError, /peephole is not for a cell "gru"/],
  ['normC, cell', layer('gru', { ...norms('gru'), normC: input(2, H) }), ArgumentError, /normC is not for/],
  ['gateClip', layer('gru', { gateClip: -1 }), ArgumentError, /gateClip is -1/],
  ['cellClip', layer('lstm', { cellClip: NaN }), ArgumentError, /cellClip is NaN/],
  ['zoneout, count', layer('lstm', { zoneout: [0.1] }), ArgumentError, /zoneout holds 1.*carries 2.*h, c/s],
  ['zoneout, of c', layer('lstm', { zoneout: [0.1, 1] }), ArgumentError, /zoneout of c is 1.*less than 1/s],
  ['recurrentDropout', layer('gru', { recurrentDropout: 1 }), ArgumentError, /recurrentDropout is 1/],
  ['stream', layer('gru', { stream: -1 }), ArgumentError, /stream is -1/],
  ['segment', layer('gru', { segment: 1.5 }), ArgumentError, /segment is 1.5/],
  ['epsilon', layer('gru', { ...norms('gru'), epsilon: 0 }), ArgumentError, /epsilon is 0/],
  ['training', layer('gru', { training: 1 as unknown as boolean }), ArgumentError, /training is 1/],
  [
    'seed for zoneout',
    layer('gru', { zoneout: [0.1], training: true }),
    ArgumentError,
    /draws masks.*seed is missing.*int32 scalar/s,
  ],
  [
    'seed for recurrentDropout',
    layer('gru', { recurrentDropout: 0.1, training: true }),
    ArgumentError,
    /seed is missing/,
  ],
  [
    'seed, shape',
    layer('gru', { seed: graph.input('seeds', [2], 'int32') }),
    ShapeError,
    /seed has shape \[2\]/,
  ],
  ['mask, shape', layer('gru', { mask: shortMask }), ShapeError, /mask has shape \[3,2\].*\[4,2\].*T,B/s],
  ['mask, type', layer('gru', { mask: realMask }), ShapeError, /mask holds float32/],
  [
    'projection, features of h',
    layer('lstm', { weightHr: projection }),
    ShapeError,
    /weightHh has shape \[20,5\].*\[20,2\], which is \[4·H,R\]/s,
  ],
  [
    'projection, initial h',
    layer('lstm', { ...parameters('lstm', 2), weightHr: projection, initialStates: [input(B, H)] }),
    ShapeError,
    /initial h has shape \[2,5\].*\[2,2\].*B,R/s,
  ],
  [
    'peephole, shape',
    layer('lstm', { peephole: input(H) }),
    ShapeError,
    /peephole has shape \[5\].*\[3,5\]/s,
  ],
  [
    'reverse, weights',
    layer('gru', { reverse: parameters('lstm') }),
    ShapeError,
    /reverse direction: weightHh has shape \[20,5\].*\[15,5\]/s,
  ],
  [
    'reverse, projection',
    layer('lstm', { ...parameters('lstm', 2), weightHr: projection, reverse: parameters('lstm', 2) }),
    ArgumentError,
    /reverse direction: weightHr is missing/,
  ],
  [
    'reverse, states',
    layer('gru', { reverse: { ...parameters('gru'), initialStates: [null, null] } }),
    ArgumentError,
    /got 2 initial states/,
  ],
  ['layerNorm, missing', layer('gru', { layerNorm: true }), ArgumentError, /normIh is missing/],
  ['layerNorm, missing normC', layer('lstm', norms('lstm')), ArgumentError, /normC is missing/],
  [
    'layerNorm, not asked for',
    layer('gru', { ...norms('gru'), layerNorm: false }),
    ArgumentError,
    /normIh is given, but layerNorm is false/,
  ],
  [
    'layerNorm and resetAfter',
    layer('gru', { ...norms('gru'), resetAfter: false }),
    ArgumentError,
    /resetAfter: false does not go with layerNorm/,
  ],
  [
    'layerNorm and cellClip',
    layer('lstm', { ...lstmNorms, cellClip: 1 }),
    ArgumentError,
    /cellClip does not go/,
  ],
  [
    'layerNorm and peephole',
    layer('lstm', { ...lstmNorms, peephole }),
    ArgumentError,
    /peephole does not go/,
  ],
  [
    'layerNorm and projection',
    layer('lstm', { ...lstmNorms, ...parameters('lstm', 2), weightHr: projection }),
    ArgumentError,
    /weightHr does not go with layerNorm/,
  ],
];

describe('recurrent refuses', () => {
  it.each(mistakes)('%s', (_, mistake, type, pattern) => {
    let error: unknown;
    try {
      mistake();
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(type);
    expect((error as RnnError).message).toMatch(pattern);
    expect((error as RnnError).culprit).toMatch(/^recurrent/);
  });

  it('nothing of what goes together', () => {
    for (const cell of Object.keys(CELLS) as CellName[]) {
      const others = cell === 'lstm' ? { normC: input(2, H) } : {};
      const { output, finalStates } = ops.recurrent({
        cell,
        x: input(T, B, I),
        mask,
        seed,
        ...parameters(cell),
        ...norms(cell),
        ...others,
        reverse: { ...parameters(cell), ...norms(cell), ...others },
        training: true,
        recurrentDropout: 0.5,
        zoneout: CELLS[cell].states.map(() => 0.5),
        gateClip: 1,
        segment: 2,
        stream: 0xffffffff,
      });
      expect(output.shape).toEqual([T, B, 2 * H]);
      expect(finalStates.map(({ shape }) => shape)).toEqual(
        [0, 1].flatMap(() => CELLS[cell].states.map(() => [B, H])),
      );
    }
  });

  it('and gives shapes with a projection', () => {
    const { output, finalStates } = ops.recurrent({
      cell: 'lstm',
      x: input(T, B, I),
      ...parameters('lstm', 2),
      weightHr: projection,
    });
    expect(output.shape).toEqual([T, B, 2]);
    expect(finalStates.map(({ shape }) => shape)).toEqual([
      [B, 2],
      [B, H],
    ]);
  });
});
