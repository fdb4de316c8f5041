/** `softmax`, its logarithm and their derivatives on the GPU. */
import { softmaxBackwardOperation, softmaxOperation } from '../../ops/softmax.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { softmaxBackwardKernel, softmaxKernel } from '../kernels/general.js';
import { defineLowering } from './context.js';
import { lanesFor } from './rows.js';

export const lowerSoftmax = defineLowering({
  operation: softmaxOperation,
  lower(node, context) {
    const [y] = node.outputs;
    const classes = y!.shape.at(-1)!;
    const rows = y!.size / classes;
    const lanes = lanesFor(rows, classes, context.software);
    context.dispatch(softmaxKernel, {
      buffers: { x: context.view(node.inputs[0]!), y: context.output(y!, 'softmax') },
      parameters: { rows, classes, lanes, log_form: node.attributes.log },
      workgroups: foldWorkgroups(rows * lanes, 64),
      label: node.label,
      detail: `[${rows},${classes}]`,
      flops: 5 * y!.size,
    });
  },
});

export const lowerSoftmaxBackward = defineLowering({
  operation: softmaxBackwardOperation,
  lower(node, context) {
    const [y, dy] = node.inputs.map((input) => context.view(input!));
    const [dx] = node.outputs;
    const classes = dx!.shape.at(-1)!;
    const rows = dx!.size / classes;
    const lanes = lanesFor(rows, classes, context.software);
    context.dispatch(softmaxBackwardKernel, {
      buffers: { y: y!, dy: dy!, dx: context.output(dx!, 'd softmax') },
      parameters: { rows, classes, lanes, log_form: node.attributes.log },
      workgroups: foldWorkgroups(rows * lanes, 64),
      label: node.label,
      detail: `[${rows},${classes}]`,
      flops: 4 * dx!.size,
    });
  },
});
