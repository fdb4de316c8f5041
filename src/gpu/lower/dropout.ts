/** `dropout` on the GPU. */
import { dropoutOperation } from '../../ops/dropout.js';
import { foldWorkgroups } from '../kernel.js';
import { dropoutKernel } from '../kernels.js';
import { defineLowering } from './context.js';

export const lowerDropout = defineLowering({
  operation: dropoutOperation,
  lower(node, context) {
    const [x, seed] = node.inputs;
    const [y] = node.outputs;
    const { p, stream } = node.attributes;
    context.dispatch(dropoutKernel, {
      buffers: { x: context.view(x!), seed: context.view(seed!), y: context.output(y!, 'dropout') },
      parameters: {
        count: y!.size,
        stream,
        threshold: Math.ceil(Math.fround(p) * 2 ** 24),
        scale: 1 / (1 - p),
      },
      workgroups: foldWorkgroups(y!.size, 64),
      label: node.label,
      detail: `p ${p} [${y!.shape.join(',')}]`,
      flops: y!.size,
    });
  },
});
