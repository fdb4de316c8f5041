/** The kernels of recurrent layers, forward and backward, by cell. */
import recurrentGruBackwardSource from '../../../shaders/recurrent_gru_backward.wgsl?raw';
import recurrentGruBeforeBackwardSource from '../../../shaders/recurrent_gru_before_backward.wgsl?raw';
import recurrentGruBeforeCandidateSource from '../../../shaders/recurrent_gru_before_candidate.wgsl?raw';
import recurrentGruBeforeGatesSource from '../../../shaders/recurrent_gru_before_gates.wgsl?raw';
import recurrentGruBeforeResetBackwardSource from '../../../shaders/recurrent_gru_before_reset_backward.wgsl?raw';
import recurrentGruForwardSource from '../../../shaders/recurrent_gru_forward.wgsl?raw';
import recurrentLstmBackwardSource from '../../../shaders/recurrent_lstm_backward.wgsl?raw';
import recurrentLstmForwardSource from '../../../shaders/recurrent_lstm_forward.wgsl?raw';
import recurrentOutputSource from '../../../shaders/recurrent_output.wgsl?raw';
import recurrentOutputBackwardSource from '../../../shaders/recurrent_output_backward.wgsl?raw';
import recurrentProjectSource from '../../../shaders/recurrent_project.wgsl?raw';
import recurrentProjectBackwardSource from '../../../shaders/recurrent_project_backward.wgsl?raw';
import recurrentRnnBackwardSource from '../../../shaders/recurrent_rnn_backward.wgsl?raw';
import recurrentRnnForwardSource from '../../../shaders/recurrent_rnn_forward.wgsl?raw';
import {
  defineKernel,
  TOGETHER_DIRECTIVES,
  type Bindings,
  type Kernel,
  type Parameters,
  type ShaderLibrary,
} from './kernel.js';
import { activationsLibrary, gridLibrary, threefryLibrary } from './libraries.js';
import {
  recurrentActivationsLibrary,
  recurrentBackwardLibrary,
  recurrentBackwardLoads,
  recurrentBackwardPersistentLibrary,
  recurrentBackwardStepLibrary,
  recurrentBackwardTiles,
  recurrentForwardLibrary,
  recurrentForwardLoads,
  recurrentForwardPersistentLibrary,
  recurrentForwardStepLibrary,
  recurrentForwardTiles,
  recurrentMasksLibrary,
  recurrentOptionsLibrary,
  recurrentPlainLibrary,
  recurrentStateLibrary,
} from './recurrent-libraries.js';

/** Batch rows that one invocation of a step computes. */
export type TileRows = 1 | 8 | 16;

/** What every forward step calls, beside what {@link defineStep} adds. */
const forwardLibraries = [recurrentForwardLibrary, recurrentStateLibrary];

/**
 * A step's kernel in two variants: for PyTorch's cells as they are, and with every option. The first is so much
 * less code that it compiles several times faster, which is most of the wait for a first step.
 */
export interface StepKernel<B extends Bindings = Bindings, P extends Parameters = Parameters> {
  readonly plain: Kernel<B, P>;
  readonly general: Kernel<B, P>;
}

/** What a step's kernel is declared by. */
interface StepDescription<B extends Bindings, P extends Parameters> {
  readonly name: string;
  readonly file: string;
  readonly code: string;
  readonly libraries: readonly ShaderLibrary[];
  readonly bindings: B;
  readonly parameters: P;
}

/** Declares both variants of a step's kernel. */
/* @__NO_SIDE_EFFECTS__ */
export function defineStep<const B extends Bindings, const P extends Parameters>(
  description: StepDescription<B, P>,
): StepKernel<B, P> {
  const { name, libraries } = description;
  return {
    plain: defineKernel({
      ...description,
      libraries: [...libraries, recurrentPlainLibrary, activationsLibrary],
    }),
    general: defineKernel({
      ...description,
      name: `${name}_options`,
      libraries: [
        ...libraries,
        recurrentOptionsLibrary,
        recurrentActivationsLibrary,
        recurrentMasksLibrary,
        activationsLibrary,
        threefryLibrary,
      ],
    }),
  };
}

