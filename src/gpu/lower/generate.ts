/**
 * `generate` on the GPU: one dispatch a layer and token, and one that makes the logits and draws (two for a large
 * vocabulary). All tokens of a run are in one list, all states in one storage, so that every step binds the same
 * buffers.
 *
 * The first layer's product with its input is a table with a row for each token, made once for given weights; where
 * that would take too much memory, the input is multiplied at each step.
 */
import type { Value } from '../../graph/value.js';
import { CELLS } from '../../ops/cells.js';
import { generateInputs, generateOperation } from '../../ops/generate.js';
import type { WeightPrecision } from '../device.js';
import { foldWorkgroups } from '../kernels/kernel.js';
import {
  generateGruKernel,
  generateLogitsKernel,
  generateLstmKernel,
  generateRnnKernel,
  stridedCopyFloat16Kernel,
} from '../kernels/generate.js';
import { alignUp, type View } from '../memory.js';
import { defineLowering, type LoweringContext } from './context.js';
import { emitMatmul } from './matmul.js';
import { cutsTokens, emitSampleToken, placeSampler, wholeOf, type LogitsProduct } from './sample-token.js';
import { emitStridedCopy, type StridedCopy } from './strided-copy.js';

/** Bytes of a number. */
const WORD = 4;
/** Bytes that the table of the first layer's products may take. */
const TABLE_BYTES = 2 ** 24;
/** Multiplications up to which the logits are made by the workgroup that draws. */
const DRAWN_PRODUCT = 2 ** 15;

const KERNELS = { lstm: generateLstmKernel, gru: generateGruKernel, rnn: generateRnnKernel } as const;

/** Sizes of the model; P is H rounded up to a multiple of four. */
interface Sizes {
  readonly L: number;
  readonly B: number;
  readonly H: number;
  readonly P: number;
  readonly G: number;
  readonly V: number;
  readonly E: number;
}

/** What a layer's dispatches bind and the parameters that do not change from step to step. */
interface LayerPlan {
  readonly table: View;
  readonly weight: View;
  readonly vectors: View;
  readonly inputQuads: number;
  readonly rowQuads: number;
}

export const lowerGenerate = defineLowering({
  operation: generateOperation,
  lower(node, context) {
    const { attributes, label } = node;
    const { cell, activation, length, numLayers: L, writes } = attributes;
    const inputs = generateInputs<Value>(node.inputs, attributes);
    const of = (name: string): Value => inputs.get(name)!;
    const [, B, H] = of('h').shape as readonly [number, number, number];
    const [V, E] = of('table').shape as readonly [number, number];
    const sizes: Sizes = { L, B, H, P: alignUp(H, 4), G: CELLS[cell].gates.length, V, E };
    const { P, G } = sizes;
    const quads = P / 4;

    // h before a step and after it, turn about; then c.
    const stateNames = CELLS[cell].states;
    const stateWords = alignUp(L * B * P * WORD) / WORD;
    const states = context.allocate('states', (stateNames.length + 1) * stateWords * WORD);
    const blockOf = (name: string, step: number): View => ({
      storage: states.storage,
      offset: (name === 'h' ? step % 2 : 2) * stateWords * WORD,
      bytes: L * B * P * WORD,
    });
    for (const name of stateNames)
      padColumns(context, context.view(of(name)), blockOf(name, 0), sizes, label);

    // What each step reads, and behind it what it draws, which the next one reads.
    const given = context.view(of('token'));
    let tokens = wholeOf(given);
    let tokensAt = given.offset / WORD;
    if (writes) {
      tokens = context.allocate('tokens', (length + 1) * B * WORD);
      tokensAt = 0;
      context.copy(given, { ...tokens, bytes: B * WORD }, label);
    }
    const layers = Array.from({ length: L }, (_, l) => planLayer(context, sizes, inputs, l, label));
    const output = writes ? planOutput(context, sizes, inputs, label) : null;

    for (let t = 0; t < length; t++) {
      layers.forEach(({ table, weight, vectors, inputQuads, rowQuads }, l) => {
        const at = (name: string, step: number, layer: number): number =>
          (blockOf(name, step).offset / WORD + layer * B * P) / 4;
        context.dispatch(KERNELS[cell][context.weightPrecision], {
          buffers: { tokens, table, weight, vectors, states },
          parameters: {
            batch: B,
            hidden_quads: quads,
            input_quads: inputQuads,
            vocabulary: V,
            row_quads: rowQuads,
            tokens_at: tokensAt + t * B,
            x_at: l === 0 ? 0 : at('h', t + 1, l - 1),
            h_read: at('h', t, l),
            h_write: at('h', t + 1, l),
            c_at: at('c', 0, l),
            relu: activation === 'relu',
          },
          workgroups: [Math.ceil((B * quads) / 32), 1, 1],
          label,
          detail: `t=${t} [${B},${4 * inputQuads + H}]·[${4 * inputQuads + H},${G * H}]`,
          flops: 2 * B * G * P * (4 * inputQuads + P) + 10 * B * G * P,
        });
      });
      if (!output) continue;
      const product = {
        ...output.product,
        h: states,
        at: (blockOf('h', t + 1).offset / WORD + (L - 1) * B * P) / 4,
      };
      if (output.apart) emitLogits(context, product, sizes, output.logits, label);
      emitSampleToken(context, {
        logits: output.logits,
        product: output.apart ? null : product,
        batch: B,
        classes: V,
        sampler: output.sampler,
        step: t,
        tokens,
        tokensAt: (t + 1) * B,
        label,
      });
    }

    stateNames.forEach((name, s) => {
      const value = node.outputs[s]!;
      if (!context.isRead(value)) return;
      const from = blockOf(name, length);
      if (H === P) context.alias(value, from, label);
      else cutColumns(context, from, context.output(value, name), sizes, label);
    });
    if (!writes) return;
    context.alias(
      node.outputs[stateNames.length]!,
      { ...tokens, offset: B * WORD, bytes: length * B * WORD },
      label,
    );
  },
});

