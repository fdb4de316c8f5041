/** `matmul`: the product of two matrices, or of two batches of them, either transposed on the way in. */
import { ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { checkOptions } from '../graph/options.js';
import { formatShape, sameShape, type Shape } from '../graph/shape.js';
import type { Value, ValueSpec } from '../graph/value.js';
import { sumTo } from './broadcast.js';
import { apply, only, typed } from './check.js';
import { reshape } from './reshape.js';

/** Attributes of {@link matmulOperation}. */
export interface MatmulAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** The leading dimensions of an operand, and rows and columns of its matrices, transposed if they are. */
function dimensions(
  culprit: string,
  name: string,
  { shape }: ValueSpec,
  transposed: boolean,
  letters: string,
): readonly [leading: Shape, rows: number, columns: number] {
  if (shape.length < 2) {
    throw new ShapeError({
      culprit,
      problem: `${name} has shape ${formatShape(shape)}`,
      remedy: `pass shape [${letters}], or […,${letters}] for a batch of matrices`,
    });
  }
  const [rows, columns] = shape.slice(-2) as [number, number];
  return transposed ? [shape.slice(0, -2), columns, rows] : [shape.slice(0, -2), rows, columns];
}

/** `[a, b] → [y[…,M,N]]`, `y = op(a)[…,M,K] · op(b)[…,K,N]`; one of the two may be a single matrix for the whole batch. */
export const matmulOperation = defineOperation<MatmulAttributes>({
  name: 'matmul',
  infer(inputs, { transposeA, transposeB }, culprit) {
    const a = typed(culprit, inputs, 0, 'a');
    const b = typed(culprit, inputs, 1, 'b');
    const [leading, m, k] = dimensions(culprit, 'a', a, transposeA, transposeA ? 'K,M' : 'M,K');
    const [leading2, k2, n] = dimensions(culprit, 'b', b, transposeB, transposeB ? 'N,K' : 'K,N');
    const shapes = `a is ${formatShape(a.shape)}${transposeA ? ' transposed' : ''}, b is ${formatShape(b.shape)}${transposeB ? ' transposed' : ''}`;
    if (k !== k2) {
      throw new ShapeError({
        culprit,
        problem: `${shapes}, so ${k} columns meet ${k2} rows`,
        remedy: 'let the inner dimensions agree',
      });
    }
    if (leading.length > 0 && leading2.length > 0 && !sameShape(leading, leading2)) {
      throw new ShapeError({
        culprit,
        problem: `${shapes}, so a batch of ${formatShape(leading)} meets one of ${formatShape(leading2)}`,
        remedy:
          'let all dimensions but the last two agree (broadcastTo repeats matrices), or pass one matrix of two dimensions for the whole batch',
      });
    }
    return [{ shape: [...(leading.length > 0 ? leading : leading2), m, n], dtype: 'float32' }];
  },
  gradient(node, dOutputs, wanted) {
    const a = node.inputs[0]!;
    const b = node.inputs[1]!;
    const { transposeA, transposeB } = node.attributes;
    const dY = only(dOutputs);
    const dA = (): Value =>
      transposeA
        ? matmul(b, dY, { transposeA: transposeB, transposeB: true })
        : matmul(dY, b, { transposeB: !transposeB });
    // One b for the whole batch: all rows of a are one matrix, and the product sums over them.
    const joined = b.shape.length === 2 && !transposeA;
    const rowsOf = (x: Value): Value =>
      joined && x.shape.length > 2 ? reshape(x, [-1, x.shape.at(-1)!]) : x;
    const dB = (): Value =>
      transposeB
        ? matmul(rowsOf(dY), rowsOf(a), { transposeA: true, transposeB: transposeA })
        : matmul(rowsOf(a), rowsOf(dY), { transposeA: !transposeA });
    return [wanted[0] ? sumTo(dA(), a.shape) : null, wanted[1] ? sumTo(dB(), b.shape) : null];
  },
});

/**
 * The product of matrices, `op(a) · op(b)`, where `op` transposes the last two dimensions of what its option
 * names. Leading dimensions are a batch of products, as in PyTorch's `torch.matmul`: they are equal, or one
 * operand has none and is shared by the whole batch.
 * @param a `[…,M,K]`, or `[…,K,M]` with `transposeA`
 * @param b `[…,K,N]`, or `[…,N,K]` with `transposeB`
 * @returns `[…,M,N]`
 * @throws ShapeError where the sizes do not fit, or leading dimensions would have to be broadcast
 */
export function matmul(a: Value, b: Value, options: Partial<MatmulAttributes> = {}): Value {
  checkOptions('matmul', options, ['transposeA', 'transposeB']);
  const { transposeA = false, transposeB = false } = options;
  return apply(matmulOperation, [a, b], { transposeA, transposeB })[0]!;
}
