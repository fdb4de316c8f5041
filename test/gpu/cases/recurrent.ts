/** Recurrent layers on the GPU against the reference, over awkward sizes, with every option and gradient. */
import { CELLS, type CellName } from '../../../src/ops/cells.js';
import type { GpuCase } from '../case.js';
import { BOTH, layerCase, LENGTHS, SIZES, type Options } from '../recurrent-case.js';

const plain = (cell: CellName): GpuCase[] => {
  const none = CELLS[cell].states.map(() => false);
  return [
    ...SIZES.map((sizes) => layerCase(cell, sizes)),
    layerCase(cell, SIZES[1]!, { bias: false, initial: none, readsFinals: false }),
    layerCase(cell, SIZES[2]!, { bias: false, initial: none, readsFinals: false }),
    layerCase(cell, SIZES[3]!, { initial: none, readsOutput: false }),
    layerCase(cell, { T: 1, B: 5, I: 8, H: 12 }, { bias: false, initial: none }),
    // Without a gradient nothing is saved: other memory, same numbers.
    layerCase(cell, SIZES[1]!, { gradients: false }),
    layerCase(cell, SIZES[4]!, { gradients: false }),
    layerCase(cell, SIZES[4]!, { gradients: false, readsOutput: false }),
    layerCase(cell, { T: 3, B: 5, I: 3, H: 8 }, { gradients: false, directions: BOTH, lengths: [1, 3, 2] }),
  ];
};

const varied = (cell: CellName): GpuCase[] => {
  const none = CELLS[cell].states.map(() => false);
  const zoneout = cell === 'lstm' ? [0.3, 0.2] : [0.3];
  return [
    layerCase(cell, SIZES[1]!, { directions: ['reverse'] }),
    layerCase(cell, SIZES[2]!, { directions: ['reverse'], initial: none }),
    layerCase(cell, SIZES[1]!, { directions: BOTH }),
    layerCase(cell, SIZES[2]!, { directions: BOTH, initial: none, bias: false }),
    layerCase(cell, SIZES[4]!, { directions: BOTH, readsOutput: false }),
    layerCase(cell, { T: 5, B: 4, I: 3, H: 6 }, { lengths: LENGTHS }),
    layerCase(cell, { T: 5, B: 11, I: 3, H: 8 }, { lengths: LENGTHS, directions: BOTH }),
    layerCase(cell, { T: 5, B: 4, I: 3, H: 8 }, { lengths: LENGTHS, directions: ['reverse'], initial: none }),
    layerCase(cell, SIZES[2]!, { zoneout, training: true }),
    layerCase(cell, SIZES[1]!, { zoneout, training: false }),
    layerCase(
      cell,
      { T: 5, B: 4, I: 3, H: 6 },
      { zoneout, training: true, lengths: LENGTHS, directions: BOTH },
    ),
    layerCase(cell, SIZES[2]!, { recurrentDropout: 0.4, training: true }),
    layerCase(cell, SIZES[1]!, { recurrentDropout: 0.4, training: true, initial: none, directions: BOTH }),
    layerCase(
      cell,
      { T: 5, B: 9, I: 3, H: 6 },
      { recurrentDropout: 0.4, zoneout, training: true, lengths: LENGTHS },
    ),
    layerCase(cell, SIZES[2]!, { gateClip: 0.3 }),
    ...(['relu', 'sigmoid', 'linear', 'hardSigmoid', 'onnxHardSigmoid'] as const).map((activation) =>
      layerCase(cell, SIZES[1]!, { activation }),
    ),
    ...(['hardSigmoid', 'onnxHardSigmoid', 'tanh'] as const).map((gateActivation) =>
      layerCase(cell, SIZES[2]!, { gateActivation, outputActivation: 'relu', gateClip: 2 }),
    ),
  ];
};

const LONG = { T: 7, B: 4, I: 3, H: 6 };

