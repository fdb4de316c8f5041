/** `matmul`: the product of two matrices, either of them transposed on the way in. */
import { ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { formatShape } from '../graph/shape.js';
import type { Value } from '../graph/value.js';
import { checkRank, only, typed } from './check.js';

/** Attributes of {@link matmulOperation}. */
export interface MatmulAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** `[a, b] → [y[M,N]]`, `y = op(a)[M,K] · op(b)[K,N]`. */
export const matmulOperation = defineOperation<MatmulAttributes>({
  name: 'matmul',
  infer(inputs, { transposeA, transposeB }, culprit) {
    const a = typed(culprit, inputs, 0, 'a');
    const b = typed(culprit, inputs, 1, 'b');
    checkRank(culprit, 'a', a, 2, transposeA ? 'K,M' : 'M,K');
    checkRank(culprit, 'b', b, 2, transposeB ? 'N,K' : 'K,N');
    const [m, k] = transposeA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
    const [k2, n] = transposeB ? [b.shape[1]!, b.shape[0]!] : [b.shape[0]!, b.shape[1]!];
    if (k !== k2) {
      throw new ShapeError({
        culprit,
        problem: `a is ${formatShape(a.shape)}${transposeA ? ' transposed' : ''}, b is ${formatShape(b.shape)}${transposeB ? ' transposed' : ''}, so ${k} columns meet ${k2} rows`,
        remedy: 'let the inner dimensions agree',
      });
    }
    return [{ shape: [m, n], dtype: 'float32' }];
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
    const dB = (): Value =>
      transposeB
        ? matmul(dY, a, { transposeA: true, transposeB: transposeA })
        : matmul(a, dY, { transposeA: !transposeA });
    return [wanted[0] ? dA() : null, wanted[1] ? dB() : null];
  },
});

/** `op(a)[M,K] · op(b)[K,N] → [M,N]`, where `op` transposes what its option names. */
export function matmul(a: Value, b: Value, options: Partial<MatmulAttributes> = {}): Value {
  const { transposeA = false, transposeB = false } = options;
  return a.graph.record(matmulOperation, [a, b], { transposeA, transposeB })[0]!;
}
