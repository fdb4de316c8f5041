/** `pad` on the GPU: zeros everywhere, then a strided copy into the middle. */
import { stridesOf } from '../../graph/shape.js';
import { padOperation } from '../../ops/pad.js';
import { defineLowering } from './context.js';
import { emitFill } from './fill.js';
import { emitStridedCopy, mergeAxes } from './strided-copy.js';

export const lowerPad = defineLowering({
  operation: padOperation,
  lower(node, context) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const { before } = node.attributes;
    const to = context.output(y!, 'padded');
    const strides = stridesOf(y!.shape);
    const { size, strides: merged } = mergeAxes(x!.shape, stridesOf(x!.shape), strides);
    emitFill(context, to, y!.size, 0, node.label);
    emitStridedCopy(context, {
      from: context.view(x!),
      to,
      size,
      fromStride: merged[0]!,
      toStride: merged[1]!,
      toOffset: before.reduce((sum, index, axis) => sum + index * strides[axis]!, 0),
      label: node.label,
    });
  },
});
