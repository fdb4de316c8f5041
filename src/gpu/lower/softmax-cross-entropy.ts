/** `softmaxCrossEntropy` on the GPU: loss and gradient in one pass over the logits, the gradient in their place. */
import { fillOperation, type FillAttributes } from '../../ops/fill.js';
import {
  softmaxCrossEntropyBackwardOperation,
  softmaxCrossEntropyOperation,
} from '../../ops/softmax-cross-entropy.js';
import type { Value } from '../../graph/value.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import {
  softmaxCrossEntropyDivisorKernel,
  softmaxCrossEntropyKernel,
} from '../kernels/softmax-cross-entropy.js';
import type { View } from '../memory.js';
import { emitBinary } from './binary.js';
import { defineLowering, type LoweringContext } from './context.js';
import { MAX_ITERATIONS } from './limits.js';
import { emitReduceSum } from './reduce-sum.js';
import { lanesFor } from './rows.js';

/** Invocations that share the divisor's sum: softmax_cross_entropy_divisor.wgsl. */
const DIVISOR_LANES = 64;

/** What the forward pass leaves: the gradient of the loss by the logits, already times `scale`. */
interface Residual {
  readonly gradient: View;
  /** The upstream gradient, where it was known when the gradient was computed; `null` where it was not. */
  readonly upstream: number | null;
}

export const lowerSoftmaxCrossEntropy = defineLowering({
  operation: softmaxCrossEntropyOperation,
  lower(node, context) {
    const [logits, targets, weight, mask] = node.inputs;
    const [loss, residual] = node.outputs;
    const { reduction, ignoreIndex, labelSmoothing, normalized } = node.attributes;
    const classes = logits!.shape.at(-1)!;
    const rows = logits!.size / classes;
    const backward = context.consumers(residual!);
    const wantsGradient = backward.length > 0;
    let x = context.view(logits!);
    const aligned = x.offset % 256 === 0;
    if (!aligned || (wantsGradient && !context.canOverwrite(logits!, node, backward))) {
      const copy = context.allocate('logits copy', x.bytes);
      context.copy(x, copy, node.label);
      x = copy;
    }
    const options = {
      buffers: {
        targets: context.view(targets!),
        weight: weight ? context.view(weight) : context.nothing('read'),
        mask: mask ? context.view(mask) : context.nothing('read'),
      },
      parameters: {
        classes,
        has_weight: weight !== null,
        has_mask: mask !== null,
        has_ignored: ignoreIndex !== null,
        ignored: (ignoreIndex ?? 0) >>> 0,
      },
    };
    // Without any option a mean's divisor is the number of rows; with one it is a number of the run.
    const counts = reduction === 'mean' && (weight !== null || mask !== null || ignoreIndex !== null);
    const divisor = counts ? context.allocate('divisor', 4) : context.nothing('read');
    if (counts) {
      const longest = MAX_ITERATIONS * DIVISOR_LANES;
      for (let begin = 0; begin < rows; begin += longest) {
        context.dispatch(softmaxCrossEntropyDivisorKernel, {
          buffers: { ...options.buffers, divisor },
          parameters: {
            ...options.parameters,
            begin,
            end: Math.min(rows, begin + longest),
            accumulate: begin > 0,
          },
          workgroups: [1, 1, 1],
          label: node.label,
          detail: `[${rows}]`,
          flops: rows,
        });
      }
    }
    const upstream = reduction === 'none' ? null : commonUpstream(context, residual!);
    const meanScale = reduction === 'mean' && !counts ? 1 / rows : 1;
    const perRow =
      reduction === 'none' ? context.output(loss!, 'loss') : context.allocate('losses', rows * 4);
    const lanes = lanesFor(rows, classes, context.software);
    context.dispatch(softmaxCrossEntropyKernel, {
      buffers: { ...options.buffers, x, divisor, loss: perRow },
      parameters: {
        ...options.parameters,
        rows,
        lanes,
        normalized,
        write_gradient: wantsGradient,
        has_divisor: counts,
        label_smoothing: labelSmoothing,
        gradient_scale: (upstream ?? 1) * meanScale,
      },
      workgroups: foldWorkgroups(rows * lanes, 64),
      label: node.label,
      detail: `[${rows},${classes}]`,
      flops: 8 * logits!.size,
    });
    if (reduction !== 'none' && context.isRead(loss)) {
      emitReduceSum(context, {
        x: perRow,
        y: context.output(loss!, 'loss'),
        outer: 1,
        reduced: rows,
        inner: 1,
        scale: meanScale,
        label: node.label,
      });
    }
    if (wantsGradient) {
      const content: Residual = { gradient: x, upstream };
      context.pin(x.storage);
      context.setResidual(residual!, content);
    }
  },
});

/** The upstream gradient, if it is one known number for everyone who reads the residual. */
function commonUpstream(context: LoweringContext, residual: Value): number | null {
  const numbers = context.consumers(residual).map((consumer) => {
    const { source } = consumer.inputs[5]!;
    return source.kind === 'node' && source.node.operation === fillOperation
      ? (source.node.attributes as FillAttributes).value
      : null;
  });
  const [first = null] = numbers;
  return numbers.every((number) => number === first) ? first : null;
}

export const lowerSoftmaxCrossEntropyBackward = defineLowering({
  operation: softmaxCrossEntropyBackwardOperation,
  lower(node, context) {
    const [, , , , residual, dLoss] = node.inputs;
    const [dLogits] = node.outputs;
    const { gradient, upstream } = context.residual(residual!) as Residual;
    if (upstream !== null) {
      context.alias(dLogits!, gradient, node.label);
      return;
    }
    const { shape } = dLogits!;
    emitBinary(
      context,
      'mul',
      { view: gradient, shape },
      { view: context.view(dLoss!), shape: dLoss!.shape.length === 0 ? [] : [...dLoss!.shape, 1] },
      context.output(dLogits!, 'd logits'),
      shape,
      node.label,
    );
  },
});
