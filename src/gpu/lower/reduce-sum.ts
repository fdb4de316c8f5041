/** `reduceSum` on the GPU, and the emitter for column sums, which bias gradients are. */
import { sizeOf, stridesOf } from '../../graph/shape.js';
import { reduceSumOperation } from '../../ops/reduce-sum.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import { reduceSumKernel } from '../kernels/general.js';
import type { View } from '../memory.js';
import type { Variant } from './choice.js';
import { defineLowering, type LoweringContext } from './context.js';
import { MAX_ITERATIONS } from './limits.js';
import { emitStridedCopy, mergeAxes } from './strided-copy.js';

/** `y[o,i] = scale·Σ_r x[o,r,i]`, in elements. */
export interface Reduction {
  readonly x: View;
  readonly y: View;
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
  /** Where the first element lies. */
  readonly xOffset?: number;
  /** From one `o` to the next; `reduced·stride` by default. */
  readonly xOuter?: number;
  /** From one `r` to the next; `inner` by default. */
  readonly xStride?: number;
  /** Where the first sum goes. */
  readonly yOffset?: number;
  readonly scale?: number;
  /** Adds to y instead of assigning it. */
  readonly accumulate?: boolean;
  readonly label: string;
}

/** Elements above which one invocation each is enough to keep a GPU busy. */
const MANY_ELEMENTS = 4096;
/** Summands below which sharing a sum costs more than it saves. */
const FEW_SUMMANDS = 128;
/** Parts into which column sums may be cut, the best first; one that divides the rows is taken. */
const PARTS = [32, 16, 8];

/** Appends one sum: whole, or where rows are many and sums few, in parts that are summed then. */
export function emitReduceSum(context: LoweringContext, reduction: Reduction): void {
  const { outer, reduced, inner, xStride = inner, accumulate = false, label } = reduction;
  const parts = PARTS.find((count) => reduced % count === 0 && reduced / count >= FEW_SUMMANDS / 4);
  if (outer > 1 || inner < 4 || inner >= MANY_ELEMENTS || reduced < 4 * FEW_SUMMANDS || !parts) {
    emitWhole(context, reduction);
    return;
  }
  const whole: Variant = { name: 'whole', orderClass: 'rows', emit: () => emitWhole(context, reduction) };
  const inParts: Variant = {
    name: `in ${parts} parts`,
    orderClass: `rows in ${parts} parts`,
    emit() {
      const partial = context.allocate('partial sums', parts * inner * 4);
      const length = reduced / parts;
      const { x, xOffset = 0, y, yOffset = 0, scale = 1 } = reduction;
      emitWhole(context, { x, xOffset, y: partial, outer: parts, reduced: length, inner, xStride, label });
      emitWhole(context, {
        x: partial,
        y,
        yOffset,
        outer: 1,
        reduced: parts,
        inner,
        scale,
        accumulate,
        label,
      });
    },
  };
  context.choose({
    family: 'reduce_sum',
    key: `${reduced}x${inner} ${xStride}${accumulate ? ' accumulate' : ''}`,
    variants: context.software ? [whole, inParts] : [inParts, whole],
  });
}

function emitWhole(context: LoweringContext, reduction: Reduction): void {
  const {
    x,
    y,
    outer,
    reduced,
    inner,
    xOffset = 0,
    xStride = inner,
    yOffset = 0,
    scale = 1,
    accumulate = false,
    label,
  } = reduction;
  const { xOuter = reduced * xStride } = reduction;
  const count = outer * inner;
  // Neighbouring sums read neighbouring columns; only where rows are whole is it better to share one sum, and on
  // software adapters, where barriers cost most, only of few.
  const wholeRows = !context.software && inner === 1 && count < MANY_ELEMENTS && reduced >= FEW_SUMMANDS;
  const lanes = wholeRows || count < 16 ? 64 : 1;
  const columns = lanes === 1 && inner >= 4 ? 4 : 1;
  const longest = MAX_ITERATIONS * lanes;
  for (let begin = 0; begin < reduced; begin += longest) {
    context.dispatch(reduceSumKernel, {
      buffers: { x, y },
      parameters: {
        outer,
        inner,
        x_offset: xOffset,
        x_outer: xOuter,
        x_stride: xStride,
        begin,
        end: Math.min(reduced, begin + longest),
        columns,
        lanes,
        y_offset: yOffset,
        scale,
        accumulate: accumulate || begin > 0,
      },
      workgroups: foldWorkgroups(outer * Math.ceil(inner / columns) * lanes, 64),
      label,
      detail: `[${outer},${reduced},${inner}]`,
      flops: count * reduced,
    });
  }
}

export const lowerReduceSum = defineLowering({
  operation: reduceSumOperation,
  lower(node, context) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const { axes, scale } = node.attributes;
    const { shape } = x!;
    let from = context.view(x!);
    const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    // The summed axes must lie together: if they do not, they are brought to the end first.
    const together = axes.every((axis, i) => i === 0 || axis === axes[i - 1]! + 1);
    const reduced = sizeOf(axes.map((axis) => shape[axis]!));
    let outer = sizeOf(kept.map((axis) => shape[axis]!));
    let inner = 1;
    if (together && axes.length > 0) {
      outer = sizeOf(shape.slice(0, axes[0]));
      inner = sizeOf(shape.slice(axes.at(-1)! + 1));
    } else if (axes.length > 0) {
      const order = [...kept, ...axes];
      const own = stridesOf(shape);
      const size = order.map((axis) => shape[axis]!);
      const merged = mergeAxes(
        size,
        order.map((axis) => own[axis]!),
        stridesOf(size),
      );
      const gathered = context.allocate('gathered', x!.size * 4);
      emitStridedCopy(context, {
        from,
        to: gathered,
        size: merged.size,
        fromStride: merged.strides[0]!,
        toStride: merged.strides[1]!,
        label: node.label,
      });
      from = gathered;
    }
    emitReduceSum(context, {
      x: from,
      y: context.output(y!, 'sum'),
      outer,
      reduced,
      inner,
      scale,
      label: node.label,
    });
  },
});