/** Weights, biases and input of one layer. */
function planLayer(
  context: LoweringContext,
  sizes: Sizes,
  inputs: ReadonlyMap<string, Value>,
  l: number,
  label: string,
): LayerPlan {
  const { H, P, G, V, E } = sizes;
  const weightIh = inputs.get(`weightIh${l}`)!;
  const weightHh = inputs.get(`weightHh${l}`)!;
  const vectors = packBiases(
    context,
    sizes,
    [inputs.get(`biasHh${l}`) ?? null, inputs.get(`biasIh${l}`) ?? null],
    label,
  );
  if (l === 0 && V * G * P * WORD <= TABLE_BYTES) {
    const table = packProducts(context, sizes, inputs.get('table')!, weightIh, label);
    const weight = packWeights(context, sizes, [weightHh], [H], label);
    return { table, weight, vectors, inputQuads: 0, rowQuads: (G * P) / 4 };
  }
  const width = l === 0 ? E : H;
  const weight = packWeights(context, sizes, [weightIh, weightHh], [width, H], label);
  const inputQuads = Math.ceil(width / 4);
  if (l > 0) return { table: context.nothing('read'), weight, vectors, inputQuads, rowQuads: 0 };
  const table = padRows(context, inputs.get('table')!, label);
  return { table, weight, vectors, inputQuads, rowQuads: inputQuads };
}

/** Packs weights, each copy into rows of an even length without gaps, for kernels of the precision that was chosen. */
function packWeight(
  context: LoweringContext,
  values: readonly Value[],
  { packing, count, precision }: { packing: string; count: number; precision: WeightPrecision },
  copies: (from: readonly View[], to: View) => readonly StridedCopy[],
): View {
  const float16 = precision === 'float16';
  const name = float16 ? `${packing}, float16` : packing;
  return context.packed(values, name, (count * WORD) / (float16 ? 2 : 1), (from, to) => {
    for (const copy of copies(from, to)) {
      const words = [...copy.size.slice(0, -1), copy.size.at(-1)! / 2];
      const packs = { fromSize: copy.size, ...copy, size: words, kernel: stridedCopyFloat16Kernel };
      emitStridedCopy(context, float16 ? packs : copy);
    }
  });
}

/** Rows of W_ihᵀ and W_hhᵀ, one behind the other: `[K, G, P]`, K padded to multiples of four. */
function packWeights(
  context: LoweringContext,
  { H, P, G }: Sizes,
  weights: readonly Value[],
  widths: readonly number[],
  label: string,
): View {
  const rows = widths.reduce((sum, width) => sum + alignUp(width, 4), 0);
  const packed = { packing: 'rows of inputs', count: rows * G * P, precision: context.weightPrecision };
  return packWeight(context, weights, packed, (from, to) => {
    let row = 0;
    return from.map((view, i) => {
      const width = widths[i]!;
      const toOffset = row * G * P;
      row += alignUp(width, 4);
      return {
        from: view,
        to,
        size: [alignUp(width, 4), G, P],
        fromSize: [width, G, H],
        fromStride: [1, H * width, width],
        toStride: [G * P, P, 1],
        toOffset,
        label,
      };
    });
  });
}

/** b_hh and b_ih, `[2, G, P]`, zeros where absent. */
function packBiases(
  context: LoweringContext,
  { H, P, G }: Sizes,
  biases: readonly (Value | null)[],
  label: string,
): View {
  const given = biases.flatMap((value, at) => (value ? [{ value, at }] : []));
  const bytes = 2 * G * P * WORD;
  if (given.length === 0) return context.allocate('zeros', bytes, 'zeroed');
  const name = `biases ${given.map(({ at }) => at).join(' and ')}`;
  return context.packed(
    given.map(({ value }) => value),
    name,
    bytes,
    (from, to) => {
      from.forEach((view, i) => {
        emitStridedCopy(context, {
          from: view,
          to,
          size: [G, P],
          fromSize: [G, H],
          fromStride: [H, 1],
          toStride: [P, 1],
          toOffset: given[i]!.at * G * P,
          label,
        });
      });
    },
  );
}

