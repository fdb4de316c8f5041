/** `softmaxCrossEntropy` on the GPU: loss and gradient in one pass over the logits, the gradient in their place. */
import { fillOperation, type FillAttributes } from '../../ops/fill.js';
import {
  softmaxCrossEntropyBackwardOperation,
  softmaxCrossEntropyOperation,
} from '../../ops/softmax-cross-entropy.js';
import type { Value } from '../../graph/value.js';
import { foldWorkgroups } from '../kernel.js';
import { softmaxCrossEntropyKernel } from '../kernels.js';
import type { View } from '../memory.js';
import { emitBinary } from './binary.js';
import { defineLowering, type LoweringContext } from './context.js';
import { emitReduceSum } from './reduce-sum.js';
import { lanesFor } from './rows.js';

/** What the forward pass leaves: the gradient of the loss by the logits, already times `scale`. */
interface Residual {
  readonly gradient: View;
  /** The upstream gradient, where it was known when the gradient was computed; `null` where it was not. */
  readonly upstream: number | null;
}

export const lowerSoftmaxCrossEntropy = defineLowering({
  operation: softmaxCrossEntropyOperation,
  lower(node, context) {
    const [logits, targets] = node.inputs;
    const [loss, residual] = node.outputs;
    const { reduction } = node.attributes;
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
    const upstream = reduction === 'none' ? null : commonUpstream(context, residual!);
    const scale = (upstream ?? 1) / (reduction === 'mean' ? rows : 1);
    const perRow =
      reduction === 'none' ? context.output(loss!, 'loss') : context.allocate('losses', rows * 4);
    const lanes = lanesFor(classes);
    context.dispatch(softmaxCrossEntropyKernel, {
      buffers: { x, targets: context.view(targets!), loss: perRow },
      parameters: { rows, classes, lanes, write_gradient: wantsGradient, gradient_scale: scale },
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
        scale: reduction === 'mean' ? 1 / rows : 1,
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
    const { source } = consumer.inputs[3]!;
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
    const [, , residual, dLoss] = node.inputs;
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
