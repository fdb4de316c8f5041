/** `linear`: an affine map of the last dimension, `y = x·Wᵀ + b`, as PyTorch's `nn.Linear`. */
import { ShapeError } from '../graph/errors.js';
import { defineOperation } from '../graph/operation.js';
import { formatShape } from '../graph/shape.js';
import type { Value } from '../graph/value.js';
import { apply, checkRank, checkSameShape, only, typed } from './check.js';
import { matmul } from './matmul.js';
import { sum } from './reduce-sum.js';
import { reshape } from './reshape.js';

/** Attributes of {@link linearOperation}: none. */
export type LinearAttributes = Readonly<Record<string, never>>;

/** `[x[…,I], weight[O,I], bias[O]|null] → [y[…,O]]`. */
export const linearOperation = defineOperation<LinearAttributes>({
  name: 'linear',
  infer(inputs, _attributes, culprit) {
    const x = typed(culprit, inputs, 0, 'x');
    const weight = typed(culprit, inputs, 1, 'weight');
    checkRank(culprit, 'weight', weight, 2, 'O,I');
    const [outSize, inSize] = weight.shape as [number, number];
    if (x.shape.at(-1) !== inSize) {
      throw new ShapeError({
        culprit,
        problem: `x has shape ${formatShape(x.shape)}, the weight ${formatShape(weight.shape)} takes ${inSize} features`,
        remedy: `let the last dimension of x be ${inSize}`,
      });
    }
    if (inputs[2]) checkSameShape(culprit, 'bias', typed(culprit, inputs, 2, 'bias'), [outSize], 'O');
    return [{ shape: [...x.shape.slice(0, -1), outSize], dtype: 'float32' }];
  },
  gradient(node, dOutputs, wanted) {
    const x = node.inputs[0]!;
    const weight = node.inputs[1]!;
    const [outSize, inSize] = weight.shape as [number, number];
    const dY = reshape(only(dOutputs), [-1, outSize]);
    return [
      wanted[0] ? reshape(matmul(dY, weight), x.shape) : null,
      wanted[1] ? matmul(dY, reshape(x, [-1, inSize]), { transposeA: true }) : null,
      wanted[2] ? sum(dY, { axes: 0 }) : null,
    ];
  },
});

/**
 * `y = x·weightᵀ + bias` over the last dimension.
 * @param x `[…,I]`
 * @param weight `[O,I]`
 * @param bias `[O]`
 * @param label names the layer in messages and listings
 * @returns `[…,O]`
 * @throws ShapeError where the sizes do not fit
 */
export function linear(x: Value, weight: Value, bias: Value | null = null, label = ''): Value {
  return apply(linearOperation, [x, weight, bias], {}, label)[0]!;
}
