/** The files of `shaders/lib/`: functions that kernels share. */
import activationsSource from '../../../shaders/lib/activations.wgsl?raw';
import generateSource from '../../../shaders/lib/generate.wgsl?raw';
import gridSource from '../../../shaders/lib/grid.wgsl?raw';
import matmulSource from '../../../shaders/lib/matmul.wgsl?raw';
import logitsProductSource from '../../../shaders/lib/logits_product.wgsl?raw';
import recurrentActivationsSource from '../../../shaders/lib/recurrent_activations.wgsl?raw';
import recurrentBackwardSource from '../../../shaders/lib/recurrent_backward.wgsl?raw';
import recurrentBackward1Source from '../../../shaders/lib/recurrent_backward_1.wgsl?raw';
import recurrentBackward8Source from '../../../shaders/lib/recurrent_backward_8.wgsl?raw';
import recurrentBackward16Source from '../../../shaders/lib/recurrent_backward_16.wgsl?raw';
import recurrentBackwardPersistentSource from '../../../shaders/lib/recurrent_backward_persistent.wgsl?raw';
import recurrentBackwardStepSource from '../../../shaders/lib/recurrent_backward_step.wgsl?raw';
import recurrentForwardSource from '../../../shaders/lib/recurrent_forward.wgsl?raw';
import recurrentForward1Source from '../../../shaders/lib/recurrent_forward_1.wgsl?raw';
import recurrentForward8Source from '../../../shaders/lib/recurrent_forward_8.wgsl?raw';
import recurrentForward16Source from '../../../shaders/lib/recurrent_forward_16.wgsl?raw';
import recurrentForwardPersistentSource from '../../../shaders/lib/recurrent_forward_persistent.wgsl?raw';
import recurrentForwardStepSource from '../../../shaders/lib/recurrent_forward_step.wgsl?raw';
import recurrentMasksSource from '../../../shaders/lib/recurrent_masks.wgsl?raw';
import recurrentNormSource from '../../../shaders/lib/recurrent_norm.wgsl?raw';
import recurrentNormBackwardSource from '../../../shaders/lib/recurrent_norm_backward.wgsl?raw';
import recurrentNormForwardSource from '../../../shaders/lib/recurrent_norm_forward.wgsl?raw';
import recurrentNormMomentsSource from '../../../shaders/lib/recurrent_norm_moments.wgsl?raw';
import recurrentOptionsSource from '../../../shaders/lib/recurrent_options.wgsl?raw';
import recurrentPlainSource from '../../../shaders/lib/recurrent_plain.wgsl?raw';
import recurrentStateSource from '../../../shaders/lib/recurrent_state.wgsl?raw';
import rowReduceSource from '../../../shaders/lib/row_reduce.wgsl?raw';
import sampleTokenOrderSource from '../../../shaders/lib/sample_token_order.wgsl?raw';
import threefrySource from '../../../shaders/lib/threefry.wgsl?raw';
import clipGradientSource from '../../../shaders/lib/clip_gradient.wgsl?raw';
import ctcStatesSource from '../../../shaders/lib/ctc_states.wgsl?raw';
import scaledSource from '../../../shaders/lib/scaled.wgsl?raw';
import type { ShaderLibrary } from './kernel.js';

