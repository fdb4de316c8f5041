/** `slice` on the GPU: nothing is run where the block is contiguous, a strided copy elsewhere. */
import { stridesOf } from '../../graph/shape.js';
import { sliceOperation } from '../../ops/slice.js';
import { defineLowering } from './context.js';
import { emitStridedCopy, mergeAxes } from './strided-copy.js';

export const lowerSlice = defineLowering({
  operation: sliceOperation,
  lower(node, context) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const { begin, size } = node.attributes;
    const from = context.view(x!);
    const strides = stridesOf(x!.shape);
    const offset = begin.reduce((sum, index, axis) => sum + index * strides[axis]!, 0);
    const merged = mergeAxes(size, strides, stridesOf(size));
    if (merged.size.length === 1 && merged.strides[0]![0] === 1) {
      context.alias(
        y!,
        { storage: from.storage, offset: from.offset + 4 * offset, bytes: y!.size * 4 },
        node.label,
      );
      return;
    }
    emitStridedCopy(context, {
      from,
      to: context.output(y!, 'slice'),
      size: merged.size,
      fromStride: merged.strides[0]!,
      toStride: merged.strides[1]!,
      fromOffset: offset,
      label: node.label,
    });
  },
});
