/** `linear` on the GPU: one product over all leading dimensions, the bias added as it is stored. */
import { linearOperation } from '../../ops/linear.js';
import { defineLowering } from './context.js';
import { emitMatmul } from './matmul.js';

export const lowerLinear = defineLowering({
  operation: linearOperation,
  lower(node, context) {
    const [x, weight, bias] = node.inputs;
    const [y] = node.outputs;
    const [n, k] = weight!.shape as [number, number];
    emitMatmul(context, {
      m: x!.size / k,
      n,
      k,
      a: { view: context.view(x!), stride: k },
      b: { view: context.view(weight!), stride: k, transposed: true },
      bias: bias ? context.view(bias) : null,
      c: { view: context.output(y!, 'linear'), stride: n },
      label: node.label,
    });
  },
});
