/** `fill` on the GPU. */
import { fillOperation } from '../../ops/fill.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { fillKernel } from '../kernels/general.js';
import type { View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';

/** Appends a dispatch that sets `count` numbers. */
export function emitFill(
  context: LoweringContext,
  y: View,
  count: number,
  value: number,
  label: string,
): void {
  context.dispatch(fillKernel, {
    buffers: { y },
    parameters: { count, value },
    workgroups: foldWorkgroups(count, 64),
    label,
    detail: `[${count}] = ${value}`,
  });
}

export const lowerFill = defineLowering({
  operation: fillOperation,
  lower(node, context) {
    const [y] = node.outputs;
    emitFill(context, context.output(y!, 'constant'), y!.size, node.attributes.value, node.label);
  },
});
