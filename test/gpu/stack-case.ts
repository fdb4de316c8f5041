/** Cases of stacks of recurrent layers: side by side against the reference and, bit for bit, against one after the other. */
import { Graph } from '../../src/graph/graph.js';
import type { HostArray, Value } from '../../src/graph/value.js';
import * as ops from '../../src/ops/index.js';
import { expectClose } from '../support/compare.js';
import { TOLERANCES } from '../support/tolerances.js';
import type { GpuCase, GpuContext } from './case.js';
import { outputWithGradients, randomArray, randomTokens } from './compare-executors.js';
import { compareVariants } from './compare-variants.js';

/** What a case varies. */
export interface Stack {
  readonly cell: ops.CellName;
  readonly layers: number;
  readonly T: number;
  readonly B: number;
  readonly H: number;
  /** Which layers have initial states; all by default. */
  readonly initial?: readonly boolean[];
  readonly lengths?: readonly number[];
  readonly dropout?: number;
  readonly direction?: ops.Direction;
  /** Whether the inputs are those of a table of as many rows, looked up. */
  readonly vocabulary?: number;
  readonly bias?: boolean;
  /** Whether the loss reads the last layer's outputs, and the final states of which layers. */
  readonly output?: boolean;
  readonly finals?: readonly boolean[];
  /** Whether the first layer's outputs are read as well. */
  readonly skip?: boolean;
  readonly gradients?: boolean;
  /** Whether they do run side by side. */
  readonly pairs?: boolean;
  /** Names of the variants that must be tried. */
  readonly expected?: readonly string[];
}

const I = 3;

/** Records a stack; `apart` puts something between its layers that changes nothing. */
export function record(graph: Graph, stack: Stack, apart: boolean): void {
  const {
    cell,
    layers,
    T,
    B,
    H,
    lengths,
    dropout = 0,
    direction = 'forward',
    vocabulary,
    bias = true,
  } = stack;
  const { output = true, skip = false, gradients = true } = stack;
  const G = ops.CELLS[cell].gates.length;
  const sources: Record<string, Value> = {};
  const results: Record<string, Value> = {};
  const declare = (name: string, shape: readonly number[]): Value =>
    (sources[name] = graph.input(name, shape));
  let x =
    vocabulary === undefined
      ? declare('x', [T, B, I])
      : ops.embedding(declare('table', [vocabulary, I]), graph.input('tokens', [T, B], 'int32'));
  const mask = lengths ? ops.sequenceMask(graph.input('lengths', [B], 'int32'), T) : null;
  const seed = dropout > 0 ? graph.scalar('seed', 'int32') : null;
  for (let l = 0; l < layers; l++) {
    if (l > 0 && apart) x = ops.reshape(ops.reshape(x, [T * B, H]), x.shape);
    if (l > 0 && seed) x = ops.dropout(x, seed, { p: dropout, stream: l });
    const { output: y, finalStates } = ops.recurrent({
      cell,
      x,
      mask,
      direction,
      weightIh: declare(`weightIh${l}`, [G * H, l === 0 ? I : H]),
      weightHh: declare(`weightHh${l}`, [G * H, H]),
      biasIh: bias ? declare(`biasIh${l}`, [G * H]) : null,
      biasHh: bias ? declare(`biasHh${l}`, [G * H]) : null,
      initialStates: ops.CELLS[cell].states.map((state) =>
        (stack.initial?.[l] ?? true) ? declare(`${state}${l}`, [B, H]) : null,
      ),
      label: `l${l}`,
    });
    x = y;
    if (stack.finals?.[l] ?? true) finalStates.forEach((state, s) => (results[`final ${l} ${s}`] = state));
    if (skip && l === 0) results.skipped = y;
  }
  if (output) results.y = x;
  if (gradients) outputWithGradients(graph, results, sources);
  else for (const [name, value] of Object.entries(results)) graph.output(name, value);
}

/** Numbers for the inputs that should not be from −1 to 1. */
function feedsOf({
  cell,
  layers,
  T,
  B,
  H,
  lengths,
  dropout = 0,
  vocabulary,
  bias = true,
}: Stack): Record<string, HostArray | number> {
  const G = ops.CELLS[cell].gates.length;
  const bound = 1 / Math.sqrt(H);
  const feeds: Record<string, HostArray | number> = {};
  for (let l = 0; l < layers; l++) {
    const counts = { weightIh: G * H * (l === 0 ? I : H), weightHh: G * H * H };
    const biases = bias ? { biasIh: G * H, biasHh: G * H } : {};
    Object.entries({ ...counts, ...biases }).forEach(([name, count], i) => {
      feeds[`${name}${l}`] = randomArray(count, 1 + i + 20 * l, -bound, bound);
    });
  }
  if (dropout > 0) feeds.seed = 77;
  if (vocabulary !== undefined) feeds.tokens = randomTokens(T * B, vocabulary, 9);
  if (lengths) feeds.lengths = Int32Array.from({ length: B }, (_, b) => lengths[b % lengths.length]!);
  return feeds;
}

/** Throws unless the layers give what the reference gives, and side by side the bits that they give apart. */
async function compareStack({ executor, reference }: GpuContext, stack: Stack): Promise<void> {
  const feeds = feedsOf(stack);
  const [besides, aparts] = [false, true].map((apart) => {
    const graph = new Graph('stack');
    record(graph, stack, apart);
    return graph;
  }) as [Graph, Graph];
  const fed = Object.fromEntries(
    besides.inputs.map(({ name, value }, i) => [name, feeds[name] ?? randomArray(value.size, 100 + i)]),
  );
  const read = besides.outputs.map(({ name }) => name);
  const cpu = reference();
  const expected = (await (await cpu.compile(besides)).run(fed, { read })).outputs;
  cpu.dispose();
  const [beside, apart] = await Promise.all([executor.compile(besides), executor.compile(aparts)]);
  const actual = (await beside.run(fed, { read })).outputs;
  const alone = (await apart.run(fed, { read })).outputs;
  for (const name of read) {
    const tolerance = name.startsWith('d ') ? TOLERANCES.gradient : TOLERANCES.result;
    expectClose(actual[name]!, expected[name]!, tolerance, name);
    expectClose(actual[name]!, alone[name]!, TOLERANCES.exact, `${name}, side by side against apart`);
  }
  const paired = [beside, apart].map(({ choices }) =>
    choices.some(({ id }) => id.includes(' in chunks of ')),
  );
  const { pairs = true } = stack;
  if (paired[0] !== pairs || paired[1]) throw new Error(`pairs is ${pairs}, paired are ${paired.join()}`);
  beside.dispose();
  apart.dispose();
}

/** A stack by the default variants or, with `expected`, by all of them. */
export function stackCase(stack: Stack): GpuCase {
  const { expected, ...options } = stack;
  const told = Object.entries(options).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return {
    name: `stack: ${told.join(', ').replaceAll('"', '')}`,
    async run(context) {
      await compareStack(context, stack);
      if (!expected) return;
      await compareVariants(
        context,
        (graph) => {
          record(graph, stack, false);
        },
        { feeds: feedsOf(stack), family: 'recurrent', expected },
      );
    },
  };
}
