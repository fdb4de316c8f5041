/** The catalogue of kernels: every file of `shaders/`, what it binds and its parameters, in WGSL's order and words. */
import binarySource from '../../shaders/binary.wgsl?raw';
import correctTopKSource from '../../shaders/correct_top_k.wgsl?raw';
import ctcLossSource from '../../shaders/ctc_loss.wgsl?raw';
import ctcLossBackwardSource from '../../shaders/ctc_loss_backward.wgsl?raw';
import ctcLossGradientSource from '../../shaders/ctc_loss_gradient.wgsl?raw';
import ctcLossOccurrencesSource from '../../shaders/ctc_loss_occurrences.wgsl?raw';
import dropoutSource from '../../shaders/dropout.wgsl?raw';
import embeddingSource from '../../shaders/embedding.wgsl?raw';
import embeddingBackwardSource from '../../shaders/embedding_backward.wgsl?raw';
import embeddingBackwardSparseSource from '../../shaders/embedding_backward_sparse.wgsl?raw';
import fillSource from '../../shaders/fill.wgsl?raw';
import globalNormSource from '../../shaders/global_norm.wgsl?raw';
import globalNormPartialSource from '../../shaders/global_norm_partial.wgsl?raw';
import matmulSource from '../../shaders/matmul.wgsl?raw';
import optimizerUpdateAdadeltaSource from '../../shaders/optimizer_update_adadelta.wgsl?raw';
import optimizerUpdateAdagradSource from '../../shaders/optimizer_update_adagrad.wgsl?raw';
import optimizerUpdateAdamSource from '../../shaders/optimizer_update_adam.wgsl?raw';
import optimizerUpdateAdamaxSource from '../../shaders/optimizer_update_adamax.wgsl?raw';
import optimizerUpdateAverageSource from '../../shaders/optimizer_update_average.wgsl?raw';
import optimizerUpdateControlSource from '../../shaders/optimizer_update_control.wgsl?raw';
import optimizerUpdateLionSource from '../../shaders/optimizer_update_lion.wgsl?raw';
import optimizerUpdateNadamSource from '../../shaders/optimizer_update_nadam.wgsl?raw';
import optimizerUpdateRmspropSource from '../../shaders/optimizer_update_rmsprop.wgsl?raw';
import optimizerUpdateSgdSource from '../../shaders/optimizer_update_sgd.wgsl?raw';
import pointwiseLossSource from '../../shaders/pointwise_loss.wgsl?raw';
import pointwiseLossBackwardSource from '../../shaders/pointwise_loss_backward.wgsl?raw';
import reduceSumSource from '../../shaders/reduce_sum.wgsl?raw';
import sequenceMaskSource from '../../shaders/sequence_mask.wgsl?raw';
import softmaxSource from '../../shaders/softmax.wgsl?raw';
import softmaxBackwardSource from '../../shaders/softmax_backward.wgsl?raw';
import softmaxCrossEntropySource from '../../shaders/softmax_cross_entropy.wgsl?raw';
import softmaxCrossEntropyDivisorSource from '../../shaders/softmax_cross_entropy_divisor.wgsl?raw';
import stridedCopySource from '../../shaders/strided_copy.wgsl?raw';
import unarySource from '../../shaders/unary.wgsl?raw';
import unaryBackwardSource from '../../shaders/unary_backward.wgsl?raw';
import { defineKernel, type Kernel } from './kernel.js';
import { RECURRENT_KERNELS } from './recurrent-kernels.js';
import { RECURRENT_NORM_KERNELS } from './recurrent-norm-kernels.js';
import {
  activationsLibrary,
  clipGradientLibrary,
  ctcStatesLibrary,
  gridLibrary,
  matmulScalarLibrary,
  matmulVec4Library,
  rowReduceLibrary,
  scaledLibrary,
  threefryLibrary,
} from './shader-libraries.js';

export const fillKernel = defineKernel({
  name: 'fill',
  file: 'fill.wgsl',
  code: fillSource,
  libraries: [gridLibrary],
  bindings: { y: 'read_write' },
  parameters: { count: 'u32', value: 'f32' },
});

export const stridedCopyKernel = defineKernel({
  name: 'strided_copy',
  file: 'strided_copy.wgsl',
  code: stridedCopySource,
  libraries: [gridLibrary],
  bindings: { x: 'read', y: 'read_write' },
  parameters: {
    size: 'vec4u',
    x_size: 'vec4u',
    x_stride: 'vec4u',
    y_stride: 'vec4u',
    x_offset: 'u32',
    y_offset: 'u32',
  },
});

export const unaryKernel = defineKernel({
  name: 'unary',
  file: 'unary.wgsl',
  code: unarySource,
  libraries: [activationsLibrary, gridLibrary],
  bindings: { x: 'read', y: 'read_write' },
  parameters: { count: 'u32', kind: 'u32' },
});

export const unaryBackwardKernel = defineKernel({
  name: 'unary_backward',
  file: 'unary_backward.wgsl',
  code: unaryBackwardSource,
  libraries: [activationsLibrary, gridLibrary],
  bindings: { x: 'read', y: 'read', dy: 'read', dx: 'read_write' },
  parameters: { count: 'u32', kind: 'u32' },
});

