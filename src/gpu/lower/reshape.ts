/** `reshape` on the GPU: the same numbers under another shape, so nothing is run. */
import { reshapeOperation } from '../../ops/reshape.js';
import { defineLowering } from './context.js';

export const lowerReshape = defineLowering({
  operation: reshapeOperation,
  lower(node, context) {
    context.alias(node.outputs[0]!, context.view(node.inputs[0]!), node.label);
  },
});
