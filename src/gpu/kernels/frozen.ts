/** The kernel of trained networks that read token by token, for weights in each precision. */
import frozenStepSource from '../../../shaders/frozen_step.wgsl?raw';
import frozenFloat16Source from '../../../shaders/lib/frozen_float16.wgsl?raw';
import frozenFloat32Source from '../../../shaders/lib/frozen_float32.wgsl?raw';
import type { WeightPrecision } from '../device.js';
import { defineKernel, type Kernel } from './kernel.js';
import { activationsLibrary } from './libraries.js';

const description = {
  file: 'frozen_step.wgsl',
  code: frozenStepSource,
  bindings: { x: 'read', weights: 'read', state: 'read_write' },
  parameters: {
    cell: 'u32',
    gates: 'u32',
    inputs: 'u32',
    units: 'u32',
    recurrent: 'u32',
    x_at: 'u32',
    h_read: 'u32',
    h_write: 'u32',
  },
} as const;

type FrozenKernel = Kernel<typeof description.bindings, typeof description.parameters>;

export const frozenStepKernel: Readonly<Record<WeightPrecision, FrozenKernel>> = {
  float32: defineKernel({
    ...description,
    name: 'frozen_step',
    libraries: [{ file: 'lib/frozen_float32.wgsl', code: frozenFloat32Source }, activationsLibrary],
  }),
  float16: defineKernel({
    ...description,
    name: 'frozen_step_float16',
    libraries: [{ file: 'lib/frozen_float16.wgsl', code: frozenFloat16Source }, activationsLibrary],
  }),
};

/** All of them. */
export const FROZEN_KERNELS: readonly Kernel[] = [frozenStepKernel.float32, frozenStepKernel.float16];
