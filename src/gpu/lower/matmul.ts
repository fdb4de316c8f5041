/** Matrix products: `matmul`, and the emitter every other rule's products go through. */
import { sizeOf } from '../../graph/shape.js';
import type { Value } from '../../graph/value.js';
import { matmulOperation } from '../../ops/matmul.js';
import { foldWorkgroups, MAX_WORKGROUPS } from '../kernels/kernel.js';
import {
  matmul16x16Kernel,
  matmulKernel,
  matmulRowKernel,
  matmulSharedKernel,
  matmulTogetherKernel,
} from '../kernels/general.js';
import { alignUp, type View } from '../memory.js';
import type { Variant } from './choice.js';
import { defineLowering, type LoweringContext } from './context.js';
import { MAX_ITERATIONS } from './limits.js';
import { emitReduceSum } from './reduce-sum.js';

/** A matrix as it lies in memory, in elements. */
export interface MatrixView {
  readonly view: View;
  /** Where the first row begins. */
  readonly offset?: number;
  /** From the beginning of one row to the next. */
  readonly stride: number;
  readonly transposed?: boolean;
  /** From one matrix of a batch to the next; 0, the default, where all share one. Those of C lie row behind row. */
  readonly batchStride?: number;
}

/** A product to emit, or a batch of them: `c[m,n] = op(a)[m,k]·op(b)[k,n] + bias[n]`. */
export interface Product {
  /** 1 by default. */
  readonly batches?: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatrixView;
  readonly b: MatrixView;
  readonly bias?: View | null;
  readonly c: MatrixView;
  /** Adds to c instead of assigning it. */
  readonly accumulate?: boolean;
  readonly label: string;
}

/** A way to compute products. */
interface Tiling {
  readonly name: string;
  readonly kernel: typeof matmulKernel;
  /** Products of one order class add in the same order. */
  readonly orderClass: string;
  /** Rows and columns of C that an invocation computes, or a workgroup that shares memory. */
  readonly tile: readonly [rows: number, columns: number];
  readonly workgroups: (product: Product) => readonly [number, number, number];
  /** Longest k that an invocation may go through. */
  readonly longest: number;
}

/** Four k at a time, then one at a time what is left. */
const FOURS = { orderClass: 'fours', longest: 4 * (MAX_ITERATIONS - 4) };

const ROW: Tiling = {
  ...FOURS,
  name: 'row',
  kernel: matmulRowKernel,
  tile: [1, 4],
  workgroups: ({ batches = 1, m, n }) => foldWorkgroups(batches * m * Math.ceil(n / 4), 16),
};

const TILE_8: Tiling = {
  ...FOURS,
  name: '8x8',
  kernel: matmulKernel,
  tile: [8, 8],
  workgroups: ({ batches = 1, m, n }) => [Math.ceil(n / 64), Math.ceil((batches * Math.ceil(m / 8)) / 8), 1],
};

const TILE_16: Tiling = {
  ...FOURS,
  name: '16x16',
  kernel: matmul16x16Kernel,
  tile: [16, 16],
  workgroups: ({ batches = 1, m, n }) => foldWorkgroups(batches * Math.ceil(m / 16) * Math.ceil(n / 16), 8),
};

/** Four invocations side by side, which a software adapter runs at once, load rows of A for one another. */
const TILE_16_TOGETHER: Tiling = {
  ...TILE_16,
  name: '16x16 together',
  kernel: matmulTogetherKernel,
  workgroups: ({ batches = 1, m, n }) =>
    foldWorkgroups(batches * Math.ceil(m / 16) * alignUp(Math.ceil(n / 16), 4), 8),
};
/** How long one of them takes, in tiles of the others: measured on SwiftShader. */
const COST_OF_TOGETHER = 0.9;

const SHARED: Tiling = {
  orderClass: 'ones',
  longest: MAX_ITERATIONS / 2,
  name: 'shared',
  kernel: matmulSharedKernel,
  tile: [64, 64],
  workgroups: ({ batches = 1, m, n }) => [Math.ceil(n / 64), batches * Math.ceil(m / 64), 1],
};

/** Rows from which a tile of rows pays. */
const FEW_ROWS = 4;
/** Parts into which k may be cut, to keep more invocations busy. */
const PARTS = [4, 16];
/** Fewest k in a part, */
const SHORTEST_PART = 128;
/** and most numbers in all parts of C. */
const MOST_PARTIAL = 2 ** 22;

/** The ways to compute a product, the default first: none but those that could be the best somewhere. */
function tilingsOf({ batches = 1, m, n }: Product, { software, subgroups }: LoweringContext): Tiling[] {
  const [down, across] = [batches * Math.ceil(m / 16), Math.ceil(n / 16)];
  const pays = down * Math.ceil(across / 4) * COST_OF_TOGETHER < Math.ceil((down * across) / 4);
  const sixteen = pays ? [TILE_16_TOGETHER, TILE_16] : [TILE_16, TILE_16_TOGETHER];
  const offered = software && subgroups ? sixteen : [TILE_16];
  const tiles = software ? [...offered, TILE_8] : [TILE_8, TILE_16];
  const shared = m >= 16 && n >= 16 ? [SHARED] : [];
  if (m < FEW_ROWS) return [ROW, ...tiles];
  return [...tiles, ...shared, ...(m < 4 * FEW_ROWS ? [ROW] : [])];
}

