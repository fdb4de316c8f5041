/** The kernels of elementwise arithmetic, rearrangements, sums, products, embeddings and masks. */
import binarySource from '../../../shaders/binary.wgsl?raw';
import dropoutSource from '../../../shaders/dropout.wgsl?raw';
import embeddingVec4Source from '../../../shaders/embedding_vec4.wgsl?raw';
import embeddingBackwardScatterVec4Source from '../../../shaders/embedding_backward_scatter_vec4.wgsl?raw';
import embeddingSource from '../../../shaders/embedding.wgsl?raw';
import embeddingBackwardSource from '../../../shaders/embedding_backward.wgsl?raw';
import embeddingBackwardScatterSource from '../../../shaders/embedding_backward_scatter.wgsl?raw';
import embeddingBackwardSparseSource from '../../../shaders/embedding_backward_sparse.wgsl?raw';
import fillSource from '../../../shaders/fill.wgsl?raw';
import matmulSource from '../../../shaders/matmul.wgsl?raw';
import matmul16x16Source from '../../../shaders/matmul_16x16.wgsl?raw';
import matmulRowSource from '../../../shaders/matmul_row.wgsl?raw';
import matmulSharedSource from '../../../shaders/matmul_shared.wgsl?raw';
import reduceSumSource from '../../../shaders/reduce_sum.wgsl?raw';
import sequenceMaskSource from '../../../shaders/sequence_mask.wgsl?raw';
import softmaxSource from '../../../shaders/softmax.wgsl?raw';
import softmaxBackwardSource from '../../../shaders/softmax_backward.wgsl?raw';
import stridedCopySource from '../../../shaders/strided_copy.wgsl?raw';
import unarySource from '../../../shaders/unary.wgsl?raw';
import unaryBackwardSource from '../../../shaders/unary_backward.wgsl?raw';
import { defineKernel, TOGETHER_DIRECTIVES, type Kernel } from './kernel.js';
import {
  activationsLibrary,
  gridLibrary,
  matmulAloneLibrary,
  matmulLibrary,
  matmulTogetherLibrary,
  rowReduceLibrary,
  threefryLibrary,
} from './libraries.js';

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
    columns: 'u32',
    lanes: 'u32',
    y_offset: 'u32',
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
  parameters: {
    rows: 'u32',
    width: 'u32',
    vocabulary: 'u32',
    token_offset: 'u32',
    y_offset: 'u32',
    y_stride: 'u32',
  },
});

export const embeddingVec4Kernel = /* @__PURE__ */ defineKernel({
  ...embeddingKernel,
  name: 'embedding_vec4',
  file: 'embedding_vec4.wgsl',
  code: embeddingVec4Source,
  libraries: [gridLibrary],
});

/** What the sums by token have in common; the first fields of each `Params`. */
const tokenSumParameters = {
  width: 'u32',
  vocabulary: 'u32',
  dy_offset: 'u32',
  dy_stride: 'u32',
  token_offset: 'u32',
} as const;

export const embeddingBackwardKernel = defineKernel({
  name: 'embedding_backward',
  file: 'embedding_backward.wgsl',
  code: embeddingBackwardSource,
  libraries: [gridLibrary],
  bindings: { dy: 'read', tokens: 'read', dtable: 'read_write' },
  parameters: { ...tokenSumParameters, begin: 'u32', end: 'u32', accumulate: 'u32' },
});

export const embeddingBackwardScatterKernel = defineKernel({
  name: 'embedding_backward_scatter',
  file: 'embedding_backward_scatter.wgsl',
  code: embeddingBackwardScatterSource,
  libraries: [gridLibrary],
  bindings: { dy: 'read', tokens: 'read', dtable: 'read_write' },
  parameters: { ...tokenSumParameters, begin: 'u32', end: 'u32' },
});

export const embeddingBackwardScatterVec4Kernel = /* @__PURE__ */ defineKernel({
  ...embeddingBackwardScatterKernel,
  name: 'embedding_backward_scatter_vec4',
  file: 'embedding_backward_scatter_vec4.wgsl',
  code: embeddingBackwardScatterVec4Source,
  libraries: [gridLibrary],
});

export const embeddingBackwardSparseKernel = defineKernel({
  name: 'embedding_backward_sparse',
  file: 'embedding_backward_sparse.wgsl',
  code: embeddingBackwardSparseSource,
  libraries: [gridLibrary],
  bindings: { dy: 'read', tokens: 'read', dtable: 'read_write' },
  parameters: { ...tokenSumParameters, rows: 'u32' },
});

export const dropoutKernel = defineKernel({
  name: 'dropout',
  file: 'dropout.wgsl',
  code: dropoutSource,
  libraries: [threefryLibrary, gridLibrary],
  bindings: { x: 'read', seed: 'read', y: 'read_write' },
  parameters: {
    first: 'u32',
    count: 'u32',
    stream: 'u32',
    purpose: 'u32',
    threshold: 'u32',
    scale: 'f32',
  },
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

const matmul = {
  bindings: { a: 'read', b: 'read', bias: 'read', c: 'read_write' },
  parameters: {
    batches: 'u32',
    m: 'u32',
    n: 'u32',
    k: 'u32',
    k_part: 'u32',
    a_offset: 'u32',
    a_batch: 'u32',
    a_m: 'u32',
    a_k: 'u32',
    b_offset: 'u32',
    b_batch: 'u32',
    b_k: 'u32',
    b_n: 'u32',
    c_offset: 'u32',
    c_m: 'u32',
    c_part: 'u32',
    has_bias: 'u32',
    accumulate: 'u32',
  },
} as const;

export const matmulKernel = defineKernel({
  name: 'matmul',
  file: 'matmul.wgsl',
  code: matmulSource,
  libraries: [matmulLibrary, matmulAloneLibrary],
  ...matmul,
});

export const matmul16x16Kernel = defineKernel({
  name: 'matmul_16x16',
  file: 'matmul_16x16.wgsl',
  code: matmul16x16Source,
  libraries: [matmulLibrary, matmulAloneLibrary, gridLibrary],
  ...matmul,
});

export const matmulTogetherKernel = defineKernel({
  name: 'matmul_together_16x16',
  file: 'matmul_16x16.wgsl',
  code: matmul16x16Source,
  directives: TOGETHER_DIRECTIVES,
  libraries: [matmulLibrary, matmulTogetherLibrary, gridLibrary],
  ...matmul,
});

export const matmulRowKernel = defineKernel({
  name: 'matmul_row',
  file: 'matmul_row.wgsl',
  code: matmulRowSource,
  libraries: [matmulLibrary, gridLibrary],
  ...matmul,
});

export const matmulSharedKernel = defineKernel({
  name: 'matmul_shared',
  file: 'matmul_shared.wgsl',
  code: matmulSharedSource,
  libraries: [matmulLibrary],
  ...matmul,
});

/** All of them. */
export const GENERAL_KERNELS: readonly Kernel[] = [
  fillKernel,
  stridedCopyKernel,
  unaryKernel,
  unaryBackwardKernel,
  binaryKernel,
  reduceSumKernel,
  embeddingKernel,
  embeddingVec4Kernel,
  embeddingBackwardKernel,
  embeddingBackwardScatterKernel,
  embeddingBackwardScatterVec4Kernel,
  embeddingBackwardSparseKernel,
  dropoutKernel,
  sequenceMaskKernel,
  softmaxKernel,
  softmaxBackwardKernel,
  matmulKernel,
  matmul16x16Kernel,
  matmulTogetherKernel,
  matmulRowKernel,
  matmulSharedKernel,
];
