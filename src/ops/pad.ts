/** `pad`: an array with zeros around it. Its rules stand beside those of its gradient, `slice`. */
export { pad, padOperation } from './slice.js';
export type { PadAttributes } from './slice.js';
