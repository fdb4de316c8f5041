/** The cells' kernels: what the recurrent driver must know of each to run it on the GPU. */
import type { CellName } from '../../ops/cells.js';
import type { ParameterValues } from '../kernel.js';
import {
  recurrentGruBackwardKernel,
  recurrentGruForwardKernel,
  recurrentGruForwardRowKernel,
  recurrentLstmBackwardKernel,
  recurrentLstmForwardKernel,
  recurrentLstmForwardRowKernel,
  recurrentRnnBackwardKernel,
  recurrentRnnForwardKernel,
  recurrentRnnForwardRowKernel,
} from '../kernels.js';
import type { View } from '../memory.js';
import type { LoweringContext } from './context.js';

/** What every dispatch of a step passes on as it is. */
interface StepDescription {
  readonly workgroups: readonly [number, number, number];
  readonly label: string;
  readonly detail: string;
  readonly flops: number;
}

/** One forward step. */
export interface ForwardStep extends StepDescription {
  /** Whether there are so few batch rows that each should have invocations of its own. */
  readonly few: boolean;
  readonly buffers: {
    readonly gates: View;
    readonly weight: View;
    readonly bias: View;
    readonly states: readonly View[];
  };
  readonly parameters: ParameterValues<typeof recurrentLstmForwardKernel.parameters>;
}

/** One backward step. */
export interface BackwardStep extends StepDescription {
  readonly buffers: {
    readonly gates: View;
    readonly weight: View;
    readonly states: readonly View[];
    readonly dy: View;
    /** `null` for cells that carry no gradient past the product. */
    readonly carry: View | null;
    readonly dhFinal: View;
    readonly dhInitial: View;
  };
  readonly parameters: ParameterValues<typeof recurrentLstmBackwardKernel.parameters>;
}

/** A cell on the GPU. */
export interface CellKernels {
  /** Arrays kept for each step: `[T·B, slots, P]`. */
  readonly slots: number;
  /** The slot where the gates of `x·W_ihᵀ` begin. */
  readonly inputSlot: number;
  /** Which slots are, after the backward pass, the gradients of `h·W_hhᵀ + b_hh`, and of which gates. */
  readonly recurrentBlocks: readonly {
    readonly slot: number;
    readonly gate: number;
    readonly count: number;
  }[];
  /** Whether a gradient travels back beside the recurrent product: that of c, or `z⊙dh`. */
  readonly hasCarry: boolean;
  /** Which h the backward step reads. */
  readonly backwardReads: 'previous' | 'now';
  readonly forward: (context: LoweringContext, step: ForwardStep) => void;
  readonly backward: (context: LoweringContext, step: BackwardStep) => void;
}

const lstm: CellKernels = {
  slots: 4,
  inputSlot: 0,
  recurrentBlocks: [{ slot: 0, gate: 0, count: 4 }],
  hasCarry: true,
  backwardReads: 'previous',
  forward(context, { few, buffers, ...step }) {
    const { gates, weight, bias, states } = buffers;
    context.dispatch(few ? recurrentLstmForwardRowKernel : recurrentLstmForwardKernel, {
      ...step,
      buffers: { gates, weight, bias, h: states[0]!, c: states[1]! },
    });
  },
  backward(context, { buffers, ...step }) {
    const { gates, weight, states, dy, carry, dhFinal, dhInitial } = buffers;
    context.dispatch(recurrentLstmBackwardKernel, {
      ...step,
      buffers: { gates, weight, c: states[1]!, dy, dc: carry!, dh_final: dhFinal, dh_initial: dhInitial },
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
  hasCarry: true,
  backwardReads: 'previous',
  forward(context, { few, buffers, ...step }) {
    const { gates, weight, bias, states } = buffers;
    context.dispatch(few ? recurrentGruForwardRowKernel : recurrentGruForwardKernel, {
      ...step,
      buffers: { gates, weight, bias, h: states[0]! },
    });
  },
  backward(context, { buffers, ...step }) {
    const { gates, weight, states, dy, carry, dhFinal, dhInitial } = buffers;
    context.dispatch(recurrentGruBackwardKernel, {
      ...step,
      buffers: { gates, weight, h: states[0]!, dy, carry: carry!, dh_final: dhFinal, dh_initial: dhInitial },
    });
  },
};

const rnn: CellKernels = {
  slots: 1,
  inputSlot: 0,
  recurrentBlocks: [{ slot: 0, gate: 0, count: 1 }],
  hasCarry: false,
  backwardReads: 'now',
  forward(context, { few, buffers, ...step }) {
    const { gates, weight, bias, states } = buffers;
    context.dispatch(few ? recurrentRnnForwardRowKernel : recurrentRnnForwardKernel, {
      ...step,
      buffers: { gates, weight, bias, h: states[0]! },
    });
  },
  backward(context, { buffers, ...step }) {
    const { gates, weight, states, dy, dhFinal, dhInitial } = buffers;
    context.dispatch(recurrentRnnBackwardKernel, {
      ...step,
      buffers: { gates, weight, h: states[0]!, dy, dh_final: dhFinal, dh_initial: dhInitial },
    });
  },
};

/** The kernels of each cell. */
export const CELL_KERNELS: Readonly<Record<CellName, CellKernels>> = {
  lstm,
  gru,
  rnn_tanh: rnn,
  rnn_relu: rnn,
};