/** `table·W_ihᵀ`, `[V, G, P]`: what each token gives to the first layer. */
function packProducts(
  context: LoweringContext,
  { H, P, G, V, E }: Sizes,
  table: Value,
  weightIh: Value,
  label: string,
): View {
  const padded =
    H === P
      ? null
      : context.packed([weightIh], 'padded units', G * P * E * WORD, ([from], to) => {
          emitStridedCopy(context, {
            from: from!,
            to,
            size: [G, P, E],
            fromSize: [G, H, E],
            fromStride: [H * E, E, 1],
            toStride: [P * E, E, 1],
            label,
          });
        });
  return context.packed([table, weightIh], 'product by token', V * G * P * WORD, ([rows, weight], to) => {
    emitMatmul(context, {
      m: V,
      n: G * P,
      k: E,
      a: { view: rows!, stride: E },
      b: { view: padded ?? weight!, stride: E, transposed: true },
      c: { view: to, stride: G * P },
      label,
    });
  });
}

/** Rows padded to a multiple of four; the matrix itself where they need it not. */
function padRows(context: LoweringContext, matrix: Value, label: string): View {
  const [rows, columns] = matrix.shape as readonly [number, number];
  const padded = alignUp(columns, 4);
  if (columns === padded) return context.view(matrix);
  return context.packed([matrix], `padded to ${padded}`, rows * padded * WORD, ([from], to) => {
    emitStridedCopy(context, {
      from: from!,
      to,
      size: [rows, padded],
      fromSize: [rows, columns],
      fromStride: [columns, 1],
      toStride: [padded, 1],
      label,
    });
  });
}

/** The transposed weight `[P, V]`, both padded to multiples of four. */
function packOutput(
  context: LoweringContext,
  weight: Value,
  precision: WeightPrecision,
  label: string,
): View {
  const [V, H] = weight.shape as readonly [number, number];
  const [rows, columns] = [alignUp(H, 4), alignUp(V, 4)];
  const packed = { packing: 'transposed, padded', count: rows * columns, precision };
  return packWeight(context, [weight], packed, ([from], to) => [
    {
      from: from!,
      to,
      size: [rows, columns],
      fromSize: [H, V],
      fromStride: [1, H],
      toStride: [columns, 1],
      label,
    },
  ]);
}

/** What the drawing of tokens needs. */
function planOutput(
  context: LoweringContext,
  { B, P, V }: Sizes,
  inputs: ReadonlyMap<string, Value>,
  label: string,
): {
  readonly product: Omit<LogitsProduct, 'h' | 'at'>;
  /** Whether the logits have a dispatch of their own. */
  readonly apart: boolean;
  readonly logits: View;
  readonly sampler: ReturnType<typeof placeSampler>;
} {
  const of = (name: string): Value => inputs.get(name)!;
  const bias = inputs.get('outputBias');
  const sampler = placeSampler(
    context,
    {
      temperature: of('temperature'),
      topK: inputs.get('topK') ?? null,
      topP: inputs.get('topP') ?? null,
      seeds: of('seeds'),
      position: of('position'),
    },
    label,
  );
  // Where tokens are cut away, the logits are read before one is drawn.
  const apart = V * P > DRAWN_PRODUCT || cutsTokens(sampler);
  return {
    product: {
      weight: packOutput(context, of('outputWeight'), apart ? context.weightPrecision : 'float32', label),
      bias: bias ? context.view(bias) : null,
      quads: P / 4,
    },
    apart,
    logits: context.allocate('logits', B * V * WORD),
    sampler,
  };
}

function emitLogits(
  context: LoweringContext,
  { h, at, weight, bias, quads }: LogitsProduct,
  { B, V }: Sizes,
  logits: View,
  label: string,
): void {
  context.dispatch(generateLogitsKernel[context.weightPrecision], {
    buffers: { h, weight, bias: bias ?? context.nothing('read'), logits },
    parameters: { batch: B, classes: V, quads, h_at: at, has_bias: bias !== null },
    workgroups: foldWorkgroups(B * Math.ceil(V / 4), 32),
    label,
    detail: `[${B},${4 * quads}]·[${4 * quads},${V}]`,
    flops: 8 * B * V * quads,
  });
}

/** `[L·B, H]` into rows of P. */
function padColumns(
  context: LoweringContext,
  from: View,
  to: View,
  { L, B, H, P }: Sizes,
  label: string,
): void {
  if (H === P) {
    context.copy(from, to, label);
    return;
  }
  emitStridedCopy(context, {
    from,
    to,
    size: [L * B, P],
    fromSize: [L * B, H],
    fromStride: [H, 1],
    toStride: [P, 1],
    label,
  });
}

/** Rows of P into `[L·B, H]`. */
function cutColumns(
  context: LoweringContext,
  from: View,
  to: View,
  { L, B, H, P }: Sizes,
  label: string,
): void {
  emitStridedCopy(context, {
    from,
    to,
    size: [L * B, H],
    fromStride: [P, 1],
    toStride: [H, 1],
    label,
  });
}
