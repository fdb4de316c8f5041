/** The rules of `recurrent` and its backward: with layer normalization or without are two ways. */
import { recurrentBackwardOperation, recurrentOperation } from '../../ops/recurrent.js';
import { defineLowering } from './context.js';
import { lowerPlainRecurrentBackward } from './recurrent/backward.js';
import { lowerNormalizedRecurrentBackward } from './recurrent/norm-backward.js';
import { lowerNormalizedRecurrent } from './recurrent/norm-forward.js';
import { lowerPlainRecurrent } from './recurrent/forward.js';

export const lowerRecurrent = defineLowering({
  operation: recurrentOperation,
  lower(node, context) {
    const lower = node.attributes.layerNorm ? lowerNormalizedRecurrent : lowerPlainRecurrent;
    lower(node, context);
  },
});

export const lowerRecurrentBackward = defineLowering({
  operation: recurrentBackwardOperation,
  lower(node, context) {
    const lower = node.attributes.layerNorm ? lowerNormalizedRecurrentBackward : lowerPlainRecurrentBackward;
    lower(node, context);
  },
});
