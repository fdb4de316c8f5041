/** The cells' kernels: what the recurrent driver must know of each to run it on the GPU. */
import type { CellName } from '../../../ops/cells.js';
import type { RecurrentAttributes } from '../../../ops/recurrent-attributes.js';
import type { Bindings, Kernel, Parameters, ParameterValues } from '../../kernels/kernel.js';
import type { View } from '../../memory.js';
import {
  recurrentGruBackwardKernel,
  recurrentGruBeforeBackwardKernel,
  recurrentGruBeforeCandidateKernel,
  recurrentGruBeforeGatesKernel,
  recurrentGruBeforeResetBackwardKernel,
  recurrentGruForwardKernel,
  recurrentLstmBackwardKernel,
  recurrentLstmForwardKernel,
  recurrentRnnBackwardKernel,
  recurrentRnnForwardKernel,
  type PersistentKernel,
  type TileRows,
} from '../../kernels/recurrent.js';
import type { LoweringContext } from '../context.js';

/** Which kernel of a step: that of PyTorch's cells as they are, or the one with every option. */
export type StepVariant = 'plain' | 'general';

/** What every dispatch of a step passes on as it is. */
export interface StepDescription {
  readonly variant: StepVariant;
  /** Batch rows that an invocation computes. */
  readonly rows: TileRows;
  /** Whether these are many steps in one dispatch: of the plain variant, where the cell {@link CellKernels.persists}. */
  readonly persistent: boolean;
  /** Whether four invocations load for one another: of the plain variant in tiles of sixteen rows. */
  readonly together?: boolean;
  readonly workgroups: readonly [number, number, number];
  readonly label: string;
  readonly detail: string;
  readonly flops: number;
}

/** Parameters of a forward step. */
export type ForwardParameters = ParameterValues<
  (typeof recurrentLstmForwardKernel)[1]['plain']['parameters']
>;

/** Parameters of a backward step. */
export type BackwardParameters = ParameterValues<
  (typeof recurrentLstmBackwardKernel)[1]['plain']['parameters']
>;

/** One forward step. */
export interface ForwardStep extends StepDescription {
  readonly buffers: {
    readonly gates: View;
    readonly weight: View;
    readonly vectors: View;
    /** h over time and what else the recurrent product reads, and c over time. */
    readonly states: readonly View[];
    readonly mask: View;
    readonly seed: View;
  };
  readonly parameters: ForwardParameters;
  /** Where the r⊙h of each direction goes, for cells that multiply it. */
  readonly reset: readonly [number, number];
}

/** One backward step. */
export interface BackwardStep extends StepDescription {
  readonly buffers: {
    readonly gates: View;
    readonly weight: View;
    readonly vectors: View;
    readonly states: readonly View[];
    readonly dy: View;
    readonly carry: View;
    readonly mask: View;
    readonly seed: View;
  };
  readonly parameters: BackwardParameters;
}

/** Gates whose slots lie side by side. */
export interface GateBlock {
  readonly slot: number;
  readonly gate: number;
  readonly count: number;
}

/** A cell on the GPU. */
export interface CellKernels {
  /** Arrays kept for each step: `[T·B, slots, P]`. */
  readonly slots: number;
  /** The slot where the gates of `x·W_ihᵀ` begin. */
  readonly inputSlot: number;
  /** Which slots are, after the backward pass, the gradients of `h·W_hhᵀ + b_hh`, and of which gates. */
  readonly recurrentBlocks: readonly GateBlock[];
  /** Of those, the gate that multiplies r⊙h and not h; `null` where none does. */
  readonly resetGate: number | null;
  /** Slots whose gradients the step before multiplies by W_hh, and how the rows of W_hh are turned to meet them. */
  readonly source: { readonly slots: number; readonly shift: number };
  /** Whether a gradient of h always travels beside the recurrent product. */
  readonly carriesH: boolean;
  /** Whether many steps can be one dispatch. */
  readonly persists: boolean;
  readonly forward: (context: LoweringContext, step: ForwardStep) => void;
  readonly backward: (context: LoweringContext, step: BackwardStep) => void;
}

/** Which of a cell's kernels a step takes. */
type Tile = Pick<StepDescription, 'rows' | 'variant' | 'persistent' | 'together'>;

function kernelFor<B extends Bindings, P extends Parameters>(
  kernels: Readonly<Record<TileRows, PersistentKernel<B, P>>>,
  { rows, variant, persistent, together }: Tile,
): Kernel<B, P> {
  const kernel = kernels[rows];
  return together ? kernel.together! : kernel[persistent ? 'persistent' : variant];
}

