/** Kernels of models that read and write one token after another: the step of each cell, logits, and drawing. */
import generateGruSource from '../../../shaders/generate_gru.wgsl?raw';
import generateLogitsSource from '../../../shaders/generate_logits.wgsl?raw';
import generateLstmSource from '../../../shaders/generate_lstm.wgsl?raw';
import generateRnnSource from '../../../shaders/generate_rnn.wgsl?raw';
import sampleTokenCutSource from '../../../shaders/sample_token_cut.wgsl?raw';
import sampleTokenSource from '../../../shaders/sample_token.wgsl?raw';
import stridedCopyFloat16Source from '../../../shaders/strided_copy_float16.wgsl?raw';
import generateSource from '../../../shaders/lib/generate.wgsl?raw';
import logitsProductSource from '../../../shaders/lib/logits_product.wgsl?raw';
import sampleTokenOrderSource from '../../../shaders/lib/sample_token_order.wgsl?raw';
import weightsFloat16Source from '../../../shaders/lib/weights_float16.wgsl?raw';
import weightsFloat32Source from '../../../shaders/lib/weights_float32.wgsl?raw';
import type { WeightPrecision } from '../device.js';
import { stridedCopyKernel } from './general.js';
import { defineKernel, type Bindings, type Kernel, type Parameters, type ShaderLibrary } from './kernel.js';
import { activationsLibrary, gridLibrary, threefryLibrary } from './libraries.js';

const generateLibrary: ShaderLibrary = { file: 'lib/generate.wgsl', code: generateSource };
const logitsProductLibrary: ShaderLibrary = {
  file: 'lib/logits_product.wgsl',
  code: logitsProductSource,
};
const sampleTokenOrderLibrary: ShaderLibrary = {
  file: 'lib/sample_token_order.wgsl',
  code: sampleTokenOrderSource,
};

const weightsLibraries: Readonly<Record<WeightPrecision, ShaderLibrary>> = {
  float32: { file: 'lib/weights_float32.wgsl', code: weightsFloat32Source },
  float16: { file: 'lib/weights_float16.wgsl', code: weightsFloat16Source },
};

/** Declares a kernel for weights in each precision. */
/* @__NO_SIDE_EFFECTS__ */
function defineWeighted<const B extends Bindings, const P extends Parameters>(description: {
  readonly name: string;
  readonly file: string;
  readonly code: string;
  readonly libraries: readonly ShaderLibrary[];
  readonly bindings: B;
  readonly parameters: P;
}): Readonly<Record<WeightPrecision, Kernel<B, P>>> {
  const { name, libraries } = description;
  return {
    float32: defineKernel({ ...description, libraries: [...libraries, weightsLibraries.float32] }),
    float16: defineKernel({
      ...description,
      name: `${name}_float16`,
      libraries: [...libraries, weightsLibraries.float16],
    }),
  };
}

const stepBindings = {
  tokens: 'read',
  table: 'read',
  weight: 'read',
  vectors: 'read',
  states: 'read_write',
} as const;

const stepParameters = {
  batch: 'u32',
  hidden_quads: 'u32',
  input_quads: 'u32',
  vocabulary: 'u32',
  row_quads: 'u32',
  tokens_at: 'u32',
  x_at: 'u32',
  h_read: 'u32',
  h_write: 'u32',
  c_at: 'u32',
  relu: 'u32',
} as const;

export const generateLstmKernel = defineWeighted({
  name: 'generate_lstm',
  file: 'generate_lstm.wgsl',
  code: generateLstmSource,
  libraries: [generateLibrary, activationsLibrary],
  bindings: stepBindings,
  parameters: stepParameters,
});

export const generateGruKernel = defineWeighted({
  name: 'generate_gru',
  file: 'generate_gru.wgsl',
  code: generateGruSource,
  libraries: [generateLibrary, activationsLibrary],
  bindings: stepBindings,
  parameters: stepParameters,
});

export const generateRnnKernel = defineWeighted({
  name: 'generate_rnn',
  file: 'generate_rnn.wgsl',
  code: generateRnnSource,
  libraries: [generateLibrary, activationsLibrary],
  bindings: stepBindings,
  parameters: stepParameters,
});

export const generateLogitsKernel = defineWeighted({
  name: 'generate_logits',
  file: 'generate_logits.wgsl',
  code: generateLogitsSource,
  libraries: [logitsProductLibrary, gridLibrary],
  bindings: { h: 'read', weight: 'read', bias: 'read', logits: 'read_write' },
  parameters: { batch: 'u32', classes: 'u32', quads: 'u32', h_at: 'u32', has_bias: 'u32' },
});

export const sampleTokenKernel = defineKernel({
  name: 'sample_token',
  file: 'sample_token.wgsl',
  code: sampleTokenSource,
  libraries: [logitsProductLibrary, sampleTokenOrderLibrary, threefryLibrary, weightsLibraries.float32],
  bindings: {
    logits: 'read_write',
    h: 'read',
    weight: 'read',
    bias: 'read',
    settings: 'read',
    seeds: 'read',
    cuts: 'read',
    tokens: 'read_write',
  },
  parameters: {
    classes: 'u32',
    width: 'u32',
    quads: 'u32',
    h_at: 'u32',
    has_bias: 'u32',
    has_cuts: 'u32',
    temperature_at: 'u32',
    position_at: 'u32',
    step: 'u32',
    tokens_at: 'u32',
    index_bits: 'u32',
  },
});

export const sampleTokenCutKernel = defineKernel({
  name: 'sample_token_cut',
  file: 'sample_token_cut.wgsl',
  code: sampleTokenCutSource,
  libraries: [sampleTokenOrderLibrary],
  bindings: { logits: 'read', settings: 'read', cuts: 'read_write' },
  parameters: {
    classes: 'u32',
    width: 'u32',
    temperature_at: 'u32',
    top_k_at: 'u32',
    top_p_at: 'u32',
    has_top_k: 'u32',
    has_top_p: 'u32',
    index_bits: 'u32',
  },
});

/** Packs what kernels with weights in float16 read. */
export const stridedCopyFloat16Kernel = defineKernel({
  name: 'strided_copy_float16',
  file: 'strided_copy_float16.wgsl',
  code: stridedCopyFloat16Source,
  libraries: [gridLibrary],
  bindings: stridedCopyKernel.bindings,
  parameters: stridedCopyKernel.parameters,
});

/** All of them. */
export const GENERATE_KERNELS: readonly Kernel[] = [
  ...[generateLstmKernel, generateGruKernel, generateRnnKernel, generateLogitsKernel].flatMap(
    ({ float32, float16 }): Kernel[] => [float32, float16],
  ),
  sampleTokenKernel,
  sampleTokenCutKernel,
  stridedCopyFloat16Kernel,
];
