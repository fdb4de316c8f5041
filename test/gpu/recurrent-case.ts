/** Cases of recurrent layers: one layer with all its gradients, on the GPU against the reference. */
import type { Feeds } from '../../src/graph/executor.js';
import type { Graph } from '../../src/graph/graph.js';
import type { Value } from '../../src/graph/value.js';
import { CELLS, type CellName } from '../../src/ops/cells.js';
import {
  DEFAULT_RECURRENT_ATTRIBUTES,
  type RecurrentAttributes,
} from '../../src/ops/recurrent-attributes.js';
import { recurrent, type RecurrentParameters } from '../../src/ops/recurrent.js';
import { sequenceMask } from '../../src/ops/sequence-mask.js';
import type { GpuCase } from './case.js';
import { compareExecutors, outputWithGradients, randomArray } from './compare-executors.js';

export interface Sizes {
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
  /** Width of a projection. */
  readonly R?: number;
}

/** 1, primes, one more than a tile, both the one-row kernels (B ≤ 2) and the eight-row ones. */
export const SIZES: readonly Sizes[] = [
  { T: 1, B: 1, I: 1, H: 1 },
  { T: 3, B: 2, I: 5, H: 7 },
  { T: 5, B: 3, I: 4, H: 8 },
  { T: 2, B: 9, I: 13, H: 17 },
  { T: 4, B: 33, I: 6, H: 36 },
  { T: 7, B: 8, I: 3, H: 65 },
];

/** What a case varies. Defaults: everything given, everything read. */
export interface Options extends Partial<Omit<RecurrentAttributes, 'cell'>> {
  readonly bias?: boolean;
  readonly peephole?: boolean;
  /** Which states begin with something else than zeros. */
  readonly initial?: readonly boolean[];
  /** One a sequence; none: all as long as T. */
  readonly lengths?: readonly number[];
  /** Whether the loss reads the outputs. */
  readonly readsOutput?: boolean;
  /** Whether it reads the final states. */
  readonly readsFinals?: boolean;
  readonly gradients?: boolean;
}

/** Declares the parameters of one direction as inputs, by names that end in `suffix`. */
function declareDirection(
  graph: Graph,
  cell: CellName,
  { B, I, H, R }: Sizes,
  options: Options,
  suffix: string,
): { parameters: RecurrentParameters; sources: Record<string, Value> } {
  const { gates, states } = CELLS[cell];
  const G = gates.length;
  const width = R ?? H;
  const sources: Record<string, Value> = {};
  const declare = (name: string, shape: readonly number[]): Value =>
    (sources[name + suffix] = graph.input(name + suffix, shape));
  const initial = options.initial ?? states.map(() => true);
  const parameters: RecurrentParameters = {
    weightIh: declare('weightIh', [G * H, I]),
    weightHh: declare('weightHh', [G * H, width]),
    biasIh: (options.bias ?? true) ? declare('biasIh', [G * H]) : null,
    biasHh: (options.bias ?? true) ? declare('biasHh', [G * H]) : null,
    weightHr: R === undefined ? null : declare('weightHr', [R, H]),
    peephole: options.peephole ? declare('peephole', [3, H]) : null,
    normIh: options.layerNorm ? declare('normIh', [2, G * H]) : null,
    normHh: options.layerNorm ? declare('normHh', [2, G * H]) : null,
    normC: options.layerNorm && cell === 'lstm' ? declare('normC', [2, H]) : null,
    initialStates: states.map((state, s) =>
      initial[s] ? declare(`${state}0`, [B, s === 0 ? width : H]) : null,
    ),
  };
  return { parameters, sources };
}

/** Records a layer with its inputs, outputs and gradients; returns the numbers it must be fed. */
export function recordLayer(graph: Graph, cell: CellName, sizes: Sizes, options: Options): void {
  const { T, B, I } = sizes;
  const { directions = ['forward'], lengths } = options;
  const { readsOutput = true, readsFinals = true, gradients = true } = options;
  const attributes = Object.fromEntries(
    Object.entries(options).filter(([name]) => name !== 'directions' && name in DEFAULT_RECURRENT_ATTRIBUTES),
  );
  const x = graph.input('x', [T, B, I]);
  const first = declareDirection(graph, cell, sizes, options, '');
  const second = directions.length > 1 ? declareDirection(graph, cell, sizes, options, ' reverse') : null;
  const { output, finalStates } = recurrent({
    ...attributes,
    cell,
    x,
    mask: lengths ? sequenceMask(graph.input('lengths', [B], 'int32'), T) : null,
    seed: options.training ? graph.scalar('seed', 'int32') : null,
    direction: directions[0]!,
    ...first.parameters,
    ...(second && { reverse: second.parameters }),
  });
  const results: Record<string, Value> = {};
  if (readsOutput) results.y = output;
  if (readsFinals) finalStates.forEach((value, i) => (results[`final ${i}`] = value));
  if (gradients) outputWithGradients(graph, results, { x, ...first.sources, ...second?.sources });
  else for (const [name, value] of Object.entries(results)) graph.output(name, value);
}

/**
 * Weights as PyTorch begins them, U(±1/√H): with larger ones a simple RNN is chaotic, and rounding grows from
 * step to step on any machine.
 */
function feedsOf(
  cell: CellName,
  { B, I, H, R }: Sizes,
  options: Options,
): Record<string, Float32Array | Int32Array | number> {
  const G = CELLS[cell].gates.length;
  const width = R ?? H;
  const bound = 1 / Math.sqrt(H);
  const feeds: Record<string, Float32Array | Int32Array | number> = {};
  const counts: Record<string, number> = {
    weightIh: G * H * I,
    weightHh: G * H * width,
    weightHr: width * H,
    peephole: 3 * H,
    biasIh: G * H,
    biasHh: G * H,
  };
  ['', ' reverse'].forEach((suffix, d) => {
    if (d > 0 && (options.directions?.length ?? 1) === 1) return;
    Object.entries(counts).forEach(([name, count], i) => {
      feeds[name + suffix] = randomArray(count, 1 + i + 20 * d, -bound, bound);
    });
  });
  if (options.training) feeds.seed = 77;
  if (options.lengths)
    feeds.lengths = Int32Array.from({ length: B }, (_, b) => options.lengths![b % options.lengths!.length]!);
  return feeds;
}

/** Numbers for the inputs that {@link recordLayer} declares and that should not be from −1 to 1. */
export function layerFeeds(cell: CellName, sizes: Sizes, options: Options): Feeds {
  return Object.fromEntries(
    Object.entries(feedsOf(cell, sizes, options)).filter(([name]) => isDeclared(name, sizes, options)),
  );
}

export function layerCase(cell: CellName, sizes: Sizes, options: Options = {}): GpuCase {
  const told = Object.entries(options).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return {
    name: [
      cell,
      Object.entries(sizes)
        .map(([name, size]) => `${name}${size}`)
        .join(' '),
      ...told,
    ].join(', '),
    run: (context) =>
      compareExecutors(context, (graph) => recordLayer(graph, cell, sizes, options), {
        feeds: layerFeeds(cell, sizes, options),
      }),
  };
}

function isDeclared(name: string, { R }: Sizes, options: Options): boolean {
  if (name.startsWith('weightHr')) return R !== undefined;
  if (name.startsWith('peephole')) return options.peephole === true;
  if (name.startsWith('bias')) return options.bias ?? true;
  return true;
}

export const BOTH = ['forward', 'reverse'] as const;
/** Unsorted, with a sequence of one step and one of all of them. */
export const LENGTHS = [2, 5, 1, 3];
