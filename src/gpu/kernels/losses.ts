/** The kernels of losses and of what is measured beside them. */
import correctTopKSource from '../../../shaders/correct_top_k.wgsl?raw';
import ctcLossSource from '../../../shaders/ctc_loss.wgsl?raw';
import ctcLossBackwardSource from '../../../shaders/ctc_loss_backward.wgsl?raw';
import ctcLossGradientSource from '../../../shaders/ctc_loss_gradient.wgsl?raw';
import ctcLossOccurrencesSource from '../../../shaders/ctc_loss_occurrences.wgsl?raw';
import pointwiseLossSource from '../../../shaders/pointwise_loss.wgsl?raw';
import pointwiseLossBackwardSource from '../../../shaders/pointwise_loss_backward.wgsl?raw';
import softmaxCrossEntropySource from '../../../shaders/softmax_cross_entropy.wgsl?raw';
import softmaxCrossEntropyDivisorSource from '../../../shaders/softmax_cross_entropy_divisor.wgsl?raw';
import { defineKernel, type Kernel } from './kernel.js';
import {
  activationsLibrary,
  ctcStatesLibrary,
  gridLibrary,
  rowReduceLibrary,
  scaledLibrary,
} from './libraries.js';

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

export const ctcLossKernel = defineKernel({
  name: 'ctc_loss',
  file: 'ctc_loss.wgsl',
  code: ctcLossSource,
  libraries: [ctcStatesLibrary, scaledLibrary],
  bindings: {
    log_probabilities: 'read',
    targets: 'read',
    input_lengths: 'read',
    target_lengths: 'read',
    alpha: 'read_write',
    total: 'read_write',
    loss: 'read_write',
  },
  parameters: {
    time: 'u32',
    batch: 'u32',
    classes: 'u32',
    labels: 'u32',
    blank: 'u32',
    begin: 'u32',
    end: 'u32',
    keep: 'u32',
    per_label: 'u32',
    impossible_loss: 'f32',
  },
});

export const ctcLossBackwardKernel = defineKernel({
  name: 'ctc_loss_backward',
  file: 'ctc_loss_backward.wgsl',
  code: ctcLossBackwardSource,
  libraries: [ctcStatesLibrary, scaledLibrary],
  bindings: {
    log_probabilities: 'read',
    targets: 'read',
    input_lengths: 'read',
    target_lengths: 'read',
    alpha: 'read',
    total: 'read',
    rest: 'read_write',
    occupancy: 'read_write',
  },
  parameters: {
    time: 'u32',
    batch: 'u32',
    classes: 'u32',
    labels: 'u32',
    blank: 'u32',
    begin: 'u32',
    end: 'u32',
  },
});

export const ctcLossOccurrencesKernel = defineKernel({
  name: 'ctc_loss_occurrences',
  file: 'ctc_loss_occurrences.wgsl',
  code: ctcLossOccurrencesSource,
  libraries: [gridLibrary],
  bindings: { targets: 'read', target_lengths: 'read', occurrences: 'read_write' },
  parameters: { batch: 'u32', classes: 'u32', labels: 'u32' },
});

export const ctcLossGradientKernel = defineKernel({
  name: 'ctc_loss_gradient',
  file: 'ctc_loss_gradient.wgsl',
  code: ctcLossGradientSource,
  libraries: [scaledLibrary, gridLibrary],
  bindings: {
    occupancy: 'read',
    occurrences: 'read',
    input_lengths: 'read',
    target_lengths: 'read',
    total: 'read',
    d_loss: 'read',
    d_log_probabilities: 'read_write',
  },
  parameters: {
    time: 'u32',
    batch: 'u32',
    classes: 'u32',
    labels: 'u32',
    blank: 'u32',
    per_label: 'u32',
    impossible_gradient: 'f32',
  },
});

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

export const correctTopKKernel = defineKernel({
  name: 'correct_top_k',
  file: 'correct_top_k.wgsl',
  code: correctTopKSource,
  libraries: [rowReduceLibrary],
  bindings: { x: 'read', targets: 'read', correct: 'read_write' },
  parameters: { rows: 'u32', classes: 'u32', lanes: 'u32', k: 'u32' },
});

/** All of them. */
export const LOSS_KERNELS: readonly Kernel[] = [
  softmaxCrossEntropyKernel,
  softmaxCrossEntropyDivisorKernel,
  ctcLossKernel,
  ctcLossBackwardKernel,
  ctcLossOccurrencesKernel,
  ctcLossGradientKernel,
  pointwiseLossKernel,
  pointwiseLossBackwardKernel,
  correctTopKKernel,
];