export const activationsLibrary: ShaderLibrary = { file: 'lib/activations.wgsl', code: activationsSource };
export const generateLibrary: ShaderLibrary = { file: 'lib/generate.wgsl', code: generateSource };
export const gridLibrary: ShaderLibrary = { file: 'lib/grid.wgsl', code: gridSource };
export const matmulLibrary: ShaderLibrary = { file: 'lib/matmul.wgsl', code: matmulSource };
export const recurrentActivationsLibrary: ShaderLibrary = {
  file: 'lib/recurrent_activations.wgsl',
  code: recurrentActivationsSource,
};
export const recurrentBackwardLibrary: ShaderLibrary = {
  file: 'lib/recurrent_backward.wgsl',
  code: recurrentBackwardSource,
};
export const recurrentForwardLibrary: ShaderLibrary = {
  file: 'lib/recurrent_forward.wgsl',
  code: recurrentForwardSource,
};
/** Tiles of forward steps, by the batch rows that an invocation computes. */
export const recurrentForwardTiles: Readonly<Record<1 | 8 | 16, ShaderLibrary>> = {
  1: { file: 'lib/recurrent_forward_1.wgsl', code: recurrentForward1Source },
  8: { file: 'lib/recurrent_forward_8.wgsl', code: recurrentForward8Source },
  16: { file: 'lib/recurrent_forward_16.wgsl', code: recurrentForward16Source },
};
/** Tiles of backward steps, by the batch rows that an invocation computes. */
export const recurrentBackwardTiles: Readonly<Record<1 | 8 | 16, ShaderLibrary>> = {
  1: { file: 'lib/recurrent_backward_1.wgsl', code: recurrentBackward1Source },
  8: { file: 'lib/recurrent_backward_8.wgsl', code: recurrentBackward8Source },
  16: { file: 'lib/recurrent_backward_16.wgsl', code: recurrentBackward16Source },
};
/** Entry points over those tiles: of one step, and of many. */
export const recurrentForwardStepLibrary: ShaderLibrary = {
  file: 'lib/recurrent_forward_step.wgsl',
  code: recurrentForwardStepSource,
};
export const recurrentForwardPersistentLibrary: ShaderLibrary = {
  file: 'lib/recurrent_forward_persistent.wgsl',
  code: recurrentForwardPersistentSource,
};
export const recurrentBackwardStepLibrary: ShaderLibrary = {
  file: 'lib/recurrent_backward_step.wgsl',
  code: recurrentBackwardStepSource,
};
export const recurrentBackwardPersistentLibrary: ShaderLibrary = {
  file: 'lib/recurrent_backward_persistent.wgsl',
  code: recurrentBackwardPersistentSource,
};
export const recurrentMasksLibrary: ShaderLibrary = {
  file: 'lib/recurrent_masks.wgsl',
  code: recurrentMasksSource,
};
export const recurrentNormLibrary: ShaderLibrary = {
  file: 'lib/recurrent_norm.wgsl',
  code: recurrentNormSource,
};
export const recurrentNormBackwardLibrary: ShaderLibrary = {
  file: 'lib/recurrent_norm_backward.wgsl',
  code: recurrentNormBackwardSource,
};
export const recurrentNormForwardLibrary: ShaderLibrary = {
  file: 'lib/recurrent_norm_forward.wgsl',
  code: recurrentNormForwardSource,
};
export const recurrentNormMomentsLibrary: ShaderLibrary = {
  file: 'lib/recurrent_norm_moments.wgsl',
  code: recurrentNormMomentsSource,
};
export const recurrentStateLibrary: ShaderLibrary = {
  file: 'lib/recurrent_state.wgsl',
  code: recurrentStateSource,
};
export const logitsProductLibrary: ShaderLibrary = {
  file: 'lib/logits_product.wgsl',
  code: logitsProductSource,
};
export const rowReduceLibrary: ShaderLibrary = { file: 'lib/row_reduce.wgsl', code: rowReduceSource };
export const sampleTokenOrderLibrary: ShaderLibrary = {
  file: 'lib/sample_token_order.wgsl',
  code: sampleTokenOrderSource,
};
export const threefryLibrary: ShaderLibrary = { file: 'lib/threefry.wgsl', code: threefrySource };
export const recurrentOptionsLibrary: ShaderLibrary = {
  file: 'lib/recurrent_options.wgsl',
  code: recurrentOptionsSource,
};
export const recurrentPlainLibrary: ShaderLibrary = {
  file: 'lib/recurrent_plain.wgsl',
  code: recurrentPlainSource,
};
export const clipGradientLibrary: ShaderLibrary = {
  file: 'lib/clip_gradient.wgsl',
  code: clipGradientSource,
};
export const ctcStatesLibrary: ShaderLibrary = { file: 'lib/ctc_states.wgsl', code: ctcStatesSource };
export const scaledLibrary: ShaderLibrary = { file: 'lib/scaled.wgsl', code: scaledSource };
