import type { GpuCase } from '../case.js';
import { layerCase } from '../recurrent-case.js';
export const cases: readonly GpuCase[] = [layerCase('gru', { T: 2, B: 32_800, I: 1, H: 2 }, { layerNorm: true, epsilon: 0.1 })];
