/** `embedding` on the GPU; its gradient is a sum by token, without atomics, so that it repeats to the bit. */
import { embeddingBackwardOperation, embeddingOperation } from '../../ops/embedding.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import {
  embeddingBackwardKernel,
  embeddingBackwardScatterKernel,
  embeddingBackwardScatterVec4Kernel,
  embeddingBackwardSparseKernel,
  embeddingKernel,
  embeddingVec4Kernel,
} from '../kernels/general.js';
import type { View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';
import { emitFill } from './fill.js';
import { MAX_ITERATIONS } from './limits.js';
import { readsTokens } from './recurrent/token-table.js';

/** Rows of a table, picked by tokens. Offsets and strides are in elements. */
export interface Lookup {
  readonly table: View;
  /** Rows and columns of the table. */
  readonly vocabulary: number;
  readonly width: number;
  readonly tokens: View;
  readonly tokenOffset?: number;
  /** Tokens to look up. */
  readonly rows: number;
  readonly y: View;
  readonly yOffset?: number;
  readonly yStride?: number;
  readonly label: string;
}

/** Whether whole vectors can be loaded and stored. */
function areFours(...elements: readonly number[]): boolean {
  return elements.every((count) => count % 4 === 0);
}

/** Appends the dispatch of one lookup. */
export function emitLookup(context: LoweringContext, lookup: Lookup): void {
  const { table, vocabulary, width, tokens, tokenOffset = 0, rows, y, yOffset = 0, label } = lookup;
  const yStride = lookup.yStride ?? width;
  const fours = areFours(width, yOffset, yStride);
  context.dispatch(fours ? embeddingVec4Kernel : embeddingKernel, {
    buffers: { table, tokens, y },
    parameters: {
      rows,
      width,
      vocabulary,
      token_offset: tokenOffset,
      y_offset: yOffset,
      y_stride: yStride,
    },
    workgroups: foldWorkgroups(rows * Math.ceil(width / (fours ? 16 : 4)), 64),
    label,
    detail: `[${vocabulary},${width}] by [${rows}]`,
  });
}

/** Sums of rows by token: what a lookup's gradient is. Offsets and strides are in elements. */
export interface TokenSums {
  readonly dy: View;
  readonly dyOffset?: number;
  readonly dyStride?: number;
  readonly tokens: View;
  readonly tokenOffset?: number;
  /** Rows to sum. */
  readonly rows: number;
  readonly width: number;
  readonly vocabulary: number;
  /** `[V,E]` */
  readonly dTable: View;
  /** Whether to add to what is there. */
  readonly accumulate?: boolean;
  readonly label: string;
}

/** Appends the dispatches of sums by token. All variants add in the order of the tokens. */
export function emitTokenSums(context: LoweringContext, sums: TokenSums): void {
  const { dy, dyOffset = 0, tokens, tokenOffset = 0, rows, width, vocabulary, dTable, label } = sums;
  const accumulate = sums.accumulate ?? false;
  const common = {
    width,
    vocabulary,
    dy_offset: dyOffset,
    dy_stride: sums.dyStride ?? width,
    token_offset: tokenOffset,
  };
  const step = {
    buffers: { dy, tokens, dtable: dTable },
    label,
    detail: `[${vocabulary},${width}] from [${rows},${width}]`,
    flops: rows * width,
  };
  const quads = Math.ceil(width / 4);
  const clear = (): void => {
    if (!accumulate) emitFill(context, dTable, vocabulary * width, 0, label);
  };
  const parts = (emit: (part: { begin: number; end: number }) => void): void => {
    for (let begin = 0; begin < rows; begin += MAX_ITERATIONS) {
      emit({ begin, end: Math.min(rows, begin + MAX_ITERATIONS) });
    }
  };
  const gather = (): void => {
    parts((part) => {
      context.dispatch(embeddingBackwardKernel, {
        ...step,
        parameters: { ...common, ...part, accumulate: accumulate || part.begin > 0 },
        workgroups: foldWorkgroups(vocabulary * quads, 64),
      });
    });
  };
  const sparse = (): void => {
    clear();
    context.dispatch(embeddingBackwardSparseKernel, {
      ...step,
      parameters: { ...common, rows },
      workgroups: foldWorkgroups(rows * quads, 64),
    });
  };
  const fours = areFours(width, dyOffset, common.dy_stride);
  const scatter = (): void => {
    clear();
    parts((part) => {
      context.dispatch(fours ? embeddingBackwardScatterVec4Kernel : embeddingBackwardScatterKernel, {
        ...step,
        parameters: { ...common, ...part },
        workgroups: foldWorkgroups(fours ? width / 4 : width, fours ? 4 : 16),
      });
    });
  };
  const variants = {
    scatter: { name: 'scatter', orderClass: 'tokens', emit: scatter },
    // Per row of the table every token is read; per token, only the tokens: whichever is less work.
    gather:
      vocabulary <= rows || 2 * rows > MAX_ITERATIONS || accumulate
        ? { name: 'gather', orderClass: 'tokens', emit: gather }
        : { name: 'sparse', orderClass: 'tokens', emit: sparse },
  };
  context.choose({
    family: 'embedding_backward',
    key: `${vocabulary}x${width} ${rows} ${common.dy_stride}${accumulate ? ' accumulate' : ''}`,
    variants: context.software ? [variants.scatter, variants.gather] : [variants.gather, variants.scatter],
  });
}

export const lowerEmbedding = defineLowering({
  operation: embeddingOperation,
  lower(node, context) {
    const [table, tokens] = node.inputs;
    const [y] = node.outputs;
    if (!context.isOutput(y!) && context.consumers(y!).every((reader) => readsTokens(reader, context)))
      return;
    const [vocabulary, width] = table!.shape as [number, number];
    emitLookup(context, {
      table: context.view(table!),
      vocabulary,
      width,
      tokens: context.view(tokens!),
      rows: tokens!.size,
      y: context.output(y!, 'embedding'),
      label: node.label,
    });
  },
});

export const lowerEmbeddingBackward = defineLowering({
  operation: embeddingBackwardOperation,
  lower(node, context) {
    const [dy, tokens] = node.inputs;
    const [dTable] = node.outputs;
    // A recurrent layer that looked its inputs up has done it already.
    if (context.isPlaced(dTable!)) return;
    const [vocabulary, width] = dTable!.shape as [number, number];
    emitTokenSums(context, {
      dy: context.view(dy!),
      tokens: context.view(tokens!),
      rows: tokens!.size,
      width,
      vocabulary,
      dTable: context.output(dTable!, 'd table'),
      label: node.label,
    });
  },
});
