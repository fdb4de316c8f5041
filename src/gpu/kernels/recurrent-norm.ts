/** The kernels of recurrent layers with layer normalization, forward and backward, by cell. */
import recurrentNormBeforeSource from '../../../shaders/recurrent_norm_before.wgsl?raw';
import recurrentNormGruBackwardSource from '../../../shaders/recurrent_norm_gru_backward.wgsl?raw';
import recurrentNormGruForwardSource from '../../../shaders/recurrent_norm_gru_forward.wgsl?raw';
import recurrentNormInputSource from '../../../shaders/recurrent_norm_input.wgsl?raw';
import recurrentNormInputBackwardSource from '../../../shaders/recurrent_norm_input_backward.wgsl?raw';
import recurrentNormLstmBackwardSource from '../../../shaders/recurrent_norm_lstm_backward.wgsl?raw';
import recurrentNormLstmForwardSource from '../../../shaders/recurrent_norm_lstm_forward.wgsl?raw';
import recurrentNormProductSource from '../../../shaders/recurrent_norm_product.wgsl?raw';
import recurrentNormRnnBackwardSource from '../../../shaders/recurrent_norm_rnn_backward.wgsl?raw';
import recurrentNormRnnForwardSource from '../../../shaders/recurrent_norm_rnn_forward.wgsl?raw';
import recurrentNormSource from '../../../shaders/lib/recurrent_norm.wgsl?raw';
import recurrentNormBackwardSource from '../../../shaders/lib/recurrent_norm_backward.wgsl?raw';
import recurrentNormForwardSource from '../../../shaders/lib/recurrent_norm_forward.wgsl?raw';
import recurrentNormMomentsSource from '../../../shaders/lib/recurrent_norm_moments.wgsl?raw';
import { defineKernel, type Kernel, type ShaderLibrary } from './kernel.js';
import { defineStep } from './recurrent.js';
import { rowReduceLibrary, threefryLibrary } from './libraries.js';
import { recurrentMasksLibrary, recurrentStateLibrary } from './recurrent-libraries.js';

const recurrentNormLibrary: ShaderLibrary = {
  file: 'lib/recurrent_norm.wgsl',
  code: recurrentNormSource,
};
const recurrentNormBackwardLibrary: ShaderLibrary = {
  file: 'lib/recurrent_norm_backward.wgsl',
  code: recurrentNormBackwardSource,
};
const recurrentNormForwardLibrary: ShaderLibrary = {
  file: 'lib/recurrent_norm_forward.wgsl',
  code: recurrentNormForwardSource,
};
const recurrentNormMomentsLibrary: ShaderLibrary = {
  file: 'lib/recurrent_norm_moments.wgsl',
  code: recurrentNormMomentsSource,
};

const rowLibraries = [recurrentNormLibrary, rowReduceLibrary];
const forwardLibraries = [
  recurrentNormForwardLibrary,
  recurrentNormMomentsLibrary,
  recurrentStateLibrary,
  ...rowLibraries,
];
const backwardLibraries = [recurrentNormBackwardLibrary, ...rowLibraries];

const forwardParameters = {
  gates_row: 'vec2u',
  rows_row: 'vec2u',
  h_read: 'vec2u',
  h_write: 'vec2u',
  dropped_write: 'vec2u',
  c_read: 'vec2u',
  c_write: 'vec2u',
  mask_row: 'vec2u',
  zoneout: 'vec2f',
  zoneout_threshold: 'vec2u',
  slots: 'u32',
  hidden_quads: 'u32',
  vector_stride: 'u32',
  scales_at: 'u32',
  has_mask: 'u32',
  has_previous: 'u32',
  save: 'u32',
  activation: 'u32',
  gate_activation: 'u32',
  output_activation: 'u32',
  coupled: 'u32',
  gate_clip: 'f32',
  epsilon: 'f32',
  training: 'u32',
  stream: 'u32',
  hidden_width: 'u32',
  state_width: 'u32',
  dropout_threshold: 'u32',
  dropout_scale: 'f32',
} as const;

const backwardParameters = {
  gates_row: 'vec2u',
  rows_row: 'vec2u',
  h_read: 'vec2u',
  c_read: 'vec2u',
  dy_row: 'vec2u',
  mask_row: 'vec2u',
  carry_h: 'vec2u',
  carry_c: 'vec2u',
  product: 'vec2u',
  sums: 'vec2u',
  zoneout: 'vec2f',
  zoneout_threshold: 'vec2u',
  slots: 'u32',
  sum_slots: 'u32',
  split_slot: 'u32',
  hidden_quads: 'u32',
  vector_stride: 'u32',
  scales_at: 'u32',
  first_step: 'u32',
  has_next: 'u32',
  has_previous: 'u32',
  has_dy: 'u32',
  has_carry_h: 'u32',
  has_carry_c: 'u32',
  has_mask: 'u32',
  activation: 'u32',
  gate_activation: 'u32',
  output_activation: 'u32',
  coupled: 'u32',
  gate_clip: 'f32',
  training: 'u32',
  stream: 'u32',
  hidden_width: 'u32',
  state_width: 'u32',
  dropout_threshold: 'u32',
  dropout_scale: 'f32',
} as const;

