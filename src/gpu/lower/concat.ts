/** `concat` on the GPU: one strided copy an input. */
import { stridesOf } from '../../graph/shape.js';
import { concatOperation } from '../../ops/concat.js';
import { defineLowering } from './context.js';
import { emitStridedCopy, mergeAxes } from './strided-copy.js';

export const lowerConcat = defineLowering({
  operation: concatOperation,
  lower(node, context) {
    const [y] = node.outputs;
    const { axis } = node.attributes;
    const to = context.output(y!, 'concatenation');
    const strides = stridesOf(y!.shape);
    let position = 0;
    for (const input of node.inputs) {
      const { size, strides: merged } = mergeAxes(input!.shape, stridesOf(input!.shape), strides);
      emitStridedCopy(context, {
        from: context.view(input!),
        to,
        size,
        fromStride: merged[0]!,
        toStride: merged[1]!,
        toOffset: position * strides[axis]!,
        label: node.label,
      });
      position += input!.shape[axis]!;
    }
  },
});
