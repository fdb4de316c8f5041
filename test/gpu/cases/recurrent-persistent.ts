/** Persistent recurrent kernels against the reference and, bit for bit, against one dispatch a step. */
import type { CellName } from '../../../src/ops/cells.js';
import type { GpuCase } from '../case.js';
import { compareVariants } from '../compare-variants.js';
import { stackCase } from '../stack-case.js';
import { BOTH, layerFeeds, LENGTHS, recordLayer, type Options, type Sizes } from '../recurrent-case.js';

const ONE = 'persistent, 1 row';
const EIGHT = 'persistent, 8 rows';
const SIXTEEN = 'persistent, 16 rows';

export function persistentCase(
  cell: CellName,
  sizes: Sizes,
  expected: readonly string[],
  options: Options = {},
): GpuCase {
  const told = Object.entries(options).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const size = Object.entries(sizes).map(([name, value]) => `${name}${value}`);
  return {
    name: [cell, size.join(' '), ...told].join(', '),
    run: (context) =>
      compareVariants(
        context,
        (graph) => {
          recordLayer(graph, cell, sizes, options);
        },
        { feeds: layerFeeds(cell, sizes, options), family: 'recurrent', expected },
      ),
  };
}

/** Nothing but the last states: sequences of h and c of two places. */
const FINALS: Options = { readsOutput: false, gradients: false };

export const cases: readonly GpuCase[] = [
  ...(['lstm', 'gru', 'rnn'] as const).flatMap((cell) => [
    persistentCase(cell, { T: 7, B: 5, I: 3, H: 5 }, [ONE, EIGHT], { directions: BOTH, lengths: LENGTHS }),
    persistentCase(cell, { T: 2, B: 17, I: 2, H: 33 }, [EIGHT, SIXTEEN], { initial: [false, false] }),
    persistentCase(cell, { T: 7, B: 35, I: 2, H: 64 }, [EIGHT, SIXTEEN], { directions: BOTH }),
    persistentCase(cell, { T: 7, B: 9, I: 3, H: 12 }, [EIGHT], { directions: ['reverse'], bias: false }),
    persistentCase(cell, { T: 6, B: 5, I: 3, H: 12 }, [ONE, EIGHT], { ...FINALS, directions: BOTH }),
    persistentCase(cell, { T: 7, B: 2, I: 1, H: 7 }, [ONE], { ...FINALS, initial: [false, false] }),
    persistentCase(cell, { T: 7, B: 1, I: 2, H: 130 }, [ONE], { gradients: false, lengths: [5] }),
  ]),
  // One dispatch would run too many loop iterations: both passes are cut in time.
  persistentCase('lstm', { T: 470, B: 1, I: 1, H: 250 }, [ONE]),
  persistentCase('lstm', { T: 470, B: 1, I: 1, H: 250 }, [ONE], FINALS),
  persistentCase('gru', { T: 340, B: 5, I: 1, H: 126 }, [EIGHT, ONE], { lengths: [340, 120, 339, 2, 200] }),
  // Two layers side by side, many steps of both in a dispatch.
  stackCase({ cell: 'lstm', layers: 2, T: 26, B: 8, H: 8, expected: [ONE, EIGHT] }),
  stackCase({ cell: 'gru', layers: 2, T: 25, B: 9, H: 12, lengths: [25, 3, 9], expected: [EIGHT] }),
  stackCase({ cell: 'rnn', layers: 2, T: 25, B: 8, H: 8, initial: [false, true], expected: [ONE, EIGHT] }),
  stackCase({ cell: 'lstm', layers: 2, T: 13, B: 17, H: 8, gradients: false, expected: [EIGHT, SIXTEEN] }),
];
