/** The kernels of gradient norms and optimizer updates. */
import globalNormSource from '../../../shaders/global_norm.wgsl?raw';
import globalNormPartialSource from '../../../shaders/global_norm_partial.wgsl?raw';
import optimizerUpdateAdadeltaSource from '../../../shaders/optimizer_update_adadelta.wgsl?raw';
import optimizerUpdateAdagradSource from '../../../shaders/optimizer_update_adagrad.wgsl?raw';
import optimizerUpdateAdamSource from '../../../shaders/optimizer_update_adam.wgsl?raw';
import optimizerUpdateAdamaxSource from '../../../shaders/optimizer_update_adamax.wgsl?raw';
import optimizerUpdateAverageSource from '../../../shaders/optimizer_update_average.wgsl?raw';
import optimizerUpdateControlSource from '../../../shaders/optimizer_update_control.wgsl?raw';
import optimizerUpdateLionSource from '../../../shaders/optimizer_update_lion.wgsl?raw';
import optimizerUpdateNadamSource from '../../../shaders/optimizer_update_nadam.wgsl?raw';
import optimizerUpdateRmspropSource from '../../../shaders/optimizer_update_rmsprop.wgsl?raw';
import optimizerUpdateSgdSource from '../../../shaders/optimizer_update_sgd.wgsl?raw';
import clipGradientSource from '../../../shaders/lib/clip_gradient.wgsl?raw';
import { defineKernel, type Kernel, type ShaderLibrary } from './kernel.js';
import { gridLibrary, rowReduceLibrary } from './libraries.js';

const clipGradientLibrary: ShaderLibrary = {
  file: 'lib/clip_gradient.wgsl',
  code: clipGradientSource,
};

export const globalNormPartialKernel = defineKernel({
  name: 'global_norm_partial',
  file: 'global_norm_partial.wgsl',
  code: globalNormPartialSource,
  libraries: [rowReduceLibrary],
  bindings: { x: 'read', partial: 'read_write' },
  parameters: { count: 'u32', offset: 'u32' },
});

export const globalNormKernel = defineKernel({
  name: 'global_norm',
  file: 'global_norm.wgsl',
  code: globalNormSource,
  libraries: [rowReduceLibrary],
  bindings: { partial: 'read', norm: 'read_write' },
  parameters: { count: 'u32' },
});

export const optimizerUpdateControlKernel = defineKernel({
  name: 'optimizer_update_control',
  file: 'optimizer_update_control.wgsl',
  code: optimizerUpdateControlSource,
  libraries: [],
  bindings: {
    gradient_norm: 'read',
    learning_rate: 'read',
    clip_norm: 'read',
    clip_value: 'read',
    counters: 'read_write',
    control: 'read_write',
  },
  parameters: {
    beta1: 'f32',
    beta2: 'f32',
    one_minus_beta1: 'f32',
    one_minus_beta2: 'f32',
    learning_rate_factor: 'f32',
    nadam: 'u32',
    momentum_decay: 'f32',
  },
});

const optimizerBindings = {
  parameters: 'read_write',
  gradients: 'read',
  slots: 'read_write',
  control: 'read',
} as const;

export const optimizerUpdateSgdKernel = defineKernel({
  name: 'optimizer_update_sgd',
  file: 'optimizer_update_sgd.wgsl',
  code: optimizerUpdateSgdSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: {
    quads: 'u32',
    momentum: 'f32',
    one_minus_dampening: 'f32',
    weight_decay: 'f32',
    nesterov: 'u32',
  },
});

export const optimizerUpdateAdamKernel = defineKernel({
  name: 'optimizer_update_adam',
  file: 'optimizer_update_adam.wgsl',
  code: optimizerUpdateAdamSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: {
    quads: 'u32',
    beta1: 'f32',
    beta2: 'f32',
    one_minus_beta1: 'f32',
    one_minus_beta2: 'f32',
    epsilon: 'f32',
    weight_decay: 'f32',
    decoupled: 'u32',
  },
});

export const optimizerUpdateRmspropKernel = defineKernel({
  name: 'optimizer_update_rmsprop',
  file: 'optimizer_update_rmsprop.wgsl',
  code: optimizerUpdateRmspropSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: {
    quads: 'u32',
    alpha: 'f32',
    one_minus_alpha: 'f32',
    epsilon: 'f32',
    weight_decay: 'f32',
    momentum: 'f32',
    centered: 'u32',
  },
});

export const optimizerUpdateAdagradKernel = defineKernel({
  name: 'optimizer_update_adagrad',
  file: 'optimizer_update_adagrad.wgsl',
  code: optimizerUpdateAdagradSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: { quads: 'u32', learning_rate_decay: 'f32', epsilon: 'f32', weight_decay: 'f32' },
});

export const optimizerUpdateAdadeltaKernel = defineKernel({
  name: 'optimizer_update_adadelta',
  file: 'optimizer_update_adadelta.wgsl',
  code: optimizerUpdateAdadeltaSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: { quads: 'u32', rho: 'f32', one_minus_rho: 'f32', epsilon: 'f32', weight_decay: 'f32' },
});

export const optimizerUpdateAdamaxKernel = defineKernel({
  name: 'optimizer_update_adamax',
  file: 'optimizer_update_adamax.wgsl',
  code: optimizerUpdateAdamaxSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: {
    quads: 'u32',
    beta1: 'f32',
    one_minus_beta1: 'f32',
    beta2: 'f32',
    epsilon: 'f32',
    weight_decay: 'f32',
  },
});

export const optimizerUpdateNadamKernel = defineKernel({
  name: 'optimizer_update_nadam',
  file: 'optimizer_update_nadam.wgsl',
  code: optimizerUpdateNadamSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: {
    quads: 'u32',
    beta1: 'f32',
    beta2: 'f32',
    one_minus_beta1: 'f32',
    one_minus_beta2: 'f32',
    epsilon: 'f32',
    weight_decay: 'f32',
    decoupled: 'u32',
  },
});

export const optimizerUpdateLionKernel = defineKernel({
  name: 'optimizer_update_lion',
  file: 'optimizer_update_lion.wgsl',
  code: optimizerUpdateLionSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: {
    quads: 'u32',
    beta1: 'f32',
    one_minus_beta1: 'f32',
    beta2: 'f32',
    one_minus_beta2: 'f32',
    weight_decay: 'f32',
  },
});

export const optimizerUpdateAverageKernel = defineKernel({
  name: 'optimizer_update_average',
  file: 'optimizer_update_average.wgsl',
  code: optimizerUpdateAverageSource,
  libraries: [gridLibrary, clipGradientLibrary],
  bindings: optimizerBindings,
  parameters: { quads: 'u32' },
});

/** All of them. */
export const OPTIMIZER_KERNELS: readonly Kernel[] = [
  globalNormPartialKernel,
  globalNormKernel,
  optimizerUpdateControlKernel,
  optimizerUpdateSgdKernel,
  optimizerUpdateAdamKernel,
  optimizerUpdateRmspropKernel,
  optimizerUpdateAdagradKernel,
  optimizerUpdateAdadeltaKernel,
  optimizerUpdateAdamaxKernel,
  optimizerUpdateNadamKernel,
  optimizerUpdateLionKernel,
  optimizerUpdateAverageKernel,
];
