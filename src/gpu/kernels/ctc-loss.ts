/** The kernels of the connectionist temporal classification loss. */
import ctcLossSource from '../../../shaders/ctc_loss.wgsl?raw';
import ctcLossBackwardSource from '../../../shaders/ctc_loss_backward.wgsl?raw';
import ctcLossGradientSource from '../../../shaders/ctc_loss_gradient.wgsl?raw';
import ctcLossOccurrencesSource from '../../../shaders/ctc_loss_occurrences.wgsl?raw';
import ctcStatesSource from '../../../shaders/lib/ctc_states.wgsl?raw';
import scaledSource from '../../../shaders/lib/scaled.wgsl?raw';
import { defineKernel, type Kernel, type ShaderLibrary } from './kernel.js';
import { gridLibrary } from './libraries.js';

const ctcStatesLibrary: ShaderLibrary = { file: 'lib/ctc_states.wgsl', code: ctcStatesSource };
const scaledLibrary: ShaderLibrary = { file: 'lib/scaled.wgsl', code: scaledSource };

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

/** All of them. */
export const CTC_LOSS_KERNELS: readonly Kernel[] = [
  ctcLossKernel,
  ctcLossBackwardKernel,
  ctcLossOccurrencesKernel,
  ctcLossGradientKernel,
];
