/** The kernel that finds whether a target is among the likeliest. */
import correctTopKSource from '../../../shaders/correct_top_k.wgsl?raw';
import { defineKernel, type Kernel } from './kernel.js';
import { rowReduceLibrary } from './libraries.js';

export const correctTopKKernel = defineKernel({
  name: 'correct_top_k',
  file: 'correct_top_k.wgsl',
  code: correctTopKSource,
  libraries: [rowReduceLibrary],
  bindings: { x: 'read', targets: 'read', correct: 'read_write' },
  parameters: { rows: 'u32', classes: 'u32', lanes: 'u32', k: 'u32' },
});

/** All of them. */
export const CORRECT_TOP_K_KERNELS: readonly Kernel[] = [correctTopKKernel];
