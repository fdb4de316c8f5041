/** The files of `shaders/lib/` that the steps of recurrent layers are joined with. */
import recurrentActivationsSource from '../../../shaders/lib/recurrent_activations.wgsl?raw';
import recurrentBackwardSource from '../../../shaders/lib/recurrent_backward.wgsl?raw';
import recurrentBackward1Source from '../../../shaders/lib/recurrent_backward_1.wgsl?raw';
import recurrentBackward16Source from '../../../shaders/lib/recurrent_backward_16.wgsl?raw';
import recurrentBackward8Source from '../../../shaders/lib/recurrent_backward_8.wgsl?raw';
import recurrentBackwardAloneSource from '../../../shaders/lib/recurrent_backward_alone.wgsl?raw';
import recurrentBackwardPersistentSource from '../../../shaders/lib/recurrent_backward_persistent.wgsl?raw';
import recurrentBackwardStepSource from '../../../shaders/lib/recurrent_backward_step.wgsl?raw';
import recurrentBackwardTogetherSource from '../../../shaders/lib/recurrent_backward_together.wgsl?raw';
import recurrentForwardSource from '../../../shaders/lib/recurrent_forward.wgsl?raw';
import recurrentForward1Source from '../../../shaders/lib/recurrent_forward_1.wgsl?raw';
import recurrentForward16Source from '../../../shaders/lib/recurrent_forward_16.wgsl?raw';
import recurrentForward8Source from '../../../shaders/lib/recurrent_forward_8.wgsl?raw';
import recurrentForwardAloneSource from '../../../shaders/lib/recurrent_forward_alone.wgsl?raw';
import recurrentForwardPersistentSource from '../../../shaders/lib/recurrent_forward_persistent.wgsl?raw';
import recurrentForwardStepSource from '../../../shaders/lib/recurrent_forward_step.wgsl?raw';
import recurrentForwardTogetherSource from '../../../shaders/lib/recurrent_forward_together.wgsl?raw';
import recurrentMasksSource from '../../../shaders/lib/recurrent_masks.wgsl?raw';
import recurrentOptionsSource from '../../../shaders/lib/recurrent_options.wgsl?raw';
import recurrentPlainSource from '../../../shaders/lib/recurrent_plain.wgsl?raw';
import recurrentStateSource from '../../../shaders/lib/recurrent_state.wgsl?raw';
import type { ShaderLibrary } from './kernel.js';

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
/** How the tiles load what they multiply: each invocation for itself, or four for one another. */
export const recurrentForwardLoads: Readonly<Record<'alone' | 'together', ShaderLibrary>> = {
  alone: { file: 'lib/recurrent_forward_alone.wgsl', code: recurrentForwardAloneSource },
  together: { file: 'lib/recurrent_forward_together.wgsl', code: recurrentForwardTogetherSource },
};
export const recurrentBackwardLoads: Readonly<Record<'alone' | 'together', ShaderLibrary>> = {
  alone: { file: 'lib/recurrent_backward_alone.wgsl', code: recurrentBackwardAloneSource },
  together: { file: 'lib/recurrent_backward_together.wgsl', code: recurrentBackwardTogetherSource },
};
export const recurrentMasksLibrary: ShaderLibrary = {
  file: 'lib/recurrent_masks.wgsl',
  code: recurrentMasksSource,
};
export const recurrentStateLibrary: ShaderLibrary = {
  file: 'lib/recurrent_state.wgsl',
  code: recurrentStateSource,
};
export const recurrentOptionsLibrary: ShaderLibrary = {
  file: 'lib/recurrent_options.wgsl',
  code: recurrentOptionsSource,
};
export const recurrentPlainLibrary: ShaderLibrary = {
  file: 'lib/recurrent_plain.wgsl',
  code: recurrentPlainSource,
};