/** What the forward steps, or the backward steps, of every cell are joined with. */
interface Direction {
  readonly tiles: Readonly<Record<TileRows, ShaderLibrary>>;
  readonly loads: Readonly<Record<'alone' | 'together', ShaderLibrary>>;
  /** The entry point of one step a dispatch, and that of many. */
  readonly step: ShaderLibrary;
  readonly persistent: ShaderLibrary;
}

const FORWARD: Direction = {
  tiles: recurrentForwardTiles,
  loads: recurrentForwardLoads,
  step: recurrentForwardStepLibrary,
  persistent: recurrentForwardPersistentLibrary,
};
const BACKWARD: Direction = {
  tiles: recurrentBackwardTiles,
  loads: recurrentBackwardLoads,
  step: recurrentBackwardStepLibrary,
  persistent: recurrentBackwardPersistentLibrary,
};

/** Declares a step's kernel for each height of its tiles: the same cell, with another product. */
/* @__NO_SIDE_EFFECTS__ */
function defineTiledStep<const B extends Bindings, const P extends Parameters>(
  { tiles, loads, step }: Direction,
  description: StepDescription<B, P>,
): Readonly<Record<TileRows, StepKernel<B, P>>> {
  const { name, libraries } = description;
  const of = (rows: TileRows): StepKernel<B, P> =>
    defineStep({
      ...description,
      name: `${name}_${rows}`,
      libraries: [tiles[rows], loads.alone, step, ...libraries],
    });
  return { 1: of(1), 8: of(8), 16: of(16) };
}

/** A step's kernel with more variants, without options. */
export interface PersistentKernel<
  B extends Bindings = Bindings,
  P extends Parameters = Parameters,
> extends StepKernel<B, P> {
  /** Runs many steps in one dispatch. */
  readonly persistent: Kernel<B, P>;
  /** One step, its invocations loading for one another, which takes subgroups; for the largest tiles. */
  readonly together?: Kernel<B, P>;
}

/** As {@link defineTiledStep}, with those variants. */
/* @__NO_SIDE_EFFECTS__ */
function definePersistentStep<const B extends Bindings, const P extends Parameters>(
  direction: Direction,
  description: StepDescription<B, P>,
): Readonly<Record<TileRows, PersistentKernel<B, P>>> {
  const steps = defineTiledStep(direction, description);
  const { name, libraries } = description;
  const of = (rows: TileRows): PersistentKernel<B, P> => {
    const { tiles, loads, persistent, step } = direction;
    const join = (kind: string, ...parts: readonly ShaderLibrary[]): Kernel<B, P> =>
      defineKernel({
        ...description,
        name: `${name}_${kind}_${rows}`,
        ...(kind === 'together' && { directives: TOGETHER_DIRECTIVES }),
        libraries: [tiles[rows], ...parts, ...libraries, recurrentPlainLibrary, activationsLibrary],
      });
    return {
      ...steps[rows],
      persistent: join('persistent', loads.alone, persistent),
      ...(rows === 16 && { together: join('together', loads.together, step) }),
    };
  };
  return { 1: of(1), 8: of(8), 16: of(16) };
}

const forwardParameters = {
  gates_row: 'vec2u',
  h_read: 'vec2u',
  h_write: 'vec2u',
  product_read: 'vec2u',
  dropped_write: 'vec2u',
  c_read: 'vec2u',
  c_write: 'vec2u',
  mask_row: 'vec2u',
  row_step: 'vec2u',
  h_step: 'vec2u',
  c_step: 'vec2u',
  zoneout: 'vec2f',
  zoneout_threshold: 'vec2u',
  first_direction: 'u32',
  steps: 'u32',
  h_places: 'u32',
  c_places: 'u32',
  batch: 'u32',
  hidden_quads: 'u32',
  product_quads: 'u32',
  weight_stride: 'u32',
  vector_stride: 'u32',
  has_bias: 'u32',
  has_peephole: 'u32',
  has_mask: 'u32',
  has_previous: 'u32',
  has_product: 'u32',
  save: 'u32',
  activation: 'u32',
  gate_activation: 'u32',
  output_activation: 'u32',
  coupled: 'u32',
  projected: 'u32',
  gate_clip: 'f32',
  cell_clip: 'f32',
  training: 'u32',
  stream: 'u32',
  hidden_width: 'u32',
  state_width: 'u32',
  dropout_threshold: 'u32',
  dropout_scale: 'f32',
} as const;

