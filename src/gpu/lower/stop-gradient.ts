/** `stopGradient` on the GPU: the same numbers, so nothing is run. */
import { stopGradientOperation } from '../../ops/stop-gradient.js';
import { defineLowering } from './context.js';

export const lowerStopGradient = defineLowering({
  operation: stopGradientOperation,
  lower(node, context) {
    context.alias(node.outputs[0]!, context.view(node.inputs[0]!), node.label);
  },
});
