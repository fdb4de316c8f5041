/** Recurrent layers with layer normalization on the GPU against the reference, with every option and gradient. */
import { Graph } from '../../../src/graph/graph.js';
import { CELLS, type CellName } from '../../../src/ops/cells.js';
import type { GpuCase, GpuContext } from '../case.js';
import { BOTH, layerCase, LENGTHS, recordLayer, SIZES, type Options, type Sizes } from '../recurrent-case.js';

const MIDDLE = { T: 5, B: 4, I: 3, H: 6 };
/** Rows longer than a workgroup's invocations take at once, and as many rows as make several tiles. */
const WIDE = { T: 3, B: 33, I: 5, H: 260 };

function normalized(cell: CellName, sizes: Sizes, options: Options = {}): GpuCase {
  return layerCase(cell, sizes, { layerNorm: true, ...options });
}

/** Dispatches that one step more costs: two a direction's pass, however many directions there are. */
function dispatchCase(cell: CellName, options: Options, expected: number): GpuCase {
  const dispatches = async ({ executor }: GpuContext, T: number): Promise<number> => {
    const graph = new Graph('dispatches');
    recordLayer(graph, cell, { ...MIDDLE, T }, { layerNorm: true, ...options });
    const plan = await executor.compile(graph);
    const { dispatches: count } = plan.statistics;
    plan.dispose();
    return count;
  };
  return {
    name: `${cell}, dispatches a step, ${JSON.stringify(options)}`,
    async run(context) {
      const found = (await dispatches(context, 9)) - (await dispatches(context, 8));
      if (found !== expected) throw new Error(`a step takes ${found} dispatches, not ${expected}`);
    },
  };
}

const ofCell = (cell: CellName): GpuCase[] => {
  const none = CELLS[cell].states.map(() => false);
  const zoneout = cell === 'lstm' ? [0.3, 0.2] : [0.3];
  return [
    ...SIZES.map((sizes) => normalized(cell, sizes)),
    normalized(cell, WIDE),
    normalized(cell, SIZES[1]!, { bias: false, initial: none, readsFinals: false }),
    normalized(cell, SIZES[3]!, { initial: none, readsOutput: false }),
    normalized(cell, { T: 1, B: 5, I: 8, H: 12 }, { bias: false, initial: none }),
    // Without a gradient nothing is saved: other memory, same numbers.
    normalized(cell, SIZES[1]!, { gradients: false }),
    normalized(cell, SIZES[4]!, { gradients: false, readsOutput: false, initial: none }),
    normalized(cell, { T: 3, B: 5, I: 3, H: 8 }, { gradients: false, directions: BOTH, lengths: [1, 3, 2] }),
    normalized(cell, SIZES[1]!, { directions: ['reverse'] }),
    normalized(cell, SIZES[2]!, { directions: BOTH, bias: false }),
    normalized(cell, SIZES[4]!, { directions: BOTH, initial: none }),
    normalized(cell, MIDDLE, { lengths: LENGTHS }),
    normalized(cell, { ...MIDDLE, B: 11, H: 8 }, { lengths: LENGTHS, directions: BOTH }),
    normalized(cell, MIDDLE, { zoneout, training: true }),
    normalized(cell, SIZES[1]!, { zoneout, training: false }),
    normalized(cell, MIDDLE, { recurrentDropout: 0.4, training: true }),
    normalized(cell, SIZES[1]!, { recurrentDropout: 0.4, training: true, initial: none, directions: BOTH }),
    normalized(cell, MIDDLE, {
      zoneout,
      recurrentDropout: 0.4,
      training: true,
      lengths: LENGTHS,
      directions: BOTH,
    }),
    normalized(cell, SIZES[2]!, { gateClip: 0.5 }),
    normalized(cell, SIZES[2]!, { activation: 'hardSigmoid', gateActivation: 'hardSigmoid' }),
    normalized(cell, SIZES[1]!, { activation: 'relu', outputActivation: 'sigmoid', epsilon: 0.1 }),
    normalized(cell, { ...MIDDLE, T: 7 }, { segment: 3 }),
    normalized(
      cell,
      { ...MIDDLE, T: 7 },
      {
        segment: 2,
        directions: BOTH,
        lengths: LENGTHS,
        zoneout,
        recurrentDropout: 0.2,
        training: true,
        initial: none,
      },
    ),
    dispatchCase(cell, { gradients: false }, 2),
    dispatchCase(cell, { gradients: false, directions: BOTH, lengths: [3] }, 2),
    dispatchCase(cell, {}, 4),
    dispatchCase(cell, { directions: BOTH, recurrentDropout: 0.2, zoneout, training: true }, 4),
  ];
};

export const cases: readonly GpuCase[] = [
  ...(Object.keys(CELLS) as CellName[]).flatMap(ofCell),
  normalized('lstm', SIZES[2]!, { initial: [true, false] }),
  normalized('lstm', SIZES[1]!, { initial: [false, true] }),
  normalized('lstm', SIZES[2]!, { coupled: true }),
  normalized('lstm', MIDDLE, { coupled: true, lengths: LENGTHS, directions: BOTH, gateClip: 0.5 }),
  normalized('lstm', SIZES[3]!, { coupled: true, gradients: false }),
];
