/** `pointwiseLoss` and its backward on the GPU. */
import type { Node } from '../../graph/value.js';
import {
  pointwiseLossBackwardOperation,
  pointwiseLossOperation,
  type PointwiseLossAttributes,
  type PointwiseLossKind,
} from '../../ops/pointwise-loss.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { pointwiseLossBackwardKernel, pointwiseLossKernel } from '../kernels/pointwise-loss.js';
import { defineLowering, type LoweringContext } from './context.js';

/** The kernels' codes: pointwise_loss.wgsl and pointwise_loss_backward.wgsl. */
const CODES: Readonly<Record<PointwiseLossKind, number>> = {
  squared: 0,
  absolute: 1,
  huber: 2,
  binaryCrossEntropy: 3,
};

/** What both dispatches have in common. */
function describe<A extends PointwiseLossAttributes>(node: Node<A>, context: LoweringContext) {
  const [prediction, target, posWeight] = node.inputs;
  const { kind, delta } = node.attributes;
  const count = prediction!.size;
  return {
    buffers: {
      prediction: context.view(prediction!),
      target_value: context.view(target!),
      pos_weight: posWeight ? context.view(posWeight) : context.nothing('read'),
    },
    parameters: { count, kind: CODES[kind], pos_weights: posWeight?.size ?? 0, delta },
    workgroups: foldWorkgroups(count, 64),
    label: node.label,
    detail: `${kind} [${prediction!.shape.join(',')}]`,
    flops: 4 * count,
  };
}

export const lowerPointwiseLoss = defineLowering({
  operation: pointwiseLossOperation,
  lower(node, context) {
    const description = describe(node, context);
    const losses = context.output(node.outputs[0]!, 'losses');
    context.dispatch(pointwiseLossKernel, {
      ...description,
      buffers: { ...description.buffers, losses },
    });
  },
});

export const lowerPointwiseLossBackward = defineLowering({
  operation: pointwiseLossBackwardOperation,
  lower(node, context) {
    const { by } = node.attributes;
    const description = describe(node, context);
    const d_losses = context.view(node.inputs[3]!);
    const d = context.output(node.outputs[0]!, `d ${by}`);
    context.dispatch(pointwiseLossBackwardKernel, {
      ...description,
      buffers: { ...description.buffers, d_losses, d },
      parameters: { ...description.parameters, by_target: by === 'target' },
    });
  },
});
