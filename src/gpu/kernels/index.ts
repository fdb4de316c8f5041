/** The catalogue of kernels: every file of `shaders/`, what it binds and its parameters, in WGSL's order and words. */
import { FROZEN_KERNELS } from './frozen.js';
import { GENERAL_KERNELS } from './general.js';
import { GENERATE_KERNELS } from './generate.js';
import type { Kernel } from './kernel.js';
import { LOSS_KERNELS } from './losses.js';
import { OPTIMIZER_KERNELS } from './optimizer.js';
import { RECURRENT_NORM_KERNELS } from './recurrent-norm.js';
import { RECURRENT_KERNELS } from './recurrent.js';

export * from './general.js';
export * from './generate.js';
export * from './losses.js';
export * from './optimizer.js';

/** Every kernel, for checks that go over all of them. */
export const KERNELS: readonly Kernel[] = /* @__PURE__ */ [
  FROZEN_KERNELS,
  GENERAL_KERNELS,
  GENERATE_KERNELS,
  LOSS_KERNELS,
  OPTIMIZER_KERNELS,
  RECURRENT_KERNELS,
  RECURRENT_NORM_KERNELS,
].flat();
