/** `embedding` on the GPU; its gradient is a sum by token, without atomics, so that it repeats to the bit. */
import { embeddingBackwardOperation, embeddingOperation } from '../../ops/embedding.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import {
  embeddingBackwardKernel,
  embeddingBackwardScatterKernel,
  embeddingBackwardSparseKernel,
  embeddingKernel,
} from '../kernels/index.js';
import { defineLowering } from './context.js';
import { emitFill } from './fill.js';
import { MAX_ITERATIONS } from './limits.js';

export const lowerEmbedding = defineLowering({
  operation: embeddingOperation,
  lower(node, context) {
    const [table, tokens] = node.inputs;
    const [y] = node.outputs;
    const [vocabulary, width] = table!.shape as [number, number];
    context.dispatch(embeddingKernel, {
      buffers: {
        table: context.view(table!),
        tokens: context.view(tokens!),
        y: context.output(y!, 'embedding'),
      },
      parameters: { rows: tokens!.size, width, vocabulary },
      workgroups: foldWorkgroups(y!.size, 64),
      label: node.label,
      detail: `[${vocabulary},${width}] by [${tokens!.size}]`,
    });
  },
});

export const lowerEmbeddingBackward = defineLowering({
  operation: embeddingBackwardOperation,
  lower(node, context) {
    const [dy, tokens] = node.inputs;
    const [dTable] = node.outputs;
    const [vocabulary, width] = dTable!.shape as [number, number];
    const rows = tokens!.size;
    const buffers = {
      dy: context.view(dy!),
      tokens: context.view(tokens!),
      dtable: context.output(dTable!, 'd table'),
    };
    const quads = Math.ceil(width / 4);
    const detail = `[${vocabulary},${width}] from [${rows},${width}]`;
    const flops = rows * width;
    const gather = (): void => {
      for (let begin = 0; begin < rows; begin += MAX_ITERATIONS) {
        context.dispatch(embeddingBackwardKernel, {
          buffers,
          parameters: {
            width,
            vocabulary,
            begin,
            end: Math.min(rows, begin + MAX_ITERATIONS),
            accumulate: begin > 0,
          },
          workgroups: foldWorkgroups(vocabulary * quads, 64),
          label: node.label,
          detail,
          flops,
        });
      }
    };
    const sparse = (): void => {
      emitFill(context, buffers.dtable, dTable!.size, 0, node.label);
      context.dispatch(embeddingBackwardSparseKernel, {
        buffers,
        parameters: { rows, width, vocabulary },
        workgroups: foldWorkgroups(rows * quads, 64),
        label: node.label,
        detail,
        flops,
      });
    };
    const scatter = (): void => {
      emitFill(context, buffers.dtable, dTable!.size, 0, node.label);
      for (let begin = 0; begin < rows; begin += MAX_ITERATIONS) {
        context.dispatch(embeddingBackwardScatterKernel, {
          buffers,
          parameters: { width, vocabulary, begin, end: Math.min(rows, begin + MAX_ITERATIONS) },
          workgroups: foldWorkgroups(width, 16),
          label: node.label,
          detail,
          flops,
        });
      }
    };
    // All of them add in the order of the tokens.
    const variants = {
      scatter: { name: 'scatter', orderClass: 'tokens', emit: scatter },
      // Per row of the table every token is read; per token, only the tokens: whichever is less work.
      gather:
        vocabulary <= rows || 2 * rows > MAX_ITERATIONS
          ? { name: 'gather', orderClass: 'tokens', emit: gather }
          : { name: 'sparse', orderClass: 'tokens', emit: sparse },
    };
    context.choose({
      family: 'embedding_backward',
      key: `${vocabulary}x${width} ${rows}`,
      variants: context.software ? [variants.scatter, variants.gather] : [variants.gather, variants.scatter],
    });
  },
});
