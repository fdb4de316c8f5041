/** Layers of a stack that run side by side, two and two: fetched for the first graph with more than one layer. */
import type { LoweringContext } from '../context.js';
import type { LayerPair } from './pairs.js';
import { lowerBackwardPair } from './stack-backward.js';
import { lowerForwardPair } from './stack-forward.js';

export { pairLayers } from './pairs.js';

/** Lowers all nodes of a pair. */
export function lowerPair(pair: LayerPair, context: LoweringContext): void {
  if (pair.isBackward) lowerBackwardPair(pair, context);
  else lowerForwardPair(pair, context);
}
