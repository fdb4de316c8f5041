/** The kernel of trained networks that read token by token. */
import frozenStepSource from '../../../shaders/frozen_step.wgsl?raw';
import { defineKernel, type Kernel } from './kernel.js';
import { activationsLibrary } from './libraries.js';

export const frozenStepKernel = defineKernel({
  name: 'frozen_step',
  file: 'frozen_step.wgsl',
  code: frozenStepSource,
  libraries: [activationsLibrary],
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
});

/** All of them. */
export const FROZEN_KERNELS: readonly Kernel[] = [frozenStepKernel];
