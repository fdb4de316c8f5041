/** `ctcLoss` on the GPU: forward and backward variables by one workgroup a sequence, then the sums by class. */
import type { Node } from '../../graph/value.js';
import {
  ctcLossBackwardOperation,
  ctcLossOperation,
  ctcSizes,
  type CtcLossAttributes,
} from '../../ops/ctc-loss.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import {
  ctcLossBackwardKernel,
  ctcLossGradientKernel,
  ctcLossKernel,
  ctcLossOccurrencesKernel,
} from '../kernels/ctc-loss.js';
import type { View } from '../memory.js';
import { defineLowering } from './context.js';
import { checkIterations, countLoop, MAX_ITERATIONS } from './limits.js';

/** Bytes of a float or an index, and of a number with its exponent. */
const WORD = 4;
const SCALED = 8;
/** Invocations that share the states of a sequence: ctc_loss.wgsl and ctc_loss_backward.wgsl. */
const LANES = 32;

/** What the forward pass leaves for the backward one. */
interface Residual {
  readonly alpha: View;
  readonly total: View;
}

/** Sizes of a loss, as the kernels' parameters name them, and how it is cut into dispatches. */
function layoutOf(node: Node<CtcLossAttributes>) {
  const { T, B, C, S } = ctcSizes(node.inputs);
  const states = 2 * S + 1;
  checkIterations(
    countLoop(states),
    node.label ? `ctcLoss "${node.label}"` : 'ctcLoss',
    `pass targets of at most ${MAX_ITERATIONS / 2 - 1} labels`,
  );
  // A step of time is a turn of its own loop, and the loop over states within it.
  const stepsAtOnce = Math.floor((MAX_ITERATIONS - 1) / (1 + countLoop(Math.ceil(states / LANES))));
  const parts = Array.from({ length: Math.ceil(T / stepsAtOnce) }, (_, i) => ({
    begin: i * stepsAtOnce,
    end: Math.min(T, (i + 1) * stepsAtOnce),
  }));
  return {
    sizes: { time: T, batch: B, classes: C, labels: S, blank: node.attributes.blank },
    states,
    parts,
    detail: `[${T},${B},${C}], ${S} labels`,
  };
}

export const lowerCtcLoss = defineLowering({
  operation: ctcLossOperation,
  lower(node, context) {
    const [logProbabilities, targets, inputLengths, targetLengths] = node.inputs;
    const [loss, residual] = node.outputs;
    const { zeroInfinity, perLabel } = node.attributes;
    const { sizes, states, parts, detail } = layoutOf(node);
    const { time, batch } = sizes;
    const keep = context.consumers(residual!).length > 0;
    const content: Residual = {
      alpha: context.allocate('ctc alpha', batch * (keep ? time : 2) * states * SCALED),
      total: context.allocate('ctc total', batch * SCALED),
    };
    const buffers = {
      log_probabilities: context.view(logProbabilities!),
      targets: context.view(targets!),
      input_lengths: context.view(inputLengths!),
      target_lengths: context.view(targetLengths!),
      ...content,
      loss: context.output(loss!, 'ctc loss'),
    };
    for (const part of parts) {
      context.dispatch(ctcLossKernel, {
        buffers,
        parameters: {
          ...sizes,
          ...part,
          keep,
          per_label: perLabel,
          impossible_loss: zeroInfinity ? 0 : Infinity,
        },
        workgroups: [batch, 1, 1],
        label: node.label,
        detail,
        flops: 8 * (part.end - part.begin) * batch * states,
      });
    }
    context.setResidual(residual!, content);
  },
});

export const lowerCtcLossBackward = defineLowering({
  operation: ctcLossBackwardOperation,
  lower(node, context) {
    const [logProbabilities, targets, inputLengths, targetLengths, residual, dLoss] = node.inputs;
    const [dLogProbabilities] = node.outputs;
    const { zeroInfinity, perLabel } = node.attributes;
    const { alpha, total } = context.residual(residual!) as Residual;
    const { sizes, states, parts, detail } = layoutOf(node);
    const { time, batch, classes, labels } = sizes;
    const { label } = node;
    const lengths = {
      input_lengths: context.view(inputLengths!),
      target_lengths: context.view(targetLengths!),
    };
    const occupancy = context.allocate('ctc occupancy', batch * time * states * WORD);
    const rest = context.allocate('ctc rest', batch * 2 * states * SCALED);
    for (const part of [...parts].reverse()) {
      context.dispatch(ctcLossBackwardKernel, {
        buffers: {
          log_probabilities: context.view(logProbabilities!),
          targets: context.view(targets!),
          ...lengths,
          alpha,
          total,
          rest,
          occupancy,
        },
        parameters: { ...sizes, ...part },
        workgroups: [batch, 1, 1],
        label,
        detail,
        flops: 12 * (part.end - part.begin) * batch * states,
      });
    }
    const occurrences = context.allocate('ctc occurrences', batch * (classes + labels) * WORD);
    context.dispatch(ctcLossOccurrencesKernel, {
      buffers: {
        targets: context.view(targets!),
        target_lengths: lengths.target_lengths,
        occurrences,
      },
      parameters: { batch, classes, labels },
      workgroups: foldWorkgroups(batch * (classes + labels), 64),
      label,
      detail: `[${batch},${classes + labels}]`,
    });
    context.dispatch(ctcLossGradientKernel, {
      buffers: {
        occupancy,
        occurrences,
        ...lengths,
        total,
        d_loss: context.view(dLoss!),
        d_log_probabilities: context.output(dLogProbabilities!, 'd log probabilities'),
      },
      parameters: { ...sizes, per_label: perLabel, impossible_gradient: zeroInfinity ? 0 : NaN },
      workgroups: foldWorkgroups(dLogProbabilities!.size, 64),
      label,
      detail,
      flops: dLogProbabilities!.size + time * batch * states,
    });
  },
});
