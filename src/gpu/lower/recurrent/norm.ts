/** Recurrent layers with layer normalization, forward and backward: fetched together. */
export { lowerNormalizedRecurrentBackward } from './norm-backward.js';
export { lowerNormalizedRecurrent } from './norm-forward.js';
