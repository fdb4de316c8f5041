/** `transpose` on the GPU: one strided copy. */
import { stridesOf } from '../../graph/shape.js';
import { transposeOperation } from '../../ops/transpose.js';
import { defineLowering } from './context.js';
import { emitStridedCopy, mergeAxes } from './strided-copy.js';

export const lowerTranspose = defineLowering({
  operation: transposeOperation,
  lower(node, context) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const own = stridesOf(x!.shape);
    const permuted = node.attributes.permutation.map((axis) => own[axis]!);
    const { size, strides } = mergeAxes(y!.shape, permuted, stridesOf(y!.shape));
    emitStridedCopy(context, {
      from: context.view(x!),
      to: context.output(y!, 'transpose'),
      size,
      fromStride: strides[0]!,
      toStride: strides[1]!,
      label: node.label,
    });
  },
});
