/** Every height of tile of recurrent steps, against the reference and, among themselves, bit for bit. */
import type { Graph } from '../../../src/graph/graph.js';
import type { Value } from '../../../src/graph/value.js';
import * as ops from '../../../src/ops/index.js';
import type { GpuCase } from '../case.js';
import { outputWithGradients } from '../compare-executors.js';
import { compareVariants } from '../compare-variants.js';

interface TileCase {
  readonly cell: ops.CellName;
  readonly B: number;
  readonly H: number;
  /** Width of a projected state. */
  readonly R?: number;
  readonly bidirectional?: boolean;
  readonly resetAfter?: boolean;
  /** An option, so that the steps are those that know all of them. */
  readonly gateClip?: number;
  readonly expected: readonly string[];
}

const [T, I] = [3, 2];
const [FEW, MANY] = [
  ['8 rows', '1 row'],
  ['16 rows', '8 rows'],
] as const;

const tiles: readonly TileCase[] = [
  { cell: 'lstm', B: 1, H: 20, expected: ['1 row'] },
  { cell: 'lstm', B: 5, H: 19, expected: FEW },
  { cell: 'lstm', B: 17, H: 33, expected: MANY },
  { cell: 'lstm', B: 32, H: 64, bidirectional: true, expected: MANY },
  { cell: 'lstm', B: 18, H: 21, R: 9, expected: MANY },
  { cell: 'lstm', B: 18, H: 6, R: 5, gateClip: 0.5, expected: MANY },
  { cell: 'lstm', B: 3, H: 5, R: 6, gateClip: 0.5, expected: FEW },
  { cell: 'gru', B: 3, H: 12, bidirectional: true, expected: FEW },
  { cell: 'gru', B: 33, H: 17, expected: MANY },
  { cell: 'gru', B: 19, H: 18, resetAfter: false, expected: MANY },
  { cell: 'gru', B: 17, H: 5, resetAfter: false, gateClip: 0.5, expected: MANY },
  { cell: 'gru', B: 3, H: 6, resetAfter: false, gateClip: 0.5, expected: FEW },
  { cell: 'rnn', B: 8, H: 40, expected: FEW },
  { cell: 'rnn', B: 35, H: 5, expected: MANY },
];

/** A layer with all its gradients. */
function record(graph: Graph, tile: TileCase): void {
  const { cell, B, H, R, bidirectional = false, resetAfter = true, gateClip } = tile;
  const G = ops.CELLS[cell].gates.length;
  const sources: Record<string, Value> = {};
  const declare = (name: string, shape: readonly number[]): Value =>
    (sources[name] = graph.input(name, shape));
  const parameters = (suffix: string): ops.RecurrentParameters => ({
    weightIh: declare(`weightIh${suffix}`, [G * H, I]),
    weightHh: declare(`weightHh${suffix}`, [G * H, R ?? H]),
    biasIh: declare(`biasIh${suffix}`, [G * H]),
    biasHh: declare(`biasHh${suffix}`, [G * H]),
    weightHr: R === undefined ? null : declare(`weightHr${suffix}`, [R, H]),
  });
  const { output, finalStates } = ops.recurrent({
    cell,
    resetAfter,
    ...(gateClip !== undefined && { gateClip }),
    x: declare('x', [T, B, I]),
    ...parameters(''),
    ...(bidirectional && { reverse: parameters(' reverse') }),
  });
  outputWithGradients(graph, { output, h: finalStates[0]! }, sources);
}

export const cases: readonly GpuCase[] = tiles.flatMap((tile) =>
  ['recurrent_forward', 'recurrent_backward'].map((family): GpuCase => {
    const { cell, B, H, R, bidirectional, resetAfter = true, gateClip, expected } = tile;
    const what = [
      ...(bidirectional ? ['bidirectional'] : []),
      cell,
      ...(resetAfter ? [] : ['with the reset before']),
      `of ${H}`,
      ...(R === undefined ? [] : [`projected to ${R}`]),
      ...(gateClip === undefined ? [] : ['with clipped gates']),
    ];
    return {
      name: `${family}: ${what.join(' ')}, a batch of ${B}`,
      run: (context) => {
        const plain = R === undefined && gateClip === undefined && resetAfter;
        return compareVariants(
          context,
          (graph) => {
            record(graph, tile);
          },
          { family, expected, together: plain && B > 8 ? '16 rows together' : undefined },
        );
      },
    };
  }),
);
