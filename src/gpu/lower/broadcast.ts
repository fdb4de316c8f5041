/** `broadcast` on the GPU: a strided copy whose source stands still along the repeated dimensions. */
import { stridesOf } from '../../graph/shape.js';
import { broadcastOperation } from '../../ops/broadcast.js';
import { defineLowering } from './context.js';
import { broadcastStrides, emitStridedCopy, mergeAxes } from './strided-copy.js';

export const lowerBroadcast = defineLowering({
  operation: broadcastOperation,
  lower(node, context) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const { size, strides } = mergeAxes(y!.shape, broadcastStrides(x!.shape, y!.shape), stridesOf(y!.shape));
    emitStridedCopy(context, {
      from: context.view(x!),
      to: context.output(y!, 'broadcast'),
      size,
      fromStride: strides[0]!,
      toStride: strides[1]!,
      label: node.label,
    });
  },
});
