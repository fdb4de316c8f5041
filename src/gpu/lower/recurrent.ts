/** The rules of `recurrent` and its backward: with layer normalization or without are two ways. */
import type { Node } from '../../graph/value.js';
import type { RecurrentAttributes } from '../../ops/recurrent-attributes.js';
import { recurrentBackwardOperation, recurrentOperation } from '../../ops/recurrent.js';
import { defineLowering } from './context.js';
import { lowerPlainRecurrentBackward } from './recurrent/backward.js';
import { lowerPlainRecurrent } from './recurrent/forward.js';
import type * as Normalized from './recurrent/norm.js';

/** The way with layer normalization, once it has been fetched. */
let normalized: typeof Normalized | undefined;

function fetchNormalized({ attributes }: Node<RecurrentAttributes>): Promise<unknown> | null {
  if (!attributes.layerNorm || normalized) return null;
  return import('./recurrent/norm.js').then((module) => (normalized = module));
}

export const lowerRecurrent = defineLowering({
  operation: recurrentOperation,
  fetch: fetchNormalized,
  lower(node, context) {
    const lower = node.attributes.layerNorm ? normalized!.lowerNormalizedRecurrent : lowerPlainRecurrent;
    lower(node, context);
  },
});

export const lowerRecurrentBackward = defineLowering({
  operation: recurrentBackwardOperation,
  fetch: fetchNormalized,
  lower(node, context) {
    const lower = node.attributes.layerNorm
      ? normalized!.lowerNormalizedRecurrentBackward
      : lowerPlainRecurrentBackward;
    lower(node, context);
  },
});