export const recurrentNormInputKernel = defineKernel({
  name: 'recurrent_norm_input',
  file: 'recurrent_norm_input.wgsl',
  code: recurrentNormInputSource,
  libraries: [recurrentNormMomentsLibrary, ...rowLibraries],
  bindings: { rows: 'read_write', gates: 'read_write', vectors: 'read' },
  parameters: {
    row_count: 'u32',
    per_direction: 'u32',
    directions: 'u32',
    slots: 'u32',
    hidden_quads: 'u32',
    hidden_width: 'u32',
    vector_stride: 'u32',
    scales_at: 'u32',
    save: 'u32',
    epsilon: 'f32',
  },
});

export const recurrentNormInputBackwardKernel = defineKernel({
  name: 'recurrent_norm_input_backward',
  file: 'recurrent_norm_input_backward.wgsl',
  code: recurrentNormInputBackwardSource,
  libraries: rowLibraries,
  bindings: { rows: 'read_write', gates: 'read_write', vectors: 'read' },
  parameters: {
    row_count: 'u32',
    per_direction: 'u32',
    directions: 'u32',
    slots: 'u32',
    hidden_quads: 'u32',
    hidden_width: 'u32',
    vector_stride: 'u32',
    scales_at: 'u32',
  },
});

export const recurrentNormProductKernel = defineKernel({
  name: 'recurrent_norm_product',
  file: 'recurrent_norm_product.wgsl',
  code: recurrentNormProductSource,
  bindings: { source: 'read', weight: 'read', result: 'read_write' },
  parameters: {
    source_read: 'vec2u',
    result_write: 'vec2u',
    batch: 'u32',
    source_quads: 'u32',
    result_quads: 'u32',
    weight_stride: 'u32',
    tile_rows: 'u32',
  },
});

export const recurrentNormBeforeKernel = defineKernel({
  name: 'recurrent_norm_before',
  file: 'recurrent_norm_before.wgsl',
  code: recurrentNormBeforeSource,
  libraries: [recurrentMasksLibrary, threefryLibrary],
  bindings: { carry: 'read_write', mask: 'read', seed: 'read' },
  parameters: {
    carry_h: 'vec2u',
    product: 'vec2u',
    mask_row: 'vec2u',
    zoneout: 'vec2f',
    zoneout_threshold: 'vec2u',
    batch: 'u32',
    hidden_quads: 'u32',
    has_mask: 'u32',
    training: 'u32',
    stream: 'u32',
    state_width: 'u32',
    dropout_threshold: 'u32',
    dropout_scale: 'f32',
  },
});

export const recurrentNormRnnForwardKernel = defineStep({
  name: 'recurrent_norm_rnn_forward',
  file: 'recurrent_norm_rnn_forward.wgsl',
  code: recurrentNormRnnForwardSource,
  libraries: forwardLibraries,
  bindings: {
    gates: 'read_write',
    rows: 'read_write',
    vectors: 'read',
    h: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: forwardParameters,
});

export const recurrentNormGruForwardKernel = defineStep({
  name: 'recurrent_norm_gru_forward',
  file: 'recurrent_norm_gru_forward.wgsl',
  code: recurrentNormGruForwardSource,
  libraries: forwardLibraries,
  bindings: {
    gates: 'read_write',
    rows: 'read_write',
    vectors: 'read',
    h: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: forwardParameters,
});

export const recurrentNormLstmForwardKernel = defineStep({
  name: 'recurrent_norm_lstm_forward',
  file: 'recurrent_norm_lstm_forward.wgsl',
  code: recurrentNormLstmForwardSource,
  libraries: forwardLibraries,
  bindings: {
    gates: 'read_write',
    rows: 'read_write',
    vectors: 'read',
    h: 'read_write',
    c: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: forwardParameters,
});

export const recurrentNormRnnBackwardKernel = defineStep({
  name: 'recurrent_norm_rnn_backward',
  file: 'recurrent_norm_rnn_backward.wgsl',
  code: recurrentNormRnnBackwardSource,
  libraries: backwardLibraries,
  bindings: {
    gates: 'read_write',
    rows: 'read_write',
    vectors: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

export const recurrentNormGruBackwardKernel = defineStep({
  name: 'recurrent_norm_gru_backward',
  file: 'recurrent_norm_gru_backward.wgsl',
  code: recurrentNormGruBackwardSource,
  libraries: backwardLibraries,
  bindings: {
    gates: 'read_write',
    rows: 'read_write',
    vectors: 'read',
    h: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

export const recurrentNormLstmBackwardKernel = defineStep({
  name: 'recurrent_norm_lstm_backward',
  file: 'recurrent_norm_lstm_backward.wgsl',
  code: recurrentNormLstmBackwardSource,
  libraries: backwardLibraries,
  bindings: {
    gates: 'read_write',
    rows: 'read_write',
    vectors: 'read',
    c: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

/** All of them. */
export const RECURRENT_NORM_KERNELS: readonly Kernel[] = /* @__PURE__ */ [
  recurrentNormRnnForwardKernel,
  recurrentNormRnnBackwardKernel,
  recurrentNormGruForwardKernel,
  recurrentNormGruBackwardKernel,
  recurrentNormLstmForwardKernel,
  recurrentNormLstmBackwardKernel,
]
  .flatMap(({ plain, general }): Kernel[] => [plain, general])
  .concat(
    recurrentNormInputKernel,
    recurrentNormInputBackwardKernel,
    recurrentNormProductKernel,
    recurrentNormBeforeKernel,
  );
