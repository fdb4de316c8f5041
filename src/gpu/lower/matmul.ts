/** Matrix products: `matmul`, and the emitter every other rule's products go through. */
import { matmulOperation } from '../../ops/matmul.js';
import { matmulScalarKernel, matmulVec4Kernel } from '../kernels/index.js';
import type { View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';
import { MAX_ITERATIONS } from './limits.js';

/** A matrix as it lies in memory, in elements. */
export interface MatrixView {
  readonly view: View;
  /** Where the first row begins. */
  readonly offset?: number;
  /** From the beginning of one row to the next. */
  readonly stride: number;
  readonly transposed?: boolean;
}

/** A product to emit: `c[m,n] = op(a)[m,k]·op(b)[k,n] + bias[n]`. */
export interface Product {
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

/** Rows and columns of C that a workgroup covers. */
const TILE = 64;

/** Appends the dispatches of one product: one, unless k is so long that it must be cut. */
export function emitMatmul(context: LoweringContext, product: Product): void {
  const { m, n, k, a, b, bias = null, c, accumulate = false, label } = product;
  const aligned = [a.offset ?? 0, a.stride, b.offset ?? 0, b.stride].every((elements) => elements % 4 === 0);
  const kernel = aligned ? matmulVec4Kernel : matmulScalarKernel;
  const longest = 4 * MAX_ITERATIONS;
  for (let begin = 0; begin < k; begin += longest) {
    const length = Math.min(longest, k - begin);
    context.dispatch(kernel, {
      buffers: { a: a.view, b: b.view, bias: bias ?? context.nothing('read'), c: c.view },
      parameters: {
        m,
        n,
        k: length,
        a_offset: (a.offset ?? 0) + begin * (a.transposed ? a.stride : 1),
        a_stride: a.stride,
        a_transposed: a.transposed ?? false,
        b_offset: (b.offset ?? 0) + begin * (b.transposed ? 1 : b.stride),
        b_stride: b.stride,
        b_transposed: b.transposed ?? false,
        c_offset: c.offset ?? 0,
        c_stride: c.stride,
        has_bias: bias !== null && begin === 0,
        accumulate: accumulate || begin > 0,
      },
      workgroups: [Math.ceil(n / TILE), Math.ceil(m / TILE), 1],
      label,
      detail: `[${m},${length}]·[${length},${n}]`,
      flops: 2 * m * n * length,
    });
  }
}

export const lowerMatmul = defineLowering({
  operation: matmulOperation,
  lower(node, context) {
    const [a, b] = node.inputs;
    const [y] = node.outputs;
    const { transposeA, transposeB } = node.attributes;
    const [m, n] = y!.shape as [number, number];
    emitMatmul(context, {
      m,
      n,
      k: a!.shape[transposeA ? 0 : 1]!,
      a: { view: context.view(a!), stride: a!.shape[1]!, transposed: transposeA },
      b: { view: context.view(b!), stride: b!.shape[1]!, transposed: transposeB },
      c: { view: context.output(y!, 'product'), stride: n },
      label: node.label,
    });
  },
});
