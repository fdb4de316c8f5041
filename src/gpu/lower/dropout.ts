/** `dropout` on the GPU. */
import { dropoutOperation } from '../../ops/dropout.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { dropoutKernel } from '../kernels/general.js';
import type { View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';

/** Appends `y = x·mask/(1−p)`, as the operation of that name defines it; `purpose` tells masks of one stream apart. */
export function emitDropout(
  context: LoweringContext,
  dropout: {
    readonly x: View;
    readonly seed: View;
    readonly y: View;
    /** Of all elements, those that are computed: from the first on by default. */
    readonly first?: number;
    readonly count: number;
    readonly p: number;
    readonly stream: number;
    readonly purpose?: number;
    readonly label: string;
  },
): void {
  const { x, seed, y, first = 0, count, p, stream, purpose = 0, label } = dropout;
  context.dispatch(dropoutKernel, {
    buffers: { x, seed, y },
    parameters: {
      first,
      count,
      stream,
      purpose,
      // Compared as whole numbers of 24 bits; the reference compares with the probability in float32.
      threshold: Math.ceil(Math.fround(p) * 2 ** 24),
      scale: 1 / (1 - p),
    },
    workgroups: foldWorkgroups(count, 64),
    label,
    detail: `p ${p} [${count}]`,
    flops: count,
  });
}

export const lowerDropout = defineLowering({
  operation: dropoutOperation,
  lower(node, context) {
    const [x, seed] = node.inputs;
    const [y] = node.outputs;
    const { p, stream } = node.attributes;
    emitDropout(context, {
      x: context.view(x!),
      seed: context.view(seed!),
      y: context.output(y!, 'dropout'),
      count: y!.size,
      p,
      stream,
      label: node.label,
    });
  },
});
