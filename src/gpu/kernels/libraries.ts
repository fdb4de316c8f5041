/** Files of `shaders/lib/` that kernels of many kinds share. Others stand with the kernels that are joined with them. */
import activationsSource from '../../../shaders/lib/activations.wgsl?raw';
import gridSource from '../../../shaders/lib/grid.wgsl?raw';
import matmulSource from '../../../shaders/lib/matmul.wgsl?raw';
import matmulAloneSource from '../../../shaders/lib/matmul_alone.wgsl?raw';
import matmulTogetherSource from '../../../shaders/lib/matmul_together.wgsl?raw';
import rowReduceSource from '../../../shaders/lib/row_reduce.wgsl?raw';
import threefrySource from '../../../shaders/lib/threefry.wgsl?raw';
import type { ShaderLibrary } from './kernel.js';

export const activationsLibrary: ShaderLibrary = { file: 'lib/activations.wgsl', code: activationsSource };
export const gridLibrary: ShaderLibrary = { file: 'lib/grid.wgsl', code: gridSource };
export const matmulLibrary: ShaderLibrary = { file: 'lib/matmul.wgsl', code: matmulSource };
/** How tiles of products load A: each invocation for itself, or four for one another. */
export const matmulAloneLibrary: ShaderLibrary = { file: 'lib/matmul_alone.wgsl', code: matmulAloneSource };
export const matmulTogetherLibrary: ShaderLibrary = {
  file: 'lib/matmul_together.wgsl',
  code: matmulTogetherSource,
};
export const rowReduceLibrary: ShaderLibrary = { file: 'lib/row_reduce.wgsl', code: rowReduceSource };
export const threefryLibrary: ShaderLibrary = { file: 'lib/threefry.wgsl', code: threefrySource };