/** The backward pass in segments, the last of them shorter, with all that has to cross their borders. */
const segmented = (cell: CellName): GpuCase[] => {
  const none = CELLS[cell].states.map(() => false);
  const zoneout = cell === 'lstm' ? [0.3, 0.2] : [0.3];
  const variants: Options[] = cell === 'gru' ? [{}, { resetAfter: false }] : [{}];
  return variants.flatMap((variant) => [
    ...[1, 2, 3, 7, 9].map((segment) => layerCase(cell, LONG, { ...variant, segment })),
    layerCase(cell, { ...LONG, H: 8 }, { ...variant, segment: 3, directions: BOTH, initial: none }),
    layerCase(cell, LONG, { ...variant, segment: 3, directions: BOTH, lengths: [7, 2, 4, 1] }),
    layerCase(cell, LONG, {
      ...variant,
      segment: 2,
      zoneout,
      recurrentDropout: 0.3,
      training: true,
      lengths: [7, 2, 4, 1],
      directions: BOTH,
    }),
    layerCase(cell, LONG, { ...variant, segment: 3, gradients: false }),
    layerCase(cell, LONG, { ...variant, segment: 3, readsOutput: false, bias: false }),
  ]);
};

const PROJECTED = { T: 4, B: 3, I: 5, H: 9, R: 6 };

export const cases: readonly GpuCase[] = [
  ...(Object.keys(CELLS) as CellName[]).flatMap((cell) => [
    ...plain(cell),
    ...varied(cell),
    ...segmented(cell),
  ]),
  layerCase('lstm', SIZES[2]!, { initial: [true, false] }),
  layerCase('lstm', SIZES[1]!, { initial: [false, true] }),
  layerCase('lstm', PROJECTED),
  layerCase('lstm', { ...PROJECTED, B: 2 }, { initial: [false, false], bias: false }),
  layerCase('lstm', { T: 3, B: 17, I: 4, H: 8, R: 4 }, { directions: BOTH }),
  layerCase('lstm', { ...PROJECTED, T: 5, B: 4 }, { directions: BOTH, lengths: LENGTHS }),
  layerCase(
    'lstm',
    { ...PROJECTED, T: 5, B: 4 },
    { zoneout: [0.3, 0.2], recurrentDropout: 0.2, training: true, lengths: LENGTHS },
  ),
  layerCase('lstm', PROJECTED, { gradients: false }),
  layerCase('lstm', { ...PROJECTED, T: 7, B: 4 }, { segment: 3, directions: BOTH, lengths: LENGTHS }),
  layerCase('lstm', LONG, { segment: 2, peephole: true, cellClip: 0.2, coupled: true, directions: BOTH }),
  layerCase('lstm', SIZES[1]!, { peephole: true }),
  layerCase('lstm', SIZES[2]!, { peephole: true, directions: BOTH, bias: false }),
  layerCase(
    'lstm',
    { T: 5, B: 4, I: 3, H: 6 },
    { peephole: true, gateClip: 0.4, cellClip: 0.2, coupled: true, lengths: LENGTHS },
  ),
  layerCase('lstm', PROJECTED, { peephole: true, zoneout: [0.1, 0.5], training: true }),
  layerCase('lstm', SIZES[2]!, { coupled: true }),
  layerCase('lstm', SIZES[2]!, { cellClip: 0.1 }),
  ...SIZES.map((sizes) => layerCase('gru', sizes, { resetAfter: false })),
  layerCase('gru', SIZES[2]!, { resetAfter: false, initial: [false], bias: false }),
  layerCase('gru', { T: 1, B: 3, I: 2, H: 4 }, { resetAfter: false, initial: [false] }),
  layerCase('gru', { T: 5, B: 4, I: 3, H: 6 }, { resetAfter: false, directions: BOTH, lengths: LENGTHS }),
  layerCase(
    'gru',
    { T: 5, B: 4, I: 3, H: 6 },
    {
      resetAfter: false,
      zoneout: [0.3],
      recurrentDropout: 0.3,
      training: true,
      lengths: LENGTHS,
      gateClip: 0.5,
    },
  ),
  layerCase('gru', SIZES[4]!, { resetAfter: false, gradients: false }),
];
