/** `sequenceMask` on the GPU. */
import { sequenceMaskOperation } from '../../ops/sequence-mask.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { sequenceMaskKernel } from '../kernels/general.js';
import { defineLowering } from './context.js';

export const lowerSequenceMask = defineLowering({
  operation: sequenceMaskOperation,
  lower(node, context) {
    const [lengths] = node.inputs;
    const [mask] = node.outputs;
    const [steps, batch] = mask!.shape as [number, number];
    context.dispatch(sequenceMaskKernel, {
      buffers: { lengths: context.view(lengths!), mask: context.output(mask!, 'mask') },
      parameters: { steps, batch },
      workgroups: foldWorkgroups(steps * batch, 64),
      label: node.label,
      detail: `[${steps},${batch}]`,
    });
  },
});
