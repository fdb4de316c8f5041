/** The kernels of losses that compare numbers one by one. */
import pointwiseLossSource from '../../../shaders/pointwise_loss.wgsl?raw';
import pointwiseLossBackwardSource from '../../../shaders/pointwise_loss_backward.wgsl?raw';
import { defineKernel, type Kernel } from './kernel.js';
import { activationsLibrary, gridLibrary } from './libraries.js';

export const pointwiseLossKernel = defineKernel({
  name: 'pointwise_loss',
  file: 'pointwise_loss.wgsl',
  code: pointwiseLossSource,
  libraries: [activationsLibrary, gridLibrary],
  bindings: { prediction: 'read', target_value: 'read', pos_weight: 'read', losses: 'read_write' },
  parameters: { count: 'u32', kind: 'u32', pos_weights: 'u32', delta: 'f32' },
});

export const pointwiseLossBackwardKernel = defineKernel({
  name: 'pointwise_loss_backward',
  file: 'pointwise_loss_backward.wgsl',
  code: pointwiseLossBackwardSource,
  libraries: [activationsLibrary, gridLibrary],
  bindings: {
    prediction: 'read',
    target_value: 'read',
    pos_weight: 'read',
    d_losses: 'read',
    d: 'read_write',
  },
  parameters: { count: 'u32', kind: 'u32', pos_weights: 'u32', by_target: 'u32', delta: 'f32' },
});

/** All of them. */
export const POINTWISE_LOSS_KERNELS: readonly Kernel[] = [pointwiseLossKernel, pointwiseLossBackwardKernel];
