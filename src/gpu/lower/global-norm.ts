/** `globalNorm` on the GPU: partial sums, one dispatch an array or one for all that lie side by side, then their root. */
import { globalNormOperation } from '../../ops/global-norm.js';
import { alignUp, type View } from '../memory.js';
import { globalNormKernel, globalNormPartialKernel } from '../kernels/optimizer.js';
import { defineLowering } from './context.js';
import { MAX_ITERATIONS } from './limits.js';

/** Elements that one workgroup adds up, before there are too many workgroups. */
const SHARE = 1024;
const MOST_WORKGROUPS = 256;
/** Invocations of a workgroup. */
const LANES = 64;
/** The same on software adapters, which have few cores to fill and pay for every barrier. */
const MOST_WORKGROUPS_IN_SOFTWARE = 8;

export const lowerGlobalNorm = defineLowering({
  operation: globalNormOperation,
  lower(node, context) {
    const runs = joinNeighbours(node.inputs.map((input) => context.view(input!)));
    const most = context.software ? MOST_WORKGROUPS_IN_SOFTWARE : MOST_WORKGROUPS;
    const shares = runs.map(({ bytes }) =>
      Math.max(Math.min(most, Math.ceil(bytes / 4 / SHARE)), Math.ceil(bytes / 4 / (LANES * MAX_ITERATIONS))),
    );
    const total = shares.reduce((sum, share) => sum + share, 0);
    const partial = context.allocate('partial sums of squares', total * 4);
    let offset = 0;
    runs.forEach((run, i) => {
      const count = run.bytes / 4;
      context.dispatch(globalNormPartialKernel, {
        buffers: { x: run, partial },
        parameters: { count, offset },
        workgroups: [shares[i]!, 1, 1],
        label: node.label,
        detail: `[${count}]`,
        flops: 2 * count,
      });
      offset += shares[i]!;
    });
    context.dispatch(globalNormKernel, {
      buffers: { partial, norm: context.output(node.outputs[0]!, 'norm') },
      parameters: { count: total },
      workgroups: [1, 1, 1],
      label: node.label,
      detail: `[${total}]`,
      flops: total,
    });
  },
});

/** Joins views that follow one another in a storage whose gaps are zero: gaps add nothing to a sum of squares. */
function joinNeighbours(views: readonly View[]): View[] {
  const runs: View[] = [];
  const sorted = [...views].sort((a, b) => a.storage.id - b.storage.id || a.offset - b.offset);
  for (const view of sorted) {
    const last = runs.at(-1);
    if (
      last?.storage === view.storage &&
      view.storage.role === 'zeroed' &&
      alignUp(last.offset + last.bytes) === view.offset
    ) {
      runs[runs.length - 1] = { ...last, bytes: view.offset + view.bytes - last.offset };
    } else {
      runs.push(view);
    }
  }
  return runs;
}
