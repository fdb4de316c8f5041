/** How products of batches become dispatches: joined where one matrix serves them all, in grids that every adapter has. */
import { describe, expect, it } from 'vitest';
import { lowerGraph } from '../../../src/gpu/lower/index.js';
import { MAX_WORKGROUPS } from '../../../src/gpu/kernels/kernel.js';
import { dispatchesOf, type Program } from '../../../src/gpu/program.js';
import { Graph } from '../../../src/graph/graph.js';
import type { Shape } from '../../../src/graph/shape.js';
import { gradients, matmul, sum, type MatmulAttributes } from '../../../src/ops/index.js';

interface Options extends Partial<MatmulAttributes> {
  readonly software?: boolean;
  readonly decision?: string;
  /** Which gradients to take. */
  readonly by?: readonly ('a' | 'b')[];
}

function lower(a: Shape, b: Shape, { software = true, decision, by = [], ...flags }: Options = {}): Program {
  const graph = new Graph('products');
  const sources = { a: graph.input('a', a), b: graph.input('b', b) };
  const y = matmul(sources.a, sources.b, flags);
  graph.output('y', y);
  const names = by.map((name) => sources[name]);
  gradients(sum(y), names).forEach((gradient, i) => graph.output(`gradient ${i}`, gradient));
  const first = lowerGraph(graph, Infinity, { software }).program;
  if (!decision) return first;
  const decisions = new Map(first.choices.map(({ id }) => [id, decision]));
  return lowerGraph(graph, Infinity, { software, decisions }).program;
}

const details = (program: Program): string[] =>
  dispatchesOf(program)
    .filter(({ kernel }) => kernel.name.startsWith('matmul'))
    .map(({ detail }) => detail);

describe('one matrix for a whole batch', () => {
  it('on the right makes one product of it, and one of its gradient', () => {
    expect(details(lower([6, 5, 3, 7], [7, 4], { by: ['a', 'b'] }))).toEqual([
      '[90,7]·[7,4]',
      '[90,4]·[4,7]',
      '[7,90]·[90,4]',
    ]);
    expect(details(lower([6, 3, 7], [4, 7], { by: ['b'], transposeB: true }))).toEqual([
      '[18,7]·[7,4]',
      '[4,18]·[18,7]',
    ]);
  });
  it('is a product for each where its rows do not follow each other, and a sum', () => {
    const program = lower([6, 7, 3], [7, 4], { by: ['b'], transposeA: true });
    expect(details(program)).toEqual(['6×[3,7]·[7,4]', '6×[7,3]·[3,4]']);
    expect(dispatchesOf(program).at(-1)).toMatchObject({
      kernel: { name: 'reduce_sum' },
      detail: '[1,6,28]',
    });
    expect(details(lower([3, 7], [6, 7, 4], { by: ['a', 'b'] }))).toEqual([
      '6×[3,7]·[7,4]',
      '6×[3,4]·[4,7]',
      '6×[7,3]·[3,4]',
    ]);
  });
});

describe('grids', () => {
  const names = ({ choices }: Program): string[] => choices[0]!.variants.map(({ name }) => name);
  it('hold no more workgroups in a dimension than every adapter has', () => {
    // As many matrices as one more row of workgroups would make too many for.
    for (const software of [true, false]) {
      const [m, n, k] = [16, 16, 1];
      for (const [batches, missing] of [
        [MAX_WORKGROUPS, []],
        [MAX_WORKGROUPS + 1, ['shared']],
        [4 * MAX_WORKGROUPS, ['shared']],
        [4 * MAX_WORKGROUPS + 1, ['shared', '8x8']],
      ] as const) {
        const offered = names(lower([batches, m, k], [batches, k, n], { software }));
        const tiles = ['16x16', '8x8', 'shared'].filter((name) => !missing.includes(name as never));
        expect(new Set(offered)).toEqual(new Set(tiles));
        for (const decision of offered) {
          const program = lower([batches, m, k], [batches, k, n], { software, decision });
          expect(program.choices[0]!.chosen).toBe(decision);
          for (const { workgroups } of dispatchesOf(program)) {
            expect(Math.max(...workgroups)).toBeLessThanOrEqual(MAX_WORKGROUPS);
          }
        }
      }
    }
  });
  it('of one tall product too', () => {
    expect(names(lower([64 * MAX_WORKGROUPS, 1], [1, 1], { software: false }))).toContain('8x8');
    expect(names(lower([64 * MAX_WORKGROUPS + 1, 1], [1, 1], { software: false }))).toEqual(['16x16']);
  });
});