const backwardParameters = {
  source_read: 'vec2u',
  gates_row: 'vec2u',
  h_read: 'vec2u',
  product_read: 'vec2u',
  c_read: 'vec2u',
  dy_row: 'vec2u',
  mask_row: 'vec2u',
  carry_h: 'vec2u',
  carry_c: 'vec2u',
  peephole_sums: 'vec2u',
  target_write: 'vec2u',
  row_step: 'vec2u',
  zoneout: 'vec2f',
  zoneout_threshold: 'vec2u',
  first_direction: 'u32',
  steps: 'u32',
  batch: 'u32',
  hidden_quads: 'u32',
  unit_quads: 'u32',
  source_quads: 'u32',
  source_stride: 'u32',
  weight_stride: 'u32',
  weight_offset: 'u32',
  weight_shift: 'u32',
  vector_stride: 'u32',
  first_step: 'u32',
  has_next: 'u32',
  has_previous: 'u32',
  has_dy: 'u32',
  has_carry_h: 'u32',
  has_carry_c: 'u32',
  keep_carry_h: 'u32',
  only_initial: 'u32',
  has_mask: 'u32',
  has_peephole: 'u32',
  activation: 'u32',
  gate_activation: 'u32',
  output_activation: 'u32',
  coupled: 'u32',
  gate_clip: 'f32',
  cell_clip: 'f32',
  training: 'u32',
  stream: 'u32',
  hidden_width: 'u32',
  state_width: 'u32',
  dropout_threshold: 'u32',
  dropout_scale: 'f32',
} as const;

