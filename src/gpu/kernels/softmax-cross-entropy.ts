/** The kernels of the softmax cross-entropy. */
import softmaxCrossEntropySource from '../../../shaders/softmax_cross_entropy.wgsl?raw';
import softmaxCrossEntropyDivisorSource from '../../../shaders/softmax_cross_entropy_divisor.wgsl?raw';
import { defineKernel, type Kernel } from './kernel.js';
import { rowReduceLibrary } from './libraries.js';

export const softmaxCrossEntropyKernel = defineKernel({
  name: 'softmax_cross_entropy',
  file: 'softmax_cross_entropy.wgsl',
  code: softmaxCrossEntropySource,
  libraries: [rowReduceLibrary],
  bindings: {
    x: 'read_write',
    targets: 'read',
    weight: 'read',
    mask: 'read',
    divisor: 'read',
    loss: 'read_write',
  },
  parameters: {
    rows: 'u32',
    classes: 'u32',
    lanes: 'u32',
    normalized: 'u32',
    write_gradient: 'u32',
    has_weight: 'u32',
    has_mask: 'u32',
    has_divisor: 'u32',
    has_ignored: 'u32',
    ignored: 'u32',
    label_smoothing: 'f32',
    gradient_scale: 'f32',
  },
});

export const softmaxCrossEntropyDivisorKernel = defineKernel({
  name: 'softmax_cross_entropy_divisor',
  file: 'softmax_cross_entropy_divisor.wgsl',
  code: softmaxCrossEntropyDivisorSource,
  libraries: [rowReduceLibrary],
  bindings: { targets: 'read', weight: 'read', mask: 'read', divisor: 'read_write' },
  parameters: {
    begin: 'u32',
    end: 'u32',
    classes: 'u32',
    has_weight: 'u32',
    has_mask: 'u32',
    has_ignored: 'u32',
    ignored: 'u32',
    accumulate: 'u32',
  },
});

/** All of them. */
export const SOFTMAX_CROSS_ENTROPY_KERNELS: readonly Kernel[] = [
  softmaxCrossEntropyKernel,
  softmaxCrossEntropyDivisorKernel,
];
