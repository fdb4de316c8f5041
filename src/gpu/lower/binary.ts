/** `binary` on the GPU: broadcasting is a stride of zero. */
import { binaryMaskOperation, binaryOperation, type BinaryKind } from '../../ops/binary.js';
import { sizeOf } from '../../graph/shape.js';
import type { Node, Value } from '../../graph/value.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { binaryKernel } from '../kernels/general.js';
import type { View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';
import { broadcastStrides, mergeAxes, toFour } from './strided-copy.js';

/** The kernel's codes: binary.wgsl. */
const CODES: Readonly<Record<BinaryKind | 'maximumMask' | 'minimumMask', number>> = {
  add: 0,
  sub: 1,
  mul: 2,
  div: 3,
  maximum: 4,
  minimum: 5,
  maximumMask: 6,
  minimumMask: 7,
};

/** An operand: where it lies and how its shape is spread over the result's. */
interface Operand {
  readonly view: View;
  readonly shape: readonly number[];
}

/** Appends `y = kind(a, b)`. */
export function emitBinary(
  context: LoweringContext,
  kind: keyof typeof CODES,
  a: Operand,
  b: Operand,
  y: View,
  shape: readonly number[],
  label: string,
): void {
  const { size, strides } = mergeAxes(
    shape,
    broadcastStrides(a.shape, shape),
    broadcastStrides(b.shape, shape),
  );
  context.dispatch(binaryKernel, {
    buffers: { a: a.view, b: b.view, y },
    parameters: {
      size: toFour(size, 1),
      a_stride: toFour(strides[0]!, 0),
      b_stride: toFour(strides[1]!, 0),
      kind: CODES[kind],
    },
    workgroups: foldWorkgroups(sizeOf(shape), 64),
    label,
    detail: `${kind} [${shape.join(',')}]`,
    flops: sizeOf(shape),
  });
}

function lower<A>(node: Node<A>, context: LoweringContext, kind: keyof typeof CODES): void {
  const operand = (value: Value): Operand => ({ view: context.view(value), shape: value.shape });
  const [a, b] = node.inputs.map((input) => operand(input!));
  const [y] = node.outputs;
  emitBinary(context, kind, a!, b!, context.output(y!, kind), y!.shape, node.label);
}

export const lowerBinary = defineLowering({
  operation: binaryOperation,
  lower: (node, context) => lower(node, context, node.attributes.kind),
});

export const lowerBinaryMask = defineLowering({
  operation: binaryMaskOperation,
  lower: (node, context) => lower(node, context, `${node.attributes.kind}Mask`),
});
