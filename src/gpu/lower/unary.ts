/** `unary` and its derivative on the GPU. */
import { unaryBackwardOperation, unaryOperation, type UnaryKind } from '../../ops/unary.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { unaryBackwardKernel, unaryKernel } from '../kernels/general.js';
import { defineLowering } from './context.js';

/** The kernels' codes: unary.wgsl and unary_backward.wgsl. */
const CODES: Readonly<Record<UnaryKind, number>> = {
  neg: 0,
  exp: 1,
  log: 2,
  sqrt: 3,
  square: 4,
  abs: 5,
  reciprocal: 6,
  tanh: 7,
  sigmoid: 8,
  relu: 9,
  softplus: 10,
};

export const lowerUnary = defineLowering({
  operation: unaryOperation,
  lower(node, context) {
    const { kind } = node.attributes;
    const [y] = node.outputs;
    context.dispatch(unaryKernel, {
      buffers: { x: context.view(node.inputs[0]!), y: context.output(y!, kind) },
      parameters: { count: y!.size, kind: CODES[kind] },
      workgroups: foldWorkgroups(y!.size, 64),
      label: node.label,
      detail: `${kind} [${y!.shape.join(',')}]`,
      flops: y!.size,
    });
  },
});

export const lowerUnaryBackward = defineLowering({
  operation: unaryBackwardOperation,
  lower(node, context) {
    const { kind } = node.attributes;
    const [x, y, dy] = node.inputs.map((input) => context.view(input!));
    const [dx] = node.outputs;
    context.dispatch(unaryBackwardKernel, {
      buffers: { x: x!, y: y!, dy: dy!, dx: context.output(dx!, `d ${kind}`) },
      parameters: { count: dx!.size, kind: CODES[kind] },
      workgroups: foldWorkgroups(dx!.size, 64),
      label: node.label,
      detail: `${kind} [${dx!.shape.join(',')}]`,
      flops: 3 * dx!.size,
    });
  },
});