export const binaryKernel = defineKernel({
  name: 'binary',
  file: 'binary.wgsl',
  code: binarySource,
  libraries: [gridLibrary],
  bindings: { a: 'read', b: 'read', y: 'read_write' },
  parameters: { size: 'vec4u', a_stride: 'vec4u', b_stride: 'vec4u', kind: 'u32' },
});

export const reduceSumKernel = defineKernel({
  name: 'reduce_sum',
  file: 'reduce_sum.wgsl',
  code: reduceSumSource,
  libraries: [],
  bindings: { x: 'read', y: 'read_write' },
  parameters: {
    outer: 'u32',
    inner: 'u32',
    x_offset: 'u32',
    x_outer: 'u32',
    x_stride: 'u32',
    begin: 'u32',
    end: 'u32',
    lanes: 'u32',
    scale: 'f32',
    accumulate: 'u32',
  },
});

export const embeddingKernel = defineKernel({
  name: 'embedding',
  file: 'embedding.wgsl',
  code: embeddingSource,
  libraries: [gridLibrary],
  bindings: { table: 'read', tokens: 'read', y: 'read_write' },
  parameters: { rows: 'u32', width: 'u32', vocabulary: 'u32' },
});

export const embeddingBackwardKernel = defineKernel({
  name: 'embedding_backward',
  file: 'embedding_backward.wgsl',
  code: embeddingBackwardSource,
  libraries: [gridLibrary],
  bindings: { dy: 'read', tokens: 'read', dtable: 'read_write' },
  parameters: { width: 'u32', vocabulary: 'u32', begin: 'u32', end: 'u32', accumulate: 'u32' },
});

export const embeddingBackwardSparseKernel = defineKernel({
  name: 'embedding_backward_sparse',
  file: 'embedding_backward_sparse.wgsl',
  code: embeddingBackwardSparseSource,
  libraries: [gridLibrary],
  bindings: { dy: 'read', tokens: 'read', dtable: 'read_write' },
  parameters: { rows: 'u32', width: 'u32', vocabulary: 'u32' },
});

export const dropoutKernel = defineKernel({
  name: 'dropout',
  file: 'dropout.wgsl',
  code: dropoutSource,
  libraries: [threefryLibrary, gridLibrary],
  bindings: { x: 'read', seed: 'read', y: 'read_write' },
  parameters: { count: 'u32', stream: 'u32', purpose: 'u32', threshold: 'u32', scale: 'f32' },
});

export const sequenceMaskKernel = defineKernel({
  name: 'sequence_mask',
  file: 'sequence_mask.wgsl',
  code: sequenceMaskSource,
  libraries: [gridLibrary],
  bindings: { lengths: 'read', mask: 'read_write' },
  parameters: { steps: 'u32', batch: 'u32' },
});

export const softmaxKernel = defineKernel({
  name: 'softmax',
  file: 'softmax.wgsl',
  code: softmaxSource,
  libraries: [rowReduceLibrary],
  bindings: { x: 'read', y: 'read_write' },
  parameters: { rows: 'u32', classes: 'u32', lanes: 'u32', log_form: 'u32' },
});

export const softmaxBackwardKernel = defineKernel({
  name: 'softmax_backward',
  file: 'softmax_backward.wgsl',
  code: softmaxBackwardSource,
  libraries: [rowReduceLibrary],
  bindings: { y: 'read', dy: 'read', dx: 'read_write' },
  parameters: { rows: 'u32', classes: 'u32', lanes: 'u32', log_form: 'u32' },
});

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

const matmulBindings = { a: 'read', b: 'read', bias: 'read', c: 'read_write' } as const;
const matmulParameters = {
  m: 'u32',
  n: 'u32',
  k: 'u32',
  a_offset: 'u32',
  a_stride: 'u32',
  a_transposed: 'u32',
  b_offset: 'u32',
  b_stride: 'u32',
  b_transposed: 'u32',
  c_offset: 'u32',
  c_stride: 'u32',
  has_bias: 'u32',
  accumulate: 'u32',
} as const;

export const matmulVec4Kernel = defineKernel({
  name: 'matmul_vec4',
  file: 'matmul.wgsl',
  code: matmulSource,
  libraries: [matmulVec4Library],
  bindings: matmulBindings,
  parameters: matmulParameters,
});

export const matmulScalarKernel = defineKernel({
  name: 'matmul_scalar',
  file: 'matmul.wgsl',
  code: matmulSource,
  libraries: [matmulScalarLibrary],
  bindings: matmulBindings,
  parameters: matmulParameters,
});

/** Every kernel, for checks that go over all of them. */
export const KERNELS: readonly Kernel[] = [
  fillKernel,
  stridedCopyKernel,
  unaryKernel,
  unaryBackwardKernel,
  binaryKernel,
  reduceSumKernel,
  embeddingKernel,
  embeddingBackwardKernel,
  embeddingBackwardSparseKernel,
  dropoutKernel,
  sequenceMaskKernel,
  softmaxKernel,
  softmaxBackwardKernel,
  softmaxCrossEntropyKernel,
  softmaxCrossEntropyDivisorKernel,
  ctcLossKernel,
  ctcLossBackwardKernel,
  ctcLossOccurrencesKernel,
  ctcLossGradientKernel,
  pointwiseLossKernel,
  pointwiseLossBackwardKernel,
  correctTopKKernel,
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
  matmulVec4Kernel,
  matmulScalarKernel,
  ...RECURRENT_KERNELS,
  ...RECURRENT_NORM_KERNELS,
];
