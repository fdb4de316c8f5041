/** Recurrent layers on the GPU against the reference, over awkward sizes, with every option and gradient. */
import { CELLS, type CellName } from '../../../src/ops/cells.js';
import { recurrent } from '../../../src/ops/recurrent.js';
import type { Value } from '../../../src/graph/value.js';
import type { GpuCase } from '../case.js';
import { compareExecutors, outputWithGradients, randomArray } from '../compare-executors.js';

interface Sizes {
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
}

/** 1, primes, one more than a tile, both the one-row kernels (B ≤ 2) and the eight-row ones. */
const SIZES: readonly Sizes[] = [
  { T: 1, B: 1, I: 1, H: 1 },
  { T: 3, B: 2, I: 5, H: 7 },
  { T: 5, B: 3, I: 4, H: 8 },
  { T: 2, B: 9, I: 13, H: 17 },
  { T: 4, B: 33, I: 6, H: 36 },
  { T: 7, B: 8, I: 3, H: 65 },
];

interface Options {
  readonly bias: boolean;
  /** Which states begin with something else than zeros. */
  readonly initial: readonly boolean[];
  /** Whether the loss reads the outputs, and which final states. */
  readonly reads: { readonly output: boolean; readonly final: boolean };
}

/**
 * Weights as PyTorch begins them, U(±1/√H): with larger ones a simple RNN is chaotic, and rounding grows from
 * step to step on any machine.
 */
function weightFeeds({ I, H }: Sizes, G: number): Record<string, Float32Array> {
  const bound = 1 / Math.sqrt(H);
  const random = (count: number, seed: number): Float32Array => randomArray(count, seed, -bound, bound);
  return {
    weightIh: random(G * H * I, 1),
    weightHh: random(G * H * H, 2),
    biasIh: random(G * H, 3),
    biasHh: random(G * H, 4),
  };
}

function recurrentCase(cell: CellName, sizes: Sizes, options: Options): GpuCase {
  const { T, B, I, H } = sizes;
  const { bias, initial, reads } = options;
  const { gates, states } = CELLS[cell];
  const G = gates.length;
  const name = [
    cell,
    `T${T} B${B} I${I} H${H}`,
    bias ? 'bias' : 'no bias',
    `initial ${states.filter((_, s) => initial[s]).join('') || 'zero'}`,
    `loss of ${[reads.output && 'y', reads.final && 'finals'].filter(Boolean).join(' and ')}`,
  ].join(', ');
  return {
    name,
    run: (context) =>
      compareExecutors(
        context,
        (graph) => {
          const sources: Record<string, Value> = {
            x: graph.input('x', [T, B, I]),
            weightIh: graph.input('weightIh', [G * H, I]),
            weightHh: graph.input('weightHh', [G * H, H]),
          };
          if (bias) {
            sources.biasIh = graph.input('biasIh', [G * H]);
            sources.biasHh = graph.input('biasHh', [G * H]);
          }
          states.forEach((state, s) => {
            if (initial[s]) sources[`${state}0`] = graph.input(`${state}0`, [B, H]);
          });
          const { output, finalStates } = recurrent({
            cell,
            x: sources.x!,
            weightIh: sources.weightIh!,
            weightHh: sources.weightHh!,
            biasIh: sources.biasIh ?? null,
            biasHh: sources.biasHh ?? null,
            initialStates: states.map((state) => sources[`${state}0`] ?? null),
          });
          const results: Record<string, Value> = {};
          if (reads.output) results.y = output;
          if (reads.final) finalStates.forEach((value, s) => (results[`${states[s]!}n`] = value));
          outputWithGradients(graph, results, sources);
        },
        { feeds: weightFeeds(sizes, G) },
      ),
  };
}

/** Without a gradient nothing is saved: other memory, same numbers. */
function inferenceCase(cell: CellName, { T, B, I, H }: Sizes): GpuCase {
  const { gates, states } = CELLS[cell];
  const G = gates.length;
  return {
    name: `${cell}, T${T} B${B} I${I} H${H}, without a backward pass`,
    run: (context) =>
      compareExecutors(
        context,
        (graph) => {
          const { output, finalStates } = recurrent({
            cell,
            x: graph.input('x', [T, B, I]),
            weightIh: graph.input('weightIh', [G * H, I]),
            weightHh: graph.input('weightHh', [G * H, H]),
            biasIh: graph.input('biasIh', [G * H]),
            biasHh: graph.input('biasHh', [G * H]),
            initialStates: states.map((state) => graph.input(`${state}0`, [B, H])),
          });
          graph.output('y', output);
          finalStates.forEach((value, s) => graph.output(`final ${s}`, value));
        },
        { feeds: weightFeeds({ T, B, I, H }, G) },
      ),
  };
}

export const cases: readonly GpuCase[] = (Object.keys(CELLS) as CellName[]).flatMap((cell) => {
  const all = CELLS[cell].states.map(() => true);
  const none = CELLS[cell].states.map(() => false);
  return [
    ...SIZES.map((sizes) =>
      recurrentCase(cell, sizes, { bias: true, initial: all, reads: { output: true, final: true } }),
    ),
    recurrentCase(cell, SIZES[1]!, { bias: false, initial: none, reads: { output: true, final: false } }),
    recurrentCase(cell, SIZES[2]!, { bias: false, initial: none, reads: { output: true, final: false } }),
    recurrentCase(cell, SIZES[3]!, { bias: true, initial: none, reads: { output: false, final: true } }),
    recurrentCase(
      cell,
      { T: 1, B: 5, I: 8, H: 12 },
      { bias: false, initial: none, reads: { output: true, final: true } },
    ),
    ...(all.length > 1
      ? [
          recurrentCase(cell, SIZES[2]!, {
            bias: true,
            initial: [true, false],
            reads: { output: true, final: true },
          }),
          recurrentCase(cell, SIZES[1]!, {
            bias: true,
            initial: [false, true],
            reads: { output: true, final: true },
          }),
        ]
      : []),
    inferenceCase(cell, SIZES[1]!),
    inferenceCase(cell, SIZES[4]!),
  ];
});