export const recurrentLstmForwardKernel = definePersistentStep(FORWARD, {
  name: 'recurrent_lstm_forward',
  file: 'recurrent_lstm_forward.wgsl',
  code: recurrentLstmForwardSource,
  libraries: forwardLibraries,
  bindings: {
    gates: 'read_write',
    weight: 'read',
    vectors: 'read',
    h: 'read_write',
    c: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: forwardParameters,
});

export const recurrentLstmBackwardKernel = definePersistentStep(BACKWARD, {
  name: 'recurrent_lstm_backward',
  file: 'recurrent_lstm_backward.wgsl',
  code: recurrentLstmBackwardSource,
  libraries: [recurrentBackwardLibrary],
  bindings: {
    gates: 'read_write',
    weight: 'read',
    c: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    vectors: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

export const recurrentProjectKernel = defineTiledStep(FORWARD, {
  name: 'recurrent_project',
  file: 'recurrent_project.wgsl',
  code: recurrentProjectSource,
  libraries: forwardLibraries,
  bindings: { weight: 'read', h: 'read_write', mask: 'read', seed: 'read' },
  parameters: forwardParameters,
});

export const recurrentProjectBackwardKernel = defineTiledStep(BACKWARD, {
  name: 'recurrent_project_backward',
  file: 'recurrent_project_backward.wgsl',
  code: recurrentProjectBackwardSource,
  libraries: [recurrentBackwardLibrary],
  bindings: {
    gates: 'read_write',
    weight: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

export const recurrentGruForwardKernel = definePersistentStep(FORWARD, {
  name: 'recurrent_gru_forward',
  file: 'recurrent_gru_forward.wgsl',
  code: recurrentGruForwardSource,
  libraries: forwardLibraries,
  bindings: {
    gates: 'read_write',
    weight: 'read',
    vectors: 'read',
    h: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: forwardParameters,
});

export const recurrentGruBackwardKernel = definePersistentStep(BACKWARD, {
  name: 'recurrent_gru_backward',
  file: 'recurrent_gru_backward.wgsl',
  code: recurrentGruBackwardSource,
  libraries: [recurrentBackwardLibrary],
  bindings: {
    gates: 'read_write',
    weight: 'read',
    h: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

export const recurrentGruBeforeGatesKernel = defineTiledStep(FORWARD, {
  name: 'recurrent_gru_before_gates',
  file: 'recurrent_gru_before_gates.wgsl',
  code: recurrentGruBeforeGatesSource,
  libraries: forwardLibraries,
  bindings: {
    gates: 'read_write',
    weight: 'read',
    vectors: 'read',
    h: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: forwardParameters,
});

export const recurrentGruBeforeCandidateKernel = defineTiledStep(FORWARD, {
  name: 'recurrent_gru_before_candidate',
  file: 'recurrent_gru_before_candidate.wgsl',
  code: recurrentGruBeforeCandidateSource,
  libraries: forwardLibraries,
  bindings: {
    gates: 'read_write',
    weight: 'read',
    vectors: 'read',
    h: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: forwardParameters,
});

export const recurrentGruBeforeBackwardKernel = defineTiledStep(BACKWARD, {
  name: 'recurrent_gru_before_backward',
  file: 'recurrent_gru_before_backward.wgsl',
  code: recurrentGruBeforeBackwardSource,
  libraries: [recurrentBackwardLibrary],
  bindings: {
    gates: 'read_write',
    weight: 'read',
    h: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

export const recurrentGruBeforeResetBackwardKernel = defineTiledStep(BACKWARD, {
  name: 'recurrent_gru_before_reset_backward',
  file: 'recurrent_gru_before_reset_backward.wgsl',
  code: recurrentGruBeforeResetBackwardSource,
  libraries: [recurrentBackwardLibrary],
  bindings: {
    gates: 'read_write',
    weight: 'read',
    h: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

export const recurrentRnnForwardKernel = definePersistentStep(FORWARD, {
  name: 'recurrent_rnn_forward',
  file: 'recurrent_rnn_forward.wgsl',
  code: recurrentRnnForwardSource,
  libraries: forwardLibraries,
  bindings: {
    gates: 'read_write',
    weight: 'read',
    vectors: 'read',
    h: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: forwardParameters,
});

export const recurrentRnnBackwardKernel = definePersistentStep(BACKWARD, {
  name: 'recurrent_rnn_backward',
  file: 'recurrent_rnn_backward.wgsl',
  code: recurrentRnnBackwardSource,
  libraries: [recurrentBackwardLibrary],
  bindings: {
    gates: 'read_write',
    weight: 'read',
    dy: 'read',
    carry: 'read_write',
    mask: 'read',
    seed: 'read',
  },
  parameters: backwardParameters,
});

export const recurrentOutputKernel = defineKernel({
  name: 'recurrent_output',
  file: 'recurrent_output.wgsl',
  code: recurrentOutputSource,
  libraries: [gridLibrary],
  bindings: { h: 'read', mask: 'read', y: 'read_write' },
  parameters: {
    first_row: 'u32',
    rows: 'u32',
    width: 'u32',
    directions: 'u32',
    h_offset: 'vec2u',
    h_stride: 'u32',
    has_mask: 'u32',
  },
});

export const recurrentOutputBackwardKernel = defineKernel({
  name: 'recurrent_output_backward',
  file: 'recurrent_output_backward.wgsl',
  code: recurrentOutputBackwardSource,
  libraries: [gridLibrary],
  bindings: { dy: 'read', dh: 'read_write' },
  parameters: {
    rows: 'u32',
    width: 'u32',
    padded: 'u32',
    directions: 'u32',
  },
});

/** All of them. */
export const RECURRENT_KERNELS: readonly Kernel[] = /* @__PURE__ */ [
  recurrentLstmForwardKernel,
  recurrentLstmBackwardKernel,
  recurrentProjectKernel,
  recurrentProjectBackwardKernel,
  recurrentGruForwardKernel,
  recurrentGruBackwardKernel,
  recurrentGruBeforeGatesKernel,
  recurrentGruBeforeCandidateKernel,
  recurrentGruBeforeBackwardKernel,
  recurrentGruBeforeResetBackwardKernel,
  recurrentRnnForwardKernel,
  recurrentRnnBackwardKernel,
]
  .flatMap((tiles): (StepKernel & Partial<PersistentKernel>)[] => [tiles[1], tiles[8], tiles[16]])
  .flatMap(({ plain, general, persistent, together }): Kernel[] => [
    plain,
    general,
    ...(persistent ? [persistent] : []),
    ...(together ? [together] : []),
  ])
  .concat(recurrentOutputKernel, recurrentOutputBackwardKernel);