/** Appends the dispatches of one product: one, unless k is so long that it must be cut. */
export function emitMatmul(context: LoweringContext, product: Product): void {
  const { batches = 1, m, n, k, a, b, bias, c, accumulate } = product;
  const fitting = (tiling: Tiling): boolean => Math.max(...tiling.workgroups(product)) <= MAX_WORKGROUPS;
  const tilings = tilingsOf(product, context).filter(fitting);
  const variants = tilings.flatMap((tiling) => {
    const { name, orderClass, tile } = tiling;
    const fits = (parts: number): boolean =>
      tiling !== TILE_16_TOGETHER &&
      c.stride === n &&
      k >= parts * SHORTEST_PART &&
      batches * m * n * parts <= MOST_PARTIAL &&
      tile[0] > 1;
    return [
      { name, orderClass, emit: () => emitTiled(context, product, tiling) },
      ...PARTS.filter(fits).map((parts) => ({
        name: `${name} in ${parts} parts`,
        orderClass: `${orderClass} in ${parts} parts`,
        emit: () => emitParts(context, product, tiling, parts),
      })),
    ];
  });
  const layout = ({ stride, transposed, batchStride = 0 }: MatrixView): string =>
    `${stride}${transposed ? 't' : ''}${batches > 1 ? `/${batchStride}` : ''}`;
  const extras = `${bias ? ' bias' : ''}${accumulate ? ' accumulate' : ''}`;
  context.choose({
    family: 'matmul',
    key: `${times(batches)}${m}x${n}x${k} ${layout(a)} ${layout(b)} ${layout(c)}${extras}`,
    variants: variants as [Variant, ...Variant[]],
  });
}

/** How often, where it is more than once. */
function times(batches: number): string {
  return batches > 1 ? `${batches}×` : '';
}

/** One dispatch, or one after another where k is too long for an invocation. */
function emitTiled(context: LoweringContext, product: Product, tiling: Tiling): void {
  const { k, bias, accumulate = false } = product;
  for (let begin = 0; begin < k; begin += tiling.longest) {
    const length = Math.min(tiling.longest, k - begin);
    dispatchProduct(context, product, tiling, {
      begin,
      length,
      bias: begin === 0 ? (bias ?? null) : null,
      accumulate: accumulate || begin > 0,
    });
  }
}

/** Each part of k by other workgroups, then the sum of the parts in their order. */
function emitParts(context: LoweringContext, product: Product, tiling: Tiling, parts: number): void {
  const { batches = 1, m, n, k, bias = null, c, accumulate, label } = product;
  const part = Math.ceil(k / parts / 4) * 4;
  const count = Math.ceil(k / part);
  if (part > tiling.longest) {
    emitTiled(context, product, tiling);
    return;
  }
  const partial = context.allocate('partial products', count * batches * m * n * 4);
  dispatchProduct(
    context,
    { ...product, c: { view: partial, stride: n } },
    tiling,
    { begin: 0, length: k, bias, accumulate: false },
    { part, count },
  );
  emitReduceSum(context, {
    x: partial,
    y: c.view,
    yOffset: c.offset ?? 0,
    outer: 1,
    reduced: count,
    inner: batches * m * n,
    ...(accumulate && { accumulate }),
    label,
  });
}

function dispatchProduct(
  context: LoweringContext,
  product: Product,
  { kernel, workgroups }: Tiling,
  range: { begin: number; length: number; bias: View | null; accumulate: boolean },
  { part, count }: { part: number; count: number } = { part: range.length, count: 1 },
): void {
  const { batches = 1, m, n, a, b, c, label } = product;
  const { begin, length, bias, accumulate } = range;
  const [aM, aK] = a.transposed ? [1, a.stride] : [a.stride, 1];
  const [bK, bN] = b.transposed ? [1, b.stride] : [b.stride, 1];
  const [x, y] = workgroups(product);
  context.dispatch(kernel, {
    buffers: { a: a.view, b: b.view, bias: bias ?? context.nothing('read'), c: c.view },
    parameters: {
      batches,
      m,
      n,
      k: length,
      k_part: part,
      a_offset: (a.offset ?? 0) + begin * aK,
      a_batch: a.batchStride ?? 0,
      a_m: aM,
      a_k: aK,
      b_offset: (b.offset ?? 0) + begin * bK,
      b_batch: b.batchStride ?? 0,
      b_k: bK,
      b_n: bN,
      c_offset: c.offset ?? 0,
      c_m: c.stride,
      c_part: batches * m * n,
      has_bias: bias !== null,
      accumulate,
    },
    workgroups: [x, y, count],
    label,
    detail: `${times(batches)}[${m},${length}]·[${length},${n}]`,
    flops: 2 * batches * m * n * length,
  });
}

export const lowerMatmul = defineLowering({
  operation: matmulOperation,
  lower(node, context) {
    const [a, b] = node.inputs;
    const [y] = node.outputs;
    const { transposeA, transposeB } = node.attributes;
    const [rows, n] = y!.shape.slice(-2) as [number, number];
    const count = y!.size / (rows * n);
    // One B for the whole batch: the matrices of A, one below the other, are one.
    const joined = b!.shape.length === 2 && !transposeA;
    const [batches, m] = joined ? [1, count * rows] : [count, rows];
    const matrix = ({ shape }: Value): { stride: number; batchStride: number } => ({
      stride: shape.at(-1)!,
      batchStride: batches > 1 && shape.length > 2 ? sizeOf(shape.slice(-2)) : 0,
    });
    emitMatmul(context, {
      batches,
      m,
      n,
      k: a!.shape.at(transposeA ? -2 : -1)!,
      a: { view: context.view(a!), ...matrix(a!), transposed: transposeA },
      b: { view: context.view(b!), ...matrix(b!), transposed: transposeB },
      c: { view: context.output(y!, 'product'), stride: n },
      label: node.label,
    });
  },
});
