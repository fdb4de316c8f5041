/** The catalogue of kernels: every file of `shaders/`, what it binds and its parameters, in WGSL's order and words. */
import { CORRECT_TOP_K_KERNELS } from './correct-top-k.js';
import { CTC_LOSS_KERNELS } from './ctc-loss.js';
import { FROZEN_KERNELS } from './frozen.js';
import { GENERAL_KERNELS } from './general.js';
import { GENERATE_KERNELS } from './generate.js';
import type { Kernel } from './kernel.js';
import { OPTIMIZER_KERNELS } from './optimizer.js';
import { POINTWISE_LOSS_KERNELS } from './pointwise-loss.js';
import { RECURRENT_NORM_KERNELS } from './recurrent-norm.js';
import { RECURRENT_KERNELS } from './recurrent.js';
import { SOFTMAX_CROSS_ENTROPY_KERNELS } from './softmax-cross-entropy.js';

/**
 * Every kernel, for checks that go over all of them. What only runs some imports those: an application downloads
 * the kernels of the rest when it first needs them.
 */
export const KERNELS: readonly Kernel[] = /* @__PURE__ */ [
  CORRECT_TOP_K_KERNELS,
  CTC_LOSS_KERNELS,
  FROZEN_KERNELS,
  GENERAL_KERNELS,
  GENERATE_KERNELS,
  OPTIMIZER_KERNELS,
  POINTWISE_LOSS_KERNELS,
  RECURRENT_KERNELS,
  RECURRENT_NORM_KERNELS,
  SOFTMAX_CROSS_ENTROPY_KERNELS,
].flat();