const lstm: CellKernels = {
  slots: 4,
  inputSlot: 0,
  recurrentBlocks: [{ slot: 0, gate: 0, count: 4 }],
  resetGate: null,
  source: { slots: 4, shift: 0 },
  carriesH: false,
  persists: true,
  forward(context, { buffers, ...step }) {
    const { states, ...others } = buffers;
    context.dispatch(kernelFor(recurrentLstmForwardKernel, step), {
      ...step,
      buffers: { ...others, h: states[0]!, c: states[1]! },
    });
  },
  backward(context, { buffers, ...step }) {
    const { states, ...others } = buffers;
    context.dispatch(kernelFor(recurrentLstmBackwardKernel, step), {
      ...step,
      buffers: { ...others, c: states[1]! },
    });
  },
};

const gru: CellKernels = {
  slots: 4,
  inputSlot: 1,
  recurrentBlocks: [
    { slot: 1, gate: 0, count: 2 },
    { slot: 0, gate: 2, count: 1 },
  ],
  resetGate: null,
  // Slots m,r,z meet the rows n,r,z.
  source: { slots: 3, shift: 2 },
  carriesH: true,
  persists: true,
  forward(context, { buffers, ...step }) {
    const { states, ...others } = buffers;
    context.dispatch(kernelFor(recurrentGruForwardKernel, step), {
      ...step,
      buffers: { ...others, h: states[0]! },
    });
  },
  backward(context, { buffers, ...step }) {
    const { states, ...others } = buffers;
    context.dispatch(kernelFor(recurrentGruBackwardKernel, step), {
      ...step,
      buffers: { ...others, h: states[0]! },
    });
  },
};

/** The GRU as first published, with the reset before the product: two dispatches a step. */
const gruResetBefore: CellKernels = {
  slots: 3,
  inputSlot: 0,
  recurrentBlocks: [{ slot: 0, gate: 0, count: 3 }],
  resetGate: 2,
  source: { slots: 2, shift: 0 },
  carriesH: true,
  persists: false,
  forward(context, { rows, variant, buffers, parameters, reset, ...step }) {
    const { states, ...others } = buffers;
    const bound = { ...others, h: states[0]! };
    context.dispatch(recurrentGruBeforeGatesKernel[rows][variant], {
      ...step,
      buffers: bound,
      parameters: { ...parameters, h_write: reset },
    });
    context.dispatch(recurrentGruBeforeCandidateKernel[rows][variant], {
      ...step,
      buffers: bound,
      parameters: { ...parameters, product_read: reset },
      flops: step.flops / 2,
    });
  },
  backward(context, { rows, variant, buffers, parameters, ...step }) {
    const { states, ...others } = buffers;
    const bound = { ...others, h: states[0]! };
    context.dispatch(recurrentGruBeforeBackwardKernel[rows][variant], {
      ...step,
      buffers: bound,
      parameters,
    });
    if (parameters.only_initial) return;
    const quads = Number(parameters.hidden_quads);
    const rowOf = (d: number): number => (parameters.gates_row[d]! * 3 + 2) * quads;
    context.dispatch(recurrentGruBeforeResetBackwardKernel[rows][variant], {
      ...step,
      buffers: bound,
      parameters: {
        ...parameters,
        source_read: [rowOf(0), rowOf(1)],
        source_quads: quads,
        weight_offset: 2 * 4 * quads * Number(parameters.unit_quads),
        has_next: true,
      },
      flops: step.flops / 2,
    });
  },
};

const rnn: CellKernels = {
  slots: 1,
  inputSlot: 0,
  recurrentBlocks: [{ slot: 0, gate: 0, count: 1 }],
  resetGate: null,
  source: { slots: 1, shift: 0 },
  carriesH: false,
  persists: true,
  forward(context, { buffers, ...step }) {
    const { states, ...others } = buffers;
    context.dispatch(kernelFor(recurrentRnnForwardKernel, step), {
      ...step,
      buffers: { ...others, h: states[0]! },
    });
  },
  backward(context, { buffers, ...step }) {
    context.dispatch(kernelFor(recurrentRnnBackwardKernel, step), { ...step, buffers });
  },
};

const CELL_KERNELS: Readonly<Record<CellName, CellKernels>> = { lstm, gru, rnn };

/** The kernels of a cell, as its attributes want it. */
export function cellKernels({ cell, resetAfter }: RecurrentAttributes): CellKernels {
  return cell === 'gru' && !resetAfter ? gruResetBefore : CELL_KERNELS[cell];
}
