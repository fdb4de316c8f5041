/** `correctTopK` on the GPU. */
import { correctTopKOperation } from '../../ops/correct-top-k.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { correctTopKKernel } from '../kernels/correct-top-k.js';
import { defineLowering } from './context.js';
import { lanesFor } from './rows.js';

export const lowerCorrectTopK = defineLowering({
  operation: correctTopKOperation,
  lower(node, context) {
    const [scores, targets] = node.inputs;
    const [correct] = node.outputs;
    const classes = scores!.shape.at(-1)!;
    const rows = targets!.size;
    const lanes = lanesFor(rows, classes, context.software);
    context.dispatch(correctTopKKernel, {
      buffers: {
        x: context.view(scores!),
        targets: context.view(targets!),
        correct: context.output(correct!, 'correct'),
      },
      // More than there are classes is all of them.
      parameters: { rows, classes, lanes, k: Math.min(node.attributes.k, classes) },
      workgroups: foldWorkgroups(rows * lanes, 64),
      label: node.label,
      detail: `[${rows},${classes}]`,
      flops: scores!.size,
    });
  },
});
